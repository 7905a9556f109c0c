//! A version's files come back into the workspace. What no version holds is left as it is.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use git2::{FileMode, Oid};

use crate::base::path::RelPath;
use crate::base::report::{ChangeKind, FileChange};
use crate::workspace::versions::{Versions, changed};
use crate::workspace::{Entry, FileOp, Workspace, WorkspaceError, failed};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    pub changes: Vec<FileChange>,
    /// Files that stand in the way and that no version holds: they were left alone.
    pub left: Vec<String>,
}

impl Versions {
    /// Makes the workspace what it was at that version. Keep a version first: what differs is overwritten.
    pub fn restore(&mut self, workspace: &Workspace, number: u32) -> Result<Restored, WorkspaceError> {
        self.restore_some(workspace, number, |_| true)
    }

    /// The same for these files alone, and for all files below those of them that are folders.
    pub fn restore_only(
        &mut self,
        workspace: &Workspace,
        number: u32,
        only: &[RelPath],
    ) -> Result<Restored, WorkspaceError> {
        let below = |path: &RelPath| only.iter().any(|only| Path::new(path.as_str()).starts_with(only.as_str()));
        self.restore_some(workspace, number, below)
    }

    fn restore_some(
        &mut self,
        workspace: &Workspace,
        number: u32,
        is_wanted: impl Fn(&RelPath) -> bool,
    ) -> Result<Restored, WorkspaceError> {
        let now = self.tree_of(workspace)?;
        let then = self.repository().find_commit(self.commit_of(number)?).map_err(failed)?.tree_id();
        let mut steps = self.steps(now, then)?;
        steps.retain(|step| is_wanted(&step.path));
        let mut restored = Restored::default();
        // All that is to come is read before anything goes: what cannot be read changes nothing.
        let modes = self.private_modes(number)?;
        let is_delete = |step: &&Step| step.kind == ChangeKind::Deleted;
        let coming = steps.iter().filter(|step| !is_delete(step)).map(|step| Ok((step, self.put(step, &modes)?)));
        let coming = coming.collect::<Result<Vec<_>, WorkspaceError>>()?;
        // Deletes first: a folder may have to give way to a file, and a file to a folder.
        let deletes: Vec<_> =
            steps.iter().filter(is_delete).map(|step| FileOp::Delete { path: step.path.clone() }).collect();
        workspace.apply(&deletes)?;
        let is_in_the_way =
            |step: &Step| step.kind == ChangeKind::Created && workspace.entry(&step.path) != Entry::Absent;
        let (left, coming): (Vec<_>, Vec<_>) = coming.into_iter().partition(|(step, _)| is_in_the_way(step));
        let writes: Vec<FileOp> = coming.into_iter().map(|(_, put)| put).collect();
        workspace.apply(&writes)?;
        restored.left = left.iter().map(|(step, _)| step.path.to_string()).collect();
        let left: HashSet<&RelPath> = left.iter().map(|(step, _)| &step.path).collect();
        let changed = steps.iter().filter(|step| !left.contains(&step.path));
        restored.changes = changed.map(|step| FileChange { path: step.path.to_string(), kind: step.kind }).collect();
        Ok(restored)
    }

    /// Makes one file what it was at that version.
    pub fn restore_one(&mut self, workspace: &Workspace, number: u32, path: &RelPath) -> Result<(), WorkspaceError> {
        let tree =
            self.repository().find_commit(self.commit_of(number)?).and_then(|commit| commit.tree()).map_err(failed)?;
        let Ok(entry) = tree.get_path(Path::new(path.as_str())) else {
            return workspace.apply(&[FileOp::Delete { path: path.clone() }]);
        };
        let is = |mode: &FileMode| entry.filemode() == i32::from(*mode);
        let mode = [FileMode::BlobExecutable, FileMode::Link].into_iter().find(is).unwrap_or(FileMode::Blob);
        let step = Step { path: path.clone(), kind: ChangeKind::Modified, blob: entry.id(), mode };
        workspace.apply(&[self.put(&step, &self.private_modes(number)?)?])
    }

    fn put(&self, step: &Step, modes: &HashMap<String, u32>) -> Result<FileOp, WorkspaceError> {
        let Step { path, blob, mode, .. } = step;
        let content = self.content(*blob)?;
        Ok(match mode {
            FileMode::Link => FileOp::Link { path: path.clone(), target: content },
            _ => {
                let usual = if *mode == FileMode::BlobExecutable { 0o755 } else { 0o644 };
                let mode = modes.get(path.as_str()).copied().unwrap_or(usual);
                FileOp::Put { path: path.clone(), content, mode }
            }
        })
    }

    fn steps(&self, from: Oid, to: Oid) -> Result<Vec<Step>, WorkspaceError> {
        let [from, to] = [from, to].map(|tree| self.repository().find_tree(tree));
        let (from, to) = (from.map_err(failed)?, to.map_err(failed)?);
        let diff = self.repository().diff_tree_to_tree(Some(&from), Some(&to), None).map_err(failed)?;
        let mut steps = Vec::new();
        for delta in diff.deltas() {
            let (kind, file) = changed(&delta);
            // A name that is none of ours was never written by us: it stays out.
            let Some(path) = file.path().and_then(|path| RelPath::parse(path.to_str()?).ok()) else { continue };
            steps.push(Step { path, kind, blob: file.id(), mode: file.mode() });
        }
        Ok(steps)
    }
}

struct Step {
    path: RelPath,
    kind: ChangeKind,
    blob: Oid,
    mode: FileMode,
}
