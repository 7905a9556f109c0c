//! Going back and forth: the conversation goes on from another record, with other files.
//!
//! Invariant: what is left behind can be had again. The files as they are become a version first, and no record goes.

use std::sync::PoisonError;

use crate::base::path::RelPath;
use crate::base::report::FileChange;
use crate::core::conversation::Conversation;
use crate::core::event::{Event, Move, Moved};
use crate::core::history::{History, path};
use crate::core::run::blocking;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::session::record::{AttachedBy, Entry, Record};
use crate::session::{self};
use crate::workspace::Restored;

/// Where the head goes.
struct Target {
    /// The last record that counts.
    to: u64,
    version: Option<u32>,
    message: Option<String>,
}

impl Conversation {
    pub(super) async fn undo(&mut self) -> Result<(), Stopped> {
        self.keep_what_the_user_changed("before undo").await?;
        match before_the_last_message(&self.records().await?) {
            Some(target) => self.move_head(Move::Undo, target).await,
            None => {
                self.emit(Event::Notice("there is no message to take back".to_owned())).await;
                Ok(())
            }
        }
    }

    pub(super) async fn redo(&mut self) -> Result<(), Stopped> {
        self.keep_what_the_user_changed("before redo").await?;
        match last_undone(&self.records().await?) {
            Some(target) => self.move_head(Move::Redo, target).await,
            None => {
                self.emit(Event::Notice("there is nothing to bring back".to_owned())).await;
                Ok(())
            }
        }
    }

    /// The files of a version. The model is told, since it knows others.
    pub(super) async fn restore(&mut self, version: u32) -> Result<(), Stopped> {
        self.keep_what_the_user_changed("before restore").await?;
        let records = self.records().await?;
        let is_kept =
            |record: &Record| matches!(record.entry, Entry::VersionKept { version: kept, .. } if kept == version);
        let Some(last) = records.last().filter(|_| records.iter().any(is_kept)) else {
            self.emit(Event::Notice(format!("there is no version {version}; `/versions` lists them"))).await;
            return Ok(());
        };
        let target = Target { to: last.seq, version: Some(version), message: None };
        self.move_head(Move::Restore, target).await
    }

    /// Some files of a version. The conversation goes on from where it is; the model is told.
    pub(super) async fn restore_only(&mut self, version: u32, only: &[String]) -> Result<(), Stopped> {
        self.keep_what_the_user_changed("before restore").await?;
        let mut paths = Vec::new();
        for name in only {
            match RelPath::parse(name.trim_end_matches('/')) {
                Ok(path) => paths.push(path),
                Err(_) => {
                    self.emit(Event::Notice(format!("`{name}` is no path inside of the workspace"))).await;
                    return Ok(());
                }
            }
        }
        let newest = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner).newest();
        if newest.is_none_or(|newest| newest < version) {
            self.emit(Event::Notice(format!("there is no version {version}; `/versions` lists them"))).await;
            return Ok(());
        }
        let (versions, workspace) = (self.parts.versions.clone(), self.parts.workspace.clone());
        let Restored { changes, left } = blocking(move || {
            let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
            versions.restore_only(&workspace, version, &paths)
        })
        .await??;
        let names: Vec<String> = changes.iter().map(|change| change.path.clone()).collect();
        if names.is_empty() {
            self.emit(Event::Notice(format!("nothing of this differs from version {version}"))).await;
        } else {
            let names = names.join(", ");
            self.note(format!("The user brought back files of an earlier version; changed: {names}"));
            self.emit(Event::Notice(format!("as in version {version} again: {names}"))).await;
            self.keep_version(&format!("restore: some files as in version {version}")).await?;
        }
        for path in left {
            let text = format!("`{path}` was left as it is: no version holds what is in it now");
            self.emit(Event::Notice(text)).await;
        }
        Ok(())
    }

    /// The last message is to be answered again, from the files as they were before it.
    pub(super) async fn take_back_the_answer(&mut self, turn: &mut Turn) -> Result<(), Stopped> {
        self.keep_what_the_user_changed("before retry").await?;
        let records = self.records().await?;
        let path = path(&records);
        let Some(at) = last_message(&path) else { return Ok(()) };
        let target = Target { to: path[at].seq, version: version_before(&path, at), message: message_of(path[at]) };
        self.move_head(Move::Retry, target).await?;
        self.keep_version_beside("before the message", turn);
        Ok(())
    }

    async fn keep_what_the_user_changed(&mut self, why: &str) -> Result<(), Stopped> {
        let before = self.history.version;
        self.keep_version(why).await?;
        if let (Some(version), true) = (self.history.version, self.history.version != before && before.is_some()) {
            let text = format!("what you changed since is version {version}: `/restore {version}` brings it back");
            self.emit(Event::Notice(text)).await;
        }
        Ok(())
    }

    /// The version that the last message began with.
    pub(super) async fn version_before_the_message(&self) -> Result<Option<u32>, Stopped> {
        let records = self.records().await?;
        let path = path(&records);
        Ok(last_message(&path).and_then(|at| version_before(&path, at)))
    }

    /// Everything that is in the log by now.
    pub(super) async fn records(&self) -> Result<Vec<Record>, Stopped> {
        self.parts.session.sync().await?;
        let folder = self.parts.session.folder().to_owned();
        let (records, _) = blocking(move || session::read(&folder)).await??;
        Ok(records)
    }

    async fn move_head(&mut self, why: Move, target: Target) -> Result<(), Stopped> {
        let Target { to, version, message } = target;
        // Files first: where the program ends in between, the message is still there and can be taken back again.
        let Restored { changes, left } = self.restore_files(version).await?;
        let version = version.or(self.history.version).unwrap_or_default();
        self.record(Entry::HeadMoved { to, version, why: why.name().to_owned() });
        if why == Move::Restore && !changes.is_empty() {
            let names: Vec<String> = changes.iter().map(|change| change.path.clone()).collect();
            self.note(format!("The user brought back the files of an earlier version; changed: {}", names.join(", ")));
        }
        self.keep_version(&format!("{}: as version {version}", why.name())).await?;
        let records = self.records().await?;
        self.history = History::of(&records);
        for path in left {
            let text = format!("`{path}` was left as it is: no version holds what is in it now");
            self.emit(Event::Notice(text)).await;
        }
        let files: Vec<FileChange> = changes;
        self.emit(Event::HeadMoved(Moved { why, message, version, files })).await;
        Ok(())
    }

    async fn restore_files(&self, version: Option<u32>) -> Result<Restored, Stopped> {
        let Some(version) = version else { return Ok(Restored::default()) };
        let (versions, workspace) = (self.parts.versions.clone(), self.parts.workspace.clone());
        let restored = blocking(move || {
            let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
            versions.restore(&workspace, version)
        })
        .await??;
        Ok(restored)
    }
}

