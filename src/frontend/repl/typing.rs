//! Every key at the prompt, before rustyline takes it: keys with a meaning of ours, pastes, and the terminal's own answers.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Signal, getpid, kill_process};
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};

use crate::frontend::repl::ground::{Asked, LONGEST};
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
    Paste(String),
    Answer(String),
}

impl Typing {
    pub fn new(why: Why, pastes: Pastes, asked: Asked) -> Self {
        Self { why, pastes, asked, inside: Mutex::default() }
    }

    /// A key that is taken here.
    fn taken(&self, key: &KeyEvent, inside: &mut Inside) -> Option<Cmd> {
        let KeyEvent(code, modifiers) = *key;
        match (std::mem::take(inside), code) {
            (Inside::Paste(text), KeyCode::BracketedPasteEnd) => {
                return Some(Cmd::Insert(1, self.pastes.fold(&text.replace("\r\n", "\n").replace('\r', "\n"))));
            }
            // Nothing else would end a paste whose end never comes.
            (Inside::Paste(text), KeyCode::Char('C')) if modifiers == Modifiers::CTRL => {
                return Some(Cmd::Insert(1, self.pastes.fold(&text)));
            }
            (Inside::Paste(mut text), _) => {
                text.extend(pasted(code, modifiers));
                *inside = Inside::Paste(text);
            }
            (Inside::Answer(answer), KeyCode::Char('G')) if modifiers == Modifiers::CTRL => {
                self.asked.answered(&answer);
            }
            (Inside::Answer(answer), KeyCode::Char('\\')) if modifiers == Modifiers::ALT => {
                self.asked.answered(&answer);
            }
            (Inside::Answer(mut answer), KeyCode::Char(c))
                if modifiers.difference(Modifiers::SHIFT).is_empty() && answer.len() < LONGEST =>
            {
                answer.push(c);
                *inside = Inside::Answer(answer);
            }
            (Inside::Answer(_) | Inside::Line, KeyCode::BracketedPasteStart) => *inside = Inside::Paste(String::new()),
            (Inside::Line, KeyCode::Char(']')) if modifiers == Modifiers::ALT && self.asked.is_awaited() => {
                *inside = Inside::Answer(String::new());
            }
            (Inside::Answer(_) | Inside::Line, _) => return None,
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
        self.taken(key, &mut inside).or_else(|| self.own(key, context))
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
