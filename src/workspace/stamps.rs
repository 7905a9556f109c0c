//! What a file looks like from outside, and which files have changed between two moments: no version is needed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Metadata, MetadataExt};

use crate::base::path::RelPath;
use crate::base::report::{ChangeKind, FileChange};
use crate::workspace::pace::Pace;
use crate::workspace::{Workspace, WorkspaceError};

/// A file that changed less than this before it was looked at may change again within the same time stamp.
const RACY: Duration = Duration::from_millis(50);

/// What a file looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether a change after `looked` would show in the stamp.
    pub fn settled_before(self, looked: SystemTime) -> bool {
        let since_epoch = looked.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let limit = since_epoch.saturating_sub(RACY);
        let newest = self.changed.max(self.modified);
        let seconds = u64::try_from(newest.0).unwrap_or_default();
        let nanoseconds = u32::try_from(newest.1).unwrap_or_default();
        Duration::new(seconds, nanoseconds) < limit
    }
}

/// The versioned files at one moment.
pub struct Stamps(BTreeMap<RelPath, Stamp>);

impl Workspace {
    pub fn stamps(&self) -> Result<Stamps, WorkspaceError> {
        let files = self.walk(Pace::new(None))?.files.into_iter();
        Ok(Stamps(files.map(|found| (found.path, Stamp::of(&found.metadata))).collect()))
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
