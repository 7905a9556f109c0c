//! `@path` in a message from the keyboard: the file's text goes to the model with it.

use crate::base::path::RelPath;
use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::reading::{self, Reading};
use crate::core::run::blocking;
use crate::core::verdict::Stopped;
use crate::session::record::{AttachedBy, Entry};
use crate::workspace;

impl Conversation {
    /// Attaches every file that the message names; an `@` that names none is only a word.
    pub(super) async fn attach(&mut self, message: &str) -> Result<(), Stopped> {
        for name in names(message) {
            let workspace = self.parts.workspace.clone();
            let is_there = |path: &RelPath| !matches!(workspace.entry(path), workspace::Entry::Absent);
            let path_of = |name: &str| RelPath::parse(name.split(':').next().unwrap_or(name)).ok();
            if !path_of(&name).is_some_and(|path| is_there(&path)) {
                // A name alone, as in `@dataclass`, is a word; one with a dot or a slash was meant as a path.
                if !name.contains(['.', '/']) {
                    continue;
                }
                self.emit(Event::Notice(format!("`@{name}` names no file here: sent as it is"))).await;
                continue;
            }
            let what = name.clone();
            match blocking(move || reading::read(&workspace, &what)).await? {
                Reading::Shown(text) => {
                    self.record(Entry::FileAttached { path: name.clone(), source: AttachedBy::User, text });
                    self.emit(Event::Notice(format!("`{name}` goes with the message"))).await;
                }
                Reading::Refused(why) => self.emit(Event::Notice(why)).await,
            }
        }
        Ok(())
    }
}

/// What follows an `@` at a word's beginning, without the punctuation behind it; each once.
fn names(message: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for word in message.split_whitespace() {
        let Some(name) = word.trim_start_matches(['(', '"', '`', '\'']).strip_prefix('@') else { continue };
        let name = name.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '`', '\'']);
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_follow_an_at_sign_at_a_words_beginning() {
        assert_eq!(
            names("see @src/a.py, (@b.md) and @a.py:3-9. me@x.org @ `@Makefile` @b.md"),
            ["src/a.py", "b.md", "a.py:3-9", "Makefile"]
        );
    }
}
