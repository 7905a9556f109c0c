//! Many new objects at once become one pack: a file for each would cost the disk more than what they hold.

use std::io::Write;
use std::path::Path;

use git2::{Buf, ObjectType, Oid, Repository};

use crate::workspace::{WorkspaceError, failed};

/// Fewer new objects than this stay files of their own.
pub(super) const MANY: usize = if cfg!(test) { 100 } else { 1_000 };

/// What waits in memory; more than this goes out as a pack before the next comes.
const MOST_WAITING: usize = 128 << 20;

/// Takes each content with its key, and gives back where it is. `next` returns `None` at the end.
pub(super) fn blobs<K>(
    repository: &Path,
    mut next: impl FnMut() -> Result<Option<(K, Vec<u8>)>, WorkspaceError>,
) -> Result<Vec<(K, Oid)>, WorkspaceError> {
    // A handle of its own: what is written through it goes to memory, and to nothing else.
    let memory = Repository::open_bare(repository).map_err(failed)?;
    let objects = memory.odb().map_err(failed)?;
    let waiting = objects.add_new_mempack_backend(1_000).map_err(failed)?;
    let disk = Repository::open_bare(repository).map_err(failed)?;
    let stored = disk.odb().map_err(failed)?;
    let (mut all, mut new, mut size) = (Vec::new(), Vec::new(), 0);
    loop {
        let content = next()?;
        let is_last = content.is_none();
        if let Some((key, bytes)) = content {
            let id = Oid::hash_object(ObjectType::Blob, &bytes).map_err(failed)?;
            all.push((key, id));
            if !stored.exists(id) {
                size += bytes.len();
                new.push(memory.blob(&bytes).map_err(failed)?);
            }
        }
        if is_last && new.len() <= MANY {
            // Most had been there before.
            for blob in new.drain(..) {
                let content = memory.find_blob(blob).map_err(failed)?;
                disk.blob(content.content()).map_err(failed)?;
            }
        }
        if !new.is_empty() && (is_last || size > MOST_WAITING) {
            let mut pack = Buf::new();
            let mut builder = memory.packbuilder().map_err(failed)?;
            for blob in new.drain(..) {
                builder.insert_object(blob, None).map_err(failed)?;
            }
            builder.write_buf(&mut pack).map_err(failed)?;
            write(repository, &pack)?;
            waiting.reset().map_err(failed)?;
            size = 0;
        }
        if is_last {
            return Ok(all);
        }
    }
}

fn write(repository: &Path, pack: &[u8]) -> Result<(), WorkspaceError> {
    let repository = Repository::open_bare(repository).map_err(failed)?;
    let objects = repository.odb().map_err(failed)?;
    let mut writer = objects.packwriter().map_err(failed)?;
    writer.write_all(pack).map_err(|error| WorkspaceError::Versions(error.to_string()))?;
    writer.commit().map_err(failed)?;
    Ok(())
}
