//! Locks between processes: of a session's folder and of a workspace.
//!
//! A lock is the kernel's (`flock`) and ends with its process, so a dead holder's is simply free. The file's text only
//! says who holds it. The file goes when the lock does; only a killed process leaves one behind, and it hinders nobody.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::SessionError;
use crate::base::{clock, fs};

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    /// The storage knows no locks: nothing keeps a second process out.
    unguarded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub since: String,
}

#[derive(Debug)]
pub enum Refusal {
    Held(Holder),
    Fs(fs::FsError),
}

/// While it lives, no other FAOS works in the workspace.
#[derive(Debug)]
pub struct WorkspaceLock {
    lock: Lock,
}

impl WorkspaceLock {
    /// What the user should know about the lock, a plain sentence.
    pub fn notice(&self) -> Option<String> {
        self.lock.notice()
    }
}

/// Takes the lock of a workspace, which is known by device and inode and thus under all its names.
pub fn lock_workspace(state: &Path, workspace: &Path) -> Result<WorkspaceLock, SessionError> {
    let (device, inode) = fs::identity(workspace)?;
    let locks = state.join("locks");
    fs::make_folders(&locks)?;
    match Lock::take(&locks.join(format!("workspace-{device}-{inode}"))) {
        Ok(lock) => Ok(WorkspaceLock { lock }),
        Err(Refusal::Fs(error)) => Err(error.into()),
        Err(Refusal::Held(Holder { pid, since })) => {
            Err(SessionError::WorkspaceHeld { workspace: workspace.display().to_string(), pid, since })
        }
    }
}

impl Lock {
    pub fn take(path: &Path) -> Result<Self, Refusal> {
        loop {
            let file = fs::open_to_update(path).map_err(Refusal::Fs)?;
            if let Some(lock) = Self::on(file, path)? {
                return Ok(lock);
            }
        }
    }

    /// `None` where the holder before removed the file between its opening and its locking: that would be a lock on
    /// nothing, and the next one in would get another.
    fn on(mut file: File, path: &Path) -> Result<Option<Self>, Refusal> {
        let unguarded = match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => return Err(Refusal::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => true,
            Err(TryLockError::Error(source)) => {
                return Err(Refusal::Fs(fs::FsError { operation: "lock", path: path.to_owned(), source }));
            }
        };
        if !fs::is_at(&file, path) {
            return Ok(None);
        }
        // On a full disk the lock holds all the same; only its message is poorer.
        let _ = introduce(&mut file);
        Ok(Some(Self { path: path.to_owned(), file, unguarded }))
    }

    /// What the user should know about it, a plain sentence.
    pub fn notice(&self) -> Option<String> {
        let sentence =
            || format!("the storage of `{}` knows no locks: nothing keeps a second process out", self.path.display());
        self.unguarded.then(sentence)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A folder that was moved meanwhile may have made room for another with a lock of its own.
        if !self.unguarded && fs::is_at(&self.file, &self.path) {
            // On a read-only disk it stays, empty of meaning: the kernel's lock goes with the handle.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn introduce(file: &mut File) -> io::Result<()> {
    let own = Holder { pid: std::process::id(), since: clock::now() };
    file.set_len(0)?;
    file.write_all(format!("{}\n", serde_json::to_string(&own)?).as_bytes())
}

/// Who holds the lock. A holder of this very moment may not have written its name yet: it gets a little time for it.
fn holder(file: &mut File) -> Holder {
    let unnamed = || Holder { pid: 0, since: "a moment ago".to_owned() };
    let read = |file: &mut File| -> Option<Holder> {
        let mut text = String::new();
        file.rewind().ok()?;
        file.take(1024).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    };
    let mut tries = (0..20).map(|_| {
        read(file).or_else(|| {
            thread::sleep(Duration::from_millis(5));
            None
        })
    });
    tries.find_map(|found| found).unwrap_or_else(unnamed)
}

/// Some network and FUSE file systems have no locks at all.
fn has_no_locks(error: &io::Error) -> bool {
    let without = [Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOLCK];
    without.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::process;

    use rustix::io::Errno;

    use super::{Lock, Refusal, has_no_locks, lock_workspace};
    use crate::base::fs;
    use crate::session::SessionError;

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        let Err(Refusal::Held(holder)) = Lock::take(&path) else { panic!("it is held") };
        assert_eq!(holder.pid, process::id());
        assert!(holder.since.ends_with('Z'), "{holder:?}");
        drop(first);
        assert!(!fs::exists(&path));
        Lock::take(&path).unwrap();
    }

    #[test]
    fn what_a_killed_holder_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::replace(&path, b"{\"pid\":1,\"since\":\"2026-01-01T00:00:00.000Z\"} and a long tail of something else")
            .unwrap();
        let lock = Lock::take(&path).unwrap();
        let Err(Refusal::Held(holder)) = Lock::take(&path) else { panic!("it is held") };
        assert_eq!(holder.pid, process::id());
        drop(lock);
    }

    #[test]
    fn a_lock_that_was_moved_away_leaves_its_successor_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Lock::take(&path).unwrap();
        drop(first);
        assert!(matches!(Lock::take(&path), Err(Refusal::Held(_))));
        drop(second);
    }

    #[test]
    fn a_file_that_was_removed_before_it_was_locked_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let too_late = fs::open_to_update(&path).unwrap();
        drop(Lock::take(&path).unwrap());
        assert!(Lock::on(too_late, &path).unwrap().is_none());
        let too_late = fs::open_to_update(&path).unwrap();
        drop(Lock::take(&path).unwrap());
        let _current = Lock::take(&path).unwrap();
        assert!(Lock::on(too_late, &path).unwrap().is_none());
    }

    #[test]
    fn a_workspace_is_known_under_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let (state, workspace, link) =
            (folder.path().join("state"), folder.path().join("work"), folder.path().join("link"));
        fs::make_folders(&workspace).unwrap();
        std::os::unix::fs::symlink(&workspace, &link).unwrap();
        let first = lock_workspace(&state, &workspace).unwrap();
        assert_eq!(first.notice(), None);
        let error = lock_workspace(&state, &link).unwrap_err();
        let SessionError::WorkspaceHeld { workspace: named, pid, since } = &error else { panic!("{error}") };
        assert_eq!((named.as_str(), *pid), (link.to_str().unwrap(), process::id()));
        let message = format!("the workspace `{named}` is in use by process {pid} since {since}");
        assert_eq!(error.to_string(), message);
        drop(first);
        lock_workspace(&state, &link).unwrap();
    }

    #[test]
    fn storage_without_locks_is_told_from_other_faults() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(has_no_locks(&error(Errno::NOTSUP)) && has_no_locks(&error(Errno::NOLCK)));
        assert!(!has_no_locks(&error(Errno::BADF)) && !has_no_locks(&error(Errno::NOSPC)));
    }
}
