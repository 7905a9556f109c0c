//! The versions of a workspace as plain git: a bare repository, branch `main`, a commit for each version, tag `vN`.
//!
//! git2 gets blobs and trees alone: it never sees the work tree, its configuration or its hooks. Invariant: a version's
//! objects are on disk before a ref names it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::time::SystemTime;

use cap_std::fs::MetadataExt;
use git2::{FileMode, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, TreeWalkMode, TreeWalkResult};
use rustix::io::Errno;

use crate::base::fs;
use crate::base::path::RelPath;
use crate::base::report::{ChangeKind, FileChange};
use crate::workspace::pace::{Pace, Progress, Watch};
use crate::workspace::pack;
use crate::workspace::sound::Sound;
use crate::workspace::stamps::Stamp;
use crate::workspace::walk::{Found, LARGEST_VERSIONED};
use crate::workspace::{Workspace, WorkspaceError, failed};

/// With less room than this a disk is full, whatever else is said of a write that failed.
const FULL: u64 = 1 << 20;
/// Read permission for the group and for others.
const EVERYBODY_READS: u32 = 0o044;
/// What a line of a commit's message begins with that tells a file's mode.
const MODE: &str = "Mode:";

pub struct Versions {
    repository: Repository,
    newest: Option<u32>,
    /// What was read before, so that an unchanged file is not read again. Gone with the process.
    known: HashMap<RelPath, Known>,
    /// Ignored files that the next version holds all the same; from then on it is what holds them.
    adopted: BTreeSet<RelPath>,
    /// The workspace is too large: only files that were touched are held.
    partial: bool,
    /// That was not said yet.
    untold: bool,
    watch: Option<Watch>,
    sound: Sound,
    /// Files of the tree that was built last that not everybody may read, with their modes, which git does not keep.
    private: Vec<(RelPath, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: u32,
    pub commit: String,
    /// Against the version before.
    pub changes: Vec<FileChange>,
}

struct Known {
    stamp: Stamp,
    blob: Oid,
}

/// Removes git's lock files. One that cannot be removed is told of when git finds it.
fn unlock(folder: &Path) {
    let is_lock = |entry: &walkdir::DirEntry| entry.path().extension().is_some_and(|extension| extension == "lock");
    for below in ["refs", "HEAD.lock", "packed-refs.lock", "config.lock"] {
        let walk = walkdir::WalkDir::new(folder.join(below)).into_iter().filter_map(Result::ok);
        for lock in walk.filter(|entry| entry.file_type().is_file()).filter(is_lock) {
            let _ = fs::remove_file(lock.path());
        }
    }
}

type Done<T> = Result<T, WorkspaceError>;

impl Versions {
    /// Opens the repository, making it where it is missing. Nobody else may have it open: what a killed process has
    /// locked in it is unlocked.
    pub fn open(folder: &Path) -> Done<Self> {
        unlock(folder);
        let repository = if folder.join("HEAD").symlink_metadata().is_ok() {
            Repository::open_bare(folder)
        } else {
            let mut options = RepositoryInitOptions::new();
            options.bare(true).initial_head("main").external_template(false).no_reinit(true);
            let made = Repository::init_opts(folder, &options);
            // Git's own modes below it are for everybody to read; so nobody else comes that far.
            fs::make_private(folder).map_err(|error| WorkspaceError::Versions(error.to_string()))?;
            made
        };
        let repository = repository.map_err(failed)?;
        let newest = newest_tag(&repository)?;
        let (known, adopted, private) = (HashMap::new(), BTreeSet::new(), Vec::new());
        Ok(Self {
            repository,
            newest,
            known,
            adopted,
            partial: false,
            untold: false,
            watch: None,
            sound: Sound::default(),
            private,
        })
    }

    /// A copy of the repository in `from` that ends with version `last`; `None` takes all of them.
    pub fn copy(from: &Path, to: &Path, last: Option<u32>) -> Done<()> {
        if from.join("HEAD").symlink_metadata().is_err() {
            return Ok(());
        }
        fs::copy_folder(from, to).map_err(|error| WorkspaceError::Versions(error.to_string()))?;
        let copy = Self::open(to)?;
        let (Some(last), Some(newest)) = (last, copy.newest) else { return Ok(()) };
        let commit = copy.commit_of(last)?;
        copy.repository.reference("refs/heads/main", commit, true, "fork").map_err(failed)?;
        for number in last + 1..=newest {
            let tag = copy.repository.find_reference(&format!("refs/tags/v{number}"));
            tag.and_then(|mut tag| tag.delete()).map_err(failed)?;
        }
        Ok(())
    }

