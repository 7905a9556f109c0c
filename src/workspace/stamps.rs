//! Which files have changed between two moments, told by what their folder says of them: no version is needed.

use std::collections::BTreeMap;

use cap_std::fs::MetadataExt;

use super::{Workspace, WorkspaceError};
use crate::base::path::RelPath;
use crate::base::report::{ChangeKind, FileChange};

/// Everything that a change of a file's content also changes: its number, size and times.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

/// The versioned files at one moment.
pub struct Stamps(BTreeMap<RelPath, Stamp>);

impl Workspace {
    pub fn stamps(&self) -> Result<Stamps, WorkspaceError> {
        let stamp = |of: &cap_std::fs::Metadata| {
            (of.ino(), of.size(), (of.mtime(), of.mtime_nsec()), (of.ctime(), of.ctime_nsec()))
        };
        let files = self.walk()?.files.into_iter();
        Ok(Stamps(files.map(|found| (found.path, stamp(&found.metadata))).collect()))
    }
}

impl Stamps {
    /// What has changed until later, sorted by path. A file that was written again as it was counts too.
    pub fn changes_to(&self, later: &Self) -> Vec<FileChange> {
        let change = |path: &RelPath, kind| FileChange { path: path.as_str().to_owned(), kind };
        let gone = self.0.keys().filter(|path| !later.0.contains_key(*path));
        let mut changes: Vec<FileChange> = gone.map(|path| change(path, ChangeKind::Deleted)).collect();
        changes.extend(later.0.iter().filter_map(|(path, stamp)| match self.0.get(path) {
            None => Some(change(path, ChangeKind::Created)),
            Some(before) => (before != stamp).then(|| change(path, ChangeKind::Modified)),
        }));
        changes.sort();
        changes
    }
}
