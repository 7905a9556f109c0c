//! What a run has written to its workspace: seen by walking the tree, a little at a time, and by the disk's free space.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::Place;
use crate::base::report::Backend;
use crate::sandbox::wire::{Layer, Order, RawPath};

/// Between the end of one walk and the begin of the next, at least.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one look at the tree may keep the supervisor from its other work.
const LOOK: Duration = Duration::from_millis(10);
/// How long the walk at the end may take: a tree that is larger than that is said to be seen in part.
const LAST_LOOK: Duration = Duration::from_secs(10);
/// Deeper folders are not looked into; their size shows in the free space.
const DEEPEST: usize = 256;
/// No run may take the last of a disk.
const RESERVE: u64 = 64 << 20;
/// What programs obey wherever they find it.
const OBEYED: [&str; 2] = [".git", ".faos"];

pub struct Disk<'a> {
    order: &'a Order,
    /// The workspace, or what stands for it, and what else of the run's is on the disk.
    folder: &'a Path,
    beside: Option<&'a Path>,
    since: SystemTime,
    free_at_first: u64,
    walk: Option<Walk>,
    next: Instant,
}

/// What one walk has found so far.
#[derive(Default)]
pub struct Found {
    pub bytes: u64,
    pub files: u64,
    /// Something could not be looked at.
    pub in_part: bool,
    /// `.git` and `.faos` that were made or changed, relative to the workspace.
    pub obeyed: BTreeSet<PathBuf>,
}

impl<'a> Disk<'a> {
    pub fn new(order: &'a Order, place: &'a Place) -> Self {
        let folder = place.folder.as_path();
        // The clock that stamps files is a few milliseconds behind the one that is asked here.
        let since = SystemTime::now().checked_sub(Duration::from_millis(10)).unwrap_or(SystemTime::UNIX_EPOCH);
        let beside = place.beside.as_deref();
        Self { order, folder, beside, since, free_at_first: free(folder), walk: None, next: Instant::now() + PAUSE }
    }

    /// Goes on with the walk. `true`: the run has written more than it may.
    pub fn is_too_much(&mut self) -> bool {
        if self.is_in_memory() {
            // The copy is as large as it may get.
            return false;
        }
        let free = free(self.folder);
        if free < RESERVE.min(self.free_at_first / 2) {
            return true;
        }
        if self.walk.is_none() && Instant::now() < self.next {
            return false;
        }
        let begun = Instant::now();
        let mut walk = self.walk.take().unwrap_or_else(|| Walk::new(self.order, self.folder, self.beside));
        let done = walk.go_on(self.since, begun + LOOK);
        let hidden = walk.found.in_part && self.free_at_first.saturating_sub(free) > self.order.limits.growth;
        let too_much = hidden || self.exceeds(&walk.found);
        if done {
            self.next = Instant::now() + PAUSE.max(walk.took * 10);
        } else {
            self.walk = Some(walk);
        }
        too_much
    }

    pub fn exceeds(&self, found: &Found) -> bool {
        found.bytes > self.order.limits.growth || found.files > self.order.limits.growth_files
    }

    /// The last walk, when nothing of the run is left.
    pub fn at_the_end(&self) -> Found {
        if self.order.layer != Layer::Direct {
            return Found::default();
        }
        let ends = self.order.backend != Backend::Off;
        if ends {
            open(self.folder);
        }
        let mut walk = Walk::new(self.order, self.folder, None);
        walk.ends = ends;
        let done = walk.go_on(self.since, Instant::now() + LAST_LOOK);
        walk.found.in_part |= !done;
        walk.found
    }

    /// The copy in memory could take no more.
    pub fn is_full(&self) -> bool {
        self.is_in_memory() && free(self.folder) < 1 << 20
    }

    fn is_in_memory(&self) -> bool {
        matches!(self.order.backend, Backend::Ns | Backend::Bwrap) && self.order.layer != Layer::Direct
    }
}

struct Walk {
    entries: walkdir::IntoIter,
    /// Walked when that is done.
    more: Vec<PathBuf>,
    root: PathBuf,
    protected: BTreeSet<PathBuf>,
    found: Found,
    took: Duration,
    /// Folders that are tried a second time.
    opened: BTreeSet<PathBuf>,
    /// The run is over: files lose the mark to run as their owner, and what it locked is opened.
    ends: bool,
}

