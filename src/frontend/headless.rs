//! One request without a REPL: the reply on stdout as it comes, everything else on stderr; or JSON for programs.
//!
//! A stdout that is closed stops the work; what was received until then is kept.

use std::io::{self, Write};

use tokio::sync::mpsc;

use crate::base::printable::Printable;
use crate::core::event::Event;
use crate::core::op::{Interrupt, Stop};
use crate::core::view::DeltaKind;
use crate::frontend::json::{self, Lines};
use crate::frontend::lines::{self, Narrator};

pub use crate::frontend::lines::Left;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
    StreamJson,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub format: Format,
    /// The last reply alone, at the end; nothing but errors on stderr.
    pub quiet: bool,
    pub left: Left,
}

/// Shows events until the conversation's side of the channel is closed.
pub async fn show(mut events: mpsc::Receiver<Event>, options: Options, interrupt: Interrupt) {
    let mut screen = Screen::new(options, interrupt);
    while let Some(event) = events.recv().await {
        screen.take(&event);
        // What is already there goes out in the same write.
        while let Ok(event) = events.try_recv() {
            screen.take(&event);
        }
        screen.flush();
    }
}

/// An error before there was a conversation.
pub fn show_failed_start(options: Options, message: &str, hints: &[String], exit_code: u8) {
    // Nothing can be said where stderr or stdout is gone; the exit code remains.
    let _ = io::stderr().write_all(lines::error(message, hints).as_bytes());
    match options.format {
        Format::Text => {}
        Format::Json => {
            let _ = writeln!(io::stdout(), "{}", json::failed_start(exit_code));
        }
        Format::StreamJson => {
            let error = Event::Error { message: message.to_owned(), hints: hints.to_vec() };
            let error = Lines::default().line(&error).unwrap_or_default();
            let _ = writeln!(io::stdout(), "{error}\n{}", json::failed_start(exit_code));
        }
    }
}

struct Screen {
    options: Options,
    interrupt: Interrupt,
    json: Lines,
    narrator: Narrator,
    filter: Printable,
    out: String,
    err: String,
    /// Text of the reply so far was written, and whether its last character was a newline.
    reply: ReplyText,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplyText {
    None,
    Inside,
    AtLineStart,
}

impl Screen {
    fn new(options: Options, interrupt: Interrupt) -> Self {
        Self {
            options,
            interrupt,
            json: Lines::default(),
            narrator: Narrator::new(options.left),
            filter: Printable::default(),
            out: String::new(),
            err: String::new(),
            reply: ReplyText::None,
            closed: false,
        }
    }

    fn take(&mut self, event: &Event) {
        match self.options.format {
            Format::Text => self.text(event),
            Format::StreamJson => {
                if let Some(line) = self.json.line(event) {
                    self.out.push_str(&line.to_string());
                    self.out.push('\n');
                }
                self.error_line(event);
            }
            Format::Json => {
                let line = self.json.line(event);
                if let (Event::Finished(_), Some(line)) = (event, line) {
                    self.out.push_str(&line.to_string());
                    self.out.push('\n');
                }
                self.error_line(event);
            }
        }
    }

    fn text(&mut self, event: &Event) {
        match event {
            Event::Delta { kind: DeltaKind::Text, text } if !self.options.quiet => self.reply_text(text),
            Event::ReplyFinished { goes_on: true } => {}
            Event::ReplyFinished { goes_on: false } => self.end_reply(),
            Event::Finished(finished) if self.options.quiet => {
                self.reply_text(&finished.text);
                self.end_reply();
            }
            _ if self.options.quiet => self.error_line(event),
            Event::Finished(_) => {
                self.end_reply();
                self.err.push_str(&self.narrator.lines(event));
            }
            _ => self.err.push_str(&self.narrator.lines(event)),
        }
    }

    fn error_line(&mut self, event: &Event) {
        if matches!(event, Event::Error { .. }) {
            self.err.push_str(&self.narrator.lines(event));
        }
    }

    fn reply_text(&mut self, text: &str) {
        let before = self.out.len();
        self.filter.push(text, &mut self.out);
        if self.out.len() > before {
            let at_line_start = self.out.ends_with('\n');
            self.reply = if at_line_start { ReplyText::AtLineStart } else { ReplyText::Inside };
        }
    }

    /// A blank line between replies; whoever reads stdout alone sees where one ends.
    fn end_reply(&mut self) {
        match self.reply {
            ReplyText::None => return,
            ReplyText::Inside => self.out.push('\n'),
            ReplyText::AtLineStart => {}
        }
        if !self.options.quiet {
            self.out.push('\n');
        }
        self.filter = Printable::default();
        self.reply = ReplyText::None;
    }

    fn output_is_gone(&mut self, error: &io::Error) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.interrupt.stop(Stop::OutputClosed);
        } else {
            let hints = ["what came so far is kept: `faos resume --last` goes on from it".to_owned()];
            self.err.push_str(&lines::error(&format!("cannot write to stdout: {error}"), &hints));
            self.interrupt.stop(Stop::OutputFailed);
        }
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            if !self.closed {
                let mut stdout = io::stdout().lock();
                if let Err(error) = stdout.write_all(self.out.as_bytes()).and_then(|()| stdout.flush()) {
                    self.closed = true;
                    self.output_is_gone(&error);
                }
            }
            self.out.clear();
        }
        if !self.err.is_empty() {
            // Progress that nobody can read is no reason to stop.
            let _ = io::stderr().write_all(self.err.as_bytes());
            self.err.clear();
        }
    }
}
