//! A folder that nothing escapes: reading it, changing it in one step, and its versions.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::path::RelPath;
use crate::base::report::FileChange;

#[derive(Debug, Error)]
pub enum WorkspaceError {
    #[error("cannot {operation} `{path}`: {source}")]
    Io {
        operation: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot keep a version: {0}")]
    Versions(String),
}

/// What stands at a path. Links are followed only to a regular file inside the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Absent,
    File {
        size: u64,
    },
    Folder,
    /// A device, a FIFO, a socket, or a link that leaves the workspace: neither read nor written.
    Other,
}

/// One step of a change that was already checked against a virtual tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    Write { path: RelPath, content: Vec<u8> },
    Delete { path: RelPath },
    Move { from: RelPath, to: RelPath },
}

/// One open folder. Cheap to clone; every access goes through one handle that cannot leave it.
#[derive(Clone)]
pub struct Workspace {
    _p: (),
}

impl Workspace {
    /// `root` must exist.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let _ = root;
        unimplemented!()
    }

    /// The canonical path, for the sandbox to mount and the user to see.
    pub fn root(&self) -> &Path {
        unimplemented!()
    }

    pub fn entry(&self, path: &RelPath) -> Entry {
        let _ = path;
        unimplemented!()
    }

    /// A regular file's bytes, at most `limit` of them; `None` where there is no regular file.
    pub fn read(&self, path: &RelPath, limit: u64) -> Result<Option<Vec<u8>>, WorkspaceError> {
        let _ = (path, limit);
        unimplemented!()
    }

    /// Every file that is versioned: sorted, ignore files and known cache folders honoured, walks capped.
    pub fn files(&self) -> Result<Listing, WorkspaceError> {
        unimplemented!()
    }

    /// Existing paths that no version holds and a run must not be able to destroy (topmost ones; caches excepted),
    /// with `.git` and `.faos`.
    pub fn protected(&self) -> Result<Vec<PathBuf>, WorkspaceError> {
        unimplemented!()
    }

    /// Applies all steps in order: every new content is written beside its target and fsynced first, then renamed.
    /// Modes of existing files are kept; missing folders are made; folders that a delete or move leaves empty go.
    pub fn apply(&self, steps: &[FileOp]) -> Result<(), WorkspaceError> {
        let _ = steps;
        unimplemented!()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Listed>,
    /// The walk was cut short at its cap.
    pub truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: RelPath,
    pub size: u64,
}

/// The bare git repository of a session: a commit for each version, tag `vN`.
pub struct Versions {
    _p: (),
}

impl Versions {
    /// Opens the repository, making it where it is missing.
    pub fn open(folder: &Path) -> Result<Self, WorkspaceError> {
        let _ = folder;
        unimplemented!()
    }

    /// Keeps the workspace as it is. `None` where it equals the newest version (v0 is always kept).
    /// On return the version survives a power loss.
    pub fn keep(&mut self, workspace: &Workspace, why: &str) -> Result<Option<Version>, WorkspaceError> {
        let _ = (workspace, why);
        unimplemented!()
    }

    /// What differs between the newest version and the workspace, without keeping anything.
    pub fn changes(&mut self, workspace: &Workspace) -> Result<Vec<FileChange>, WorkspaceError> {
        let _ = workspace;
        unimplemented!()
    }

    /// What differs between two versions.
    pub fn between(&self, from: u32, to: u32) -> Result<Vec<FileChange>, WorkspaceError> {
        let _ = (from, to);
        unimplemented!()
    }

    pub fn newest(&self) -> Option<u32> {
        unimplemented!()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: u32,
    pub commit: String,
    /// Against the version before.
    pub changes: Vec<FileChange>,
}

/// A unified diff for people, without colour; binary content is named, not shown.
pub fn diff(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    let _ = (path, old, new);
    unimplemented!()
}

/// The files for the prompt, one a line, never over `most` characters; empty for an empty workspace.
pub fn map(listing: &Listing, most: usize) -> String {
    let _ = (listing, most);
    unimplemented!()
}
