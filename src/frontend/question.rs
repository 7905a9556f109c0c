//! A question at the terminal before anything is open.

use std::io::{self, BufRead, Write};

use crate::base::printable::printable;

/// Asks, and waits for a line. Anything but a yes is a no.
pub fn yes(text: &str) -> bool {
    let mut stderr = io::stderr();
    if write!(stderr, "{} [y/N] ", printable(text)).and_then(|()| stderr.flush()).is_err() {
        return false;
    }
    answer().is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Shows numbered choices and returns which was taken, from 0.
pub fn pick(text: &str, choices: &[String]) -> Option<usize> {
    let mut stderr = io::stderr();
    let lines: String =
        choices.iter().enumerate().map(|(at, choice)| format!("{:>3}  {}\n", at + 1, printable(choice))).collect();
    if write!(stderr, "{lines}{} [1-{}] ", printable(text), choices.len()).and_then(|()| stderr.flush()).is_err() {
        return None;
    }
    let number: usize = answer()?.parse().ok()?;
    (1..=choices.len()).contains(&number).then(|| number - 1)
}

fn answer() -> Option<String> {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(1..) => Some(line.trim().to_owned()),
        Ok(0) | Err(_) => {
            // Ctrl-D, or a terminal that is gone: no answer, and the question's row is not ended.
            let _ = io::stderr().write_all(b"\n");
            None
        }
    }
}
