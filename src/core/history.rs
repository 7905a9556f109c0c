//! The log folded into what the next request needs. Going on, resuming and recovering read the same fold.
//!
//! Invariant: messages are only ever appended, so the messages of one request are the first ones of the next.

use crate::base::message::{Message, Role};
use crate::base::usage::Usage;
use crate::core::feedback::NO_SUCH_FILE;
use crate::core::joined::{Joined, ending_of};
use crate::core::seen::Seen;
use crate::reply::Ending;
use crate::session::record::{
    ActionKind, AttachedBy, Continues, DeltaKind, Entry, FileChanging, Finish, Record, RunSource, ValidationOutcome,
    Verdict,
};

/// Stands in for a reply that never came, since many chat templates insist on alternating roles.
const NO_REPLY: &str = "(no reply)";
/// Said where a reply was stopped and the user says something else.
const INTERRUPTED: &str = "Your last reply was interrupted; nothing of it was done.";
/// Said where a reply was cut and the user says something else before its rest came.
const CUT: &str = "Your last reply was cut off: its whole files and edits were applied; its runs, its reads and the block that \
                   was open were not.";
/// Said where the program ended during a run.
const LOST_RUN: &str = "run: interrupted before its outcome was known. Send the run block again if it is needed.";

/// Where the conversation stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    messages: Vec<Message>,
    /// Text of the reply that is coming in, and its tool calls as text.
    partial: String,
    in_reply: bool,
    /// Who asked for the run that began, and whose end is not in the log.
    open_run: Option<RunSource>,
    /// A run of a script's or a validation's, which changes nothing here.
    aside: Option<u32>,
    pending: Pending,
    /// The last reply, with its rest where it was cut.
    reply: Joined,
    done: Done,
    /// Files that were being written.
    changing: Vec<FileChanging>,
    seen: Seen,
    lines_of: Option<String>,
    /// A summary is all that was said so far.
    summed_up: bool,
    /// Files that the user named in the message that comes next.
    attached: Vec<String>,
    pub state: State,
    /// How the last reply ended.
    pub finish: Option<Finish>,
    /// What it took; of one in pieces all of them.
    pub usage: Usage,
    pub turn: u32,
    /// Who was asked last.
    pub model: String,
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

/// What was done for the last reply, with what came before its rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// Paths of what was written, edited, moved or deleted.
    pub applied: Vec<String>,
    /// Something was refused, beside the deletion of what is not there.
    pub refused: bool,
    /// The deletion of what is not there was.
    pub already_gone: bool,
    /// Runs and reads that were begun, and how many of them are runs.
    pub tasks: usize,
    pub runs: u32,
}

impl Done {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::ActionApplied { path, .. } if self.applied.last() != Some(path) => self.applied.push(path.clone()),
            Entry::ActionRefused { begun: true, .. } => self.tasks += 1,
            Entry::ActionRefused { kind: ActionKind::Delete, reason, .. } if reason == NO_SUCH_FILE => {
                self.already_gone = true;
            }
            Entry::ActionRefused { .. } => self.refused = true,
            Entry::FileAttached { source: AttachedBy::Model, .. } => self.tasks += 1,
            Entry::RunStarted { source: RunSource::Model, .. } => {
                self.tasks += 1;
                self.runs += 1;
            }
            _ => {}
        }
    }
}

/// What the model has not been told yet, in the order in which it will be: refusals, outcomes, checks.
#[derive(Clone, Debug, Default, PartialEq)]
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

/// The records that lead to where the conversation stands: what was undone is not among them.
pub fn path(records: &[Record]) -> Vec<&Record> {
    let mut path = Vec::new();
    let mut rest = records;
    while let Some((last, before)) = rest.split_last() {
        rest = before;
        match &last.entry {
            Entry::HeadMoved { to, .. } => {
                // A record that is missing from a damaged log was the end of what is there before it.
                let end = before.partition_point(|record| record.seq <= *to);
                rest = &before[..end];
            }
            _ => path.push(last),
        }
    }
    path.reverse();
    path
}

