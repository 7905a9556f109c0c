//! Git's loose objects, looked at to their end before libgit2 reads them: of one that was cut it would read for ever.

use std::cell::RefCell;
use std::collections::HashSet;

use git2::{ObjectType, Oid, Repository};

use crate::base::fs;
use crate::workspace::inflate::reaches_its_end;
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
        let object = match fs::read(&path) {
            Err(error) if error.is_not_found() => return Ok(true),
            object => object.map_err(|error| WorkspaceError::Versions(error.to_string()))?,
        };
        if reaches_its_end(&object).is_none() {
            self.0.borrow_mut().remove(&id);
            return Err(WorkspaceError::Versions(format!("its object `{}` is damaged", path.display())));
        }
        Ok(true)
    }
}
