//! A copy of a folder, for backends that cannot lay an overlay over it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use walkdir::WalkDir;

use super::sys::{Failed, Step, named};
use crate::sandbox::wire::Bounds;

/// Copies files, folders and links; what is none of these stays away, and what is not to be read too. More than a run
/// may write is not copied.
pub fn copy(from: &Path, to: &Path, most: &Bounds) -> Step<()> {
    let (mut bytes, mut files) = (0, 0);
    for entry in WalkDir::new(from).min_depth(1).into_iter().filter_map(Result::ok) {
        let (Ok(below), Ok(metadata)) = (entry.path().strip_prefix(from), entry.metadata()) else { continue };
        bytes += metadata.len();
        files += 1;
        if bytes > most.growth || files > most.growth_files {
            return Err(Failed {
                step: "copy the workspace: it is larger than `growth_mib` and `growth_files` allow".to_owned(),
                errno: libc::EFBIG,
            });
        }
        let to = to.join(below);
        let done = match entry.file_type() {
            kind if kind.is_dir() => fs::create_dir_all(&to),
            kind if kind.is_symlink() => fs::read_link(entry.path()).and_then(|target| symlink(target, &to)),
            kind if kind.is_file() => fs::copy(entry.path(), &to).map(drop),
            _ => Ok(()),
        };
        match done {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(named(format!("copy {}", below.display()))(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
