//! The workspace as it will be after the actions so far: each action sees the ones before it, nothing is written yet.

use std::collections::BTreeMap;

use crate::base::path::RelPath;
use crate::reply::{FileState, Files};
use crate::workspace::{Entry, FileOp, Workspace, WorkspaceError};

/// No file that a reply writes or edits may be larger.
pub const LARGEST_FILE: u64 = 5 * 1024 * 1024;

/// A workspace with changes laid over it.
pub struct Tree<'a> {
    workspace: &'a Workspace,
    /// `None`: the path is gone.
    over: BTreeMap<RelPath, Option<Vec<u8>>>,
    steps: Vec<FileOp>,
    /// Files that no version holds: what was in them could not be brought back.
    kept_off: Vec<RelPath>,
    /// The version that the workspace was at before the reply, as far as anybody knew.
    base: Option<u32>,
}

const UNVERSIONED: &str = "no version holds what is in it (it is ignored, or too large), so only the user changes it";

impl<'a> Tree<'a> {
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, over: BTreeMap::new(), steps: Vec::new(), kept_off: Vec::new(), base: None }
    }

    pub fn keeping_off(mut self, paths: Vec<RelPath>) -> Self {
        self.kept_off = paths;
        self
    }

    pub fn based_on(mut self, version: Option<u32>) -> Self {
        self.base = version;
        self
    }

    pub fn base(&self) -> Option<u32> {
        self.base
    }

    /// Why what stands at the path may not go; `None` where it may.
    pub fn is_kept(&self, path: &RelPath) -> Option<String> {
        self.kept_off.contains(path).then(|| UNVERSIONED.to_owned())
    }

    /// The file's bytes; `None` where no regular file stands there.
    pub fn bytes(&self, path: &RelPath) -> Result<Option<Vec<u8>>, WorkspaceError> {
        match self.over.get(path) {
            Some(content) => Ok(content.clone()),
            None => self.workspace.read(path, LARGEST_FILE),
        }
    }

    /// Whether an action before has touched the path.
    pub fn is_changed(&self, path: &RelPath) -> bool {
        self.over.contains_key(path)
    }

    pub fn is_file(&self, path: &RelPath) -> bool {
        matches!(self.state(path), FileState::File | FileState::Empty)
    }

    /// Why nothing can be written at the path; `None` where something can.
    pub fn obstacle(&self, path: &RelPath) -> Option<String> {
        if let Some(why) = self.is_kept(path) {
            return Some(why);
        }
        if self.state(path) == FileState::Folder {
            return Some("a folder stands there".to_owned());
        }
        if !self.over.contains_key(path) && self.workspace.entry(path) == Entry::Other {
            return Some("what stands there is no regular file of the workspace".to_owned());
        }
        let mut parent = path.parent();
        while let Some(folder) = parent {
            if self.is_file(&folder) {
                return Some(format!("`{folder}` is a file, not a folder"));
            }
            if !self.over.contains_key(&folder) && self.workspace.entry(&folder) == Entry::Other {
                return Some(format!("`{folder}` leads out of the workspace"));
            }
            parent = folder.parent();
        }
        None
    }

    pub fn write(&mut self, path: &RelPath, content: Vec<u8>) {
        self.over.insert(path.clone(), Some(content.clone()));
        self.steps.push(FileOp::Write { path: path.clone(), content });
    }

    pub fn delete(&mut self, path: &RelPath) {
        self.over.insert(path.clone(), None);
        self.steps.push(FileOp::Delete { path: path.clone() });
    }

    /// `content` is what stood at `from`.
    pub fn rename(&mut self, from: &RelPath, to: &RelPath, content: Vec<u8>) {
        self.over.insert(from.clone(), None);
        self.over.insert(to.clone(), Some(content));
        self.steps.push(FileOp::Move { from: from.clone(), to: to.clone() });
    }

    /// What each path that was touched holds in the end.
    pub fn outcome(&self) -> Vec<(RelPath, Option<Vec<u8>>)> {
        self.over.iter().map(|(path, content)| (path.clone(), content.clone())).collect()
    }

    /// The steps in order; several writes of one file are one.
    pub fn into_steps(self) -> Vec<FileOp> {
        let mut steps: Vec<FileOp> = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            if let (Some(FileOp::Write { path: before, .. }), FileOp::Write { path: again, .. }) = (steps.last(), &step)
                && before == again
            {
                steps.pop();
            }
            steps.push(step);
        }
        steps
    }
}

impl Files for Tree<'_> {
    fn state(&self, path: &RelPath) -> FileState {
        match self.over.get(path) {
            Some(Some(content)) if content.is_empty() => return FileState::Empty,
            Some(Some(_)) => return FileState::File,
            Some(None) => return FileState::Absent,
            None => {}
        }
        let below = format!("{path}/");
        if self.over.iter().any(|(other, content)| content.is_some() && other.as_str().starts_with(&below)) {
            return FileState::Folder;
        }
        match self.workspace.entry(path) {
            Entry::Absent | Entry::Other => FileState::Absent,
            Entry::File { size: 0 } => FileState::Empty,
            Entry::File { .. } => FileState::File,
            Entry::Folder => FileState::Folder,
        }
    }

    fn text(&self, path: &RelPath) -> Option<String> {
        self.bytes(path).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok())
    }
}
