//! Everything that happened, on disk: the log, its folder, its lock, and finding it again.
//!
//! Invariants: what [`Session::sync`] acknowledged is fsynced; no line that was ever written is changed; `seq` has no
//! gaps; a session is open in one process at most. What the records mean is left to core.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::base::fs;
use crate::base::ids::SessionId;
use crate::base::report::RunReport;

mod archive;
mod blotted;
mod catalog;
mod ending;
mod fork;
mod identity;
mod lock;
mod log;
mod opening;
pub mod record;
mod recovery;
mod removal;
mod runs;
mod search;
mod tar;
#[cfg(test)]
mod tests;
mod writer;

pub use archive::{Exported, Imported, Keys, export, export_to, import};
pub use catalog::{Summary, find, list, newest, summary, workspace_of};
pub use ending::last_records;
pub use fork::fork;
pub use lock::{WorkspaceLock, lock_workspace};
pub use opening::rename;
pub use removal::{Leftover, collect, leftovers, remove, size_of};
pub use runs::{Printed, output};
pub use search::{Author, Hit, search};

use record::{Entry, Record};

/// The log's name in a session's folder.
const LOG: &str = "conversation.jsonl";

#[derive(Debug, Error)]
pub enum SessionError {
    #[error(transparent)]
    Fs(#[from] fs::FsError),
    #[error("session `{id}` is open in process {pid} since {since}")]
    Held { id: String, pid: u32, since: String },
    #[error("the workspace `{workspace}` is in use by process {pid} since {since}")]
    WorkspaceHeld { workspace: String, pid: u32, since: String },
    #[error("no session `{0}`")]
    NotFound(String),
    /// A prefix that several sessions share.
    #[error("`{prefix}` could be any of {choices}")]
    Ambiguous { prefix: String, choices: String },
    #[error("session `{id}` was written by a newer faos (record version {version}): it can be read, not gone on with")]
    Newer { id: String, version: u32 },
    #[error("session `{id}` has no version {version}")]
    NoVersion { id: String, version: u32 },
    /// An archive that is no session's, or that asks for more than a session has.
    #[error("the archive was refused: {0}")]
    Archive(String),
    #[error("the session could not be kept: {0}")]
    Write(String),
}

/// One open session: this process holds its lock, and one thread writes its log.
///
/// Dropping it writes and fsyncs what is left; [`Session::close`] also tells whether that went well.
pub struct Session {
    id: SessionId,
    folder: PathBuf,
    workspace: PathBuf,
    // Dropped in this order: the log is whole before the lock is free.
    writer: writer::Writer,
    lock: lock::Lock,
}

/// A session that was on disk before.
pub struct Opened {
    pub session: Session,
    pub records: Vec<Record>,
    /// What had to be repaired, a plain sentence each (`the last line was torn and is kept in conversation.torn`).
    pub repaired: Vec<String>,
}

impl Session {
    /// Makes a new folder below `sessions` (0700) and takes its lock. `workspace: None` means its own `workspace/`, made too.
    pub fn create(sessions: &Path, workspace: Option<&Path>) -> Result<Self, SessionError> {
        opening::create(sessions, workspace)
    }

    /// Takes the lock (a dead holder's is taken over), repairs the tail, reads the log.
    pub fn open(folder: &Path) -> Result<Opened, SessionError> {
        opening::open(folder)
    }

    pub fn id(&self) -> &SessionId {
        &self.id
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the files are: the session's own `workspace/`, or the folder that `session.json` names.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Goes on in another workspace from now on; acknowledged when it returns.
    pub fn move_to(&mut self, workspace: &Path, turn: u32) -> Result<(), SessionError> {
        let workspace = opening::named_in_json(workspace)?;
        if workspace != self.workspace {
            self.append(turn, identity::moved(Some(&workspace)));
            self.sync_blocking()?;
            self.workspace = workspace;
        }
        Ok(())
    }

    /// What the user should know about where the session is kept, a plain sentence; also part of [`Opened::repaired`].
    pub fn notice(&self) -> Option<String> {
        self.lock.notice()
    }

    /// Appends a record and returns its `seq`. It is in the file within 100 ms, and lasts only after [`Session::sync`].
    /// Consecutive reply deltas of one kind may be joined to one record. A failed write is reported by the next `sync`.
    pub fn append(&self, turn: u32, entry: Entry) -> u64 {
        self.writer.append(turn, entry)
    }

    /// Returns when everything appended so far is fsynced.
    pub async fn sync(&self) -> Result<(), SessionError> {
        let (done, outcome) = oneshot::channel();
        self.writer.sync(Box::new(move |result| drop(done.send(result))));
        acknowledged(outcome.await.ok())
    }

    /// [`Session::sync`] for a caller that cannot wait in a task: on the way out, or without a runtime.
    pub fn sync_blocking(&self) -> Result<(), SessionError> {
        let (done, outcome) = mpsc::channel();
        self.writer.sync(Box::new(move |result| drop(done.send(result))));
        acknowledged(outcome.recv().ok())
    }

    /// Ends the session's being open, and tells whether everything was kept.
    pub fn close(self) -> Result<(), SessionError> {
        self.sync_blocking()
    }

    /// Makes `runs/NNNN/` for the next run.
    pub fn new_run(&self) -> Result<(u32, PathBuf), SessionError> {
        runs::make_next(&self.folder)
    }

    /// Writes `runs/NNNN/report.json`, fsynced.
    pub fn keep_report(&self, run: u32, report: &RunReport) -> Result<(), SessionError> {
        runs::keep_report(&self.folder, run, report)
    }
}

/// The log alone, without a lock or a repair: for showing.
pub fn read(folder: &Path) -> Result<(Vec<Record>, Vec<String>), SessionError> {
    opening::read(folder)
}

fn acknowledged(outcome: Option<Result<(), String>>) -> Result<(), SessionError> {
    outcome.unwrap_or_else(|| Err("its writer has stopped".to_owned())).map_err(SessionError::Write)
}
