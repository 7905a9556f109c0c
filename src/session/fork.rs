//! A session that goes on from where another one was: its records up to a version, as they stand, and its runs.
//!
//! The records keep their numbers, so that what is sent next is byte for byte what the other one would have sent.

use std::path::{Path, PathBuf};

use super::archive::{make_beside, settle};
use super::identity::{self, Identity};
use super::record::{AttachedBy, Entry, Record, Started, VERSION};
use super::{LOG, SessionError, opening, recovery, runs};
use crate::base::fs;
use crate::base::ids::SessionId;

/// Makes the session in the folder `sessions`. `at` is a version, or `None` for all that there is; `keep_versions` puts
/// the versions up to that one into the new session's folder.
pub fn fork(
    source: &Path,
    sessions: &Path,
    at: Option<u32>,
    keep_versions: impl FnOnce(&Path) -> Result<(), SessionError>,
) -> Result<PathBuf, SessionError> {
    opening::known(source)?;
    let found = recovery::scan(source)?;
    let origin = opening::name_of(source);
    if found.version > VERSION {
        return Err(SessionError::Newer { id: origin, version: found.version });
    }
    let kept = match at {
        None => found.records.as_slice(),
        Some(version) => {
            let count = count_up_to(&found.records, version);
            let count = count.ok_or(SessionError::NoVersion { id: origin, version })?;
            &found.records[..count]
        }
    };
    fs::make_folders(sessions)?;
    let (making, _lock) = make_beside(sessions)?;
    let id = SessionId::generate();
    let made = fill(&making, source, kept, &id, sessions).and_then(|()| keep_versions(&making));
    let made = made.and_then(|()| settle(sessions, &making, id));
    match made {
        Ok(id) => Ok(sessions.join(id.as_str())),
        Err(error) => {
            // Where it cannot be removed now, the next clean-up does.
            let _ = fs::remove_folder(&making);
            Err(error)
        }
    }
}

fn fill(folder: &Path, source: &Path, records: &[Record], id: &SessionId, sessions: &Path) -> Result<(), SessionError> {
    let mut log = Vec::new();
    for record in records {
        let mut record = record.clone();
        if let Entry::SessionStarted(started) = &mut record.entry {
            *started = Started {
                session: id.clone(),
                workspace: sessions.join(id.as_str()).join(identity::OWN_WORKSPACE),
                forked_from: identity::id_of(source),
                ..started.clone()
            };
        }
        serde_json::to_writer(&mut log, &record).map_err(|error| SessionError::Write(error.to_string()))?;
        log.push(b'\n');
        if let Entry::RunStarted { run, .. } = record.entry {
            let name = runs::folder_of(Path::new(""), run);
            if fs::is_folder(&source.join(&name)) {
                fs::make_folders(&folder.join(runs::FOLDER))?;
                fs::copy_folder(&source.join(&name), &folder.join(&name))?;
            }
        }
    }
    if let (true, Some(last)) = (identity::has_moved(records), records.last()) {
        // It has files of its own, wherever the other works.
        let record = Record { seq: last.seq + 1, entry: identity::moved(None), ..last.clone() };
        serde_json::to_writer(&mut log, &record).map_err(|error| SessionError::Write(error.to_string()))?;
        log.push(b'\n');
    }
    fs::write_new(&folder.join(LOG), &log)?;
    Identity { title: identity::title_of(records), ..Identity::new(id.clone(), None) }.store_unsynced(folder)
}

/// How many records lead to the version: with what was checked and run of it, and without what changed it. A version
/// that was made before a message is the state in which that message was not said yet.
pub fn count_up_to(records: &[Record], version: u32) -> Option<usize> {
    let is_it = |record: &Record| matches!(record.entry, Entry::VersionKept { version: kept, .. } if kept == version);
    let at = records.iter().rposition(is_it)?;
    for (before, record) in records[..at].iter().enumerate().rev() {
        match record.entry {
            Entry::UserMessage { .. } => {
                let is_attached =
                    |record: &&Record| matches!(record.entry, Entry::FileAttached { source: AttachedBy::User, .. });
                return Some(before - records[..before].iter().rev().take_while(is_attached).count());
            }
            Entry::RequestSent { .. } | Entry::ReplyDelta { .. } | Entry::Retry { .. } | Entry::HookRan { .. } => {}
            _ => break,
        }
    }
    for (after, record) in records.iter().enumerate().skip(at + 1) {
        match record.entry {
            Entry::VersionKept { .. } => return Some(at + 1),
            Entry::UserMessage { .. }
            | Entry::RequestSent { .. }
            | Entry::HeadMoved { .. }
            | Entry::FilesChanging { .. }
            | Entry::FileAttached { source: AttachedBy::User, .. } => return Some(after),
            _ => {}
        }
    }
    Some(records.len())
}

