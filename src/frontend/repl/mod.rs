//! A conversation at a terminal: a prompt, what comes of it as it comes, the prompt again.
//!
//! While the model writes no prompt is open: keys are collected in a [`draft`], and the screen belongs to the
//! [`Pane`]. While one is open the screen is rustyline's. Nothing is decided here but
//! which of the two it is.

mod assist;
mod draft;
mod editor;
mod keys;
mod line;
mod outward;
mod status;
pub mod terminal;
mod told;
mod work;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::base::printable::printable;
use crate::core::event::Event;
use crate::core::op::{Ask, Interrupt, Op, Stop, Topic};
use crate::core::view::View;
use crate::frontend::lines::{Left, Narrator};
use crate::frontend::render::{Look, Pane, Size, Style, wrapped};
use crate::frontend::slash::{Leave, Step};
use crate::frontend::views;

use assist::Known;
use draft::Draft;
use editor::{Editor, Line};
use outward::Outward;
use status::Status;
use terminal::KeyByKey;
use told::told;

/// How often the line below the text changes while nothing comes.
const TICK: Duration = Duration::from_millis(200);

/// What the model says stands apart from what is said of it.
const BLANK: &str = "\n";

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
    /// A yes or a no to a script's question.
    pub answer: std::sync::mpsc::Sender<bool>,
    pub interrupt: Interrupt,
}

pub struct Repl {
    ends: Ends,
    editor: Editor,
    look: Look,
    pane: Pane,
    narrator: Narrator,
    draft: Draft,
    known: Known,
    /// What a Tab waits for.
    wanted: mpsc::UnboundedReceiver<Topic>,
    /// The sessions as they were numbered last.
    listed: Vec<String>,
    is_connected: bool,
    status: Status,
    /// The next view is not for the screen.
    outward: Option<Outward>,
    signals: Signals,
    /// What was asked of the conversation and has not ended.
    asked: VecDeque<Asked>,
    /// Ctrl-C was pressed on an empty line.
    warned: bool,
    in_reply: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByTheUser,
    /// The last message comes to the prompt.
    ToEdit,
    /// Names, for completion alone.
    Unseen,
    /// The same, and a Tab waits for them.
    ForTab,
}

struct Signals {
    resized: Signal,
    stopped: Signal,
    ticks: Interval,
}