impl History {
    pub fn of(records: &[Record]) -> Self {
        let mut history = Self::default();
        for record in path(records) {
            history.apply(record.turn, &record.entry);
        }
        history
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The last whole or interrupted reply's raw text.
    pub fn last_reply(&self) -> &str {
        let last = self.messages.iter().rev().find(|message| message.role == Role::Assistant);
        last.map_or("", |message| if message.content == NO_REPLY { "" } else { &message.content })
    }

    /// The last reply as an unbroken one would have it, from behind what was done before its rest was asked for.
    pub fn reply(&self) -> &Joined {
        &self.reply
    }

    /// Its text.
    pub fn reply_text(&self) -> &str {
        self.reply.text(self.last_reply())
    }

    /// What was being written where the log ends; nothing where all of it is known to be done.
    pub fn changing(&self) -> &[FileChanging] {
        &self.changing
    }

    /// The file of which one change was asked for by line numbers.
    pub fn lines_of(&self) -> Option<&str> {
        self.lines_of.as_deref()
    }

    /// Nothing was said since the conversation was summed up.
    pub fn is_summed_up(&self) -> bool {
        self.summed_up
    }

    /// The last reply was cut, and its rest was not asked for yet.
    pub fn waits_for_its_rest(&self) -> bool {
        matches!(self.state, State::Replied(_) | State::Acted)
            && matches!(self.finish, Some(Finish::Length | Finish::BrokenOff | Finish::Interrupted))
    }

    /// What the model knows of the files.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    pub fn done(&self) -> &Done {
        &self.done
    }

    /// The text that answers the reply before; `None` where there is nothing to tell.
    pub fn feedback(&self) -> Option<String> {
        let mut pending = self.pending.clone();
        if self.open_run == Some(RunSource::Model) {
            pending.outcomes.push(LOST_RUN.to_owned());
        }
        (!pending.is_empty()).then(|| pending.take())
    }

    /// The user has said something.
    pub fn has_message(&self) -> bool {
        self.messages.iter().any(|message| message.role == Role::User)
    }

    pub fn system_prompt(&self) -> Option<&str> {
        self.messages.first().filter(|message| message.role == Role::System).map(|message| message.content.as_str())
    }

    /// Takes in one record of `turn`.
    pub fn apply(&mut self, turn: u32, entry: &Entry) {
        self.turn = self.turn.max(turn);
        self.seen.apply(entry, self.version);
        self.done.apply(entry);
        match entry {
            Entry::SessionStarted(started) => self.messages.push(Message::new(Role::System, &started.system_prompt)),
            Entry::UserMessage { text } => self.user_message(text),
            Entry::RequestSent { feedback, model, continues, lines_of, .. } => {
                self.lines_of.clone_from(lines_of);
                self.model.clone_from(model);
                self.request_sent(feedback.as_deref(), continues.as_ref());
            }
            Entry::ReplyDelta { kind: DeltaKind::Text | DeltaKind::Tool, text } => {
                self.in_reply = true;
                self.partial.push_str(text);
            }
            Entry::ReplyFinished { reason, usage } => {
                self.usage.add(usage);
                self.reply_finished(*reason);
            }
            Entry::Compacted { summary, keeps, system_prompt, .. } => self.compacted(summary, *keeps, system_prompt),
            Entry::FilesChanging { files } => self.changing.clone_from(files),
            Entry::VersionKept { version, .. } => self.version = Some(*version),
            Entry::TurnFinished { verdict, .. } => self.turn_finished(*verdict),
            Entry::RunStarted { source, run, .. } => self.run_started(*source, *run),
            Entry::RunFinished { run, .. } if self.aside == Some(*run) => self.aside = None,
            Entry::FileAttached { source: AttachedBy::User, text, .. } => self.attached.push(text.clone()),
            Entry::ActionApplied { .. }
            | Entry::ActionRefused { .. }
            | Entry::FileAttached { .. }
            | Entry::RunFinished { .. }
            | Entry::Validated { .. }
            | Entry::Note { .. } => self.outcome(entry),
            Entry::ReplyDelta { kind: DeltaKind::Reasoning, .. }
            | Entry::RequestChanged { .. }
            | Entry::HookRan { .. }
            | Entry::ScriptState { .. }
            | Entry::Retry { .. }
            | Entry::HeadMoved { .. }
            | Entry::SettingChanged { .. }
            | Entry::Renamed { .. }
            | Entry::Error { .. }
            | Entry::SessionEnded { .. }
            | Entry::Unknown(_) => {}
        }
    }