    pub fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// Keeps the workspace as it is. `None` where it equals the newest version (v0 is always kept).
    /// On return the version survives a power loss.
    pub fn keep(&mut self, workspace: &Workspace, why: &str) -> Done<Option<Version>> {
        self.keep_now(workspace, why).map_err(|error| match error {
            WorkspaceError::Versions(message) => WorkspaceError::Versions(self.explained(message)),
            other => other,
        })
    }

    /// libgit2 does not hand on why a write failed.
    fn explained(&self, message: String) -> String {
        let room = rustix::fs::statvfs(self.repository.path()).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        match room {
            Ok(room) if room < FULL => Errno::NOSPC.to_string(),
            Ok(_) | Err(_) if message == "no error" => "git could not write an object".to_owned(),
            Ok(_) | Err(_) => message,
        }
    }

    fn keep_now(&mut self, workspace: &Workspace, why: &str) -> Done<Option<Version>> {
        let tree = self.tree_of(workspace)?;
        let before = self.newest.map(|number| self.commit_of(number)).transpose()?;
        if let Some(before) = before
            && self.repository.find_commit(before).map_err(failed)?.tree_id() == tree
        {
            return Ok(None);
        }
        let number = self.newest.map_or(0, |newest| newest + 1);
        let commit = self.commit(tree, before, &message(why, &self.private))?;
        self.sync()?;
        // The tag makes it a version, so it comes last: on a full disk there is a whole one or none.
        self.repository.reference("refs/heads/main", commit, true, why).map_err(failed)?;
        let tag = format!("refs/tags/v{number}");
        self.repository.reference(&tag, commit, true, why).map_err(failed)?;
        self.sync()?;
        self.newest = Some(number);
        let changes = self.changes_between(before, tree)?;
        Ok(Some(Version { number, commit: commit.to_string(), changes }))
    }

    /// One that was kept before.
    pub fn version(&self, number: u32) -> Done<Version> {
        let commit = self.commit_of(number)?;
        let before = number.checked_sub(1).map(|before| self.commit_of(before)).transpose()?;
        let tree = self.repository.find_commit(commit).map_err(failed)?.tree_id();
        Ok(Version { number, commit: commit.to_string(), changes: self.changes_between(before, tree)? })
    }

    /// What differs between a version and the workspace as it is.
    pub fn since(&mut self, workspace: &Workspace, from: u32) -> Done<Vec<FileChange>> {
        let now = self.tree_of(workspace)?;
        self.changes_between(Some(self.commit_of(from)?), now)
    }

    /// What differs between two versions.
    pub fn between(&self, from: u32, to: u32) -> Done<Vec<FileChange>> {
        let to = self.repository.find_commit(self.commit_of(to)?).map_err(failed)?.tree_id();
        self.changes_between(Some(self.commit_of(from)?), to)
    }

    /// What a file held at that version; `None` where it was not there.
    pub fn read(&self, number: u32, path: &RelPath) -> Done<Option<Vec<u8>>> {
        let Some(id) = self.entry(number, path)? else { return Ok(None) };
        // What is no file, such as a folder, holds nothing.
        self.sound.object(&self.repository, id)?;
        Ok(self.repository.find_blob(id).ok().map(|blob| blob.content().to_vec()))
    }

    fn entry(&self, number: u32, path: &RelPath) -> Done<Option<Oid>> {
        let tree =
            self.repository.find_commit(self.commit_of(number)?).and_then(|commit| commit.tree()).map_err(failed)?;
        Ok(tree.get_path(Path::new(path.as_str())).ok().map(|entry| entry.id()))
    }

