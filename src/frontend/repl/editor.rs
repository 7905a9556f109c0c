//! The prompt: rustyline on a thread of its own, since reading a line blocks and cannot be given up.
//!
//! No prompt is open while the model writes. What has to be said while one is open goes through [`Editor::say`], which
//! repaints the line below it. A terminal that only prints (`TERM=dumb`) is left in its own mode: it edits the line, and
//! Ctrl-C is its signal.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use rustix::process::{Signal, getpid, kill_process};
use rustyline::config::{BellStyle, Builder, ColorMode, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, EventContext, EventHandler, ExternalPrinter, KeyEvent, Movement, RepeatCount,
};
use tokio::sync::mpsc as channel;

use crate::frontend::repl::assist::{Assist, Known};

const HISTORY: usize = 2_000;

/// What follows an escape within this time belongs to it.
const ESCAPE_ALONE_MS: u16 = 50;

const PROMPT: &str = "› ";

/// What came of one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Entered(String),
    /// Ctrl-C on an empty line.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// What the prompt looks like and where its history is kept.
#[derive(Clone, Debug)]
pub struct Options {
    pub history: Option<PathBuf>,
    pub color: bool,
    pub known: Known,
}

pub struct Editor {
    asks: mpsc::Sender<String>,
    lines: channel::UnboundedReceiver<Line>,
    /// `None` at a terminal that only prints.
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// A line is being read.
    is_open: bool,
}

impl Editor {
    pub fn start(options: Options) -> io::Result<Self> {
        let (asks, asked) = mpsc::channel::<String>();
        let (entered, lines) = channel::unbounded_channel();
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut editor = editor(&options, &interrupted).map_err(to_io)?;
        let printer = match editor.create_external_printer() {
            Ok(printer) => Some(Box::new(printer) as Box<dyn ExternalPrinter + Send>),
            // Said of the terminals that rustyline reads whole lines from, whatever they are.
            Err(ReadlineError::Errno(error)) if error as i32 == libc::ENOTTY => None,
            Err(error) => return Err(to_io(error)),
        };
        let prompt = Prompt { styled: if options.color { "\x1b[1;36m›\x1b[0m " } else { PROMPT } };
        std::thread::Builder::new().name("prompt".to_owned()).spawn(move || {
            while let Ok(initial) = asked.recv() {
                let line = read(&mut editor, &prompt, &initial, options.history.as_deref());
                let line = if interrupted.swap(false, Ordering::Relaxed) { Line::Interrupted } else { line };
                if entered.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asks, lines, printer, is_open: false })
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
            return print(PROMPT);
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
        match &mut self.printer {
            // A prompt that ended meanwhile prints it all the same; a terminal that is gone shows nothing.
            Some(printer) => drop(printer.print(lines.to_owned())),
            None => print(&format!("\n{lines}{PROMPT}")),
        }
    }
}

fn print(text: &str) {
    // A terminal that is gone shows nothing, and is noticed by whoever reads from it.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

type Readline = rustyline::Editor<Assist, FileHistory>;

fn editor(options: &Options, interrupted: &Arc<AtomicBool>) -> rustyline::Result<Readline> {
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
    editor.set_helper(Some(Assist::new(options.known.clone(), options.color)));
    editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearFirst(Arc::clone(interrupted)))));
    editor.bind_sequence(KeyEvent::ctrl('J'), Cmd::Newline);
    editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend)));
    if let Some(history) = &options.history {
        // A first start has none; a damaged one is no reason to stop.
        let _ = editor.load_history(history);
    }
    Ok(editor)
}

fn read(editor: &mut Readline, prompt: &Prompt, initial: &str, history: Option<&Path>) -> Line {
    match editor.readline_with_initial(prompt, (initial, "")) {
        Ok(line) => {
            if !line.trim().is_empty()
                && editor.add_history_entry(line.as_str()).unwrap_or(false)
                && let Some(history) = history
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

/// Ctrl-C clears what was typed; on an empty line it is told. The line is accepted then: after any other end, keys that
/// follow at once would be lost.
struct ClearFirst(Arc<AtomicBool>);

impl ConditionalEventHandler for ClearFirst {
    fn handle(&self, _: &rustyline::Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        if !context.line().is_empty() {
            return Some(Cmd::Kill(Movement::WholeBuffer));
        }
        self.0.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// The loop stops the program and puts the terminal in order around it; rustyline would do so behind its back.
struct Suspend;

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &rustyline::Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        let _ = kill_process(getpid(), Signal::TSTP);
        Some(Cmd::Noop)
    }
}

struct Prompt {
    styled: &'static str,
}

impl rustyline::Prompt for Prompt {
    fn raw(&self) -> &str {
        PROMPT
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