    fn run_started(&mut self, source: RunSource, run: u32) {
        match source {
            RunSource::Model | RunSource::User => self.open_run = Some(source),
            RunSource::Script | RunSource::Validation => self.aside = Some(run),
        }
        if source == RunSource::Model {
            self.acted();
        }
    }

    /// Something that was done for a reply, and what the model is to be told of it.
    fn outcome(&mut self, entry: &Entry) {
        self.changing.clear();
        // What the user or a script runs leaves a reply that was not done yet as it is, and so does what is only said
        // beside one that was cut.
        match (self.open_run, entry) {
            (Some(RunSource::User), _) => {}
            (_, Entry::Note { .. }) if self.finish.is_some_and(|finish| ending_of(finish) == Ending::Cut) => {}
            (_, _) => self.acted(),
        }
        let (list, text) = match entry {
            Entry::ActionRefused { feedback, .. } => (&mut self.pending.refusals, feedback),
            Entry::FileAttached { source: AttachedBy::Model, text, .. } => (&mut self.pending.outcomes, text),
            Entry::RunFinished { feedback, .. } => {
                self.open_run = None;
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
        self.aside = None;
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
        self.lines_of = None;
        self.changing.clear();
        let cut = self.finish.is_some_and(|finish| ending_of(finish) == Ending::Cut);
        let begun = !self.done.applied.is_empty();
        match self.state {
            State::Asked if self.reply.is_going_on().is_some() => self.pending.outcomes.push(CUT.to_owned()),
            State::Replied(Finish::Interrupted) if !begun => self.pending.outcomes.push(INTERRUPTED.to_owned()),
            State::Replied(_) | State::Acted if cut => self.pending.outcomes.push(CUT.to_owned()),
            State::Replied(_) | State::Acted | State::Idle | State::Asked | State::Ended => {}
        }
        self.reply.dropped();
        // What the model was not told before goes in front of the user's words, so that nothing is lost.
        let before = self.feedback();
        self.pending = Pending::default();
        self.open_run = None;
        let attached = std::mem::take(&mut self.attached);
        let pieces: Vec<String> = before.into_iter().chain([text.to_owned()]).chain(attached).collect();
        self.push_user(pieces.join("\n\n"));
        self.state = State::Asked;
    }

    fn request_sent(&mut self, feedback: Option<&str>, continues: Option<&Continues>) {
        if continues.is_none() {
            self.done = Done::default();
            self.usage = Usage::default();
        }
        let mut reply = std::mem::take(&mut self.reply);
        let left_out = reply.asked(continues, self.last_reply());
        self.reply = reply;
        if let Some(last) = self.messages.last_mut().filter(|last| left_out > 0 && last.role == Role::Assistant) {
            let kept = last.content.len().saturating_sub(left_out);
            last.content.truncate(last.content.floor_char_boundary(kept));
        }
        if let Some(feedback) = feedback {
            if continues.is_none() {
                self.pending = Pending::default();
                self.open_run = None;
            }
            self.push_user(feedback.to_owned());
        }
        self.state = State::Asked;
        self.partial.clear();
        self.in_reply = false;
    }

    fn reply_finished(&mut self, reason: Finish) {
        let text = std::mem::take(&mut self.partial);
        self.in_reply = false;
        let goes_on = self.reply.ended(&text, ending_of(reason));
        match self.messages.last_mut() {
            Some(last) if goes_on && last.role == Role::Assistant => last.content.push_str(&text),
            _ if text.is_empty() => self.messages.push(Message::new(Role::Assistant, NO_REPLY)),
            _ => self.messages.push(Message::new(Role::Assistant, text)),
        }
        self.state = State::Replied(reason);
        self.finish = Some(reason);
    }

    fn compacted(&mut self, summary: &str, keeps: u32, system_prompt: &str) {
        let kept = self.messages.len().saturating_sub(usize::try_from(keeps).unwrap_or(usize::MAX)).max(1);
        let tail = self.messages.split_off(kept.min(self.messages.len()));
        self.messages = vec![Message::new(Role::System, system_prompt), Message::new(Role::User, summary)];
        self.summed_up = true;
        for message in tail {
            match message.role {
                Role::User => self.push_user(message.content),
                Role::Assistant | Role::System => self.messages.push(message),
            }
        }
    }

    fn push_user(&mut self, text: String) {
        // What the summary stands before is one message with it.
        if let [_, summary] = self.messages.as_mut_slice()
            && std::mem::take(&mut self.summed_up)
        {
            summary.content.push_str("\n\n");
            summary.content.push_str(&text);
            return;
        }
        if self.messages.last().is_some_and(|last| last.role == Role::User) {
            self.messages.push(Message::new(Role::Assistant, NO_REPLY));
        }
        self.messages.push(Message::new(Role::User, text));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::{History, State};
    use crate::base::ids::SessionId;
    use crate::base::message::{Message, Role};
    use crate::base::usage::Usage;
    use crate::session::record::{
        ActionKind, AttachedBy, DeltaKind, Entry, Finish, RunSource, Started, ValidationOutcome, Verdict,
    };

    fn started() -> Entry {
        Entry::SessionStarted(Started {
            session: SessionId::generate(),
            workspace: PathBuf::from("/w"),
            program: "faos".to_owned(),
            system_prompt: "Be good.".to_owned(),
            forked_from: None,
        })
    }

    fn user(text: &str) -> Entry {
        Entry::UserMessage { text: text.to_owned() }
    }

    fn delta(text: &str) -> Entry {
        Entry::ReplyDelta { kind: DeltaKind::Text, text: text.to_owned() }
    }

    fn finished(reason: Finish) -> Entry {
        Entry::ReplyFinished { reason, usage: Usage::default() }
    }

    fn sent(feedback: Option<&str>) -> Entry {
        Entry::RequestSent {
            request: 1,
            messages: 2,
            feedback: feedback.map(str::to_owned),
            model: "m".to_owned(),
            continues: None,
            lines_of: None,
        }
    }

    fn refused(feedback: &str) -> Entry {
        let (path, reason) = ("x".to_owned(), "no".to_owned());
        Entry::ActionRefused { kind: ActionKind::Edit, path, reason, feedback: feedback.to_owned(), begun: false }
    }

    fn read(text: &str) -> Entry {
        Entry::FileAttached { path: "x".to_owned(), source: AttachedBy::Model, text: text.to_owned() }
    }

    fn failed(feedback: &str) -> Entry {
        let script = "s".to_owned();
        Entry::Validated { version: 1, outcome: ValidationOutcome::Failed, script, feedback: feedback.to_owned() }
    }

    fn fold(entries: &[Entry]) -> History {
        let mut history = History::default();
        entries.iter().for_each(|entry| history.apply(1, entry));
        history
    }

    fn roles(history: &History) -> Vec<(Role, &str)> {
        history.messages().iter().map(|Message { role, content }| (*role, content.as_str())).collect()
    }

    #[test]
    fn a_reply_goes_back_as_it_came() {
        let history =
            fold(&[started(), user("hello"), sent(None), delta("Hi "), delta("there."), finished(Finish::Stop)]);
        let wanted = [(Role::System, "Be good."), (Role::User, "hello"), (Role::Assistant, "Hi there.")];
        assert_eq!(roles(&history), wanted);
        assert_eq!((history.state, history.feedback()), (State::Replied(Finish::Stop), None));
    }

    #[test]
    fn refusals_come_first_then_outcomes_then_checks() {
        let reply = [started(), user("x"), sent(None), delta("…"), finished(Finish::Stop)];
        let outcomes = [failed("c"), read("b"), refused("a"), refused(""), read("b2")];
        let history = fold(&[reply.as_slice(), &outcomes].concat());
        assert_eq!(history.feedback().as_deref(), Some("a\n\nb\n\nb2\n\nc"));
        assert_eq!(history.state, State::Acted);
    }

    #[test]
    fn what_was_not_told_stands_before_the_next_words() {
        let reply = [started(), user("x"), sent(None), delta("…"), finished(Finish::Stop), refused("a")];
        let end = Entry::TurnFinished { verdict: Verdict::Error, exit_code: 7 };
        let history = fold(&[reply.as_slice(), &[end, user("again")]].concat());
        assert_eq!(roles(&history).last(), Some(&(Role::User, "a\n\nagain")));
        assert_eq!(history.feedback(), None);
    }

    #[test]
    fn roles_alternate_where_a_reply_never_came() {
        let history = fold(&[started(), user("one"), sent(None), user("two")]);
        let wanted =
            [(Role::System, "Be good."), (Role::User, "one"), (Role::Assistant, "(no reply)"), (Role::User, "two")];
        assert_eq!(roles(&history), wanted);
        assert_eq!(history.last_reply(), "");
    }

    #[test]
    fn an_open_run_is_told_of() {
        let run = Entry::RunStarted { run: 1, source: RunSource::Model, command: "true".to_owned() };
        let history = fold(&[started(), user("x"), sent(None), delta("…"), finished(Finish::Stop), run]);
        assert!(history.feedback().is_some_and(|text| text.contains("interrupted before its outcome")));
    }

    #[test]
    fn a_turn_that_was_stopped_stays_open() {
        let open = [started(), user("x"), sent(None), delta("…"), finished(Finish::Interrupted)];
        for (verdict, state) in
            [(Verdict::Interrupted, State::Replied(Finish::Interrupted)), (Verdict::Passed, State::Ended)]
        {
            let end = Entry::TurnFinished { verdict, exit_code: 0 };
            assert_eq!(fold(&[open.as_slice(), &[end]].concat()).state, state, "{verdict:?}");
        }
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            "[a-c]{1,3}".prop_map(|text| user(&text)),
            "[a-c]{1,3}".prop_map(|text| delta(&text)),
            Just(finished(Finish::Stop)),
            Just(finished(Finish::Interrupted)),
            "[a-c]{0,2}".prop_map(|text| refused(&text)),
            "[a-c]{1,2}".prop_map(|text| read(&text)),
            "[a-c]{1,2}".prop_map(|text| failed(&text)),
            Just(sent(None)),
            Just(sent(Some("told"))),
            (0u32..2).prop_map(|keeps| Entry::Compacted {
                summary: "in short".to_owned(),
                up_to: 0,
                keeps,
                system_prompt: "Be better.".to_owned(),
                usage: Usage::default(),
            }),
        ]
    }

    proptest! {
        /// Whatever the log says, messages are only ever appended until a summary takes their place, and user messages
        /// never stand side by side.
        #[test]
        fn messages_only_grow(entries in prop::collection::vec(any_entry(), 0..40)) {
            let mut history = fold(&[started()]);
            for entry in &entries {
                let before = history.messages().to_vec();
                // A summary that was not sent yet is sent with the words that come next.
                let settled = before.len() - usize::from(history.is_summed_up());
                history.apply(1, entry);
                if !matches!(entry, Entry::Compacted { .. }) {
                    prop_assert_eq!(&history.messages()[..settled], &before[..settled]);
                }
            }
            let users = history.messages().windows(2).filter(|pair| pair.iter().all(|m| m.role == Role::User));
            prop_assert_eq!(users.count(), 0);
        }
    }
}
