//! A message in the user's own editor, and back at the prompt.

use std::path::Path;
use std::sync::Arc;

use crate::base::fs;
use crate::frontend::repl::{Repl, size, terminal};

/// Opens a file in the editor that the user has named, and returns when it has ended; the error is one line.
pub type OpenEditor = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

impl Repl {
    /// What comes of it is the next prompt's beginning; all of it stays as it was where the editor fails.
    pub(super) async fn edit(&mut self, line: String) {
        let Some(open) = self.open_editor.clone() else {
            self.draft.begin_with(line);
            return self.say("no editor is known: set VISUAL or EDITOR\n");
        };
        let file = self.folder.join(format!("message-{}.md", std::process::id()));
        let text = self.pastes.unfold(&line);
        match self.changed(&file, &text, open).await {
            Ok(changed) => self.draft.begin_with(self.pastes.fold_to_edit(changed.trim_end_matches('\n'))),
            Err(problem) => {
                self.draft.begin_with(line);
                self.say(&format!("{problem}\n"));
            }
        }
        // Where it was never written there is nothing to remove.
        let _ = fs::remove_file(&file);
    }

    async fn changed(&mut self, file: &Path, text: &str, open: OpenEditor) -> Result<String, String> {
        fs::replace(file, text.as_bytes()).map_err(|error| error.to_string())?;
        let named = file.to_owned();
        let stopped = &mut self.signals.stopped;
        let ended = terminal::lend(async move {
            // Not before the terminal is lent.
            let mut editor = std::pin::pin!(tokio::task::spawn_blocking(move || open(&named)));
            loop {
                tokio::select! {
                    ended = &mut editor => return ended,
                    // The editor was stopped by its key, and the shell has to see that all of us are.
                    _ = stopped.recv() => terminal::stop(),
                }
            }
        });
        let ended = ended.await.map_err(|error| format!("cannot wait for the editor: {error}"));
        self.pane.resize(size());
        self.pane.restart();
        ended??;
        fs::read_text(file).map_err(|error| error.to_string())
    }
}
