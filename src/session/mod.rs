//! Everything that happened, on disk: the log, its folder, its lock, and finding it again.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::ids::SessionId;
use crate::base::report::RunReport;

pub mod record;

use record::{Entry, Record};

#[derive(Debug, Error)]
pub enum SessionError {
    #[error(transparent)]
    Fs(#[from] crate::base::fs::FsError),
    #[error("session `{id}` is open in process {pid} since {since}")]
    Held { id: String, pid: u32, since: String },
    #[error("no session `{0}`")]
    NotFound(String),
    /// A prefix that several sessions share.
    #[error("`{prefix}` could be any of {choices}")]
    Ambiguous { prefix: String, choices: String },
    #[error("session `{id}` was written by a newer faos (record version {version}): it can be read, not gone on with")]
    Newer { id: String, version: u32 },
    #[error("the session could not be kept: {0}")]
    Write(String),
}

/// One open session: this process holds its lock, and one thread writes its log.
pub struct Session {
    _p: (),
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
        let _ = (sessions, workspace);
        unimplemented!()
    }

    /// Takes the lock (a dead holder's is taken over), repairs the tail, reads the log.
    pub fn open(folder: &Path) -> Result<Opened, SessionError> {
        let _ = folder;
        unimplemented!()
    }

    pub fn id(&self) -> &SessionId {
        unimplemented!()
    }

    pub fn folder(&self) -> &Path {
        unimplemented!()
    }

    /// Where the files are: the session's own `workspace/`, or the folder that `session.json` names.
    pub fn workspace(&self) -> &Path {
        unimplemented!()
    }

    /// Appends a record. It is in the file within 100 ms, and lasts only after [`Session::sync`].
    /// Consecutive reply deltas of one kind may be joined to one record. A failed write is reported by the next `sync`.
    pub fn append(&self, turn: u32, entry: Entry) {
        let _ = (turn, entry);
        unimplemented!()
    }

    /// Returns when everything appended so far is fsynced.
    pub async fn sync(&self) -> Result<(), SessionError> {
        unimplemented!()
    }

    /// Makes `runs/NNNN/` for the next run.
    pub fn new_run(&self) -> Result<(u32, PathBuf), SessionError> {
        unimplemented!()
    }

    /// Writes `runs/NNNN/report.json`, fsynced.
    pub fn keep_report(&self, run: u32, report: &RunReport) -> Result<(), SessionError> {
        let _ = (run, report);
        unimplemented!()
    }
}

/// One line of `faos sessions list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: SessionId,
    /// Its name, or the beginning of the first user message.
    pub title: String,
    pub workspace: PathBuf,
    pub model: String,
    /// RFC 3339, of the newest record.
    pub changed: String,
    pub turns: u32,
    /// `passed`, `failed` …, or `open` where the last turn did not finish.
    pub verdict: String,
}

/// All sessions below the folder, newest first; what cannot be read is passed over and named in the second part.
pub fn list(sessions: &Path) -> Result<(Vec<Summary>, Vec<String>), SessionError> {
    let _ = sessions;
    unimplemented!()
}

/// The folder of the session that `prefix` names.
pub fn find(sessions: &Path, prefix: &str) -> Result<PathBuf, SessionError> {
    let _ = (sessions, prefix);
    unimplemented!()
}

/// The session that was worked on last, of all or of those whose workspace this is.
pub fn newest(sessions: &Path, workspace: Option<&Path>) -> Result<Option<PathBuf>, SessionError> {
    let _ = (sessions, workspace);
    unimplemented!()
}

/// The log alone, without a lock or a repair: for showing.
pub fn read(folder: &Path) -> Result<(Vec<Record>, Vec<String>), SessionError> {
    let _ = folder;
    unimplemented!()
}
