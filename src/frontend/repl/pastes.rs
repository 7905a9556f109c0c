//! Long pastes: one mark in the line that is typed, all of it when the line is sent.

use std::sync::{Arc, Mutex, PoisonError};

/// A paste of more lines or bytes than these stands as a mark.
const LINES: usize = 8;
const BYTES: usize = 1_000;

/// What the marks stand for, from one message to the next. Behind a lock, held for a moment: the prompt's thread folds what
/// the loop unfolds.
#[derive(Clone, Debug, Default)]
pub struct Pastes(Arc<Mutex<Vec<(String, String)>>>);

impl Pastes {
    /// What is put into the line for it.
    pub fn fold(&self, text: &str) -> String {
        self.fold_beyond((LINES, BYTES), text)
    }

    /// The same for what comes back to the prompt to be changed: only what no prompt has room for is a mark there.
    pub fn fold_to_edit(&self, text: &str) -> String {
        self.fold_beyond((5 * LINES, 5 * BYTES), text)
    }

    /// Nothing stands for anything any more.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn fold_beyond(&self, (most, bytes): (usize, usize), text: &str) -> String {
        let lines = text.lines().count();
        if lines <= most && text.len() <= bytes {
            return text.to_owned();
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = if lines > 1 { format!("{lines} lines") } else { format!("{} characters", text.chars().count()) };
        let same = kept.iter().filter(|(mark, _)| mark.contains(&format!("[pasted {what}"))).count();
        let mark = if same == 0 { format!("[pasted {what}]") } else { format!("[pasted {what}, {}]", same + 1) };
        kept.push((mark.clone(), text.to_owned()));
        mark
    }

    /// The line as it was meant.
    pub fn unfold(&self, line: &str) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut out, mut rest) = (String::with_capacity(line.len()), line);
        // From left to right, so that a mark within a paste is what was pasted.
        while let Some((at, mark, text)) = kept
            .iter()
            .filter_map(|(mark, text)| Some((rest.find(mark.as_str())?, mark, text)))
            .min_by_key(|(at, ..)| *at)
        {
            out.push_str(&rest[..at]);
            out.push_str(text);
            rest = &rest[at + mark.len()..];
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Pastes;

    #[test]
    fn what_is_long_is_a_mark_until_it_is_sent() {
        let pastes = Pastes::default();
        assert_eq!(pastes.fold("two\nlines"), "two\nlines");
        let long: String = (1..=1000).map(|n| format!("line {n}\n")).collect();
        let (first, second) = (pastes.fold(&long), pastes.fold(&long.replace("line", "row")));
        assert_eq!((first.as_str(), second.as_str()), ("[pasted 1000 lines]", "[pasted 1000 lines, 2]"));
        let sent = pastes.unfold(&format!("a {second} b {first}"));
        assert_eq!(sent, format!("a {} b {long}", long.replace("line", "row")));
        assert_eq!(pastes.fold(&"x".repeat(2000)), "[pasted 2000 characters]");
        assert_eq!(pastes.unfold("[pasted 7 lines]"), "[pasted 7 lines]", "whoever types it means it");
    }

    #[test]
    fn a_mark_within_a_paste_stays() {
        let pastes = Pastes::default();
        let one = pastes.fold(&"a\n".repeat(20));
        let two = pastes.fold(&format!("{one}\n").repeat(30));
        assert_eq!(pastes.unfold(&two), format!("{one}\n").repeat(30));
    }
}
