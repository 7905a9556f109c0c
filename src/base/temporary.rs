//! A folder below the temporary one that goes with its owner; what a killed owner left goes at the next start.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::fs::{self, FsError};

/// Removed when it is dropped.
pub struct TemporaryFolder {
    path: PathBuf,
    /// Its lock tells others that the owner lives, and ends with it. Where the storage knows no locks, nobody removes what
    /// is another's.
    _lock: File,
}

impl TemporaryFolder {
    /// Makes one whose name begins so, and removes those whose owners are dead.
    pub fn make(prefix: &str) -> Result<Self, FsError> {
        Self::make_below(&std::env::temp_dir(), prefix)
    }

    /// The same in another folder that others can write to.
    pub fn make_below(folder: &Path, prefix: &str) -> Result<Self, FsError> {
        sweep(folder, prefix);
        loop {
            let path = fs::make_temporary_folder(folder, prefix)?;
            // Another start may be sweeping it away, or have done so, before it was anybody's.
            let Some(handle) = fs::if_present(fs::open_to_read(&path))? else { continue };
            let is_swept = matches!(flock(&handle, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK));
            if !is_swept && fs::is_at(&handle, &path) {
                return Ok(Self { path, _lock: handle });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed now is swept at a later start.
        let _ = fs::remove_folder(&self.path);
    }
}

fn lock(folder: &Path) -> Option<File> {
    let folder = fs::open_to_read(folder).ok()?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(folder)
}

/// Others can write to the temporary folder, too: only folders that are ours alone count.
fn sweep(temporary: &Path, prefix: &str) {
    for folder in fs::folders(temporary).unwrap_or_default() {
        let is_one = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        if is_one && fs::is_ours_alone(&folder) && lock(&folder).is_some() {
            // One that cannot be removed hinders nobody.
            let _ = fs::remove_folder(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TemporaryFolder, lock, sweep};
    use crate::base::fs;

    #[test]
    fn what_a_killed_owner_left_is_swept_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let folder = temporary.path().join(name);
            fs::make_folders(&folder.join("inside")).unwrap();
            folder
        };
        let (dead, alive, other, link) = (of("mine-1"), of("mine-2"), of("other-1"), of("target"));
        std::os::unix::fs::symlink(&link, temporary.path().join("mine-3")).unwrap();
        let _lock = lock(&alive).unwrap();
        sweep(temporary.path(), "mine-");
        assert!(!fs::exists(&dead));
        assert!([alive, other, link].iter().all(|folder| fs::exists(&folder.join("inside"))));
    }

    #[test]
    fn it_goes_with_its_owner() {
        let (one, two) = (TemporaryFolder::make("faos-owned-").unwrap(), TemporaryFolder::make("faos-owned-").unwrap());
        let path = one.path().to_owned();
        assert!(fs::is_folder(&path) && fs::is_folder(two.path()) && path != two.path());
        drop(one);
        assert!(!fs::exists(&path) && fs::is_folder(two.path()));
    }
}
