//! A folder that nothing escapes: reading it, changing it in one step, and its versions.
//!
//! Invariant: every access goes through one `cap-std` handle on the root, so that no path, link or race leads out of
//! it; and only regular files are ever opened. What a change means is checked before, by core's virtual tree.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use thiserror::Error;

use crate::base::path::RelPath;

mod apply;
mod diff;
mod map;
mod pace;
mod pack;
mod restore;
mod root;
mod signatures;
mod sound;
mod stamps;
mod versions;
mod walk;

pub use apply::FileOp;
pub use diff::{changed_lines, diff};
pub use map::{map, map_with_signatures};
pub use pace::{Progress, Watch};
pub use restore::Restored;
pub use root::{Own, refuse_as_root};
pub use versions::{Version, Versions};
pub use walk::{Listed, Listing};

#[derive(Debug, Error)]
pub enum WorkspaceError {
    #[error("cannot {operation} `{path}`: {source}")]
    Io {
        operation: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` has {size} bytes, more than the {limit} that are read")]
    TooLarge { path: String, size: u64, limit: u64 },
    /// By the user, in the middle of a long work.
    #[error("stopped while a version was kept")]
    Stopped,
    #[error("cannot keep a version: {0}")]
    Versions(String),
}

#[expect(clippy::needless_pass_by_value, reason = "it is named as a function in `map_err`")]
fn failed(error: git2::Error) -> WorkspaceError {
    WorkspaceError::Versions(error.message().to_owned())
}

/// Names the operation and the path of a failure.
fn at<'a>(operation: &'static str, path: impl ToString + 'a) -> impl FnOnce(io::Error) -> WorkspaceError + 'a {
    move |source| WorkspaceError::Io { operation, path: path.to_string(), source }
}

/// What stands at a path. Links are followed only to a regular file or folder inside the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Absent,
    File {
        size: u64,
    },
    Folder,
    /// A device, a FIFO, a socket, or a link that leaves the workspace or leads nowhere: neither read nor written.
    Other,
}

/// One open folder. Cheap to clone.
#[derive(Clone)]
pub struct Workspace {
    root: PathBuf,
    dir: Arc<Dir>,
}

impl Workspace {
    /// `root` must exist; it is kept as an absolute path without links.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let root =
            crate::base::fs::canonical(root).map_err(|error| at("open the workspace", root.display())(error.source))?;
        let dir =
            Dir::open_ambient_dir(&root, ambient_authority()).map_err(at("open the workspace", root.display()))?;
        Ok(Self { root, dir: Arc::new(dir) })
    }

    /// The canonical path, for the sandbox to mount and the user to see.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path without links in it, as far as it leads somewhere inside; itself where it does not.
    pub fn real(&self, path: &RelPath) -> RelPath {
        self.canonical(path).unwrap_or_else(|| self.itself(path))
    }

    fn canonical(&self, path: &RelPath) -> Option<RelPath> {
        self.dir.canonicalize(path.as_str()).ok()?.to_str().and_then(|path| RelPath::parse(path).ok())
    }

    /// The same for what stands there itself, which may be a link.
    pub fn itself(&self, path: &RelPath) -> RelPath {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            if let Some(real) = self.canonical(&folder) {
                let rest = &path.as_str()[folder.as_str().len()..];
                return RelPath::parse(&format!("{real}{rest}")).unwrap_or_else(|_| path.clone());
            }
            parent = folder.parent();
        }
        path.clone()
    }

    pub fn entry(&self, path: &RelPath) -> Entry {
        let Ok(metadata) = self.dir.symlink_metadata(path.as_str()) else { return self.absent_or_other(path) };
        // Following a link that leaves the workspace, or leads nowhere, is an error here.
        let metadata = if metadata.is_symlink() { self.dir.metadata(path.as_str()) } else { Ok(metadata) };
        match metadata {
            Ok(metadata) if metadata.is_file() => Entry::File { size: metadata.len() },
            Ok(metadata) if metadata.is_dir() => Entry::Folder,
            Ok(_) | Err(_) => Entry::Other,
        }
    }

    /// A path below a link that leaves the workspace is not absent: it is out of bounds.
    fn absent_or_other(&self, path: &RelPath) -> Entry {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            match self.dir.symlink_metadata(folder.as_str()) {
                Ok(metadata) if metadata.is_symlink() && self.dir.metadata(folder.as_str()).is_err() => {
                    return Entry::Other;
                }
                Ok(_) => return Entry::Absent,
                Err(_) => parent = folder.parent(),
            }
        }
        Entry::Absent
    }

    /// A regular file's bytes; `None` where there is no regular file, an error where it holds more than `limit`.
    pub fn read(&self, path: &RelPath, limit: u64) -> Result<Option<Vec<u8>>, WorkspaceError> {
        let Entry::File { size } = self.entry(path) else { return Ok(None) };
        if size > limit {
            return Err(WorkspaceError::TooLarge { path: path.to_string(), size, limit });
        }
        let mut options = OpenOptions::new();
        // A FIFO that took the file's place meanwhile must not hold us up.
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = self.dir.open_with(path.as_str(), &options).map_err(at("read", path))?;
        if !file.metadata().map_err(at("read", path))?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(at("read", path))?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests;
