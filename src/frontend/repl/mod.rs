//! A conversation at a terminal: a prompt, what comes of it as it comes, the prompt again.
//!
//! While the model writes no prompt is open: keys are collected in a [`draft`], and the screen belongs to the
//! [`Pane`](crate::frontend::render::Pane). While one is open the screen is rustyline's. Nothing is decided here but
//! which of the two it is.

mod assist;
mod draft;
mod editor;
mod keys;
mod status;
pub mod terminal;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::base::printable::printable;
use crate::core::event::{Event, Move, Moved};
use crate::core::op::{Interrupt, Op, Source, Stop, Told, Topic};
use crate::core::view::{DeltaKind, View};
use crate::frontend::lines::Narrator;
use crate::frontend::render::{Look, Pane};
use crate::frontend::slash::{self, Leave, Step};
use crate::frontend::views;

use assist::{Known, meant};
use draft::{Draft, Wish};
use editor::{Editor, Line};
use keys::Keys;
use status::Status;
use terminal::KeyByKey;

/// How often the line below the text changes while nothing comes.
const TICK: Duration = Duration::from_millis(200);

/// Bytes of one write, about: keys are looked at between two.
const BATCH: usize = 16 * 1024;

#[derive(Clone, Debug)]
pub struct Options {
    pub look: Look,
    /// Where the lines of earlier sessions are kept.
    pub history: Option<PathBuf>,
}

/// The two ends of the conversation.
pub struct Ends {
    pub events: mpsc::Receiver<Event>,
    pub ops: mpsc::Sender<Op>,
    pub interrupt: Interrupt,
}

pub struct Repl {
    ends: Ends,
    editor: Editor,
    pane: Pane,
    narrator: Narrator,
    draft: Draft,
    known: Known,
    status: Status,
    signals: Signals,
    /// What was asked of the conversation and has not ended.
    asked: VecDeque<Asked>,
    /// Ctrl-C was pressed on an empty line.
    warned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByTheUser,
    /// The last message comes to the prompt.
    ToEdit,
    /// The files' names, for completion alone.
    Unseen,
}

struct Signals {
    resized: Signal,
    stopped: Signal,
    ticks: Interval,
}

impl Repl {
    /// Opens nothing yet.
    pub fn new(ends: Ends, options: Options) -> io::Result<Self> {
        terminal::remember();
        let known = Known::default();
        let color = options.look.color();
        let editor = Editor::start(editor::Options { history: options.history, color, known: known.clone() })?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let signals = Signals {
            resized: signal(SignalKind::window_change())?,
            stopped: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            ticks,
        };
        Ok(Self {
            pane: Pane::new(options.look, terminal::size()),
            narrator: Narrator::new(false),
            draft: Draft::default(),
            status: Status::default(),
            asked: VecDeque::new(),
            warned: false,
            ends,
            editor,
            known,
            signals,
        })
    }

    /// Until the user leaves, or the conversation's end of the channel is closed. The terminal is as it was before.
    pub async fn run(mut self, greeting: &str, first: Vec<Op>) -> Leave {
        let keys_are_ours = KeyByKey::begin();
        self.print(greeting);
        let leave = self.converse(first).await;
        drop(keys_are_ours);
        leave
    }

    async fn converse(&mut self, first: Vec<Op>) -> Leave {
        for op in first {
            if let Op::Say { text, .. } = &op {
                self.echo(&text.clone());
            }
            if let Some(leave) = self.work(op, Asked::ByTheUser).await {
                return leave;
            }
        }
        loop {
            let line = match self.draft.next() {
                Some(line) => {
                    self.echo(&line);
                    line
                }
                None => match self.prompt().await {
                    Prompted::Line(line) => line,
                    Prompted::Leave(leave) => return leave,
                },
            };
            let leave = match step(&meant(&line)) {
                Ok(Some(step)) => self.take(step).await,
                Ok(None) => None,
                Err(problem) => {
                    self.print(&format!("{problem}\n"));
                    None
                }
            };
            if let Some(leave) = leave {
                return leave;
            }
        }
    }

    /// A message that did not come from the prompt, as if it had.
    fn echo(&mut self, message: &str) {
        let message = printable(message).trim_end().replace('\n', "\n  ");
        self.print(&format!("› {message}\n"));
    }

    async fn take(&mut self, step: Step) -> Option<Leave> {
        match step {
            Step::Do(op) => self.work(op, Asked::ByTheUser).await,
            Step::EditLast => self.work(Op::Undo, Asked::ToEdit).await,
            Step::Print(text) => {
                self.print(&text);
                None
            }
            Step::Leave(leave) => Some(leave),
        }
    }

