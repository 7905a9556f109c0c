//! Every key at the prompt, before rustyline takes it: keys with a meaning of ours, pastes, and the terminal's own answers.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};

use crate::frontend::repl::ground::{Asked, may_answer};
use crate::frontend::repl::pastes::Pastes;

/// Why a line was accepted, where it was not by Enter.
#[derive(Clone, Debug, Default)]
pub struct Why(Arc<AtomicU8>);

const ENTERED: u8 = 0;
const INTERRUPTED: u8 = 1;
const TO_EDITOR: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Entered,
    /// Ctrl-C on an empty line.
    Interrupted,
    /// Ctrl-X Ctrl-E.
    ToEditor,
}

impl Why {
    pub fn take(&self) -> Reason {
        match self.0.swap(ENTERED, Ordering::Relaxed) {
            INTERRUPTED => Reason::Interrupted,
            TO_EDITOR => Reason::ToEditor,
            _ => Reason::Entered,
        }
    }

    /// Whether the line that is accepted is whole whatever it is.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != ENTERED
    }
}

/// Bound to every key that has no other meaning of ours.
pub struct Typing {
    why: Why,
    pastes: Pastes,
    asked: Asked,
    /// Only the prompt's thread takes it; rustyline wants it to be shareable.
    inside: Mutex<Inside>,
}

/// What the keys belong to.
#[derive(Debug, Default)]
enum Inside {
    #[default]
    Line,
    /// And when its last key came.
    Paste(String, Instant),
    /// Ctrl-C has ended a paste just then.
    CutPaste(Instant),
    /// And when it began.
    Answer(String, Instant),
}

/// Keys of a paste follow each other faster than this, and no person's do.
const PASTED_WITHIN: Duration = Duration::from_millis(100);

/// What a terminal answers comes in one piece.
const ANSWER: Duration = Duration::from_secs(1);

impl Typing {
    pub fn new(why: Why, pastes: Pastes, asked: Asked) -> Self {
        Self { why, pastes, asked, inside: Mutex::default() }
    }

    /// A key that is taken here.
    fn taken(&self, key: &KeyEvent, inside: &mut Inside, now: Instant) -> Option<Cmd> {
        match std::mem::take(inside) {
            Inside::Paste(text, last) => Some(self.in_paste(key, text, inside, (last, now))),
            // It was a character of the paste.
            Inside::CutPaste(cut) if now.saturating_duration_since(cut) < PASTED_WITHIN => {
                Some(self.in_paste(key, String::new(), inside, (now, now)))
            }
            Inside::Answer(answer, began) => self.in_answer(key, answer, inside, (began, now)),
            Inside::CutPaste(_) | Inside::Line => self.begins(key, inside, now),
        }
    }

    fn begins(&self, KeyEvent(code, modifiers): &KeyEvent, inside: &mut Inside, now: Instant) -> Option<Cmd> {
        *inside = match code {
            KeyCode::BracketedPasteStart => Inside::Paste(String::new(), now),
            KeyCode::Char(']') if *modifiers == Modifiers::ALT && self.asked.is_awaited(now) => {
                Inside::Answer(String::new(), now)
            }
            _ => return None,
        };
        Some(Cmd::Noop)
    }

    fn in_paste(&self, key: &KeyEvent, mut text: String, inside: &mut Inside, (last, now): (Instant, Instant)) -> Cmd {
        let KeyEvent(code, modifiers) = *key;
        let is_end = code == KeyCode::BracketedPasteEnd;
        // Nothing else would end a paste whose end never comes. A pasted text may hold the same character, among others:
        // where some follow at once, it goes on.
        let is_cut = *key == KeyEvent::ctrl('C') && now.saturating_duration_since(last) >= PASTED_WITHIN;
        if is_end || is_cut {
            *inside = if is_end { Inside::Line } else { Inside::CutPaste(now) };
            return Cmd::Insert(1, self.pastes.fold(&text.replace("\r\n", "\n").replace('\r', "\n")));
        }
        text.extend(pasted(code, modifiers));
        *inside = Inside::Paste(text, now);
        Cmd::Noop
    }

    fn in_answer(
        &self,
        key: &KeyEvent,
        mut answer: String,
        inside: &mut Inside,
        (began, now): (Instant, Instant),
    ) -> Option<Cmd> {
        let KeyEvent(code, modifiers) = *key;
        match code {
            KeyCode::Char('G') if modifiers == Modifiers::CTRL => self.asked.answered(&answer),
            KeyCode::Char('\\') if modifiers == Modifiers::ALT => self.asked.answered(&answer),
            KeyCode::Char(c) if modifiers.difference(Modifiers::SHIFT).is_empty() => {
                answer.push(c);
                // A person has typed the same beginning, and what came since is text.
                if now.saturating_duration_since(began) > ANSWER || !may_answer(&answer) {
                    return Some(Cmd::Insert(1, answer));
                }
                *inside = Inside::Answer(answer, began);
            }
            _ => {
                let begun = self.begins(key, inside, now);
                return if answer.is_empty() { begun } else { Some(Cmd::Insert(1, answer)) };
            }
        }
        Some(Cmd::Noop)
    }