impl Walk {
    fn new(order: &Order, folder: &Path, beside: Option<&Path>) -> Self {
        let protected = order.protected.iter().map(|path| folder.join(path)).collect();
        Self {
            entries: below(folder),
            more: beside.into_iter().map(Path::to_owned).collect(),
            root: folder.to_owned(),
            protected,
            found: Found::default(),
            took: Duration::ZERO,
            opened: BTreeSet::new(),
            ends: false,
        }
    }

    /// `true`: the walk has come to its end.
    fn go_on(&mut self, since: SystemTime, until: Instant) -> bool {
        let begun = Instant::now();
        let mut done = false;
        while !done && Instant::now() < until {
            match self.entries.next() {
                None => match self.more.pop() {
                    Some(folder) => self.entries = below(&folder),
                    None => done = true,
                },
                Some(Err(error)) => self.closed(&error),
                Some(Ok(entry)) => self.look_at(&entry, since),
            }
        }
        self.took += begun.elapsed();
        done
    }

    /// A folder that cannot be looked into. At the end it is opened: its owner's other programs want to read it too.
    fn closed(&mut self, error: &walkdir::Error) {
        let denied = error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
        match error.path() {
            Some(path) if self.ends && denied && self.opened.insert(path.to_owned()) => {
                open(path);
                self.more.push(path.to_owned());
            }
            _ => self.found.in_part = true,
        }
    }

    fn look_at(&mut self, entry: &walkdir::DirEntry, since: SystemTime) {
        // What the run works in may lie in that folder, and was walked before it.
        if entry.depth() > 0 && entry.path() == self.root {
            self.entries.skip_current_dir();
            return;
        }
        // What is protected is read-only, and can neither grow nor change.
        if self.protected.contains(entry.path()) {
            if entry.file_type().is_dir() {
                self.entries.skip_current_dir();
            }
            return;
        }
        self.found.in_part |= entry.depth() == DEEPEST && entry.file_type().is_dir();
        let Ok(metadata) = entry.metadata() else { return };
        if !is_younger(&metadata, since) {
            return;
        }
        self.obeyed(entry.path());
        if metadata.is_file() {
            self.found.bytes += metadata.blocks() * 512;
            self.found.files += 1;
            let wanted = metadata.mode() & 0o1777 | 0o400;
            if self.ends && metadata.mode() & 0o7777 != wanted {
                // Only an owner can have set the mode, and the run is its files' owner.
                let _ = std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(wanted));
            }
        } else {
            self.found.files += 1;
            if self.ends {
                open(entry.path());
            }
        }
    }

    fn obeyed(&mut self, path: &Path) {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = below.components().collect();
        let is_obeyed =
            |part: &std::path::Component<'_>| OBEYED.iter().any(|name| part.as_os_str().eq_ignore_ascii_case(name));
        if let Some(at) = parts.iter().position(is_obeyed) {
            self.found.obeyed.insert(parts[..=at].iter().collect());
        }
    }
}

impl Found {
    /// Where nobody is left to move away what other programs obey, it loses the name by which they do.
    pub fn disarm(&self, workspace: &Path) {
        for path in &self.obeyed {
            let renamed = |number: u32| {
                let mut name = path.clone().into_os_string();
                name.push(format!(".of-a-run-{number}"));
                workspace.join(name)
            };
            let free = (1..100).map(renamed).find(|name| name.symlink_metadata().is_err());
            // Gone again is as good.
            let _ = free.map(|name| std::fs::rename(workspace.join(path), name));
        }
    }

    pub fn obeyed(&self) -> Vec<RawPath> {
        self.obeyed.iter().map(|path| path.as_path().into()).collect()
    }
}

fn below(folder: &Path) -> walkdir::IntoIter {
    walkdir::WalkDir::new(folder).min_depth(1).max_depth(DEEPEST).same_file_system(true).into_iter()
}

/// Gives a folder back to its owner.
fn open(folder: &Path) {
    const OWNERS: u32 = 0o700;
    let mode = folder.symlink_metadata().ok().filter(Metadata::is_dir).map(|metadata| metadata.mode() & 0o7777);
    if let Some(mode) = mode.filter(|mode| mode & OWNERS != OWNERS) {
        // Where that fails it is somebody else's, and seen in part.
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode | OWNERS));
    }
}

fn is_younger(metadata: &Metadata, since: SystemTime) -> bool {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    changed >= (i64::try_from(since.as_secs()).unwrap_or(0), since.subsec_nanos().into())
}

/// Bytes that can still be written.
fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Files that a file system in memory holds.
pub fn files(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_files.saturating_sub(disk.f_ffree))
}

/// Bytes that a file system in memory holds.
pub fn used(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| (disk.f_blocks - disk.f_bfree).saturating_mul(disk.f_frsize))
}
