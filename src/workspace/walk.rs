//! Our own walk over the handle: what is versioned, what is not, and what a run must not be able to destroy.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata, ReadDir};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::base::path::{RelPath, is_reserved};
use crate::workspace::pace::{Pace, Progress};
use crate::workspace::{Workspace, WorkspaceError, at};

/// Folders deeper than this and entries past this are not looked at, and said.
const DEEPEST: usize = 64;
const MOST_ENTRIES: usize = 200_000;
/// The later one decides.
const IGNORES: [&str; 2] = [".gitignore", ".faosignore"];
/// An ignore file larger than this is not one.
const LARGEST_IGNORE: u64 = 1 << 20;

/// Larger files are not versioned, so a run must not destroy them.
pub(super) const LARGEST_VERSIONED: u64 = 256 * 1024 * 1024;

/// A workspace of more files or bytes than this has only those versioned that were touched.
const MOST_FILES: usize = if cfg!(test) { 500 } else { 50_000 };
const MOST_BYTES: u64 = 2 << 30;

/// Folders that tools make and can make again: never versioned, and a run may write them.
const CACHES: [&str; 18] = [
    "__pycache__",
    ".cache",
    ".eggs",
    ".gradle",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nyc_output",
    ".parcel-cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".venv",
    "bower_components",
    "node_modules",
    "target",
    "venv",
    "zig-cache",
];

/// The files of a workspace that are versioned, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Listed>,
    /// Names that are no text, escaped: nothing here can name them.
    pub unnamed: Vec<String>,
    /// The walk was cut short at its cap.
    pub truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: RelPath,
    pub size: u64,
}

/// Everything that one walk found.
pub(super) struct Walk<'a> {
    pub files: Vec<Found>,
    /// Topmost paths that no version holds, caches excepted.
    pub protected: Vec<PathBuf>,
    pub unnamed: Vec<String>,
    pub truncated: bool,
    entries: usize,
    bytes: u64,
    pace: Pace<'a>,
}

pub(super) struct Found {
    pub path: RelPath,
    pub metadata: Metadata,
}

impl Workspace {
    /// Every regular file that is versioned: ignore files and known cache folders honoured.
    pub fn files(&self) -> Result<Listing, WorkspaceError> {
        let walk = self.walk(Pace::new(None))?;
        let files = walk.files.into_iter().filter(|found| found.metadata.is_file());
        let files = files.map(|found| Listed { size: found.metadata.len(), path: found.path }).collect();
        Ok(Listing { files, unnamed: walk.unnamed, truncated: walk.truncated })
    }

    /// Existing paths that no version holds and a run must not be able to destroy, with `.git` and `.faos`. In a
    /// workspace that is too large for versions this is all that there is.
    pub fn protected(&self) -> Result<Vec<PathBuf>, WorkspaceError> {
        let walk = self.walk(Pace::new(None))?;
        if !walk.is_too_large() {
            return Ok(walk.protected);
        }
        let entries = self.dir.entries().map_err(at("list", self.root.display()))?;
        let names = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
        Ok(names.filter(|name| !is_cache(name.as_os_str())).collect())
    }

    /// Existing paths that versions leave out: what is ignored, and what they cannot hold.
    pub fn left_out(&self) -> Result<Vec<PathBuf>, WorkspaceError> {
        Ok(self.walk(Pace::new(None))?.protected)
    }

    /// A file or link by its path alone, ignored or not.
    pub(super) fn found(&self, path: RelPath) -> Option<Found> {
        let metadata = self.dir.symlink_metadata(path.as_str()).ok()?;
        (metadata.is_file() || metadata.is_symlink()).then_some(Found { path, metadata })
    }

    /// Files and links, sorted by path.
    pub(super) fn walk<'a>(&self, pace: Pace<'a>) -> Result<Walk<'a>, WorkspaceError> {
        let mut walk = Walk::new(pace);
        let mut ignores = Vec::new();
        let entries = self.dir.entries().map_err(at("list", self.root.display()))?;
        walk.folder(&self.dir, entries, Path::new(""), &mut ignores)?;
        walk.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk)
    }
}

/// The rules of one folder's ignore files, and the folder that they are relative to.
struct Ignore {
    folder: PathBuf,
    rules: Gitignore,
}

