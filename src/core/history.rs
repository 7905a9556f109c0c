//! The log folded into what the next request needs. Going on, resuming and recovering read the same fold.
//!
//! Invariant: messages are only ever appended, so the messages of one request are the first ones of the next.

use crate::base::message::{Message, Role};
use crate::session::record::{AttachedBy, DeltaKind, Entry, Finish, RunSource, ValidationOutcome, Verdict};

/// Stands in for a reply that never came, since many chat templates insist on alternating roles.
const NO_REPLY: &str = "(no reply)";
/// Said where a reply was stopped and the user says something else.
const INTERRUPTED: &str = "Your last reply was interrupted; nothing of it was done.";
/// Said where the program ended during a run.
const LOST_RUN: &str = "run: interrupted before its outcome was known. Send the run block again if it is needed.";

/// Where the conversation stands.
#[derive(Clone, Debug, Default)]
pub struct History {
    messages: Vec<Message>,
    /// Text of the reply that is coming in, and its tool calls as text.
    partial: String,
    in_reply: bool,
    /// A run that the model asked for began, and its end is not in the log.
    run_is_open: bool,
    pending: Pending,
    pub state: State,
    pub turn: u32,
    /// The newest version that the log knows.
    pub version: Option<u32>,
}

/// What going on means here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is open: the next thing is a message of the user.
    #[default]
    Idle,
    /// A user's message or outcomes were logged, and no reply is there.
    Asked,
    /// A reply has ended; nothing of what it asks for is done.
    Replied(Finish),
    /// What it asks for is done, or was being done.
    Acted,
    /// The turn's verdict is known.
    Ended,
}

/// What the model has not been told yet, in the order in which it will be: refusals, outcomes, checks.
#[derive(Clone, Debug, Default)]
struct Pending {
    refusals: Vec<String>,
    outcomes: Vec<String>,
    checks: Vec<String>,
}

impl Pending {
    fn take(&mut self) -> String {
        let Self { refusals, outcomes, checks } = std::mem::take(self);
        let pieces: Vec<String> = refusals.into_iter().chain(outcomes).chain(checks).collect();
        pieces.join("\n\n")
    }

    fn is_empty(&self) -> bool {
        self.refusals.is_empty() && self.outcomes.is_empty() && self.checks.is_empty()
    }
}

impl History {
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The last whole or interrupted reply's raw text.
    pub fn last_reply(&self) -> &str {
        let last = self.messages.iter().rev().find(|message| message.role == Role::Assistant);
        last.map_or("", |message| if message.content == NO_REPLY { "" } else { &message.content })
    }

    /// The text that answers the reply before; `None` where there is nothing to tell.
    pub fn feedback(&self) -> Option<String> {
        let mut pending = self.pending.clone();
        if self.run_is_open {
            pending.outcomes.push(LOST_RUN.to_owned());
        }
        (!pending.is_empty()).then(|| pending.take())
    }

    pub fn system_prompt(&self) -> Option<&str> {
        self.messages.first().filter(|message| message.role == Role::System).map(|message| message.content.as_str())
    }

    /// Takes in one record of `turn`.
    pub fn apply(&mut self, turn: u32, entry: &Entry) {
        self.turn = self.turn.max(turn);
        match entry {
            Entry::SessionStarted(started) => self.messages.push(Message::new(Role::System, &started.system_prompt)),
            Entry::UserMessage { text } => self.user_message(text),
            Entry::RequestSent { feedback, .. } => self.request_sent(feedback.as_deref()),
            Entry::ReplyDelta { kind: DeltaKind::Text | DeltaKind::Tool, text } => {
                self.in_reply = true;
                self.partial.push_str(text);
            }
            Entry::ReplyFinished { reason, .. } => self.reply_finished(*reason),
            Entry::VersionKept { version, .. } => self.version = Some(*version),
            Entry::TurnFinished { verdict, .. } => self.turn_finished(*verdict),
            Entry::RunStarted { source, .. } => {
                self.run_is_open = *source == RunSource::Model;
                self.acted();
            }
            Entry::ActionApplied { .. }
            | Entry::ActionRefused { .. }
            | Entry::FileAttached { .. }
            | Entry::RunFinished { .. }
            | Entry::Validated { .. }
            | Entry::Note { .. } => self.outcome(entry),
            Entry::ReplyDelta { kind: DeltaKind::Reasoning, .. }
            | Entry::HookRan { .. }
            | Entry::ScriptState { .. }
            | Entry::Retry { .. }
            | Entry::Compacted { .. }
            | Entry::HeadMoved { .. }
            | Entry::SettingChanged { .. }
            | Entry::Renamed { .. }
            | Entry::Error { .. }
            | Entry::SessionEnded { .. }
            | Entry::Unknown(_) => {}
        }
    }

    /// Something that was done for a reply, and what the model is to be told of it.
    fn outcome(&mut self, entry: &Entry) {
        self.acted();
        let (list, text) = match entry {
            Entry::ActionRefused { feedback, .. } => (&mut self.pending.refusals, feedback),
            Entry::FileAttached { source: AttachedBy::Model, text, .. } => (&mut self.pending.outcomes, text),
            Entry::RunFinished { feedback, .. } => {
                self.run_is_open = false;
                (&mut self.pending.outcomes, feedback)
            }
            Entry::Validated { outcome: ValidationOutcome::Failed, feedback, .. } => {
                (&mut self.pending.checks, feedback)
            }
            Entry::Note { feedback: Some(feedback), .. } => (&mut self.pending.outcomes, feedback),
            _ => return,
        };
        if !text.is_empty() {
            list.push(text.clone());
        }
    }

    fn acted(&mut self) {
        if matches!(self.state, State::Replied(_)) {
            self.state = State::Acted;
        }
    }

    /// A turn that was stopped can be gone on with; one that came to its end cannot.
    fn turn_finished(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Passed | Verdict::Failed | Verdict::Unchecked => self.state = State::Ended,
            Verdict::Error | Verdict::Interrupted => {}
        }
    }

    /// A reply whose text began and whose end is not in the log: the program was killed.
    pub fn reply_is_open(&self) -> bool {
        self.in_reply
    }

    fn user_message(&mut self, text: &str) {
        if self.state == State::Replied(Finish::Interrupted) {
            self.pending.outcomes.push(INTERRUPTED.to_owned());
        }
        // What the model was not told before goes in front of the user's words, so that nothing is lost.
        let before = self.feedback();
        self.pending = Pending::default();
        self.run_is_open = false;
        self.push_user(before.map_or_else(|| text.to_owned(), |before| format!("{before}\n\n{text}")));
        self.state = State::Asked;
    }

    fn request_sent(&mut self, feedback: Option<&str>) {
        if let Some(feedback) = feedback {
            self.pending = Pending::default();
            self.run_is_open = false;
            self.push_user(feedback.to_owned());
        }
        self.state = State::Asked;
        self.partial.clear();
        self.in_reply = false;
    }

    fn reply_finished(&mut self, reason: Finish) {
        let text = std::mem::take(&mut self.partial);
        self.in_reply = false;
        self.messages.push(Message::new(Role::Assistant, if text.is_empty() { NO_REPLY.to_owned() } else { text }));
        self.state = State::Replied(reason);
    }

    fn push_user(&mut self, text: String) {
        if self.messages.last().is_some_and(|last| last.role == Role::User) {
            self.messages.push(Message::new(Role::Assistant, NO_REPLY));
        }
        self.messages.push(Message::new(Role::User, text));
    }
}