/// The message, and with it the files that the user named in it.
fn before_the_last_message(records: &[Record]) -> Option<Target> {
    let path = path(records);
    let at = last_message(&path)?;
    let is_attached = |record: &&&Record| matches!(record.entry, Entry::FileAttached { source: AttachedBy::User, .. });
    let attached = path[..at].iter().rev().take_while(is_attached).count();
    let before = path[..at - attached].last()?;
    Some(Target { to: before.seq, version: version_before(&path, at), message: message_of(path[at]) })
}

/// The last one that was taken back and not replaced by another message since.
fn last_undone(records: &[Record]) -> Option<Target> {
    let mut undone: Vec<Target> = Vec::new();
    let mut version = None;
    for (at, record) in records.iter().enumerate() {
        match &record.entry {
            Entry::VersionKept { version: kept, .. } => version = Some(*kept),
            Entry::HeadMoved { why, .. } if why == Move::Undo.name() => {
                let Some(before) = at.checked_sub(1).map(|before| &records[before]) else { continue };
                let message = path(&records[..at]).iter().rev().find_map(|record| message_of(record));
                undone.push(Target { to: before.seq, version, message });
            }
            Entry::HeadMoved { why, .. } if why == Move::Redo.name() => drop(undone.pop()),
            Entry::HeadMoved { .. } | Entry::UserMessage { .. } => undone.clear(),
            _ => {}
        }
    }
    undone.pop()
}

fn last_message(path: &[&Record]) -> Option<usize> {
    path.iter().rposition(|record| matches!(record.entry, Entry::UserMessage { .. }))
}

pub(super) fn message_of(record: &Record) -> Option<String> {
    match &record.entry {
        Entry::UserMessage { text } => Some(text.clone()),
        _ => None,
    }
}

