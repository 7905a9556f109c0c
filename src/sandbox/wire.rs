//! What host and helper say to each other over one socket: the order and the program's input down, the outcome up.
//!
//! A frame is its length (4 bytes, little endian) and that many bytes. After the two frames of the order the host
//! sends single bytes, a [`Word`] each; the socket's end means that the host is gone.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::report::{Backend, ExitKind};

/// One run, as the helper needs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub script: String,
    pub backend: Backend,
    pub workspace: RawPath,
    pub layer: Layer,
    /// Folders of the session's beside the workspace.
    pub folders: Vec<Folder>,
    /// Read-only inside the workspace, relative to it.
    pub protected: Vec<RawPath>,
    /// Mounted read-only at their own paths, in this order.
    pub read_only: Vec<RawPath>,
    pub home: RawPath,
    /// Where folders of one run are made by backends without mounts of their own.
    pub temporary: RawPath,
    /// This program's file, for a backend that cannot start it through `/proc`.
    pub program: RawPath,
    pub environment: Vec<(String, String)>,
    pub network: bool,
    pub limits: Bounds,
}

/// A folder and where the run finds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folder {
    pub from: RawPath,
    pub at: RawPath,
    pub writable: bool,
}

/// What stands at the workspace's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// The workspace: what the run changes stays.
    Direct,
    /// A copy of it that goes with the run.
    Scratch,
    /// An empty folder that goes with the run.
    Empty,
}

/// A path as its bytes, whether or not they are text: as a `PathBuf`, serde would refuse one that is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "OsString", into = "OsString")]
pub struct RawPath(PathBuf);

impl From<OsString> for RawPath {
    fn from(path: OsString) -> Self {
        Self(PathBuf::from(path))
    }
}

impl From<RawPath> for OsString {
    fn from(RawPath(path): RawPath) -> Self {
        path.into_os_string()
    }
}

impl From<&Path> for RawPath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl AsRef<Path> for RawPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Deref for RawPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

/// Limits in the units that the kernel counts in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bounds {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub memory: u64,
    pub processes: u64,
    pub file: u64,
    pub growth: u64,
    pub growth_files: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing was run: which step failed, and the error number.
    NotSetUp {
        step: String,
        errno: i32,
    },
    Ended(Ended),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub kind: ExitKind,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub wall_s: f64,
    pub setup_s: f64,
    pub user_s: f64,
    pub system_s: f64,
    /// The most memory that the run's own group held, in bytes; `None` where it had none.
    pub group_peak: Option<u64>,
    /// The largest sum over all processes that was seen, in bytes; 0 where none was.
    pub sampled_peak: u64,
    /// The largest single process, in bytes.
    pub largest_process: u64,
    pub written: u64,
    pub left_killed: u32,
    /// The run's processes could be seen, and so the sums be held to their limits.
    pub watched: bool,
    /// What this machine made weaker, a sentence each.
    pub degraded: Vec<String>,
    /// `.git` and `.faos` that the run made or changed, relative to the workspace.
    pub obeyed: Vec<RawPath>,
}

/// What the host may say while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    Cancel = b'c',
    TooMuchOutput = b'o',
}

pub fn send(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

pub fn receive(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