    /// One line from the user. What the conversation has to say meanwhile goes above it.
    async fn prompt(&mut self) -> Prompted {
        self.ask(Op::Show(Topic::Files), Asked::Unseen);
        self.editor.open(self.draft.take_line());
        loop {
            tokio::select! {
                line = self.editor.entered() => match line {
                    Line::Entered(line) => {
                        self.warned = false;
                        return Prompted::Line(line);
                    }
                    Line::End => return Prompted::Leave(Leave::Quit),
                    Line::Interrupted if std::mem::replace(&mut self.warned, true) => {
                        return Prompted::Leave(Leave::Quit);
                    }
                    Line::Interrupted => {
                        self.print("(Ctrl-C again or Ctrl-D leaves; the session is kept)\n");
                        self.editor.open(String::new());
                    }
                },
                event = self.ends.events.recv() => {
                    let Some(event) = event else { return Prompted::Leave(Leave::Quit) };
                    let text = self.beside(event);
                    if !text.is_empty() {
                        self.editor.say(&text);
                    }
                }
                _ = self.signals.stopped.recv() => {
                    terminal::suspend();
                    self.editor.say("");
                }
                () = self.ends.interrupt.ended() => {
                    // The prompt is not ended by a key, which would have ended its row.
                    self.write("\r\n");
                    return Prompted::Leave(Leave::Quit);
                }
            }
        }
    }

    /// What an event says while a prompt is open.
    fn beside(&mut self, event: Event) -> String {
        match event {
            Event::Ready => {
                self.asked.pop_front();
                String::new()
            }
            Event::Shown(view) => self.shown(&view),
            event => self.narrator.lines(&event),
        }
    }

    /// Does one thing and shows what comes of it.
    async fn work(&mut self, op: Op, asked: Asked) -> Option<Leave> {
        terminal::paste_on();
        let mut keys = Keys::listen().ok();
        self.pane.resize(terminal::size());
        self.status = Status::of(&op);
        // Here and not where it is taken up: a key that is pressed in between counts.
        self.ends.interrupt.rearm();
        self.ask(op, asked);
        let leave = loop {
            tokio::select! {
                event = self.ends.events.recv() => match event {
                    Some(event) => self.batch(event),
                    None => break Some(Leave::Quit),
                },
                Some(key) = pressed(&mut keys) => match self.draft.take(key) {
                    Some(Wish::Stop) => {
                        self.status.stop();
                        self.draft.hold_back();
                        self.ends.interrupt.stop(Stop::Interrupted);
                    }
                    Some(Wish::Suspend) => self.suspend(),
                    None => {}
                },
                () = self.pane.highlighted() => {}
                _ = self.signals.resized.recv() => self.pane.resize(terminal::size()),
                _ = self.signals.stopped.recv() => self.suspend(),
                _ = self.signals.ticks.tick() => self.status.tick(),
                () = self.ends.interrupt.ended() => break Some(Leave::Quit),
            }
            if self.asked.is_empty() {
                break None;
            }
            self.pane.live(Some(self.status.line(&self.draft)));
            self.flush();
        };
        self.pane.live(None);
        if leave.is_some() {
            // The shell goes on in a row of its own.
            self.pane.finish_reply();
        }
        self.flush();
        drop(keys);
        leave
    }

