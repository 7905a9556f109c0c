//! One process at a time: an `flock` that ends with its holder, on a file that says who that is.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::base::{clock, fs};
use crate::session::SessionError;

/// Held until it is dropped or the process ends.
pub struct Lock {
    _file: File,
}

/// A workspace that no other `faos` may work in meanwhile.
pub struct WorkspaceLock {
    _lock: Lock,
}

/// How asking for a lock went.
pub enum Asked {
    Got(Lock),
    /// The storage knows no locks: two processes cannot be told apart there.
    Unsupported(Lock),
    Held {
        pid: u32,
        since: String,
    },
}

pub fn lock(path: &Path) -> Result<Asked, SessionError> {
    let mut file = fs::open_to_append(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(holder(path)),
        Err(Errno::OPNOTSUPP | Errno::NOLCK | Errno::INVAL | Errno::NOSYS) => {
            return Ok(Asked::Unsupported(Lock { _file: file }));
        }
        Err(error) => return Err(SessionError::Write(format!("cannot lock `{}`: {error}", path.display()))),
    }
    // What a dead holder wrote is replaced; the file's words are for people, the lock itself is the kernel's.
    let words = format!("{} {}\n", std::process::id(), clock::now());
    file.set_len(0)
        .and_then(|()| file.write_all(words.as_bytes()))
        .map_err(|error| SessionError::Write(format!("cannot write `{}`: {error}", path.display())))?;
    Ok(Asked::Got(Lock { _file: file }))
}

/// Locks a workspace by what it is, not by how it is called: `state/locks/DEVICE-INODE`.
pub fn lock_workspace(state: &Path, workspace: &Path) -> Result<WorkspaceLock, SessionError> {
    let folder = state.join("locks");
    fs::make_folders(&folder)?;
    let opened = fs::open_to_read(workspace)?;
    let identity = opened.metadata().map_err(|error| SessionError::Write(error.to_string()))?;
    let path = folder.join(format!("{:x}-{:x}", identity.dev(), identity.ino()));
    match lock(&path)? {
        Asked::Got(lock) | Asked::Unsupported(lock) => Ok(WorkspaceLock { _lock: lock }),
        Asked::Held { pid, since } => {
            Err(SessionError::WorkspaceHeld { workspace: workspace.display().to_string(), pid, since })
        }
    }
}

fn holder(path: &Path) -> Asked {
    let words = fs::read_text(path).unwrap_or_default();
    let mut words = words.split_whitespace();
    let pid = words.next().and_then(|pid| pid.parse().ok()).unwrap_or_default();
    Asked::Held { pid, since: words.next().unwrap_or("an unknown time").to_owned() }
}
