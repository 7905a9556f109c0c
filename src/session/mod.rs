//! Everything that happened, on disk: the log, its folder, its lock, and finding it again.
//!
//! `docs/session-format.md` tells the format, which any program may read. What a record means is core's matter.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use thiserror::Error;

use crate::base::fs;
use crate::base::ids::SessionId;
use crate::base::report::RunReport;

mod catalog;
mod identity;
mod lock;
pub mod record;
mod recovery;
mod writer;

pub use catalog::{Summary, find, list, newest, workspace_of};
use identity::Identity;
use lock::{Asked, Lock};
pub use lock::{WorkspaceLock, lock_workspace};
use record::{Entry, Record};
use writer::Writer;

const LOG: &str = "conversation.jsonl";

#[derive(Debug, Error)]
pub enum SessionError {
    #[error(transparent)]
    Fs(#[from] fs::FsError),
    #[error("session `{id}` is open in process {pid} since {since}")]
    Held { id: String, pid: u32, since: String },
    #[error("process {pid} works in `{workspace}` since {since}")]
    WorkspaceHeld { workspace: String, pid: u32, since: String },
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
    id: SessionId,
    folder: PathBuf,
    workspace: PathBuf,
    writer: Writer,
    /// The newest run's number. Locked for one increment: runs begin on several threads.
    runs: Mutex<u32>,
    _lock: Lock,
}

/// A session that was on disk before.
pub struct Opened {
    pub session: Session,
    pub records: Vec<Record>,
    /// What had to be repaired, a plain sentence each.
    pub repaired: Vec<String>,
}

impl Session {
    /// Makes a new folder below `sessions` (0700) and takes its lock. `workspace: None` means its own `workspace/`.
    pub fn create(sessions: &Path, workspace: Option<&Path>) -> Result<Self, SessionError> {
        fs::make_folders(sessions)?;
        let sessions = fs::canonical(sessions)?;
        let (id, folder) = loop {
            let id = SessionId::generate();
            let folder = sessions.join(id.as_str());
            if fs::make_new_folder(&folder)? {
                break (id, folder);
            }
        };
        let identity = Identity::new(id, workspace.map(Path::to_owned));
        for below in ["runs", "cache"] {
            fs::make_folders(&folder.join(below))?;
        }
        if workspace.is_none() {
            fs::make_folders(&folder.join("workspace"))?;
        }
        let (Asked::Got(lock) | Asked::Unsupported(lock)) = lock::lock(&folder.join("lock"))? else {
            return Err(SessionError::Write(format!("`{}` is locked by another process", folder.display())));
        };
        // The log's name lasts with the folder's sync below; its records with the first `sync`.
        let writer = Writer::start(folder.join(LOG), 0)?;
        identity.write(&folder)?;
        fs::sync_folder(&sessions)?;
        Ok(Self::over(identity, folder, writer, lock, 0))
    }

    /// Takes the lock (a dead holder's is taken over), repairs the tail, reads the log.
    pub fn open(folder: &Path) -> Result<Opened, SessionError> {
        let folder = fs::canonical(folder)?;
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let mut repaired = Vec::new();
        let lock = match lock::lock(&folder.join("lock"))? {
            Asked::Got(lock) => lock,
            Asked::Unsupported(lock) => {
                repaired.push("this storage has no locks: take care that one faos alone uses the session".to_owned());
                lock
            }
            Asked::Held { pid, since } => return Err(SessionError::Held { id: name, pid, since }),
        };
        let path = folder.join(LOG);
        let mut log = recovery::read(&path)?;
        if recovery::is_newer(&log) {
            return Err(SessionError::Newer { id: name, version: log.version });
        }
        recovery::mend(&path, &mut log)?;
        let identity = match Identity::read(&folder) {
            Some(identity) => identity,
            None => {
                let identity = Identity::from_log(&folder, &log.records)
                    .or_else(|| Some(Identity::new(SessionId::parse(&name)?, None)))
                    .ok_or_else(|| SessionError::NotFound(name.clone()))?;
                identity.write(&folder)?;
                repaired.push("session.json was missing or damaged and was rebuilt from the log".to_owned());
                identity
            }
        };
        if identity.workspace.is_none() {
            fs::make_folders(&folder.join("workspace"))?;
        }
        repaired.append(&mut log.problems);
        let writer = Writer::start(path, log.next())?;
        let runs = newest_run(&folder);
        Ok(Opened { session: Self::over(identity, folder, writer, lock, runs), records: log.records, repaired })
    }

    fn over(identity: Identity, folder: PathBuf, writer: Writer, lock: Lock, runs: u32) -> Self {
        let workspace = identity.workspace.unwrap_or_else(|| folder.join("workspace"));
        Self { id: identity.id, folder, workspace, writer, runs: Mutex::new(runs), _lock: lock }
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

    /// Appends a record. It is in the file within 100 ms, and lasts only after [`Session::sync`].
    /// Consecutive reply deltas of one kind may be joined to one record. A failed write is reported by the next `sync`.
    pub fn append(&self, turn: u32, entry: Entry) {
        self.writer.append(turn, entry);
    }

    /// Returns when everything appended so far is fsynced.
    pub async fn sync(&self) -> Result<(), SessionError> {
        self.writer.sync().await
    }

    /// Makes `runs/NNNN/` for the next run.
    pub fn new_run(&self) -> Result<(u32, PathBuf), SessionError> {
        let mut newest = self.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *newest += 1;
        let folder = self.run_folder(*newest);
        fs::make_folders(&folder)?;
        Ok((*newest, folder))
    }

    /// Writes `runs/NNNN/report.json`, fsynced.
    pub fn keep_report(&self, run: u32, report: &RunReport) -> Result<(), SessionError> {
        let mut text = serde_json::to_string_pretty(report).map_err(|error| SessionError::Write(error.to_string()))?;
        text.push('\n');
        Ok(fs::replace(&self.run_folder(run).join("report.json"), text.as_bytes())?)
    }

    fn run_folder(&self, run: u32) -> PathBuf {
        self.folder.join("runs").join(format!("{run:04}"))
    }
}

/// The log alone, without a lock or a repair: for showing.
pub fn read(folder: &Path) -> Result<(Vec<Record>, Vec<String>), SessionError> {
    let log = recovery::read(&folder.join(LOG))?;
    Ok((log.records, log.problems))
}

fn newest_run(folder: &Path) -> u32 {
    let walk = walkdir::WalkDir::new(folder.join("runs")).min_depth(1).max_depth(1);
    let names = walk.into_iter().filter_map(Result::ok).filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.max().unwrap_or(0)
}