    /// The modes of the version's files that not everybody may read.
    pub(super) fn private_modes(&self, number: u32) -> Done<HashMap<String, u32>> {
        let commit = self.repository.find_commit(self.commit_of(number)?).map_err(failed)?;
        let message = commit.message().unwrap_or_default();
        let line = |line: &str| {
            let (mode, path) = line.strip_prefix(MODE)?.trim_start().split_once(' ')?;
            Some((path.to_owned(), u32::from_str_radix(mode, 8).ok()? & 0o777))
        };
        Ok(message.lines().filter_map(line).collect())
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Files that were written though they are ignored: versions hold them from now on, as git holds what was added.
    pub fn adopt(&mut self, paths: impl IntoIterator<Item = RelPath>) {
        self.adopted.extend(paths);
    }

    /// Who is told of slow work, and can stop it.
    pub fn watched_by(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Whether only touched files are held: before one is changed for the first time, it has to be adopted and kept.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// What the user should know of the versions, once.
    pub fn notice(&mut self) -> Option<String> {
        std::mem::take(&mut self.untold).then(|| {
            "the workspace is too large for versions of all its files: only files that the model changes are versioned, \
             and runs can read the others but not write them"
                .to_owned()
        })
    }

    /// Whether the newest version has a file there.
    pub fn holds(&self, path: &RelPath) -> Done<bool> {
        let Some(newest) = self.newest else { return Ok(false) };
        Ok(self.entry(newest, path)?.is_some())
    }

    /// Ignored files that are held all the same, where they are still there.
    fn held(&self, workspace: &Workspace, walked: &HashSet<RelPath>) -> Done<Vec<Found>> {
        let mut paths = self.adopted.clone();
        if let Some(newest) = self.newest {
            let tree = self.repository.find_commit(self.commit_of(newest)?).and_then(|commit| commit.tree());
            tree.and_then(|tree| {
                tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
                    let path = entry.name().ok().and_then(|name| RelPath::parse(&format!("{folder}{name}")).ok());
                    paths.extend(path.filter(|path| entry.kind() == Some(ObjectType::Blob) && !walked.contains(path)));
                    TreeWalkResult::Ok
                })
            })
            .map_err(failed)?;
        }
        Ok(paths.into_iter().filter(|path| !walked.contains(path)).filter_map(|path| workspace.found(path)).collect())
    }

    pub(super) fn tree_of(&mut self, workspace: &Workspace) -> Done<Oid> {
        let looked = SystemTime::now();
        let mut known = HashMap::new();
        let mut root = Folder::default();
        let walk = workspace.walk(Pace::new(self.watch.as_ref()))?;
        self.untold |= walk.is_too_large() && !self.partial;
        self.partial = walk.is_too_large();
        let mut files = if self.partial { Vec::new() } else { walk.files };
        let walked = files.iter().map(|found| found.path.clone()).collect();
        files.extend(self.held(workspace, &walked)?);
        self.pack_new(workspace, &files)?;
        let (all, mut pace) = (files.len(), Pace::new(self.watch.as_ref()));
        let mut private = Vec::new();
        for (done, found) in files.into_iter().enumerate() {
            pace.step(Progress::Read { done, all })?;
            let Some((blob, mode)) = self.blob_of(workspace, &found)? else { continue };
            let bits = found.metadata.mode() & 0o777;
            if !found.metadata.is_symlink() && bits & EVERYBODY_READS != EVERYBODY_READS {
                private.push((found.path.clone(), bits));
            }
            let stamp = Stamp::of(&found.metadata);
            if stamp.settled_before(looked) {
                known.insert(found.path.clone(), Known { stamp, blob });
            }
            root.add(found.path.as_str(), blob, mode);
        }
        (self.known, self.private) = (known, private);
        root.write(&self.repository)
    }

    /// Where much is new, it is written as one pack, and known from then on.
    fn pack_new(&mut self, workspace: &Workspace, files: &[Found]) -> Done<()> {
        let is_new = |found: &&Found| {
            let stamp = Stamp::of(&found.metadata);
            found.metadata.is_file()
                && found.metadata.size() <= LARGEST_VERSIONED
                && self.known.get(&found.path).is_none_or(|known| known.stamp != stamp)
        };
        let new: Vec<&Found> = files.iter().filter(is_new).collect();
        if new.len() <= pack::MANY {
            return Ok(());
        }
        let (all, mut done, mut pace) = (new.len(), 0, Pace::new(self.watch.as_ref()));
        let mut rest = new.into_iter();
        let written = pack::blobs(self.repository.path(), || {
            for found in rest.by_ref() {
                done += 1;
                pace.step(Progress::Read { done, all })?;
                // What is gone meanwhile is passed over.
                if let Some(bytes) = workspace.read(&found.path, LARGEST_VERSIONED)? {
                    return Ok(Some(((found.path.clone(), Stamp::of(&found.metadata)), bytes)));
                }
            }
            Ok(None)
        })?;
        let known = written.into_iter().map(|((path, stamp), blob)| (path, Known { stamp, blob }));
        self.known.extend(known);
        self.repository.odb().and_then(|objects| objects.refresh()).map_err(failed)
    }

