//! The one place that touches files by raw path: our own folders, never the workspace's contents.
//!
//! Every error names the operation and the path. Folders and files are made for their owner alone (0700, 0600).
#![expect(clippy::disallowed_methods, reason = "this is the place the other modules are sent to")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use walkdir::WalkDir;

use super::faults;

#[derive(Debug, Error)]
#[error("cannot {operation} `{}`: {source}", path.display())]
pub struct FsError {
    pub operation: &'static str,
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl FsError {
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// What helps where a disk is the reason of an error; told by the kernel's words, which every layer hands on.
pub fn hint(error: &str) -> Option<&'static str> {
    let hints = [
        (
            "No space left",
            "make room on that disk (`faos sessions gc` clears caches), then `faos resume --last` goes on",
        ),
        (
            "uota exceeded",
            "make room within your quota (`faos sessions gc` clears caches), then `faos resume --last` goes on",
        ),
        ("Read-only file system", "keep sessions on a disk that can be written to: --session-dir DIR"),
        ("Input/output error", "the disk itself fails: save what is on it, and look at the system's log"),
    ];
    hints.iter().find(|(words, _)| error.contains(words)).map(|(_, hint)| *hint)
}

fn at<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FsError + 'a {
    move |source| FsError { operation, path: path.to_owned(), source }
}

pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    fs::read(path).map_err(at("read", path))
}

pub fn read_text(path: &Path) -> Result<String, FsError> {
    fs::read_to_string(path).map_err(at("read", path))
}

