//! Sessions that go, and what can go of those that stay.
//!
//! A session is set aside by one rename before it is removed, so that none is ever half there.

use std::path::{Path, PathBuf};

use super::archive::UNPACKING;
use super::catalog::folders;
use super::lock::Lock;
use super::opening::{self, name_of};
use super::{LOG, SessionError, identity, runs};
use crate::base::fs;
use crate::base::ids::SessionId;

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
    remove_held(folder)
}

/// Removes a folder whose lock is held.
fn remove_held(folder: &Path) -> Result<(), SessionError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let is_aside = name.starts_with(REMOVING);
    // What a removal left that was killed may have this session's name, too.
    let aside = folder.with_file_name(format!("{REMOVING}{name}-{}", SessionId::generate()));
    let aside = if is_aside { folder } else { &aside };
    if !is_aside {
        fs::rename(folder, aside)?;
    }
    Ok(fs::remove_folder(aside)?)
}

/// A session in which nothing ever happened: no record, no run, no version, and no file of its own.
fn is_blank(folder: &Path) -> bool {
    let log = folder.join(LOG);
    let is_unwritten = !fs::exists(&log) || fs::size(&log).is_ok_and(|size| size == 0);
    let holds_nothing =
        |name: &str| !fs::exists(&folder.join(name)) || fs::is_empty(&folder.join(name)).is_ok_and(|is_empty| is_empty);
    let places = [identity::OWN_WORKSPACE, runs::FOLDER, "versions/refs/tags"];
    is_unwritten && places.iter().all(|name| holds_nothing(name)) && !fs::exists(&folder.join("versions/packed-refs"))
}

/// What can go: caches, sessions in which nothing ever happened, and what a removal or an import that was killed left.
pub fn leftovers(sessions: &Path) -> Result<Vec<Leftover>, SessionError> {
    let mut found = Vec::new();
    let folders = folders(sessions)?;
    for (id, folder) in &folders {
        let is_blank = is_blank(folder);
        let (what, of) = match is_blank {
            true => (format!("session {id}, in which nothing was said"), folder.clone()),
            false => (format!("cache of session {id}"), folder.join(opening::CACHE)),
        };
        let size = fs::size_below(&of);
        if is_blank || size > 0 {
            found.push(Leftover { what, folder: of, size });
        }
    }
    if fs::exists(sessions) {
        for folder in fs::folders(sessions)? {
            let name = name_of(&folder);
            if is_torn(&name) {
                found.push(Leftover { what: format!("leftover {name}"), size: fs::size_below(&folder), folder });
            }
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

fn is_torn(name: &str) -> bool {
    name.starts_with(REMOVING) || name.starts_with(UNPACKING)
}

/// Removes it; `Ok(false)` where a process has it open, may have it open unseen, or has begun to use it since.
pub fn collect(leftover: &Leftover) -> Result<bool, SessionError> {
    let is_cache = leftover.folder.ends_with(opening::CACHE);
    let owner = if is_cache { leftover.folder.parent().unwrap_or(&leftover.folder) } else { &leftover.folder };
    let Ok(lock) = Lock::take(&owner.join(opening::LOCK)) else { return Ok(false) };
    if lock.notice().is_some() {
        return Ok(false);
    }
    if is_cache {
        fs::remove_folder(&leftover.folder)?;
        fs::make_folders(&leftover.folder)?;
        return Ok(true);
    }
    let still = is_torn(&name_of(owner)) || is_blank(owner);
    if still {
        remove_held(owner)?;
    }
    Ok(still)
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
    fn what_a_killed_removal_left_hinders_none_and_what_was_begun_since_stays() {
        let home = tempfile::tempdir().unwrap();
        let session = Session::create(home.path(), None).unwrap();
        let folder = session.folder().to_owned();
        let name = folder.file_name().unwrap().to_str().unwrap();
        fs::make_folders(&home.path().join(format!(".removed-{name}/full"))).unwrap();
        session.close().unwrap();
        let found = leftovers(home.path()).unwrap();
        fs::write_new(&folder.join("workspace/since"), b"1").unwrap();
        let removed: Vec<bool> = found.iter().map(|left| collect(left).unwrap()).collect();
        assert_eq!(removed, [true, false]);
        fs::make_folders(&home.path().join(format!(".removed-{name}/full"))).unwrap();
        remove(&folder).unwrap();
        assert!(!fs::exists(&folder));
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
        // Files without a word: a fork from before the first message, or a new conversation about the same files.
        let files = talk("");
        fs::write_new(&files.workspace().join("kept"), b"1").unwrap();
        let files_at = files.folder().to_owned();
        files.close().unwrap();
        // Only runs at the prompt: no message, but something happened.
        let runs = talk("");
        runs.append(0, Entry::Renamed { title: "runs".into() });
        let runs_at = runs.folder().to_owned();
        runs.close().unwrap();
        // The log is lost, and what was made is not.
        let versions = talk("");
        fs::make_folders(&versions.folder().join("versions/refs/tags/v0")).unwrap();
        let versions_at = versions.folder().to_owned();
        versions.close().unwrap();
        let found = leftovers(home.path()).unwrap();
        let sizes: Vec<u64> =
            found.iter().filter(|left| left.what.starts_with("cache")).map(|left| left.size).collect();
        assert_eq!((found.len(), sizes), (4, vec![1000, 1000]));
        let removed = found.iter().filter(|left| collect(left).unwrap()).count();
        assert_eq!(removed, 3, "what is open stays");
        assert!(!fs::exists(&empty_at) && fs::is_empty(&closed_at.join("cache")).unwrap());
        assert!(fs::exists(&files_at.join("workspace/kept")) && fs::exists(&runs_at) && fs::exists(&versions_at));
        assert!(find(home.path(), "closed").is_ok() && fs::exists(&open.folder().join("cache/big")));
    }
}
