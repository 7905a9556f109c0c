//! A session's beginning: its folder made, or found again and mended.
//!
//! Making one costs no fsync by itself. The first sync makes the log last and every name that leads to it.

use std::path::{Path, PathBuf};

use super::identity::{self, Identity};
use super::lock::{Holder, Lock, Refusal};
use super::log::{Log, Pending};
use super::record::{Entry, Record, VERSION};
use super::recovery;
use super::runs;
use super::writer::Writer;
use super::{LOG, Opened, Session, SessionError};
use crate::base::fs::{self, FsError};
use crate::base::ids::SessionId;

pub(super) const LOCK: &str = "lock";
pub(super) const CACHE: &str = "cache";

pub fn create(sessions: &Path, workspace: Option<&Path>) -> Result<Session, SessionError> {
    let sessions = absolute(sessions)?;
    let elsewhere = workspace.map(named_in_json).transpose()?;
    let mut new_entries = folders_that_gain_entries(&sessions);
    fs::make_folders(&sessions)?;
    let (id, folder) = make_folder(&sessions)?;
    new_entries.insert(0, folder.clone());
    fill(&folder, Identity::new(id, elsewhere), new_entries).inspect_err(|_| {
        // A session that could not begin is not to be listed. On a broken disk not even that can be had.
        let _ = fs::remove_folder(&folder);
    })
}

fn fill(folder: &Path, identity: Identity, new_entries: Vec<PathBuf>) -> Result<Session, SessionError> {
    let lock = take_lock(folder)?;
    fs::make_folders(&folder.join(runs::FOLDER))?;
    fs::make_folders(&folder.join(CACHE))?;
    if identity.workspace.is_none() {
        fs::make_folders(&folder.join(identity::OWN_WORKSPACE))?;
    }
    identity.store_unsynced(folder)?;
    let file = fs::open_to_append(&folder.join(LOG))?;
    let pending = Pending::default();
    let log = Log { file, folder: folder.to_owned(), length: 0, dirty: true, new_entries, identity, pending };
    start(log, lock, 0)
}

pub fn open(folder: &Path) -> Result<Opened, SessionError> {
    let folder = absolute(folder)?;
    known(&folder)?;
    let lock = take_lock(&folder)?;
    let found = recovery::scan(&folder)?;
    let version = found.version.max(identity::version_in(&folder)?);
    if version > VERSION {
        return Err(SessionError::Newer { id: name_of(&folder), version });
    }
    // A copy of another user's may be open to all; where that cannot be changed, it is not ours to change.
    let _ = fs::make_private(&folder);

    let mut repaired: Vec<String> = lock.notice().into_iter().collect();
    repaired.extend(found.reports);
    if !fs::exists(&folder.join(LOG)) {
        repaired.push(format!("`{LOG}` was missing: nothing of the conversation is left"));
    }
    let mut file = fs::open_to_append(&folder.join(LOG))?;
    repaired.extend(recovery::repair(&folder, &mut file, found.tail)?);
    let identity = restore_identity(&folder, &found.records, &mut repaired)?;
    let length = file.metadata().map_err(at("examine", &folder.join(LOG)))?.len();
    let new_entries = [Some(folder.as_path()), folder.parent()].into_iter().flatten().map(Path::to_owned).collect();
    let log = Log { file, folder, length, dirty: true, new_entries, identity, pending: Pending::default() };
    Ok(Opened { session: start(log, lock, found.next_seq)?, records: found.records, repaired })
}

pub fn read(folder: &Path) -> Result<(Vec<Record>, Vec<String>), SessionError> {
    known(folder)?;
    let mut found = recovery::scan(folder)?;
    if found.tail.is_torn() {
        found.reports.push("the last line is torn".to_owned());
    }
    Ok((found.records, found.reports))
}

/// Gives a session that nobody has open another title.
pub fn rename(folder: &Path, title: &str) -> Result<(), SessionError> {
    let Opened { session, records, .. } = open(folder)?;
    let turn = records.iter().map(|record| record.turn).max().unwrap_or(0);
    session.append(turn, Entry::Renamed { title: title.to_owned() });
    session.close()
}

fn start(log: Log, lock: Lock, next_seq: u64) -> Result<Session, SessionError> {
    let (id, folder) = (log.identity.id.clone(), log.folder.clone());
    let workspace = log.identity.workspace_in(&folder);
    let writer = Writer::start(log, next_seq).map_err(at("start the writer of", &folder.join(LOG)))?;
    Ok(Session { id, folder, workspace, writer, lock })
}

fn restore_identity(folder: &Path, records: &[Record], repaired: &mut Vec<String>) -> Result<Identity, SessionError> {
    let mut identity = match Identity::load(folder)? {
        Some(identity) => identity,
        None => {
            let rebuilt = Identity::rebuild(folder, records);
            rebuilt.store(folder)?;
            repaired.push(format!("`{}` was missing or damaged and was made again from the log", identity::FILE));
            rebuilt
        }
    };
    // A power loss can come between a record and its copy.
    let before = identity.clone();
    for record in records {
        identity.follow(&record.entry);
    }
    if identity != before {
        identity.store(folder)?;
    }
    if identity.workspace.is_none() && !fs::exists(&folder.join(identity::OWN_WORKSPACE)) {
        fs::make_folders(&folder.join(identity::OWN_WORKSPACE))?;
        repaired.push("the session's workspace was missing and is empty now".to_owned());
    }
    Ok(identity)
}

/// The folder is a session's.
pub(super) fn known(folder: &Path) -> Result<(), SessionError> {
    let known = fs::exists(&folder.join(LOG)) || fs::exists(&folder.join(identity::FILE));
    known.then_some(()).ok_or_else(|| SessionError::NotFound(name_of(folder)))
}

pub(super) fn take_lock(folder: &Path) -> Result<Lock, SessionError> {
    Lock::take(&folder.join(LOCK)).map_err(|refusal| told(folder, refusal))
}

fn told(folder: &Path, refusal: Refusal) -> SessionError {
    match refusal {
        Refusal::Held(Holder { pid, since }) => SessionError::Held { id: name_of(folder), pid, since },
        Refusal::Fs(error) => SessionError::Fs(error),
    }
}

/// Two sessions of one second can draw the same ID: the folder decides.
fn make_folder(sessions: &Path) -> Result<(SessionId, PathBuf), SessionError> {
    loop {
        let id = SessionId::generate();
        let folder = sessions.join(id.as_str());
        if fs::make_new_folder(&folder)? {
            return Ok((id, folder));
        }
    }
}

/// `sessions` itself, and above it the parent of each folder that has to be made.
fn folders_that_gain_entries(sessions: &Path) -> Vec<PathBuf> {
    let missing = sessions.ancestors().take_while(|folder| !fs::exists(folder)).filter_map(Path::parent);
    [sessions].into_iter().chain(missing).map(Path::to_owned).collect()
}

/// The log and `session.json` are JSON, so a path has to be text. Better said now than after the first answer.
pub(super) fn named_in_json(workspace: &Path) -> Result<PathBuf, SessionError> {
    let path = fs::canonical(workspace)?;
    if path.to_str().is_none() {
        let source = std::io::Error::other("its path is not UTF-8");
        return Err(FsError { operation: "keep a session for", path, source }.into());
    }
    Ok(path)
}

fn absolute(path: &Path) -> Result<PathBuf, SessionError> {
    Ok(std::path::absolute(path).map_err(at("resolve", path))?)
}

pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).display().to_string()
}

fn at<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> FsError + 'a {
    move |source| FsError { operation, path: path.to_owned(), source }
}