#[cfg(test)]
mod tests {
    use super::{count_up_to, fork};
    use crate::base::fs;
    use crate::session::record::{DeltaKind, Entry, Record, RunSource, Started, Verdict};
    use crate::session::{Session, SessionError, read};

    fn said(text: &str) -> Entry {
        Entry::UserMessage { text: text.to_owned() }
    }

    fn kept(version: u32) -> Entry {
        Entry::VersionKept { version, commit: String::new(), why: String::new(), files: Vec::new() }
    }

    fn sent() -> Entry {
        let (feedback, model) = (None, String::new());
        Entry::RequestSent { request: 1, messages: 2, feedback, model, continues: None, lines_of: None }
    }

    fn delta() -> Entry {
        Entry::ReplyDelta { kind: DeltaKind::Text, text: "x".to_owned() }
    }

    fn ended() -> Entry {
        Entry::TurnFinished { verdict: Verdict::Passed, exit_code: 0 }
    }

    fn run() -> Entry {
        Entry::RunStarted { run: 1, source: RunSource::Model, command: "true".to_owned() }
    }

    fn records(entries: Vec<Entry>) -> Vec<Record> {
        let record = |(seq, entry)| Record { v: 1, seq, time: String::new(), turn: 1, entry };
        (0..).zip(entries).map(record).collect()
    }

    #[test]
    fn a_version_is_reached_with_what_was_made_of_it_and_without_what_changed_it() {
        let log = records(vec![
            said("one"),
            sent(),
            delta(),
            kept(0),
            delta(),
            kept(1),
            run(),
            ended(), // 0 to 7
            said("two"),
            sent(),
            delta(),
            kept(2),
            run(),
            kept(3),
            ended(), // 8 to 14
            Entry::HeadMoved { to: 7, version: 1, why: "undo".to_owned() },
            kept(4), // 15, 16
        ]);
        let counts: Vec<_> = (0..=5).map(|version| count_up_to(&log, version)).collect();
        assert_eq!(counts, [Some(0), Some(8), Some(8), Some(15), Some(17), None]);
    }

    #[test]
    fn a_fork_has_the_same_records_under_its_own_name() {
        let home = tempfile::tempdir().unwrap();
        let session = Session::create(home.path(), None).unwrap();
        session.append(
            0,
            Entry::SessionStarted(Started {
                session: session.id().clone(),
                workspace: session.workspace().to_owned(),
                program: "faos".to_owned(),
                system_prompt: "Be good.".to_owned(),
                forked_from: None,
            }),
        );
        for entry in [said("one"), kept(0), delta(), kept(1), run(), ended(), said("two")] {
            session.append(1, entry);
        }
        let (source, id) = (session.folder().to_owned(), session.id().clone());
        fs::make_folders(&source.join("runs/0001")).unwrap();
        session.sync_blocking().unwrap();
        let before = read(&source).unwrap().0;
        let folder = fork(&source, home.path(), Some(1), |_| Ok(())).unwrap();
        let after = read(&folder).unwrap().0;
        assert_eq!(after[1..], before[1..7]);
        let Entry::SessionStarted(started) = &after[0].entry else { panic!("{:?}", after[0]) };
        assert_eq!((started.forked_from.as_ref(), started.system_prompt.as_str()), (Some(&id), "Be good."));
        assert!(fs::exists(&folder.join("runs/0001")));
        let opened = Session::open(&folder).unwrap();
        assert_eq!((opened.session.append(1, said("other")), opened.session.id() == &started.session), (7, true));
        let none = fork(&source, home.path(), Some(9), |_| Ok(()));
        assert!(matches!(none, Err(SessionError::NoVersion { version: 9, .. })));
        let failed = fork(&source, home.path(), None, |_| Err(SessionError::Write("no".to_owned())));
        assert!(failed.is_err());
        assert_eq!(fs::folders(home.path()).unwrap().len(), 2, "what failed leaves nothing");
    }
}
