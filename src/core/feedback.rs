//! What the model is told of its actions: one short text each, kept in the log and sent back byte for byte.

use std::fmt::Write as _;

use crate::base::clip::clip;
use crate::base::printable::printable;
use crate::base::report::{ChangeKind, ExitKind, FileChange, RunReport};
use crate::reply::EditRefusal;

/// Why a deletion is refused that asks for nothing.
pub const NO_SUCH_FILE: &str = "no such file";

/// Characters of one stream that the model is shown where no script shaped it.
const HEAD: usize = 2_000;
const TAIL: usize = 4_000;

/// The sections of one edit block (or of several of the same file in a row) and how each went.
pub struct EditBlock {
    pub path: String,
    pub applied: Vec<usize>,
    pub refused: Vec<(usize, EditRefusal)>,
    pub of: usize,
}

impl EditBlock {
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (number, refusal) in &self.refused {
            let _ = writeln!(
                out,
                "edit {}: section {number} of {} was not applied: {}.",
                self.path, self.of, refusal.reason
            );
            if !refusal.context.is_empty() {
                let _ = writeln!(out, "{}", refusal.context.trim_end_matches('\n'));
            }
        }
        if !self.applied.is_empty() {
            let _ = writeln!(out, "Sections that did apply, do not send these again: {}.", numbers(&self.applied));
        }
        // Without lines to copy there is no file, and the reason says what to send.
        let again = self.refused.iter().filter(|(_, refusal)| !refusal.context.is_empty());
        let again: Vec<usize> = again.map(|(number, _)| *number).collect();
        if again.is_empty() {
            out.truncate(out.trim_end().len());
            return out;
        }
        let word = if again.len() == 1 { "section" } else { "sections" };
        let _ = write!(out, "Send {word} {} again, with SEARCH lines that repeat the file exactly.", numbers(&again));
        out
    }
}

fn numbers(of: &[usize]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `run 1: exit 0, 0.21 s, peak 14 MB`.
pub fn run_line(number: u32, report: &RunReport) -> String {
    format!(
        "run {number}: {}, {:.2} s, peak {} MB",
        ending(report),
        report.wall_s,
        report.peak_memory_bytes / 1_000_000
    )
}

/// How a run ended, in plain words.
pub fn ending(report: &RunReport) -> String {
    let exit = report.exit;
    match exit.kind {
        ExitKind::Exited => format!("exit {}", exit.code.unwrap_or_default()),
        ExitKind::Signaled => format!("killed by signal {}", exit.signal.unwrap_or_default()),
        ExitKind::WallLimit => "stopped at the time limit".to_owned(),
        ExitKind::CpuLimit => "stopped at the CPU time limit".to_owned(),
        ExitKind::MemoryLimit => "stopped at the memory limit".to_owned(),
        ExitKind::OutputLimit => "stopped at the output limit".to_owned(),
        ExitKind::FileLimit => "stopped at the file size limit".to_owned(),
        ExitKind::ProcessLimit => "stopped at the process limit".to_owned(),
        ExitKind::DiskLimit => "stopped at the disk limit".to_owned(),
        ExitKind::Cancelled => "cancelled".to_owned(),
        ExitKind::SetupFailed => "not started: the sandbox could not be set up".to_owned(),
    }
}

/// Both streams as the model may see them, where no script has shaped them.
pub fn streams(stdout: &str, stderr: &str) -> String {
    let mut out = String::new();
    for (name, text) in [("stdout", stdout), ("stderr", stderr)] {
        let text = clip(&printable(text), HEAD, TAIL);
        if !text.is_empty() {
            let _ = write!(out, "--- {name} ---\n{}\n", text.trim_end_matches('\n'));
        }
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// The whole outcome of a run: its line, its body, and what it made or changed.
pub fn run_outcome(number: u32, report: &RunReport, body: &str) -> String {
    let mut out = run_line(number, report);
    if !body.is_empty() {
        let _ = write!(out, "\n{body}");
    }
    for (kind, word) in
        [(ChangeKind::Created, "created"), (ChangeKind::Modified, "changed"), (ChangeKind::Deleted, "deleted")]
    {
        let paths = paths_of(&report.files_changed, kind);
        if !paths.is_empty() {
            let _ = write!(out, "\nrun {number} {word}: {paths}");
        }
    }
    if !report.quarantined.is_empty() {
        let paths = report.quarantined.join("`, `");
        let _ = write!(
            out,
            "\nrun {number} made `{paths}`, which was moved out of the workspace: a run cannot set up git or faos there"
        );
    }
    out
}

/// The outcome of a run that the user made beside the conversation.
pub fn user_run_outcome(report: &RunReport, body: &str) -> String {
    let fence = "`".repeat(3);
    format!("The user ran this:\n{fence}\n{}\n{fence}\n{}", report.command.trim_end(), run_outcome(1, report, body))
}

fn paths_of(changes: &[FileChange], kind: ChangeKind) -> String {
    const MOST: usize = 20;
    let paths: Vec<String> =
        changes.iter().filter(|change| change.kind == kind).map(|change| printable(&change.path)).collect();
    match paths.len().checked_sub(MOST) {
        None | Some(0) => paths.join(", "),
        Some(more) => format!("{} and {more} more", paths[..MOST].join(", ")),
    }
}

/// Whether nearly every line of `text` was already shown in `shown` (a check that repeats what a run just printed).
pub fn is_repetition(text: &str, shown: &str) -> bool {
    let known: std::collections::HashSet<&str> = shown.lines().map(str::trim).collect();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let repeated = lines.iter().filter(|line| known.contains(*line)).count();
    !lines.is_empty() && repeated * 10 >= lines.len() * 8
}

#[cfg(test)]
mod tests {
    use super::{EditBlock, is_repetition, streams};
    use crate::reply::EditRefusal;

    #[test]
    fn a_block_says_what_applied_and_what_to_send_again() {
        let refusal =
            |reason: &str, context: &str| EditRefusal { reason: reason.to_owned(), context: context.to_owned() };
        let block = EditBlock {
            path: "a.py".to_owned(),
            applied: vec![1, 3],
            refused: vec![(
                2,
                refusal("its SEARCH lines are not in the file", "--- closest lines of a.py ---\n  1 | x\n"),
            )],
            of: 3,
        };
        let wanted = "edit a.py: section 2 of 3 was not applied: its SEARCH lines are not in the file.\n\
            --- closest lines of a.py ---\n  1 | x\n\
            Sections that did apply, do not send these again: 1, 3.\n\
            Send section 2 again, with SEARCH lines that repeat the file exactly.";
        assert_eq!(block.text(), wanted);
    }

    #[test]
    fn streams_are_printable_and_named() {
        assert_eq!(streams("a\u{1b}[1mb\n", "x\ry\n"), "--- stdout ---\nab\n--- stderr ---\ny");
        assert_eq!(streams("", ""), "");
    }

    #[test]
    fn a_check_that_repeats_a_run_is_seen() {
        let run = "run 1: exit 1\n--- stderr ---\nF.\nFAIL: test_x\nAssertionError: 1 != 2\nRan 2 tests in 0.01s\n";
        assert!(is_repetition("F.\nFAIL: test_x\nAssertionError: 1 != 2\n", run));
        assert!(!is_repetition("SyntaxError: invalid syntax\n  File \"a.py\", line 1\n", run));
        assert!(!is_repetition("", run));
    }
}