impl Repl {
    /// Opens nothing yet.
    pub fn new(ends: Ends, options: Options) -> io::Result<Self> {
        let (known, wanted) = Known::nothing();
        let color = options.look.color;
        let editor = Editor::start(editor::Options { history: options.history, color, known: known.clone() })?;
        if !editor.is_plain() {
            terminal::remember();
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let signals = Signals {
            resized: signal(SignalKind::window_change())?,
            stopped: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            ticks,
        };
        Ok(Self {
            look: options.look,
            pane: Pane::new(options.look, size()),
            narrator: Narrator::new(Left::Files),
            draft: Draft::default(),
            status: Status::default(),
            asked: VecDeque::new(),
            warned: false,
            in_reply: false,
            ends,
            editor,
            known,
            wanted,
            listed: Vec::new(),
            is_connected: false,
            outward: None,
            signals,
        })
    }

    /// Until the user leaves, or the conversation's end of the channel is closed. The terminal is as it was before.
    pub async fn run(mut self, greeting: &str, first: Vec<Op>) -> Leave {
        let keys_are_ours = (!self.editor.is_plain()).then(KeyByKey::begin);
        self.say(greeting);
        let leave = self.converse(first).await;
        drop(keys_are_ours);
        leave
    }

    async fn converse(&mut self, first: Vec<Op>) -> Leave {
        for op in first {
            if let Op::Ask(Ask::Say { text, .. }) = &op {
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
            let leave = match line::step(&line, &self.known.added()) {
                Ok(Some(step)) => self.take(step).await,
                Ok(None) => None,
                Err(problem) => {
                    self.say(&format!("{problem}\n"));
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
        self.print(&format!("{} {message}\n", self.look.paint(Style::User, "›")));
    }

    async fn take(&mut self, step: Step) -> Option<Leave> {
        match step {
            Step::Do(op) => self.work(op, Asked::ByTheUser).await,
            Step::EditLast => self.work(Op::Undo, Asked::ToEdit).await,
            Step::Print(text) => {
                self.say(&text);
                None
            }
            Step::Export { as_page, file } => {
                self.outward = Some(Outward::Document { as_page, file });
                self.work(Op::Show(Topic::Transcript), Asked::ByTheUser).await
            }
            Step::Copy(block) => {
                self.outward = Some(Outward::Clipboard(block));
                self.work(Op::Show(Topic::Recap), Asked::ByTheUser).await
            }
            Step::Leave(Leave::Resume(wanted)) => Some(Leave::Resume(self.numbered(wanted).await)),
            Step::Leave(leave @ (Leave::Quit | Leave::Fork(_) | Leave::Anew)) => Some(leave),
        }
    }

    /// The session that a number stands for in the list; the ids' beginnings are longer than any of these.
    async fn numbered(&mut self, wanted: String) -> String {
        let Some(number) = wanted.parse::<usize>().ok().filter(|number| (1..1000).contains(number)) else {
            return wanted;
        };
        if self.listed.is_empty() {
            self.work(Op::Show(Topic::Sessions), Asked::Unseen).await;
        }
        self.listed.get(number - 1).cloned().unwrap_or(wanted)
    }

    /// One line from the user. What the conversation has to say meanwhile goes above it.
    async fn prompt(&mut self) -> Prompted {
        self.ask(Op::Show(Topic::Files), Asked::Unseen);
        self.ask(Op::Show(Topic::Commands), Asked::Unseen);
        self.open();
        let is_plain = self.editor.is_plain();
        if is_plain {
            self.ends.interrupt.rearm();
        }
        loop {
            let interrupted = self.ends.interrupt.token();
            tokio::select! {
                line = self.editor.entered() => match line {
                    Line::Entered(line) => {
                        self.warned = false;
                        return Prompted::Line(line);
                    }
                    Line::End => return Prompted::Leave(Leave::Quit),
                    Line::Interrupted if self.is_warned("") => return Prompted::Leave(Leave::Quit),
                    Line::Interrupted => self.editor.open(String::new()),
                },
                // A terminal in its own mode makes a signal of the key.
                () = interrupted.cancelled(), if is_plain => {
                    self.ends.interrupt.rearm();
                    if self.is_warned(BLANK) {
                        return Prompted::Leave(Leave::Quit);
                    }
                    self.editor.open(String::new());
                }
                event = self.ends.events.recv() => {
                    let Some(event) = event else { return Prompted::Leave(Leave::Quit) };
                    let text = self.beside(event);
                    if !text.is_empty() {
                        self.editor.say(&text);
                    }
                }
                Some(topic) = self.wanted.recv() => self.tell(topic),
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

    fn open(&mut self) {
        let initial = self.draft.take_line();
        if self.editor.is_plain() && !initial.is_empty() {
            let text = printable(&initial);
            self.print(&format!(
                "this terminal cannot bring it back to the prompt; copy what you need of it:\n{text}\n"
            ));
        }
        self.editor.open(initial);
    }

    /// Ctrl-C on an empty line: the first one warns, on a row that begins after this.
    fn is_warned(&mut self, before: &str) -> bool {
        let before_that = std::mem::replace(&mut self.warned, true);
        if before_that {
            self.print(before);
        } else {
            self.say(&format!("{before}(Ctrl-C again or Ctrl-D leaves; the session is kept)\n"));
        }
        before_that
    }

    /// What an event says while a prompt is open.
    fn beside(&mut self, event: Event) -> String {
        match event {
            Event::Ready => {
                self.ended();
                String::new()
            }
            Event::Shown(view) => self.shown(&view),
            // Nobody has asked for what a Tab did not get.
            Event::Error { .. } if self.asked.front() == Some(&Asked::ForTab) => String::new(),
            event => {
                self.look_for_server(&event);
                told(self.look, &mut self.narrator, &event, self.status.came(), size().columns)
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
                let ids: Vec<String> = sessions.iter().map(|session| session.id.clone()).collect();
                if self.listed.is_empty() || !self.is_unseen() {
                    self.listed.clone_from(&ids);
                }
                self.known.sessions(ids);
            }
            View::Versions(versions) => {
                self.known.versions(versions.iter().map(|version| format!("v{}", version.version)).collect());
            }
            View::Commands(commands) => self.known.commands(commands.clone()),
            View::Recap(_)
            | View::Context(_)
            | View::Diff { .. }
            | View::Scripts(_)
            | View::Prompts(_)
            | View::Stats(_)
            | View::Transcript(_) => {}
        }
        match (view, self.is_unseen(), self.outward.take()) {
            (_, true, outward) => {
                self.outward = outward;
                String::new()
            }
            (View::Transcript(transcript), _, Some(Outward::Document { as_page, file })) => {
                self.document(transcript, as_page, file)
            }
            (View::Recap(recap), _, Some(Outward::Clipboard(block))) => self.copy(recap, block),
            (_, _, _) => views::lines(view),
        }
    }

    fn is_unseen(&self) -> bool {
        matches!(self.asked.front(), Some(Asked::Unseen | Asked::ForTab))
    }

    /// Whether there is a server to be asked for its models.
    fn look_for_server(&mut self, event: &Event) {
        if let Event::Session(info) = event {
            self.is_connected = !info.server.is_empty();
        }
    }

    /// For a Tab. A server is not looked for because of one.
    fn tell(&mut self, topic: Topic) {
        if topic == Topic::Models && !self.is_connected || !self.ask(Op::Show(topic), Asked::ForTab) {
            self.known.answered();
        }
    }

    /// What was asked first has come to its end.
    fn ended(&mut self) {
        if self.asked.pop_front() == Some(Asked::ForTab) {
            self.known.answered();
        }
    }

    fn ask(&mut self, op: Op, asked: Asked) -> bool {
        // A conversation that is gone or far behind is not asked for what nobody sees.
        let is_asked = self.ends.ops.try_send(op).is_ok();
        if is_asked {
            self.asked.push_back(asked);
        }
        is_asked
    }

    /// Plain lines, broken between words.
    fn say(&mut self, text: &str) {
        self.print(&wrapped(text, size().columns));
    }

    /// Lines of our own while neither a prompt is open nor anything is done.
    fn print(&mut self, text: &str) {
        self.pane.restart();
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

fn size() -> Size {
    let (columns, rows) = terminal::size();
    Size { columns, rows }
}

enum Prompted {
    Line(String),
    Leave(Leave),
}