    /// `None` for what is gone meanwhile, or too large.
    fn blob_of(&self, workspace: &Workspace, found: &Found) -> Done<Option<(Oid, FileMode)>> {
        if found.metadata.is_symlink() {
            let Ok(target) = workspace.dir.read_link_contents(found.path.as_str()) else { return Ok(None) };
            let blob = self.repository.blob(target.as_os_str().as_encoded_bytes()).map_err(failed)?;
            return Ok(Some((blob, FileMode::Link)));
        }
        if found.metadata.size() > LARGEST_VERSIONED {
            return Ok(None);
        }
        let mode = if found.metadata.mode() & 0o100 == 0 { FileMode::Blob } else { FileMode::BlobExecutable };
        if let Some(known) = self.known.get(&found.path)
            && known.stamp == Stamp::of(&found.metadata)
        {
            return Ok(Some((known.blob, mode)));
        }
        match workspace.read(&found.path, LARGEST_VERSIONED)? {
            Some(bytes) => Ok(Some((self.repository.blob(&bytes).map_err(failed)?, mode))),
            None => Ok(None),
        }
    }

    fn commit(&self, tree: Oid, before: Option<Oid>, why: &str) -> Done<Oid> {
        let author = Signature::now("FAOS", "faos@localhost").map_err(failed)?;
        let tree = self.repository.find_tree(tree).map_err(failed)?;
        let parent = before.map(|before| self.repository.find_commit(before)).transpose().map_err(failed)?;
        let parents: Vec<_> = parent.iter().collect();
        self.repository.commit(None, &author, &author, why, &tree, &parents).map_err(failed)
    }

    /// The version's commit, which can be read with its trees.
    pub(super) fn commit_of(&self, number: u32) -> Done<Oid> {
        let commit = self.repository.refname_to_id(&format!("refs/tags/v{number}")).map_err(failed)?;
        self.sound.commit(&self.repository, commit)?;
        Ok(commit)
    }

    /// What a blob of a version holds.
    pub(super) fn content(&self, blob: Oid) -> Done<Vec<u8>> {
        self.sound.object(&self.repository, blob)?;
        Ok(self.repository.find_blob(blob).map_err(failed)?.content().to_vec())
    }

    fn changes_between(&self, from: Option<Oid>, to: Oid) -> Done<Vec<FileChange>> {
        let from = from.map(|commit| self.repository.find_commit(commit).and_then(|commit| commit.tree()));
        let from = from.transpose().map_err(failed)?;
        let to = self.repository.find_tree(to).map_err(failed)?;
        let diff = self.repository.diff_tree_to_tree(from.as_ref(), Some(&to), None).map_err(failed)?;
        let changes = diff.deltas().filter_map(|delta| {
            let (kind, file) = changed(&delta);
            Some(FileChange { path: file.path()?.to_str()?.to_owned(), kind })
        });
        Ok(changes.collect())
    }

    /// Everything written so far lasts: one call for all loose objects and refs.
    fn sync(&self) -> Done<()> {
        fs::sync_all_of(self.repository.path()).map_err(|error| WorkspaceError::Versions(error.to_string()))
    }
}

/// The commit's message: why, and the modes that a restored file has to have again.
fn message(why: &str, private: &[(RelPath, u32)]) -> String {
    let mut message = why.to_owned();
    for (at, (path, mode)) in private.iter().enumerate() {
        message.push_str(if at == 0 { "\n\n" } else { "\n" });
        message.push_str(&format!("{MODE} {mode:o} {path}"));
    }
    message
}

/// What became of a file, and the side of it that is there.
pub(super) fn changed<'a>(delta: &git2::DiffDelta<'a>) -> (ChangeKind, git2::DiffFile<'a>) {
    match delta.status() {
        git2::Delta::Added => (ChangeKind::Created, delta.new_file()),
        git2::Delta::Deleted => (ChangeKind::Deleted, delta.old_file()),
        _ => (ChangeKind::Modified, delta.new_file()),
    }
}

fn newest_tag(repository: &Repository) -> Done<Option<u32>> {
    let names = repository.references_glob("refs/tags/v*").map_err(failed)?;
    let numbers = names.filter_map(|reference| {
        let reference = reference.ok()?;
        reference.name().ok()?.strip_prefix("refs/tags/v")?.parse().ok()
    });
    Ok(numbers.max())
}

/// A tree that is being built, from the leaves up.
#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: Vec<(String, Oid, FileMode)>,
}

impl Folder {
    fn add(&mut self, path: &str, blob: Oid, mode: FileMode) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().add(rest, blob, mode),
            None => self.files.push((path.to_owned(), blob, mode)),
        }
    }

    fn write(&self, repository: &Repository) -> Done<Oid> {
        let mut builder = repository.treebuilder(None).map_err(failed)?;
        for (name, folder) in &self.folders {
            let tree = folder.write(repository)?;
            builder.insert(name, tree, FileMode::Tree.into()).map_err(failed)?;
        }
        for (name, blob, mode) in &self.files {
            builder.insert(name, *blob, (*mode).into()).map_err(failed)?;
        }
        builder.write().map_err(failed)
    }
}
