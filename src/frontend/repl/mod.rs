//! A conversation at a terminal: a prompt, what comes of it as it comes, the prompt again.
//!
//! While the model writes no prompt is open: keys are collected in a [`draft`], and the screen belongs to the
//! [`Pane`]. While one is open the screen is rustyline's. Nothing is decided here but
//! which of the two it is.

mod after;
mod assist;
mod draft;
mod editing;
mod editor;
mod folds;
mod fuzzy;
mod ground;
mod keys;
mod learnt;
mod line;
mod outward;
mod pager;
mod pastes;
mod status;
pub mod terminal;
mod told;
mod typing;
mod unfolded;
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
use crate::frontend::lines::{Left, Narrator};
use crate::frontend::render::{Look, Pane, Size, Style, wrapped};
use crate::frontend::slash::{Leave, Step};

use after::Turn;
use assist::Known;
use draft::Draft;
pub use editing::OpenEditor;
use editor::{Editor, Line};
use folds::Folds;
use ground::Asked as GroundAsked;
use outward::{Document, Outward};
use pastes::Pastes;
use status::{Counted, Status};
use terminal::KeyByKey;
use told::told;
use unfolded::Shown;

/// How often the line below the text changes while nothing comes.
const TICK: Duration = Duration::from_millis(200);

/// What the model says stands apart from what is said of it.
const BLANK: &str = "\n";

pub struct Options {
    pub look: Look,
    /// Whether the terminal is asked what its text stands on.
    pub asks_ground: bool,
    /// Where the lines of earlier sessions are kept, and a message while it is in the user's editor.
    pub folder: PathBuf,
    /// `None` where the user named no editor.
    pub open_editor: Option<OpenEditor>,
    /// The terminal rings for a turn of so many seconds or more.
    pub ring_after: Option<u64>,
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
    folds: Folds,
    pastes: Pastes,
    asked_ground: GroundAsked,
    asks_ground: bool,
    counted: Counted,
    turn: Turn,
    /// For the reader, when what is done has ended.
    waiting: Option<Waiting>,
    folder: PathBuf,
    open_editor: Option<OpenEditor>,
    ring_after: Option<u64>,
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
        let (pastes, look) = (Pastes::default(), options.look);
        let asked = if options.asks_ground { GroundAsked::now() } else { GroundAsked::not() };
        let editor = Editor::start(editor::Options {
            history: Some(options.folder.join("history.txt")),
            look,
            known: known.clone(),
            pastes: pastes.clone(),
            asked: asked.clone(),
        })?;
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
            look,
            pane: Pane::new(look, size()),
            narrator: Narrator::new(Left::Files),
            draft: Draft::with(pastes.clone()),
            status: Status::default(),
            asked: VecDeque::new(),
            warned: false,
            in_reply: false,
            folds: Folds::default(),
            pastes,
            asks_ground: options.asks_ground && !editor.is_plain(),
            asked_ground: asked,
            counted: Counted::default(),
            turn: Turn::default(),
            waiting: None,
            folder: options.folder,
            open_editor: options.open_editor,
            ring_after: options.ring_after,
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
        if self.asks_ground {
            self.write(ground::QUESTION);
        }
        self.say(greeting);
        let leave = self.converse(first).await;
        if let Some(patience) = self.asked_ground.patience().filter(|_| self.asks_ground) {
            terminal::forget_answer(patience);
        }
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
            // A prompt that opens now would take the terminal back when it was given up.
            if self.ends.interrupt.is_ended() {
                return Leave::Quit;
            }
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
            let step = line::step(&line, &self.known.added(), &self.pastes);
            if self.draft.is_empty() {
                self.pastes.trim();
            }
            let leave = match step {
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
            Step::Do(op) => {
                if matches!(op, Op::Ask(_)) {
                    self.folds.message();
                    self.turn = Turn::default();
                }
                self.done(op).await
            }
            Step::EditLast => {
                let leave = self.work(Op::Undo, Asked::ToEdit).await;
                if leave.is_none() && self.open_editor.is_some() {
                    let line = self.draft.take_line();
                    self.edit(line).await;
                }
                leave
            }
            Step::Show(which) => {
                self.show(&which).await;
                None
            }
            Step::Print(text) => {
                self.say(&text);
                None
            }
            Step::Export { as_page, file } => {
                self.outward = Some(Outward::Document { as_page, file });
                self.done(Op::Show(Topic::Transcript)).await
            }
            Step::Copy(block) => {
                self.outward = Some(Outward::Clipboard(block));
                self.work(Op::Show(Topic::Recap), Asked::ByTheUser).await
            }
            Step::Leave(Leave::Resume(wanted)) => Some(Leave::Resume(self.numbered(wanted).await)),
            Step::Leave(leave @ (Leave::Quit | Leave::Fork(_) | Leave::Anew)) => Some(leave),
        }
    }

    /// Does it, and what can only be done when nothing else is.
    async fn done(&mut self, op: Op) -> Option<Leave> {
        let leave = self.work(op, Asked::ByTheUser).await;
        match self.waiting.take().filter(|_| leave.is_none()) {
            Some(Waiting::Shown(shown)) => self.shown_to_the_end(shown).await,
            Some(Waiting::Document(document)) => self.write_document(document).await,
            None => {}
        }
        leave
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
        self.known.folds(self.folds.labels());
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
                    Line::ToEditor(line) => {
                        self.edit(line).await;
                        if self.ends.interrupt.is_ended() {
                            return Prompted::Leave(Leave::Quit);
                        }
                        self.open();
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
                self.counted.event(&event);
                told(self.look, &mut self.narrator, &event, self.status.came(), size().columns)
            }
        }
    }

    fn lines(&mut self, text: &str) {
        if !text.is_empty() {
            self.pane.lines(text);
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

enum Waiting {
    Shown(Shown),
    Document(Document),
}

enum Prompted {
    Line(String),
    Leave(Leave),
}
