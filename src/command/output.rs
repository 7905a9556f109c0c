//! What a command that holds no conversation prints: its result on stdout, its remarks on stderr.
//!
//! Everything goes through [`printable`], but for a file's own text that goes to a file or a program. A closed stdout is
//! exit code 141, as for every program that is piped into `head`.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::base::printable::printable;
use crate::command::failure::Failure;
use crate::command::job::Plan;

/// The result, and with it the command's end.
pub fn print(text: &str) -> Result<Plan, Failure> {
    write(&printable(text))
}

/// A file's own text: as it is, unless a terminal would act on it.
pub fn print_file(text: &str) -> Result<Plan, Failure> {
    if !io::stdout().is_terminal() {
        return write(text);
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    print(&format!("{text}{end}"))
}

/// The result of something that has failed all the same: the failure counts, unless nobody reads.
pub fn print_then(text: &str, failure: Failure) -> Result<Plan, Failure> {
    match print(text)? {
        Plan::Done(0) => Err(failure),
        plan @ (Plan::Done(_) | Plan::Converse(_)) => Ok(plan),
    }
}

/// A result that says itself how it went.
pub fn print_with_code(text: &str, exit_code: u8) -> Result<Plan, Failure> {
    match print(text)? {
        Plan::Done(0) => Ok(Plan::Done(exit_code)),
        plan @ (Plan::Done(_) | Plan::Converse(_)) => Ok(plan),
    }
}

/// A remark. That nobody can read it is no reason to fail.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}

/// Foreign text as part of one line.
pub fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// Columns as wide as what stands in them, two spaces apart; the last one may be of any length.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a text cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn write(text: &str) -> Result<Plan, Failure> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Plan::Done(0)),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Plan::Done(141)),
        Err(error) => {
            Err(Failure { message: format!("cannot write to stdout: {error}"), hints: Vec::new(), exit_code: 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{one_line, table};

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        assert_eq!(table(&[row(["name", "from"]), row(["ä", ""])]), "name  from\nä\n");
        assert_eq!(table::<2>(&[]), "");
    }

    #[test]
    fn foreign_text_stays_on_its_line() {
        assert_eq!(one_line("a\nb\u{1b}[2Jc"), "a bc");
    }
}
