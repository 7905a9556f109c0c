//! What the model knows of the files: for each, the version in which it wrote, read or was shown it last. A part of the
//! conversation's history, computed from the log alone.

use std::collections::BTreeMap;

use crate::base::path::RelPath;
use crate::session::record::{ActionKind, Applied, Entry, RunSource};

/// Why a whole file is refused.
pub const CHANGED_OUTSIDE: &str = "changed outside since the model last saw it";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    versions: BTreeMap<String, u32>,
    /// Written, and in no version yet.
    written: Vec<String>,
    /// A run of the model's has ended: what it changed is the next version.
    ran: bool,
}

impl Seen {
    /// Takes in one record; `newest` is the newest version before it.
    pub fn apply(&mut self, entry: &Entry, newest: Option<u32>) {
        match entry {
            Entry::RunStarted { source: RunSource::Model, .. } => self.ran = true,
            Entry::RunStarted { source: RunSource::User, .. } => self.ran = false,
            Entry::RequestSent { .. } | Entry::UserMessage { .. } => self.ran = false,
            Entry::ActionApplied { kind, path, outcome, .. } => self.applied(*kind, path, *outcome, newest),
            Entry::ActionRefused { path, reason, .. } if reason == CHANGED_OUTSIDE => self.shown(path, newest),
            // `path:10-40` is a part, and is taken for what was asked to be seen.
            Entry::FileAttached { path, .. } => self.shown(path.split(':').next().unwrap_or(path), newest),
            Entry::VersionKept { version, files, .. } => {
                let written = std::mem::take(&mut self.written);
                self.versions.extend(written.into_iter().map(|path| (path, *version)));
                if std::mem::take(&mut self.ran) {
                    for file in files {
                        self.versions.entry(file.path.clone()).and_modify(|seen| *seen = *version);
                    }
                }
            }
            _ => {}
        }
    }

    fn applied(&mut self, kind: ActionKind, path: &str, outcome: Applied, newest: Option<u32>) {
        match kind {
            ActionKind::Write | ActionKind::Edit if outcome == Applied::Noop => self.shown(path, newest),
            ActionKind::Write | ActionKind::Edit => self.written.push(path.to_owned()),
            ActionKind::Delete => {
                self.versions.remove(path);
            }
            ActionKind::Move => {
                if let Some((from, to)) = path.split_once(" -> ")
                    && self.versions.remove(from).is_some()
                {
                    self.written.push(to.to_owned());
                }
            }
            ActionKind::Run | ActionKind::Read => {}
        }
    }

    fn shown(&mut self, path: &str, newest: Option<u32>) {
        if let Some(newest) = newest {
            let path = RelPath::parse(path).map_or_else(|_| path.to_owned(), String::from);
            self.versions.insert(path, newest);
        }
    }

    pub fn version_of(&self, path: &RelPath) -> Option<u32> {
        self.versions.get(path.as_str()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANGED_OUTSIDE, Seen};
    use crate::base::path::RelPath;
    use crate::base::report::{ChangeKind, FileChange};
    use crate::session::record::{ActionKind, Applied, AttachedBy, Entry, RunSource};

    fn done(kind: ActionKind, path: &str) -> Entry {
        Entry::ActionApplied { kind, path: path.to_owned(), outcome: Applied::Applied, note: None }
    }

    fn kept(version: u32, path: &str) -> Entry {
        let files = vec![FileChange { path: path.to_owned(), kind: ChangeKind::Modified }];
        Entry::VersionKept { version, commit: String::new(), why: String::new(), files }
    }

    fn run(source: RunSource) -> Entry {
        Entry::RunStarted { run: 1, source, command: String::new() }
    }

    fn seen(entries: &[Entry], path: &str) -> Option<u32> {
        let (mut seen, mut newest) = (Seen::default(), Some(0));
        for entry in entries {
            seen.apply(entry, newest);
            if let Entry::VersionKept { version, .. } = entry {
                newest = Some(*version);
            }
        }
        seen.version_of(&RelPath::parse(path).unwrap())
    }

    #[test]
    fn the_version_is_that_of_what_the_model_saw() {
        let wrote = [done(ActionKind::Write, "a"), kept(1, "a")];
        let refused = Entry::ActionRefused {
            kind: ActionKind::Write,
            path: "a".to_owned(),
            reason: CHANGED_OUTSIDE.to_owned(),
            feedback: String::new(),
            begun: false,
        };
        let read = Entry::FileAttached { path: "a:1-9".to_owned(), source: AttachedBy::Model, text: String::new() };
        for (then, path, wanted) in [
            (vec![], "a", Some(1)),
            (vec![], "b", None),
            (vec![kept(2, "a")], "a", Some(1)),
            (vec![run(RunSource::User), kept(2, "a")], "a", Some(1)),
            (vec![run(RunSource::Model), kept(2, "a")], "a", Some(2)),
            (vec![run(RunSource::Model), Entry::UserMessage { text: String::new() }, kept(2, "a")], "a", Some(1)),
            (vec![run(RunSource::Model), kept(2, "b")], "b", None),
            (vec![kept(2, "a"), read], "a", Some(2)),
            (vec![kept(2, "a"), refused], "a", Some(2)),
            (vec![done(ActionKind::Move, "a -> b"), kept(2, "b")], "b", Some(2)),
            (vec![done(ActionKind::Delete, "a")], "a", None),
        ] {
            let entries = [wrote.to_vec(), then].concat();
            assert_eq!(seen(&entries, path), wanted, "{entries:?}");
        }
    }
}
