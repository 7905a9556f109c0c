//! Files that somebody else has changed since the model saw them: they are not overwritten as if they had not been.

use std::sync::PoisonError;

use crate::base::path::RelPath;
use crate::core::conversation::Conversation;
use crate::core::tree::{LARGEST_FILE, Tree};
use crate::core::verdict::Stopped;
use crate::workspace::diff;

impl Conversation {
    /// What somebody else has changed in the file since the model saw it, as a diff; `None` where it is as it was. A file that
    /// it never saw is held against the version before the reply: what came to be meanwhile is in none.
    pub(super) fn changed_outside(&self, tree: &Tree<'_>, path: &RelPath) -> Result<Option<String>, Stopped> {
        let version = self.history.seen().version_of(path).or(tree.base());
        let Some(version) = version.filter(|_| !tree.is_changed(path) && tree.is_kept(path).is_none()) else {
            return Ok(None);
        };
        let Some(now) = self.parts.workspace.read(path, LARGEST_FILE).ok().flatten() else { return Ok(None) };
        let real = self.parts.workspace.real(path);
        let versions = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let before = versions.read(version, &real)?;
        // Where only touched files are versioned, one that is in none is not new.
        if before.as_ref() == Some(&now) || before.is_none() && versions.is_partial() {
            return Ok(None);
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some(diff(path.as_str(), before.map(text).as_deref(), Some(&text(now)))))
    }

    /// A version that holds the file as it is, before the model is shown it.
    pub(super) async fn keep_before_it_is_shown(&mut self, name: &str) -> Result<(), Stopped> {
        let Ok(path) = RelPath::parse(name.split(':').next().unwrap_or(name)) else { return Ok(()) };
        let Some(version) = self.history.version else { return Ok(()) };
        let now = self.parts.workspace.read(&path, LARGEST_FILE).ok().flatten();
        let real = self.parts.workspace.real(&path);
        let before = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner).read(version, &real)?;
        if now.is_some() && now != before {
            self.keep_version("before it is shown").await?;
        }
        Ok(())
    }
}

/// What the model is told of it.
pub fn told_of_changes(path: &RelPath, changes: &str, what: &str) -> String {
    let changes = crate::base::clip::clip(changes, 4_000, 2_000);
    format!(
        "{path}: somebody else has changed it since you last saw it. {what} What was changed:\n\n```diff\n{}\n```",
        changes.trim_end()
    )
}
