//! What is typed while the model writes: the line that is being typed, and the messages that wait their turn.

use std::collections::VecDeque;

use crate::frontend::repl::keys::Key;
use crate::frontend::repl::line::{goes_on, is_command};
use crate::frontend::repl::pastes::Pastes;

#[derive(Clone, Debug, Default)]
pub struct Draft {
    line: String,
    queued: VecDeque<String>,
    pastes: Pastes,
}

/// What a key asks of the loop beside changing the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop the reply or the run.
    Stop,
    Suspend,
}

impl Draft {
    pub fn with(pastes: Pastes) -> Self {
        Self { pastes, ..Self::default() }
    }

    pub fn take(&mut self, key: Key) -> Option<Wish> {
        match key {
            Key::Text(text) => self.line.push_str(&text),
            Key::Paste(text) => self.line.push_str(&self.pastes.fold(&text)),
            Key::NewLine => self.line.push('\n'),
            Key::Enter => self.enter(),
            Key::Backspace => drop(self.line.pop()),
            Key::DeleteWord => {
                let kept = self.line.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.line.truncate(kept);
            }
            Key::DeleteLine => self.line.clear(),
            Key::Escape | Key::Interrupt => return Some(Wish::Stop),
            Key::Suspend => return Some(Wish::Suspend),
            // Leaving is for the prompt: here it would end work by a slip of the finger.
            Key::EndOfInput | Key::Answer(_) => {}
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => {}
        }
        None
    }

    /// What goes on at the prompt goes on here.
    fn enter(&mut self) {
        if goes_on(&self.line) {
            self.line.push('\n');
            return;
        }
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() {
            self.queued.push_back(line);
        }
    }

    pub fn line(&self) -> &str {
        &self.line
    }

    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && self.queued.is_empty()
    }

    pub fn waiting(&self) -> usize {
        self.queued.len()
    }

    pub fn next(&mut self) -> Option<String> {
        self.queued.pop_front()
    }

    /// What was typed and not entered becomes the next prompt's beginning.
    pub fn take_line(&mut self) -> String {
        std::mem::take(&mut self.line)
    }

    /// The next prompt's beginning.
    pub fn begin_with(&mut self, line: String) {
        self.line = line;
    }

    /// To the prompt with it, in front of what was typed since; what waits comes after. Returns what is dropped.
    #[must_use]
    pub fn put_back(&mut self, text: &str) -> Vec<String> {
        let typed = std::mem::take(&mut self.line);
        self.join(vec![text.to_owned(), typed])
    }

    /// After an interruption nothing goes out by itself: what waits is for the user to look at again. Returns what is
    /// dropped.
    #[must_use]
    pub fn hold_back(&mut self) -> Vec<String> {
        let mut all: Vec<String> = self.queued.drain(..).collect();
        all.push(std::mem::take(&mut self.line));
        self.join(all)
    }

    /// Several messages become one; a command is never a part of it, and comes back only if it is alone.
    fn join(&mut self, mut all: Vec<String>) -> Vec<String> {
        all.retain(|line| !line.is_empty());
        let (commands, messages): (Vec<String>, Vec<String>) = match all.len() {
            1 => (Vec::new(), all),
            _ => all.into_iter().partition(|line| is_command(line)),
        };
        self.line = messages.join("\n");
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Wish};
    use crate::frontend::repl::keys::Key;

    fn typed(text: &str) -> Draft {
        let mut draft = Draft::default();
        for piece in text.split_inclusive('\r') {
            draft.take(Key::Text(piece.trim_end_matches('\r').to_owned()));
            if piece.ends_with('\r') {
                draft.take(Key::Enter);
            }
        }
        draft
    }

    #[test]
    fn what_is_entered_waits_and_what_is_typed_stays() {
        let mut draft = typed("one\rtwo\r  \rthr");
        assert_eq!((draft.waiting(), draft.line()), (2, "thr"), "blanks are no message");
        assert_eq!((draft.next().as_deref(), draft.next().as_deref()), (Some("one"), Some("two")));
        assert_eq!(draft.take_line(), "thr");
    }

    #[test]
    fn a_message_may_have_several_lines_here_too() {
        let mut draft = typed("one \\\rtwo\r\"\"\"\ra\r\rb\r\"\"\"\r");
        assert_eq!(draft.next().as_deref(), Some("one \\\ntwo"));
        assert_eq!(draft.next().as_deref(), Some("\"\"\"\na\n\nb\n\"\"\""));
    }

    #[test]
    fn the_usual_keys_correct_what_was_typed() {
        let mut draft = typed("fix the tset");
        draft.take(Key::DeleteWord);
        assert_eq!(draft.line(), "fix the ");
        draft.take(Key::Backspace);
        draft.take(Key::DeleteWord);
        assert_eq!(draft.line(), "fix ");
        draft.take(Key::DeleteLine);
        assert_eq!(draft.line(), "");
        assert_eq!(draft.take(Key::Escape), Some(Wish::Stop));
    }

    #[test]
    fn an_interruption_holds_back_what_waits() {
        let mut draft = typed("one\rtwo\rthree");
        assert!(draft.hold_back().is_empty());
        assert_eq!((draft.waiting(), draft.line()), (0, "one\ntwo\nthree"));
        assert!(draft.put_back("zero").is_empty());
        assert_eq!(draft.line(), "zero\none\ntwo\nthree");
    }

    #[test]
    fn a_command_becomes_no_part_of_a_message() {
        let mut draft = typed("one\r/versions\r!ls\rtwo");
        assert_eq!(draft.hold_back(), ["/versions", "!ls"]);
        assert_eq!(draft.line(), "one\ntwo");
        let mut draft = typed("/versions\r");
        assert!(draft.hold_back().is_empty(), "alone it is whole");
        assert_eq!(draft.line(), "/versions");
        assert_eq!(draft.put_back("one"), ["/versions"]);
        assert_eq!(draft.line(), "one");
    }
}