/// The version of the files before the message at that place. It is made while the model reads the message, so its
/// record stands behind, and in front of all that was done for the reply.
pub(super) fn version_before(path: &[&Record], at: usize) -> Option<u32> {
    let kept = |record: &&Record| match record.entry {
        Entry::VersionKept { version, .. } => Some(version),
        _ => None,
    };
    let untouched = |record: &&&Record| {
        !matches!(
            record.entry,
            Entry::ActionApplied { .. }
                | Entry::ActionRefused { .. }
                | Entry::RunStarted { .. }
                | Entry::UserMessage { .. }
        )
    };
    let beside = path[at + 1..].iter().take_while(untouched).find_map(kept);
    beside.or_else(|| path[..at].iter().rev().find_map(kept))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{before_the_last_message, last_undone};
    use crate::core::history::path;
    use crate::session::record::{ActionKind, Applied, Entry, Record};

    fn records(entries: Vec<Entry>) -> Vec<Record> {
        let record = |(seq, entry)| Record { v: 1, seq, time: String::new(), turn: 1, entry };
        (0..).zip(entries).map(record).collect()
    }

    fn said(text: &str) -> Entry {
        Entry::UserMessage { text: text.to_owned() }
    }

    fn kept(version: u32) -> Entry {
        Entry::VersionKept { version, commit: String::new(), why: String::new(), files: Vec::new() }
    }

    fn written() -> Entry {
        let (kind, outcome) = (ActionKind::Write, Applied::Applied);
        Entry::ActionApplied { kind, path: "a".to_owned(), outcome, note: None }
    }

    fn moved(to: u64, why: &str) -> Entry {
        Entry::HeadMoved { to, version: 0, why: why.to_owned() }
    }

    fn title(text: &str) -> Entry {
        Entry::Renamed { title: text.to_owned() }
    }

    fn seqs(records: &[Record]) -> Vec<u64> {
        path(records).iter().map(|record| record.seq).collect()
    }

    /// Two messages with a file each: 0 begin, 1 one, 2 v0, 3 written, 4 v1, 5 two, 6 v2 (the user's own), 7 written, 8 v3.
    fn two_messages() -> Vec<Entry> {
        vec![title("begin"), said("one"), kept(0), written(), kept(1), said("two"), kept(2), written(), kept(3)]
    }

    #[test]
    fn the_version_before_a_message_holds_what_the_user_changed() {
        let records = records(two_messages());
        let target = before_the_last_message(&records).expect("a message");
        assert_eq!((target.to, target.version, target.message.as_deref()), (4, Some(2), Some("two")));
    }

    #[test]
    fn the_path_leaves_out_what_was_undone_and_holds_what_was_brought_back() {
        let mut entries = two_messages();
        entries.push(moved(4, "undo"));
        assert_eq!(seqs(&records(entries.clone())), [0, 1, 2, 3, 4]);
        let target = before_the_last_message(&records(entries.clone())).expect("a message");
        assert_eq!((target.to, target.version), (0, Some(0)));
        entries.push(moved(8, "redo"));
        assert_eq!(seqs(&records(entries.clone())), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        entries.push(said("three"));
        assert_eq!(seqs(&records(entries)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 11]);
    }

    #[test]
    fn what_was_undone_comes_back_in_the_opposite_order_until_something_else_is_said() {
        let mut entries = two_messages();
        assert!(last_undone(&records(entries.clone())).is_none());
        entries.extend([moved(4, "undo"), kept(4), moved(0, "undo"), kept(5)]);
        let target = last_undone(&records(entries.clone())).expect("undone");
        assert_eq!((target.to, target.version, target.message.as_deref()), (10, Some(4), Some("one")));
        entries.push(moved(target.to, "redo"));
        let target = last_undone(&records(entries.clone())).expect("undone");
        assert_eq!((target.to, target.version, target.message.as_deref()), (8, Some(3), Some("two")));
        entries.push(said("other"));
        assert!(last_undone(&records(entries)).is_none());
    }

    #[test]
    fn a_head_that_leads_nowhere_ends_the_path() {
        assert_eq!(seqs(&records(vec![moved(9, "undo")])), [0u64; 0]);
        assert_eq!(seqs(&records(vec![title("a"), moved(9, "undo"), title("b")])), [0, 2]);
    }

    proptest! {
        /// Whatever was said, taken back and brought back before: undo and then redo lead to the same records and files.
        #[test]
        fn undo_and_then_redo_is_nothing(steps in prop::collection::vec(0u8..3, 1..30)) {
            let mut log = records(vec![title("begin")]);
            let mut versions = 0;
            let push = |log: &mut Vec<Record>, entry| {
                let seq = log.len() as u64;
                log.push(Record { v: 1, seq, time: String::new(), turn: 1, entry });
            };
            for step in steps {
                let target = match step {
                    0 => before_the_last_message(&log).map(|target| ("undo", target)),
                    1 => last_undone(&log).map(|target| ("redo", target)),
                    _ => None,
                };
                match target {
                    Some((why, target)) => push(&mut log, moved(target.to, why)),
                    None => [said("x"), kept(versions), written(), kept(versions + 1)].into_iter().for_each(|entry| push(&mut log, entry)),
                }
                versions += 2;
                let before: Vec<u64> = seqs(&log);
                let files = path(&log).iter().rev().find_map(|record| match record.entry {
                    Entry::VersionKept { version, .. } => Some(version),
                    _ => None,
                });
                let Some(undo) = before_the_last_message(&log) else { continue };
                let mut there_and_back = log.clone();
                push(&mut there_and_back, moved(undo.to, "undo"));
                let redo = last_undone(&there_and_back).expect("it was undone just now");
                if matches!(log.last().map(|record| &record.entry), Some(Entry::VersionKept { .. })) {
                    prop_assert_eq!(redo.version, files);
                }
                push(&mut there_and_back, moved(redo.to, "redo"));
                prop_assert_eq!(seqs(&there_and_back), before);
            }
        }
    }
}
