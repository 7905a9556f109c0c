//! A folder for a session that nothing is kept of. It goes with its owner; what a killed one left goes at the next start.

use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::{SessionError, opening};
use crate::base::fs;

const PREFIX: &str = "faos-passing-";

/// Removed when it is dropped.
pub struct Passing {
    folder: PathBuf,
    _lock: Lock,
}

impl Passing {
    /// Makes one below the temporary folder, and removes those whose owners are dead.
    pub fn make() -> Result<Self, SessionError> {
        sweep(&std::env::temp_dir());
        loop {
            let folder = fs::make_temporary_folder(PREFIX)?;
            match Lock::take(&folder.join(opening::LOCK)) {
                Ok(lock) => return Ok(Self { folder, _lock: lock }),
                // Another start has just swept it away, since it was nobody's yet.
                Err(_) if !fs::exists(&folder) => {}
                Err(refusal) => return Err(opening::told(&folder, refusal)),
            }
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed now is swept at a later start.
        let _ = fs::remove_folder(&self.folder);
    }
}

/// Removes what nobody holds. Others can write to the temporary folder, too: only folders that are ours alone count.
fn sweep(temporary: &Path) {
    for folder in fs::folders(temporary).unwrap_or_default() {
        let is_passing = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !is_passing || !fs::is_ours_alone(&folder) {
            continue;
        }
        let Ok(lock) = Lock::take(&folder.join(opening::LOCK)) else { continue };
        // Where the storage knows no locks, its owner may be alive.
        if lock.notice().is_none() {
            // One that cannot be removed hinders nobody.
            let _ = fs::remove_folder(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lock, PREFIX, sweep};
    use crate::base::fs;

    #[test]
    fn what_nobody_holds_is_swept_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let folder = temporary.path().join(name);
            fs::make_folders(&folder.join("20261122-200000-ab12/workspace")).unwrap();
            folder
        };
        let (dead, alive, other, link) =
            (of(&format!("{PREFIX}1")), of(&format!("{PREFIX}2")), of("mine"), of("target"));
        std::os::unix::fs::symlink(&link, temporary.path().join(format!("{PREFIX}3"))).unwrap();
        let _lock = Lock::take(&alive.join("lock")).unwrap();
        sweep(temporary.path());
        assert!(!fs::exists(&dead));
        assert!(
            fs::exists(&alive.join("20261122-200000-ab12"))
                && fs::exists(&other)
                && fs::exists(&link.join("20261122-200000-ab12"))
        );
    }
}
