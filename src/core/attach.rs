//! `@path` or `@"path with spaces"` in a message from the keyboard: the file's text goes to the model with it.

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
            if !self.is_there(&name) {
                // A name alone, as in `@dataclass`, is a word; one with a dot, a slash or a space was meant as a path.
                if !name.contains(['.', '/', ' ']) {
                    continue;
                }
                self.emit(Event::Notice(format!("`@{name}` names no file here: sent as it is"))).await;
                continue;
            }
            self.keep_before_it_is_shown(&name).await?;
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

    /// The files that would be attached.
    pub(super) fn files_named(&self, message: &str) -> Vec<String> {
        names(message).into_iter().filter(|name| self.is_there(name)).collect()
    }

    /// Lines may be named behind the path.
    fn is_there(&self, name: &str) -> bool {
        let path = RelPath::parse(name.split(':').next().unwrap_or(name));
        path.is_ok_and(|path| !matches!(self.parts.workspace.entry(&path), workspace::Entry::Absent))
    }
}

/// What follows an `@` at a word's beginning, in quotes or without the punctuation behind it; each once.
fn names(message: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = message.trim_start();
    while !rest.is_empty() {
        let opened = rest.trim_start_matches(['(', '"', '`', '\'']);
        let (name, after) = match quoted(opened) {
            Some((name, after)) => (Some(name), after),
            None => {
                let (word, after) = opened.split_at(opened.find(char::is_whitespace).unwrap_or(opened.len()));
                let name = word.strip_prefix('@');
                (name.map(|name| name.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '`', '\''])), after)
            }
        };
        if let Some(name) = name.filter(|name| !name.is_empty() && !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
        rest = after.trim_start();
    }
    names
}

/// `@"…"`, in one line: what is inside, and what comes after it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix("@\"")?.split_once('"')?;
    (!name.contains('\n')).then_some((name, after))
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

    #[test]
    fn a_name_with_spaces_stands_in_quotes() {
        assert_eq!(
            names("see @\"my notes.md\", (@\"b.md\") and @b.md, @\"a b.py:3-9\". @\"open\nend\""),
            ["my notes.md", "b.md", "a b.py:3-9", "\"open"]
        );
    }
}