    /// A key with a meaning of ours.
    fn own(&self, key: &KeyEvent, context: &EventContext<'_>) -> Option<Cmd> {
        match *key {
            // Ctrl-C clears what was typed; on an empty line it is told. The line is accepted then: after any other end,
            // keys that follow at once would be lost.
            KeyEvent(KeyCode::Char('C'), Modifiers::CTRL) => {
                if !context.line().is_empty() {
                    return Some(Cmd::Kill(Movement::WholeBuffer));
                }
                self.why.0.store(INTERRUPTED, Ordering::Relaxed);
                Some(Cmd::AcceptLine)
            }
            KeyEvent(KeyCode::Char('J'), Modifiers::CTRL) => Some(Cmd::Newline),
            // The loop stops the program and puts the terminal in order around it; rustyline would do so behind its back.
            KeyEvent(KeyCode::Char('Z'), Modifiers::CTRL) => {
                let _ = kill_process(getpid(), Signal::TSTP);
                Some(Cmd::Noop)
            }
            _ => None,
        }
    }
}

impl ConditionalEventHandler for Typing {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let key = event.get(0)?;
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        self.taken(key, &mut inside, Instant::now()).or_else(|| self.own(key, context))
    }
}

/// Ctrl-X Ctrl-E, as in a shell: the line goes to the user's editor.
pub struct ToEditor(pub Why);

impl ConditionalEventHandler for ToEditor {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.0.store(TO_EDITOR, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// The character of a paste that this key stands for.
fn pasted(code: KeyCode, modifiers: Modifiers) -> Option<char> {
    match code {
        KeyCode::Char(c) if modifiers.difference(Modifiers::SHIFT).is_empty() => Some(c),
        KeyCode::Char('J') if modifiers == Modifiers::CTRL => Some('\n'),
        KeyCode::Enter => Some('\r'),
        KeyCode::Tab => Some('\t'),
        // What else there is would control a terminal.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustyline::{Cmd, KeyCode, KeyEvent, Modifiers};

    use super::{Inside, Typing, Why};
    use crate::frontend::repl::ground::Asked;
    use crate::frontend::repl::pastes::Pastes;

    const BEGIN: KeyEvent = KeyEvent(KeyCode::BracketedPasteStart, Modifiers::NONE);
    const END: KeyEvent = KeyEvent(KeyCode::BracketedPasteEnd, Modifiers::NONE);

    /// A keyboard whose keys come so long after each other.
    struct Keys {
        typing: Typing,
        inside: Inside,
        now: Instant,
    }

    impl Keys {
        fn new(asked: Asked) -> Self {
            let typing = Typing::new(Why::default(), Pastes::default(), asked);
            Self { typing, inside: Inside::Line, now: Instant::now() }
        }

        fn key(&mut self, key: KeyEvent, after_ms: u64) -> Option<Cmd> {
            self.now += Duration::from_millis(after_ms);
            self.typing.taken(&key, &mut self.inside, self.now)
        }

        /// What is put into the line, key after key; a key that is not taken is itself.
        fn text(&mut self, text: &str, after_ms: u64) -> String {
            let mut out = String::new();
            for c in text.chars() {
                match self.key(KeyEvent::new(c, Modifiers::NONE), after_ms) {
                    Some(Cmd::Insert(1, text)) => out.push_str(&text),
                    Some(Cmd::Noop) => {}
                    None => out.push(c),
                    Some(other) => panic!("{other:?}"),
                }
            }
            out
        }
    }

    fn insert(text: &str) -> Option<Cmd> {
        Some(Cmd::Insert(1, text.to_owned()))
    }

    #[test]
    fn a_pasted_interrupt_ends_no_paste() {
        let mut keys = Keys::new(Asked::not());
        assert_eq!(keys.key(BEGIN, 0), Some(Cmd::Noop));
        assert_eq!(keys.text("hello\x03\x03!echo x\r", 1), "");
        assert_eq!(keys.key(END, 1), insert("hello!echo x\n"));
        assert_eq!(keys.text("y", 1), "y");
        // Even where the terminal has stopped for a while right before it.
        keys.key(BEGIN, 0);
        assert_eq!(keys.text("hello", 1), "");
        assert_eq!(keys.text("\x03", 500), "hello");
        assert_eq!(keys.text("!echo x\r", 1), "");
        assert_eq!(keys.key(END, 1), insert("!echo x\n"));
    }

    #[test]
    fn ctrl_c_ends_a_paste_that_has_no_end() {
        let mut keys = Keys::new(Asked::not());
        keys.key(BEGIN, 0);
        assert_eq!(keys.text("one\rtwo", 1), "");
        assert_eq!(keys.text("\x03", 300), "one\ntwo");
        assert_eq!(keys.text("x", 300), "x");
    }

    #[test]
    fn an_answer_is_taken_and_words_are_not() {
        let bracket = KeyEvent::new(']', Modifiers::ALT);
        let asked = Asked::now();
        let mut keys = Keys::new(asked.clone());
        assert_eq!(keys.key(bracket, 0), Some(Cmd::Noop));
        assert_eq!(keys.text("hello", 100), "hello");
        assert_eq!(keys.key(bracket, 0), Some(Cmd::Noop));
        assert_eq!(keys.text("11; so", 400), "11; so");
        keys.key(bracket, 0);
        assert_eq!(keys.text("11;", 1), "");
        assert_eq!(keys.key(KeyEvent(KeyCode::Enter, Modifiers::NONE), 1), insert("11;"));
        keys.key(bracket, 0);
        assert_eq!(keys.text("11;rgb:ff/ff/ff", 1), "");
        assert_eq!((keys.key(KeyEvent::ctrl('G'), 1), asked.ground().is_some()), (Some(Cmd::Noop), true));
        let mut keys = Keys::new(Asked::now());
        assert_eq!(keys.key(bracket, 20_000), None, "no terminal answers so late");
    }
}
