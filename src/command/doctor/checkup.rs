//! What was found: sections of lines, each fine, worth knowing, or a problem with its way out.

use std::fmt;

use crate::command::failure::Failure;
use crate::command::output::one_line;

/// Contract order: where several problems hold, the first of these is the exit code.
const CODES: [u8; 4] = [1, 2, 4, 5];

#[derive(Default)]
pub struct Checkup {
    sections: Vec<(&'static str, Vec<Line>)>,
    codes: Vec<u8>,
}

struct Line {
    mark: Mark,
    subject: String,
    text: String,
    hints: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Fine,
    /// No problem, but worth knowing.
    Note,
    Problem,
}

impl Checkup {
    pub fn section(&mut self, title: &'static str) {
        self.sections.push((title, Vec::new()));
    }

    pub fn fine(&mut self, subject: &str, text: impl Into<String>) {
        self.line(Mark::Fine, subject, &text.into(), &[]);
    }

    /// With what can be done about it.
    pub fn note(&mut self, subject: &str, text: impl Into<String>, hint: impl Into<String>) {
        self.line(Mark::Note, subject, &text.into(), &[hint.into()]);
    }

    /// What a request would end with.
    pub fn problem(&mut self, subject: &str, failure: &Failure) {
        self.codes.push(failure.exit_code);
        let mut hints = failure.hints.clone();
        if hints.is_empty() {
            hints.push("`faos doctor -vv` says more of what happened, on stderr".to_owned());
        }
        self.line(Mark::Problem, subject, &failure.message, &hints);
    }

    pub fn exit_code(&self) -> u8 {
        CODES.into_iter().find(|code| self.codes.contains(code)).unwrap_or(0)
    }

    fn line(&mut self, mark: Mark, subject: &str, text: &str, hints: &[String]) {
        let line = Line { mark, subject: one_line(subject), text: one_line(text), hints: hints.to_vec() };
        if let Some((_, lines)) = self.sections.last_mut() {
            lines.push(line);
        }
    }
}

impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in &self.sections {
            writeln!(f, "{title}")?;
            let width = lines.iter().map(|line| line.subject.chars().count()).max().unwrap_or(0);
            for Line { mark, subject, text, hints } in lines {
                let mark = match mark {
                    Mark::Fine => "ok",
                    Mark::Note => "note",
                    Mark::Problem => "PROBLEM",
                };
                writeln!(f, "  {mark:<7}  {subject:<width$}  {text}")?;
                hints.iter().try_for_each(|hint| writeln!(f, "           hint: {}", one_line(hint)))?;
            }
            writeln!(f)?;
        }
        match self.codes.len() {
            0 => writeln!(f, "faos can work here"),
            1 => writeln!(f, "faos cannot work yet: 1 problem"),
            several => writeln!(f, "faos cannot work yet: {several} problems"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Checkup;
    use crate::command::failure::Failure;

    #[test]
    fn the_first_code_of_the_contract_counts() {
        let mut checkup = Checkup::default();
        assert_eq!(checkup.exit_code(), 0);
        for (code, want) in [(5, 5), (4, 4), (5, 4), (1, 1), (2, 1)] {
            checkup.problem("x", &Failure { message: String::new(), hints: Vec::new(), exit_code: code });
            assert_eq!(checkup.exit_code(), want);
        }
    }

    #[test]
    fn problems_stand_out_with_their_hints() {
        let mut checkup = Checkup::default();
        checkup.section("FOLDERS");
        checkup.fine("state", "/s");
        checkup.problem("sessions", &Failure::usage("cannot be\nwritten\u{1b}[2J", "free some space"));
        let want = "FOLDERS\n  ok       state     /s\n  PROBLEM  sessions  cannot be written\n           hint: free some space\n\nfaos cannot work yet: 1 problem\n";
        assert_eq!(checkup.to_string(), want);
    }

    #[test]
    fn nothing_that_is_not_fine_is_without_a_way_out() {
        let mut checkup = Checkup::default();
        checkup.section("X");
        checkup.problem("a", &Failure { message: "wrong".to_owned(), hints: Vec::new(), exit_code: 1 });
        checkup.note("b", "odd", "do this");
        let text = checkup.to_string();
        assert_eq!(text.matches("hint: ").count(), 2, "{text}");
    }
}