    /// What is there already goes out in the same write, up to a limit: a program may print without an end.
    fn batch(&mut self, event: Event) {
        let mut written = weight(&event);
        self.event(event);
        while written < BATCH
            && let Ok(event) = self.ends.events.try_recv()
        {
            written += weight(&event);
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        self.status.event(&event);
        match event {
            Event::Delta { kind: DeltaKind::Text, text } => self.pane.reply(&text),
            Event::ReplyFinished => self.pane.finish_reply(),
            Event::Ready => drop(self.asked.pop_front()),
            Event::GivenBack(text) => self.draft.put_back(&text),
            // What was printed before a stop can be long, and nobody waits for it: it is in the run's folder.
            Event::RunOutput { .. } if self.status.is_stopping() => {}
            Event::HeadMoved(moved) => {
                let text = told(&moved);
                self.pane.lines(&text);
                if self.asked.front() == Some(&Asked::ToEdit)
                    && let Some(message) = moved.message
                {
                    self.draft.put_back(&message);
                }
            }
            Event::Shown(view) => {
                let text = self.shown(&view);
                self.lines(&text);
            }
            event => {
                let text = self.narrator.lines(&event);
                self.lines(&text);
            }
        }
    }

    fn lines(&mut self, text: &str) {
        if !text.is_empty() {
            self.pane.lines(text);
        }
    }

    /// The lines of a view; what can be completed is learnt from it.
    fn shown(&mut self, view: &View) -> String {
        match view {
            View::Files { files, .. } => self.known.files(files.iter().map(|(path, _)| path.clone()).collect()),
            View::Models(models) => self.known.models(models.iter().map(|model| model.name.clone()).collect()),
            View::Sessions(sessions) => {
                self.known.sessions(sessions.iter().map(|session| session.id.clone()).collect())
            }
            View::Recap(_)
            | View::Context(_)
            | View::Diff { .. }
            | View::Versions(_)
            | View::Scripts(_)
            | View::Prompts(_)
            | View::Stats(_) => {}
        }
        if self.asked.front() == Some(&Asked::Unseen) { String::new() } else { views::lines(view) }
    }

    fn ask(&mut self, op: Op, asked: Asked) {
        // A conversation that is gone or far behind is not asked for what nobody sees.
        if self.ends.ops.try_send(op).is_ok() {
            self.asked.push_back(asked);
        }
    }

    fn suspend(&mut self) {
        self.pane.live(None);
        self.flush();
        // What the shell says gets a row of its own, and so does what comes afterwards.
        self.write("\r\n");
        terminal::suspend();
        self.pane.resize(terminal::size());
    }

    fn print(&mut self, text: &str) {
        self.pane.lines(text);
        self.flush();
    }

    fn flush(&mut self) {
        let text = self.pane.take();
        if !text.is_empty() {
            self.write(&text);
        }
    }

    fn write(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            self.ends.interrupt.stop(Stop::OutputClosed);
        }
    }
}

/// About how much an event writes.
fn weight(event: &Event) -> usize {
    const LINE: usize = 80;
    match event {
        Event::Delta { text, .. } | Event::RunOutput { text, .. } => LINE + text.len(),
        _ => LINE,
    }
}

enum Prompted {
    Line(String),
    Leave(Leave),
}

async fn pressed(keys: &mut Option<Keys>) -> Option<keys::Key> {
    match keys {
        Some(keys) => keys.received.recv().await,
        None => std::future::pending().await,
    }
}

/// What a line asks for; `None` for an empty one.
fn step(line: &str) -> Result<Option<Step>, String> {
    let run = |command: &str, told| {
        if command.trim().is_empty() {
            return Err("which command? `!ls` runs `ls` in the sandbox".to_owned());
        }
        Ok(Some(Step::Do(Op::Run { command: command.trim().to_owned(), told })))
    };
    if line.is_empty() {
        Ok(None)
    } else if let Some(command) = line.strip_prefix("!!") {
        run(command, Told::UserAlone)
    } else if let Some(command) = line.strip_prefix('!') {
        run(command, Told::Model)
    } else if let Some(command) = line.strip_prefix('/') {
        slash::parse(command).map(Some)
    } else {
        Ok(Some(Step::Do(Op::Say { text: line.to_owned(), source: Source::Keyboard })))
    }
}

fn told(moved: &Moved) -> String {
    let first = |text: &str| {
        let line = printable(text).lines().next().unwrap_or_default().to_owned();
        match line.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    };
    let message = moved.message.as_deref().map(|text| format!(": {}", first(text))).unwrap_or_default();
    let what = match moved.why {
        Move::Undo => format!("took back{message}"),
        Move::Redo => format!("brought back{message}"),
        Move::Retry => format!("answering again{message}"),
        Move::Restore => "files brought back; the conversation goes on as it was".to_owned(),
    };
    let files = match views::changes(&moved.files) {
        changes if changes.is_empty() => "no file differs".to_owned(),
        changes => format!("files as in version {} ({changes})", moved.version),
    };
    format!("{what}\n{files}\n")
}

#[cfg(test)]
mod tests {
    use super::step;
    use crate::core::op::{Op, Source, Told};
    use crate::frontend::slash::Step;

    #[test]
    fn lines_are_messages_commands_or_runs() {
        let say = Op::Say { text: "write it".to_owned(), source: Source::Keyboard };
        assert_eq!(step("write it"), Ok(Some(Step::Do(say))));
        assert_eq!(step(""), Ok(None));
        let run = |told| Ok(Some(Step::Do(Op::Run { command: "ls -l".to_owned(), told })));
        assert_eq!(step("!ls -l"), run(Told::Model));
        assert_eq!(step("!! ls -l"), run(Told::UserAlone));
        assert!(step("!").is_err());
    }
}
