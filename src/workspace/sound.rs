//! Git's loose objects, looked at to their end before libgit2 reads them: of one that was cut it would read for ever.

use std::cell::RefCell;
use std::collections::HashSet;

use flate2::{Decompress, FlushDecompress, Status};
use git2::{ObjectType, Oid, Repository};

use crate::base::fs;
use crate::workspace::{WorkspaceError, failed};

/// The objects that were found whole, so that none is looked at twice.
#[derive(Default)]
pub(super) struct Sound(RefCell<HashSet<Oid>>);

impl Sound {
    /// A commit with all its trees.
    pub fn commit(&self, repository: &Repository, commit: Oid) -> Result<(), WorkspaceError> {
        if self.object(repository, commit)? {
            let tree = repository.find_commit(commit).map_err(failed)?.tree_id();
            self.tree(repository, tree)?;
        }
        Ok(())
    }

    fn tree(&self, repository: &Repository, tree: Oid) -> Result<(), WorkspaceError> {
        if self.object(repository, tree)? {
            let tree = repository.find_tree(tree).map_err(failed)?;
            let below = tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree));
            below.map(|entry| entry.id()).try_for_each(|id| self.tree(repository, id))?;
        }
        Ok(())
    }

    /// `true` where it was looked at for the first time. What is in a pack has a checksum that libgit2 looks at itself.
    pub fn object(&self, repository: &Repository, id: Oid) -> Result<bool, WorkspaceError> {
        if !self.0.borrow_mut().insert(id) {
            return Ok(false);
        }
        let name = id.to_string();
        let path = repository.path().join("objects").join(&name[..2]).join(&name[2..]);
        let object = fs::if_present(fs::read(&path)).map_err(|error| WorkspaceError::Versions(error.to_string()))?;
        let Some(object) = object else { return Ok(true) };
        if !reaches_its_end(&object) {
            self.0.borrow_mut().remove(&id);
            return Err(WorkspaceError::Versions(format!("its object `{}` is damaged", path.display())));
        }
        Ok(true)
    }
}

/// Whether a zlib stream comes to its end, with the checksum that stands there. Nothing is kept of what it holds.
fn reaches_its_end(stream: &[u8]) -> bool {
    let (mut inflate, mut read, mut out) = (Decompress::new(true), 0, [0; 8192]);
    loop {
        let (before, written) = (inflate.total_in(), inflate.total_out());
        match inflate.decompress(&stream[read..], &mut out, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return true,
            Ok(_) if (inflate.total_in(), inflate.total_out()) != (before, written) => {}
            Ok(_) | Err(_) => return false,
        }
        read += usize::try_from(inflate.total_in() - before).unwrap_or(stream.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::reaches_its_end;

    /// What git's own library makes of the content.
    fn compressed(content: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path()).unwrap();
        let id = repository.blob(content).unwrap().to_string();
        crate::base::fs::read(&folder.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_git_writes_is_whole_and_no_part_of_it_is(
            words in prop::collection::vec("[a-e ]{1,6}", 0..400),
            noise in prop::collection::vec(any::<u8>(), 0..300),
            cut in any::<prop::sample::Index>(),
        ) {
            for content in [words.concat().into_bytes(), noise] {
                let stream = compressed(&content);
                prop_assert!(reaches_its_end(&stream));
                prop_assert!(!reaches_its_end(&stream[..cut.index(stream.len())]));
            }
        }

        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = reaches_its_end(&[&[0x78, 0x01][..], &bytes].concat());
        }
    }
}
