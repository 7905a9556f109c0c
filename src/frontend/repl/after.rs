//! What is said at the end of a turn beside its verdict: which files changed and how much, and what it cost.

use std::time::Instant;

use crate::base::printable::printable;
use crate::base::report::ChangeKind;
use crate::core::event::{ActionEvent, ActionOutcome, Event, Finished, LineCount};

/// Files that are named.
const NAMED: usize = 5;

/// One request, from its first event to its last.
pub struct Turn {
    since: Instant,
    changed: Vec<(String, LineCount)>,
}

impl Default for Turn {
    fn default() -> Self {
        Self { since: Instant::now(), changed: Vec::new() }
    }
}

impl Turn {
    pub fn event(&mut self, event: &Event) {
        let Event::Action(ActionEvent { outcome: ActionOutcome::Applied, path, lines: Some(lines), .. }) = event else {
            return;
        };
        match self.changed.iter_mut().find(|(known, _)| known == path) {
            Some((_, sum)) => {
                sum.added += lines.added;
                sum.removed += lines.removed;
            }
            None => self.changed.push((path.clone(), *lines)),
        }
    }

    /// Seconds since it began.
    pub fn seconds(&self) -> u64 {
        self.since.elapsed().as_secs()
    }

    /// `todo.py +107 -3 · test_todo.py new, +76 · /diff shows it`, with its newline; empty where no file changed.
    pub fn changes(&self, finished: &Finished) -> String {
        let mut parts: Vec<String> = Vec::new();
        for file in finished.files.iter().take(NAMED) {
            let path = printable(&file.path);
            let lines = self.changed.iter().find(|(known, _)| *known == file.path).map(|(_, lines)| *lines);
            parts.push(match (file.kind, lines) {
                (ChangeKind::Deleted, _) => format!("{path} deleted"),
                // What came and went again within the turn is no change.
                (ChangeKind::Created, Some(lines)) => {
                    format!("{path} new, +{}", lines.added.saturating_sub(lines.removed))
                }
                (ChangeKind::Created, None) => format!("{path} new"),
                (ChangeKind::Modified, Some(LineCount { added, removed })) => format!("{path} +{added} -{removed}"),
                (ChangeKind::Modified, None) => format!("{path} changed"),
            });
        }
        if parts.is_empty() {
            return String::new();
        }
        if finished.files.len() > NAMED {
            parts.push(format!("{} more", finished.files.len() - NAMED));
        }
        format!("{} · /diff shows it\n", parts.join(" · "))
    }
}
