//! The prompt: rustyline on a thread of its own, since reading a line blocks and cannot be given up.
//!
//! No prompt is open while the model writes. What has to be said while one is open goes through [`Editor::say`], which
//! repaints the line below it. A terminal that only prints (`TERM=dumb`) is left in its own mode: it edits the line, and
//! Ctrl-C is its signal.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;

use rustyline::config::{BellStyle, Builder, ColorMode, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Event, EventHandler, ExternalPrinter, KeyEvent};
use tokio::sync::mpsc as channel;

use crate::frontend::render::{Look, Signs};
use crate::frontend::repl::assist::{Assist, Known};
use crate::frontend::repl::ground::Asked;
use crate::frontend::repl::pastes::Pastes;
use crate::frontend::repl::typing::{Reason, ToEditor, Typing, Why};

const HISTORY: usize = 2_000;

/// What follows an escape within this time belongs to it.
const ESCAPE_ALONE_MS: u16 = 50;

/// What came of one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Entered(String),
    /// Ctrl-X Ctrl-E: what was typed so far.
    ToEditor(String),
    /// Ctrl-C on an empty line.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// What the prompt looks like and where its history is kept.
#[derive(Clone, Debug)]
pub struct Options {
    pub history: Option<PathBuf>,
    pub look: Look,
    pub known: Known,
    pub pastes: Pastes,
    pub asked: Asked,
}

pub struct Editor {
    asks: mpsc::Sender<String>,
    lines: channel::UnboundedReceiver<Line>,
    /// `None` at a terminal that only prints.
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// A line is being read.
    is_open: bool,
    prompt: &'static str,
    signs: Signs,
}

impl Editor {
    pub fn start(options: Options) -> io::Result<Self> {
        let (asks, asked) = mpsc::channel::<String>();
        let (entered, lines) = channel::unbounded_channel();
        let why = Why::default();
        let mut editor = editor(&options, &why).map_err(to_io)?;
        let printer = match editor.create_external_printer() {
            Ok(printer) => Some(Box::new(printer) as Box<dyn ExternalPrinter + Send>),
            // Said of the terminals that rustyline reads whole lines from, whatever they are.
            Err(ReadlineError::Errno(error)) if error as i32 == libc::ENOTTY => None,
            Err(error) => return Err(to_io(error)),
        };
        let prompt = Prompt::of(options.look);
        let (raw, signs) = (prompt.raw, options.look.signs);
        std::thread::Builder::new().name("prompt".to_owned()).spawn(move || {
            while let Ok(initial) = asked.recv() {
                let line = match (read(&mut editor, &prompt, &initial, &options), why.take()) {
                    (line, Reason::Entered) => line,
                    (Line::Entered(line), Reason::ToEditor) => Line::ToEditor(line),
                    (line, Reason::ToEditor) => line,
                    (_, Reason::Interrupted) => Line::Interrupted,
                };
                if entered.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asks, lines, printer, is_open: false, prompt: raw, signs })
    }

    /// Whether the terminal only prints.
    pub fn is_plain(&self) -> bool {
        self.printer.is_none()
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Opens a prompt that holds this text already, where the terminal can. [`Editor::entered`] tells how it ends.
    pub fn open(&mut self, initial: String) {
        if std::mem::replace(&mut self.is_open, true) {
            // What a plain terminal reads cannot be given up: the line that is awaited is this one's.
            return print(self.prompt);
        }
        // The thread ends with the editor alone.
        let _ = self.asks.send(initial);
    }

    /// Waits for the open prompt's end. May be given up and called again.
    pub async fn entered(&mut self) -> Line {
        let line = self.lines.recv().await.unwrap_or(Line::End);
        self.is_open = false;
        line
    }

    /// Whole lines above the open prompt; below it, with a prompt of their own, where nothing can be written over.
    pub fn say(&mut self, lines: &str) {
        let lines = self.signs.of(lines);
        match &mut self.printer {
            // A prompt that ended meanwhile prints it all the same; a terminal that is gone shows nothing.
            Some(printer) => drop(printer.print(lines.into_owned())),
            None => print(&format!("\n{lines}{}", self.prompt)),
        }
    }
}

fn print(text: &str) {
    // A terminal that is gone shows nothing, and is noticed by whoever reads from it.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

type Readline = rustyline::Editor<Assist, FileHistory>;

fn editor(options: &Options, why: &Why) -> rustyline::Result<Readline> {
    let config = Builder::new()
        .max_history_size(HISTORY)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .bell_style(BellStyle::None)
        // Without colours, too: what is shown of a line goes through `Assist`.
        .color_mode(ColorMode::Enabled)
        .bracketed_paste(true)
        // Escape alone is a key, and takes no other one along.
        .keyseq_timeout(Some(ESCAPE_ALONE_MS))
        .build();
    let mut editor = Readline::with_config(config)?;
    editor.set_helper(Some(Assist::new(options.known.clone(), options.look, why.clone())));
    let typing = Typing::new(why.clone(), options.pastes.clone(), options.asked.clone());
    editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(typing)));
    let keys = Event::KeySeq(vec![KeyEvent::ctrl('X'), KeyEvent::ctrl('E')]);
    editor.bind_sequence(keys, EventHandler::Conditional(Box::new(ToEditor(why.clone()))));
    if let Some(history) = &options.history {
        // A first start has none; a damaged one is no reason to stop.
        let _ = editor.load_history(history);
    }
    Ok(editor)
}

fn read(editor: &mut Readline, prompt: &Prompt, initial: &str, options: &Options) -> Line {
    match editor.readline_with_initial(prompt, (initial, "")) {
        Ok(line) => {
            // A mark means nothing in another session.
            if !line.trim().is_empty()
                && editor.add_history_entry(options.pastes.unfold(&line)).unwrap_or(false)
                && let Some(history) = &options.history
            {
                // Without its history the program is still the program.
                let _ = editor.append_history(history);
            }
            Line::Entered(line)
        }
        Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Line::Interrupted,
        Err(_) => Line::End,
    }
}

struct Prompt {
    raw: &'static str,
    styled: &'static str,
}

impl Prompt {
    fn of(look: Look) -> Self {
        let raw = if look.signs == Signs::Unicode { "› " } else { "> " };
        let styled = match (look.color, look.signs) {
            (false, _) => raw,
            (true, Signs::Unicode) => "\x1b[1;36m›\x1b[0m ",
            (true, Signs::Ascii) => "\x1b[1;36m>\x1b[0m ",
        };
        Self { raw, styled }
    }
}

impl rustyline::Prompt for Prompt {
    fn raw(&self) -> &str {
        self.raw
    }

    fn styled(&self) -> &str {
        self.styled
    }
}

fn to_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
