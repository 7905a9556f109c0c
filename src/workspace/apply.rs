//! A checked change made in one step: all new content is on disk beside its target before the first rename.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};

use crate::base::faults::{self, Step};
use crate::base::path::RelPath;
use crate::workspace::{Workspace, WorkspaceError, at};

/// Before the process's id and the step's number.
const STAGED: &str = ".faos-";

/// As an editor makes it.
const NEW_FILE: u32 = 0o644;

/// One step of a change that was already checked against a virtual tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    Write {
        path: RelPath,
        content: Vec<u8>,
    },
    Delete {
        path: RelPath,
    },
    Move {
        from: RelPath,
        to: RelPath,
    },
    /// Of a version: the file itself, whatever stood there.
    Put {
        path: RelPath,
        content: Vec<u8>,
        mode: u32,
    },
    /// Of a version: a link, whose target is not looked at.
    Link {
        path: RelPath,
        target: Vec<u8>,
    },
}

/// A file written beside its target; removed again unless it was renamed.
struct Staged<'a> {
    dir: &'a Dir,
    beside: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed is a hidden file with our prefix; the failure itself is reported already.
            let _ = self.dir.remove_file(&self.beside);
        }
    }
}

impl Workspace {
    /// Applies all steps in order. Modes of existing files are kept; missing folders are made; folders that a delete or
    /// a move leaves empty go. On an error before the first rename nothing has changed.
    pub fn apply(&self, steps: &[FileOp]) -> Result<(), WorkspaceError> {
        let mut staged = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            staged.extend(self.stage(number, step)?);
        }
        let mut staged = staged.into_iter();
        let mut touched = BTreeSet::new();
        for step in steps {
            match step {
                FileOp::Write { path, .. } | FileOp::Put { path, .. } | FileOp::Link { path, .. } => {
                    let Some(mut file) = staged.next() else { continue };
                    self.moved(&file.beside, &file.target).map_err(at("write", path))?;
                    file.renamed = true;
                    touched.insert(folder_of(&file.target));
                }
                FileOp::Delete { path } => {
                    self.check(Step::Rename, path.as_str().as_ref()).map_err(at("delete", path))?;
                    self.dir.remove_file(path.as_str()).map_err(at("delete", path))?;
                    touched.insert(self.prune(path));
                }
                FileOp::Move { from, to } => {
                    self.make_folder_of(to)?;
                    self.moved(from.as_str().as_ref(), to.as_str().as_ref()).map_err(at("move", from))?;
                    touched.insert(folder_of(Path::new(to.as_str())));
                    touched.insert(self.prune(from));
                }
            }
        }
        for folder in touched {
            self.sync_folder(&folder)?;
        }
        Ok(())
    }

    /// Removes what a change that was never finished has left beside these files. It is nobody's.
    pub fn sweep(&self, paths: &[&str]) {
        let folders: BTreeSet<PathBuf> = paths.iter().map(|path| folder_of(Path::new(path))).collect();
        for folder in folders {
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            for entry in self.dir.read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_str().is_some_and(is_staged) {
                    // What cannot be removed is an odd file more, which the user sees.
                    let _ = self.dir.remove_file(folder.join(&name));
                }
            }
        }
    }

    /// What the step will rename into place; `None` for one that brings nothing.
    fn stage(&self, number: usize, step: &FileOp) -> Result<Option<Staged<'_>>, WorkspaceError> {
        Ok(match step {
            FileOp::Write { path, content } => {
                let staged = self.beside(number, path, self.written(path)?)?;
                let mode = self.dir.metadata(&staged.target).map(|existing| existing.permissions());
                let mode = mode.unwrap_or_else(|_| Permissions::from_mode(NEW_FILE));
                self.fill(&staged, content, mode).map_err(at("write", path))?;
                Some(staged)
            }
            FileOp::Put { path, content, mode } => {
                let staged = self.beside(number, path, PathBuf::from(path.as_str()))?;
                self.fill(&staged, content, Permissions::from_mode(*mode)).map_err(at("write", path))?;
                Some(staged)
            }
            FileOp::Link { path, target } => {
                let staged = self.beside(number, path, PathBuf::from(path.as_str()))?;
                let target = Path::new(OsStr::from_bytes(target));
                self.check(Step::Write, &staged.beside).map_err(at("write", path))?;
                self.dir.symlink_contents(target, &staged.beside).map_err(at("write", path))?;
                Some(staged)
            }
            FileOp::Delete { .. } | FileOp::Move { .. } => None,
        })
    }

    /// A link inside the workspace stays a link: what it leads to is written.
    fn written(&self, path: &RelPath) -> Result<PathBuf, WorkspaceError> {
        let is_link = self.dir.symlink_metadata(path.as_str()).is_ok_and(|metadata| metadata.is_symlink());
        if is_link {
            return self.dir.canonicalize(path.as_str()).map_err(at("write", path));
        }
        Ok(PathBuf::from(path.as_str()))
    }

    fn beside(&self, number: usize, path: &RelPath, target: PathBuf) -> Result<Staged<'_>, WorkspaceError> {
        self.make_folder_of(path)?;
        let beside = folder_of(&target).join(format!("{STAGED}{}-{number}", std::process::id()));
        Ok(Staged { dir: &self.dir, beside, target, renamed: false })
    }

    fn fill(&self, staged: &Staged<'_>, content: &[u8], mode: Permissions) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = self.dir.open_with(&staged.beside, &options)?;
        let most = self.check(Step::Write, &staged.beside)?.unwrap_or(content.len());
        file.write_all(&content[..most.min(content.len())])?;
        if most < content.len() {
            self.check(Step::Write, &staged.beside)?;
        }
        file.set_permissions(mode)?;
        self.check(Step::Sync, &staged.beside)?;
        file.sync_all()
    }

    fn moved(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Step::Rename, to)?;
        self.dir.rename(from, &self.dir, to)
    }

    fn check(&self, step: Step, path: &Path) -> io::Result<Option<usize>> {
        faults::check(step, &self.root.join(path))
    }

    fn make_folder_of(&self, path: &RelPath) -> Result<(), WorkspaceError> {
        match path.parent() {
            Some(folder) if !self.dir.is_dir(folder.as_str()) => self
                .check(Step::Write, folder.as_str().as_ref())
                .and_then(|_| self.dir.create_dir_all(folder.as_str()))
                .map_err(at("make the folder of", path)),
            Some(_) | None => Ok(()),
        }
    }

    /// Removes the folders that the path's going left empty; returns the first that stays.
    fn prune(&self, path: &RelPath) -> PathBuf {
        let mut folder = path.parent();
        while let Some(here) = folder {
            // A folder that is not empty refuses to go: that is the end of it.
            if self.dir.remove_dir(here.as_str()).is_err() {
                return PathBuf::from(here.as_str());
            }
            folder = here.parent();
        }
        PathBuf::new()
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), WorkspaceError> {
        let path = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        self.check(Step::Sync, folder).map_err(at("sync", folder.display()))?;
        // Opened as a file: a folder handle of cap-std cannot be synced.
        let opened = match self.dir.open(path) {
            Ok(opened) => opened,
            // A later step removed it, and the folder above is synced for that.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at("sync", folder.display())(error)),
        };
        opened.sync_all().map_err(at("sync", folder.display()))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

fn is_staged(name: &str) -> bool {
    let numbers = name.strip_prefix(STAGED).and_then(|rest| rest.split_once('-'));
    numbers.is_some_and(|(process, number)| process.parse::<u32>().is_ok() && number.parse::<usize>().is_ok())
}
