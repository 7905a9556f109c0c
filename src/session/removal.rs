//! Sessions that go, and what can go of those that stay.
//!
//! A session is set aside by one rename before it is removed, so that none is ever half there.

use std::path::{Path, PathBuf};

use super::archive::UNPACKING;
use super::catalog::{self, folders};
use super::lock::Lock;
use super::{SessionError, opening};
use crate::base::fs;

/// What a session's folder is called while it is removed; no session's name begins so.
const REMOVING: &str = ".removed-";

/// Something that nobody misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What it is, for the user.
    pub what: String,
    pub folder: PathBuf,
    /// Bytes of its files.
    pub size: u64,
}

/// Bytes of all files of a session.
pub fn size_of(folder: &Path) -> u64 {
    fs::size_below(folder)
}

/// Removes a session that no process has open.
pub fn remove(folder: &Path) -> Result<(), SessionError> {
    opening::known(folder)?;
    let _lock = opening::take_lock(folder)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!("{REMOVING}{name}"));
    fs::rename(folder, &aside)?;
    Ok(fs::remove_folder(&aside)?)
}

/// What can go: caches, sessions in which nothing was said, and what a removal or an import that was killed left.
pub fn leftovers(sessions: &Path) -> Result<Vec<Leftover>, SessionError> {
    let mut found = Vec::new();
    let folders = folders(sessions)?;
    for (id, folder) in &folders {
        let is_empty = catalog::summarize(id, folder)
            .is_ok_and(|summary| summary.is_none_or(|it| it.model.is_empty() && it.turns == 0 && it.title.is_empty()));
        let (what, of) = match is_empty {
            true => (format!("session {id}, in which nothing was said"), folder.clone()),
            false => (format!("cache of session {id}"), folder.join(opening::CACHE)),
        };
        let size = fs::size_below(&of);
        if is_empty || size > 0 {
            found.push(Leftover { what, folder: of, size });
        }
    }
    if fs::exists(sessions) {
        let is_torn = |name: &str| name.starts_with(REMOVING) || name.starts_with(UNPACKING);
        for folder in fs::folders(sessions)? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_torn(&name) {
                found.push(Leftover { what: format!("leftover {name}"), size: fs::size_below(&folder), folder });
            }
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

/// Removes it; `Ok(false)` where a process has it open.
pub fn collect(leftover: &Leftover) -> Result<bool, SessionError> {
    let is_cache = leftover.folder.ends_with(opening::CACHE);
    let owner = if is_cache { leftover.folder.parent().unwrap_or(&leftover.folder) } else { &leftover.folder };
    let Ok(_lock) = Lock::take(&owner.join(opening::LOCK)) else { return Ok(false) };
    fs::remove_folder(&leftover.folder)?;
    if is_cache {
        fs::make_folders(&leftover.folder)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{collect, leftovers, remove};
    use crate::base::fs;
    use crate::session::record::Entry;
    use crate::session::{Session, SessionError, find};

    #[test]
    fn a_session_that_is_open_stays_and_one_that_is_not_goes_whole() {
        let home = tempfile::tempdir().unwrap();
        let session = Session::create(home.path(), None).unwrap();
        let folder = session.folder().to_owned();
        assert!(matches!(remove(&folder), Err(SessionError::Held { .. })));
        drop(session);
        remove(&folder).unwrap();
        assert!(fs::is_empty(home.path()).unwrap());
        assert!(matches!(remove(home.path()), Err(SessionError::NotFound(_))));
    }

    #[test]
    fn only_what_nobody_misses_is_left_over() {
        let home = tempfile::tempdir().unwrap();
        let talk = |text: &str| {
            let session = Session::create(home.path(), None).unwrap();
            if !text.is_empty() {
                session.append(1, Entry::UserMessage { text: text.into() });
                fs::write_new(&session.folder().join("cache/big"), &[0; 1000]).unwrap();
            }
            session
        };
        let (open, closed, empty) = (talk("open"), talk("closed"), talk(""));
        open.sync_blocking().unwrap();
        let (closed_at, empty_at) = (closed.folder().to_owned(), empty.folder().to_owned());
        closed.close().unwrap();
        empty.close().unwrap();
        fs::make_folders(&home.path().join(".removed-x")).unwrap();
        let found = leftovers(home.path()).unwrap();
        let sizes: Vec<u64> =
            found.iter().filter(|left| left.what.starts_with("cache")).map(|left| left.size).collect();
        assert_eq!((found.len(), sizes), (4, vec![1000, 1000]));
        let removed = found.iter().filter(|left| collect(left).unwrap()).count();
        assert_eq!(removed, 3, "what is open stays");
        assert!(!fs::exists(&empty_at) && fs::is_empty(&closed_at.join("cache")).unwrap());
        assert!(find(home.path(), "closed").is_ok() && fs::exists(&open.folder().join("cache/big")));
    }
}