fn is_cache(name: &OsStr) -> bool {
    CACHES.iter().any(|cache| name == OsStr::new(cache))
}

impl<'a> Walk<'a> {
    fn new(pace: Pace<'a>) -> Self {
        let (files, protected, unnamed) = (Vec::new(), Vec::new(), Vec::new());
        Self { files, protected, unnamed, truncated: false, entries: 0, bytes: 0, pace }
    }

    pub fn is_too_large(&self) -> bool {
        self.truncated || self.files.len() > MOST_FILES || self.bytes > MOST_BYTES
    }

    fn folder(
        &mut self,
        dir: &Dir,
        entries: ReadDir,
        below: &Path,
        ignores: &mut Vec<Ignore>,
    ) -> Result<(), WorkspaceError> {
        if below.components().count() > DEEPEST {
            self.truncated = true;
            return Ok(());
        }
        let known = ignores.len();
        ignores.extend(rules(dir, below));
        for entry in entries {
            let entry = entry.map_err(at("list", below.display()))?;
            self.entries += 1;
            self.pace.step(Progress::Found(self.entries))?;
            if self.entries > MOST_ENTRIES {
                self.truncated = true;
                break;
            }
            let name = entry.file_name();
            // An entry that vanished meanwhile is not there.
            let Ok(metadata) = dir.symlink_metadata(&name) else { continue };
            self.entry(dir, &below.join(&name), metadata, ignores)?;
        }
        ignores.truncate(known);
        Ok(())
    }

    fn entry(
        &mut self,
        dir: &Dir,
        path: &Path,
        metadata: Metadata,
        ignores: &mut Vec<Ignore>,
    ) -> Result<(), WorkspaceError> {
        let name = path.file_name().unwrap_or_default();
        let is_folder = metadata.is_dir();
        if is_folder && is_cache(name) {
            return Ok(());
        }
        if is_reserved(name) || is_ignored(path, is_folder, ignores) {
            self.protected.push(path.to_owned());
            return Ok(());
        }
        if is_folder {
            // A folder that may not be listed holds nothing that could be versioned. Opening one asks for less.
            let opened = dir.open_dir(name).and_then(|inner| Ok((inner.entries()?, inner)));
            return match opened {
                Ok((entries, inner)) => self.folder(&inner, entries, path, ignores),
                Err(_) => {
                    self.protected.push(path.to_owned());
                    Ok(())
                }
            };
        }
        match path.to_str().map(RelPath::parse) {
            Some(Ok(path)) if metadata.is_file() || metadata.is_symlink() => {
                if metadata.is_file() && metadata.len() > LARGEST_VERSIONED {
                    self.protected.push(PathBuf::from(path.as_str()));
                } else {
                    self.bytes = self.bytes.saturating_add(metadata.len());
                }
                self.files.push(Found { path, metadata });
            }
            // Names that are no text, devices, sockets: no version can hold them.
            found => {
                if found.is_none() {
                    self.unnamed.push(path.as_os_str().as_bytes().escape_ascii().to_string());
                }
                self.protected.push(path.to_owned());
            }
        }
        Ok(())
    }
}

/// The rules of the folder's own `.gitignore` and, over these, of its `.faosignore`, where it has one of them.
fn rules(dir: &Dir, below: &Path) -> Option<Ignore> {
    let texts: Vec<String> = IGNORES.iter().filter_map(|name| ignore_text(dir, name)).collect();
    if texts.is_empty() {
        return None;
    }
    let mut builder = GitignoreBuilder::new("");
    for line in texts.iter().flat_map(|text| text.lines()) {
        // A line that is no pattern ignores nothing, as with git.
        let _ = builder.add_line(None, line);
    }
    Some(Ignore { folder: below.to_owned(), rules: builder.build().ok()? })
}

fn ignore_text(dir: &Dir, name: &str) -> Option<String> {
    let metadata = dir.symlink_metadata(name).ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST_IGNORE {
        return None;
    }
    dir.read_to_string(name).ok()
}

/// The deepest file with an opinion decides.
fn is_ignored(path: &Path, is_folder: bool, ignores: &[Ignore]) -> bool {
    for ignore in ignores.iter().rev() {
        let Ok(inside) = path.strip_prefix(&ignore.folder) else { continue };
        match ignore.rules.matched(inside, is_folder) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
    }
    false
}
