//! Files of a reply that were being written when the program ended: they are set back, and the reply is done anew.
//!
//! Before the first rename the log holds what each file is about to be. A file that is so by now, and was not before, is the
//! reply's doing; whatever else stands there is somebody else's, and stays.

use std::sync::PoisonError;

use crate::base::digest::sha256;
use crate::base::path::RelPath;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::Event;
use crate::core::tree::LARGEST_FILE;
use crate::core::verdict::Stopped;
use crate::session::record::{Entry, FileChanging};
use crate::workspace;

impl Conversation {
    /// Logs what the files are about to be.
    pub(super) async fn files_are_changing(&mut self, files: Vec<(RelPath, Option<Vec<u8>>)>) -> Result<(), Stopped> {
        let changing = |(path, content): (RelPath, Option<Vec<u8>>)| {
            // What is written through a link is what it leads to; what goes is the link itself.
            let path = match content {
                Some(_) => self.parts.workspace.real(&path),
                None => self.parts.workspace.itself(&path),
            };
            let was = self.parts.workspace.entry(&path) != workspace::Entry::Absent;
            FileChanging { path: path.into(), was, sha256: content.as_deref().map(sha256) }
        };
        let files = files.into_iter().map(changing).collect();
        self.record(Entry::FilesChanging { files });
        Ok(self.parts.session.sync().await?)
    }

    /// What the model has written is held by versions, ignored or not, also where the program ended before the next one.
    pub(super) fn adopt_what_was_written(&self) {
        let written = self.history.done().applied.iter().filter_map(|path| RelPath::parse(path).ok());
        self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner).adopt(written);
    }

    /// Where the program ended in the middle of it.
    pub(super) async fn mend(&mut self) -> Result<(), Stopped> {
        let Some(base) = self.history.version.filter(|_| self.parts.mode != Mode::DryRun) else { return Ok(()) };
        let mut set_back = 0;
        for FileChanging { path, was, sha256: wanted } in self.history.changing().to_vec() {
            let Ok(path) = RelPath::parse(&path) else { continue };
            let now = self.parts.workspace.read(&path, LARGEST_FILE).unwrap_or_default();
            let mut versions = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let before = versions.read(base, &path)?;
            // What was there and is in no version cannot be brought back: it stays as it is.
            if now.as_deref().map(sha256) == wanted && before != now && before.is_some() == was {
                versions.restore_one(&self.parts.workspace, base, &path)?;
                set_back += 1;
            }
        }
        self.parts.workspace.sweep(&self.history.changing().iter().map(|file| file.path.as_str()).collect::<Vec<_>>());
        if set_back > 0 {
            let text = format!(
                "the program had ended while it wrote a reply's files: {set_back} were set back, and are written anew"
            );
            self.emit(Event::Notice(text)).await;
        }
        Ok(())
    }
}