/// `None` where there is no such file.
pub fn if_present<T>(done: Result<T, FsError>) -> Result<Option<T>, FsError> {
    match done {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` where there is no such file.
pub fn read_text_if_present(path: &Path) -> Result<Option<String>, FsError> {
    if_present(read_text(path))
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Bytes of a file.
pub fn size(path: &Path) -> Result<u64, FsError> {
    fs::metadata(path).map(|metadata| metadata.len()).map_err(at("examine", path))
}

/// Why no files can be made in the folder, or where it is missing, why it cannot be made.
pub fn check_writable(folder: &Path) -> Result<(), FsError> {
    let nearest = folder.ancestors().find(|path| exists(path)).unwrap_or(folder);
    if !is_folder(nearest) {
        return Err(at("use as a folder", nearest)(io::ErrorKind::NotADirectory.into()));
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(nearest, access).map_err(|error| at("write to", nearest)(error.into()))
}

/// The absolute path without links and `..`; the path must exist.
pub fn canonical(path: &Path) -> Result<PathBuf, FsError> {
    fs::canonicalize(path).map_err(at("resolve", path))
}

/// Makes the folder and its parents, each 0700 where it is new.
pub fn make_folders(path: &Path) -> Result<(), FsError> {
    let make = || {
        faults::check(faults::Step::Write, path)?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    };
    make().map_err(at("make the folder", path))
}

/// Makes a folder that must not exist yet; `Ok(false)` where it does.
pub fn make_new_folder(path: &Path) -> Result<bool, FsError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(at("make the folder", path)(error)),
    }
}

/// Makes a folder below one that others can write to, under a name that nobody could foresee.
pub fn make_temporary_folder(below: &Path, prefix: &str) -> Result<PathBuf, FsError> {
    loop {
        // The standard library's hasher is seeded by the kernel.
        let number = RandomState::new().hash_one(std::process::id());
        let path = below.join(format!("{prefix}{number:016x}"));
        if make_new_folder(&path)? {
            return Ok(path);
        }
    }
}

pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Whether this process may make files in the folder.
pub fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// The folders directly in a folder, in no order; links to folders count.
pub fn folders(path: &Path) -> Result<Vec<PathBuf>, FsError> {
    // A walk would open each of them to look into it.
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() || kind.is_symlink() && entry.path().is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    };
    list().map_err(at("list", path))
}

/// A folder, no link to one, that this user owns and nobody else may enter.
pub fn is_ours_alone(folder: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0
}

pub fn is_empty(folder: &Path) -> Result<bool, FsError> {
    let first = WalkDir::new(folder).min_depth(1).max_depth(1).into_iter().next();
    match first.transpose() {
        Ok(first) => Ok(first.is_none()),
        Err(error) => Err(at("list", folder)(error.into())),
    }
}

/// What a file or folder is called by the kernel, whatever its names: device and inode.
pub fn identity(path: &Path) -> Result<(u64, u64), FsError> {
    let metadata = fs::metadata(path).map_err(at("examine", path))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether the open file is still the one that the path names.
pub fn is_at(file: &File, path: &Path) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    identity(path).is_ok_and(|identity| identity == (metadata.dev(), metadata.ino()))
}

/// Takes a folder's permissions from everybody but its owner.
pub fn make_private(folder: &Path) -> Result<(), FsError> {
    let mode = fs::metadata(folder).map_err(at("examine", folder))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o700)).map_err(at("make private", folder))
}

/// Replaces the file whole: written beside it, fsynced, renamed over it, the folder fsynced.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FsError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        faults::check(faults::Step::Write, path)?;
        file.write_all(content)?;
        faults::check(faults::Step::Sync, path)?;
        file.sync_all()?;
        faults::check(faults::Step::Rename, path)?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(at("write", path))
}

/// Writes a file that lasts only once its folder and itself are fsynced.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), FsError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).and_then(|mut file| file.write_all(content)).map_err(at("write", path))
}

/// A new file's handle for appending, 0600; an existing one is appended to.
pub fn open_to_append(path: &Path) -> Result<File, FsError> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(at("open", path))
}

/// A file to read and to write, made empty where there is none, 0600.
pub fn open_to_update(path: &Path) -> Result<File, FsError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(at("open", path))
}

/// One write of what goes to the end of an open file: it may take less than all.
pub fn write_some(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    let most = faults::check(faults::Step::Write, path)?.unwrap_or(bytes.len());
    file.write(&bytes[..most.min(bytes.len())])
}

/// What was written to an open file lasts.
pub fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    faults::check(faults::Step::Sync, path)?;
    file.sync_data()
}

pub fn open_to_read(path: &Path) -> Result<File, FsError> {
    File::open(path).map_err(at("open", path))
}

/// Makes names in a folder last: a file's own fsync does not cover its entry.
pub fn sync_folder(path: &Path) -> Result<(), FsError> {
    let sync = || faults::check(faults::Step::Sync, path).and_then(|_| File::open(path)?.sync_all());
    sync().map_err(at("sync", path))
}

/// Everything on the folder's disk lasts: one call for many files.
pub fn sync_all_of(folder: &Path) -> Result<(), FsError> {
    let handle = File::open(folder).map_err(at("open", folder))?;
    rustix::fs::syncfs(&handle).map_err(|error| at("sync", folder)(error.into()))
}

pub fn truncate(path: &Path, length: u64) -> Result<(), FsError> {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length)).map_err(at("truncate", path))
}

/// Moves a file, a link or a folder to where there is none, and makes the folders above it; onto another disk too.
pub fn move_to(from: &Path, to: &Path) -> Result<(), FsError> {
    make_folders(to.parent().unwrap_or(to))?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_tree(from, to).map_err(at("copy", from))?,
        other => return other.map_err(at("move", from)),
    }
    let is_folder = fs::symlink_metadata(from).is_ok_and(|metadata| metadata.is_dir());
    if is_folder { remove_folder(from) } else { remove_file(from) }
}

/// Gives a file or a folder another name on the same disk; a file that has it by now is replaced.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    fs::rename(from, to).map_err(at("rename", from))
}

/// A copy of a folder with all that is in it, for its owner alone.
pub fn copy_folder(from: &Path, to: &Path) -> Result<(), FsError> {
    copy_tree(from, to).map_err(at("copy", from))
}

/// What stands somewhere below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    /// Relative to the folder.
    pub path: PathBuf,
    pub kind: Kind,
    /// Bytes of a file.
    pub size: u64,
    pub mode: u32,
    /// Seconds since 1970.
    pub modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// Everything below a folder, sorted, each folder before what is in it; links are not followed.
pub fn below(folder: &Path) -> Result<Vec<Below>, FsError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| at("list", folder)(error.into()))?;
        let metadata = entry.metadata().map_err(|error| at("examine", entry.path())(error.into()))?;
        let kind = match entry.file_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        let size = if kind == Kind::File { metadata.len() } else { 0 };
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
        found.push(Below { path, kind, size, mode: metadata.mode(), modified: metadata.mtime() });
    }
    Ok(found)
}

/// Bytes of all files below a folder, as far as they can be seen; 0 where there is no folder.
pub fn size_below(folder: &Path) -> u64 {
    let entries = WalkDir::new(folder).into_iter().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// A file that was not there before, with this mode.
pub fn create_new(path: &Path, mode: u32) -> Result<File, FsError> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(at("make", path))
}

/// Files, folders and links; what is none of these is left out.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let below = entry.path().strip_prefix(from).unwrap_or(Path::new(""));
        let to = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        match entry.file_type() {
            kind if kind.is_dir() => DirBuilder::new().mode(0o700).create(to)?,
            kind if kind.is_symlink() => std::os::unix::fs::symlink(fs::read_link(entry.path())?, to)?,
            kind if kind.is_file() => drop(fs::copy(entry.path(), to)?),
            _ => {}
        }
    }
    Ok(())
}

pub fn remove_file(path: &Path) -> Result<(), FsError> {
    fs::remove_file(path).map_err(at("remove", path))
}

pub fn remove_folder(path: &Path) -> Result<(), FsError> {
    fs::remove_dir_all(path).map_err(at("remove", path))
}
