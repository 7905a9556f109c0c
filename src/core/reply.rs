//! What becomes of a finished reply: its actions, its runs and reads, the validation, and whether the model is asked again.

use std::sync::PoisonError;

use crate::base::path::RelPath;
use crate::core::actions::{Walked, Went};
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::{ActionEvent, ActionOutcome, Event};
use crate::core::history::State;
use crate::core::joined::ending_of;
use crate::core::reading::{self, Reading};
use crate::core::request::Reply;
use crate::core::rest::is_cut;
use crate::core::run::blocking;
use crate::core::tree::Tree;
use crate::core::turn::{Task, Turn, values};
use crate::core::verdict::{Ending, Next, Stopped};
use crate::core::view::ActionKind;
use crate::reply::{Action, Parsed, Parser};
use crate::scripting::{ReplyDecision, ReplyEvent};
use crate::session::record::{AttachedBy, Entry, Finish};
use crate::workspace::FileOp;

const HELD_BACK: &str = "held back, since not all of the reply was applied";

/// What of a reply keeps the request open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// It asked for outcomes, or something was refused, or it was cut.
    More,
    Nothing,
}

impl Conversation {
    pub(super) async fn carry_out(&mut self, turn: &mut Turn, reply: Reply) -> Result<Next, Stopped> {
        let Reply { reasoning, finish, parsed, grew } = reply;
        let Parsed { actions, unnamed, notes, open, .. } = parsed;
        for note in notes {
            self.emit(Event::Notice(note)).await;
        }
        let usage = self.history.usage;
        let event = |text: &str, actions: &[Action]| ReplyEvent {
            text: text.to_owned(),
            reasoning,
            actions: values(actions),
            unnamed: values(&unnamed),
            finish_reason: finish_name(finish).to_owned(),
            usage,
        };
        let Some(actions) = self.shaped_reply(turn, event, actions).await? else { return Ok(Next::Ask) };
        if self.parts.interrupt.token().is_cancelled() {
            return Err(Stopped::Interrupted);
        }
        let walked = self.walk(turn, actions).await?;
        if self.parts.mode == Mode::DryRun {
            return self.only_tell(turn, walked).await;
        }
        if walked.changed_outside {
            // So that a version holds what the model is about to be told of.
            self.keep_version("changed outside").await?;
        }
        let by_lines = self.changed_by_lines().map(str::to_owned);
        let tasks = self.write_files(turn, walked).await?;
        if let Some(path) = by_lines {
            self.note(after_lines(&path));
            turn.cuts = 0;
            return Ok(self.next(turn, Wants::More));
        }
        if is_cut(finish, open.as_ref()) {
            turn.waiting.push(tasks);
            return self.ask_for_the_rest(turn, grew).await;
        }
        let tasks = self.tasks_before(turn).await?.into_iter().chain(tasks).collect();
        self.do_and_check(turn, tasks).await
    }

    /// Runs, reads and validation of a reply whose files are written.
    async fn do_and_check(&mut self, turn: &mut Turn, tasks: Vec<Task>) -> Result<Next, Stopped> {
        turn.cuts = 0;
        let done = self.history.done().clone();
        let mut wants = if done.refused { Wants::More } else { Wants::Nothing };
        for what in self.history.reply().left.clone() {
            // It may have come after all.
            if !done.applied.contains(&what) {
                self.note(format!(
                    "{what}: its block was cut and never finished, so nothing of it was done. Send it whole."
                ));
                wants = Wants::More;
            }
        }
        if self.do_tasks(turn, tasks, wants == Wants::More).await? == Wants::More {
            wants = Wants::More;
        }
        // A half-edited program is neither run nor validated: it gives plausible, wrong answers.
        if !done.refused {
            self.validate(turn).await?;
        }
        // A file that is not there is what a delete asks for: no reason to ask again where all is well.
        if done.already_gone && turn.evidence.validation != Some(true) {
            wants = Wants::More;
        }
        Ok(self.next(turn, wants))
    }

    async fn only_tell(&mut self, turn: &mut Turn, walked: Walked) -> Result<Next, Stopped> {
        self.log_outcomes(turn, walked.outcomes).await?;
        for task in walked.tasks {
            if let Task::Run(script) = task {
                self.run_event(&script, ActionOutcome::Noop, Some("dry run")).await;
            }
        }
        Ok(Next::End(Ending::Done))
    }

    /// Goes on from where the log stops.
    pub(super) async fn go_on(&mut self, turn: &mut Turn) -> Result<Next, Stopped> {
        match self.history.state {
            State::Idle | State::Ended => Ok(Next::End(Ending::Done)),
            State::Asked => Ok(Next::Ask),
            State::Replied(finish) => self.take_up(turn, finish).await,
            State::Acted => {
                self.settle_version(turn).await?;
                self.go_on_acting(turn).await
            }
        }
    }

    /// The program ended when something of the last reply was done, and perhaps not all.
    async fn go_on_acting(&mut self, turn: &mut Turn) -> Result<Next, Stopped> {
        let Some(finish) = self.history.finish else { return Ok(Next::Ask) };
        if let Some(path) = self.changed_by_lines() {
            self.note(after_lines(path));
            return Ok(Next::Ask);
        }
        let parsed = self.parsed(finish);
        if is_cut(finish, parsed.open.as_ref()) {
            return self.ask_for_the_rest(turn, true).await;
        }
        let tasks = self.tasks_before(turn).await?.into_iter().chain(self.reshaped(turn, parsed.actions).await?);
        let tasks: Vec<Task> = tasks.skip(self.history.done().tasks).collect();
        if tasks.is_empty() && self.history.feedback().is_some() {
            return Ok(Next::Ask);
        }
        self.do_and_check(turn, tasks).await
    }

    /// The user says something else before all of the last reply was done.
    pub(super) fn tell_of_what_was_not_begun(&mut self) {
        let (State::Acted, Some(finish)) = (self.history.state, self.history.finish) else { return };
        if ending_of(finish) == crate::reply::Ending::Cut {
            return;
        }
        let before = self.history.reply().done.iter().flat_map(|text| tasks_of(self.actions_in(text))).count();
        let all = before + tasks_of(self.parsed(finish).actions).len();
        if all > self.history.done().tasks && !self.history.done().refused {
            self.note(
                "Not all runs and reads of your last reply were begun. Send them again if they are needed.".to_owned(),
            );
        }
    }

    /// Whether something waits for the reply to be whole.
    pub(super) fn waits_for_the_end(&self) -> bool {
        let done = self.history.reply().done.iter().any(|text| !tasks_of(self.actions_in(text)).is_empty());
        let text = self.history.reply_text();
        done || self.history.finish.is_some_and(|finish| {
            let parsed = self.parsed(finish);
            !tasks_of(self.actions_in(text.get(..parsed.whole_until).unwrap_or_default())).is_empty()
        })
    }

    /// Runs and reads of what was done before the rest of the reply came.
    async fn tasks_before(&mut self, turn: &mut Turn) -> Result<Vec<Task>, Stopped> {
        let waiting = std::mem::take(&mut turn.waiting);
        let texts = self.history.reply().done.clone();
        let mut tasks = Vec::new();
        // What an earlier process has done stands in the log alone.
        for text in &texts[..texts.len().saturating_sub(waiting.len())] {
            tasks.extend(self.reshaped(turn, self.actions_in(text)).await?);
        }
        tasks.extend(waiting.into_iter().flatten());
        Ok(tasks)
    }

    fn actions_in(&self, text: &str) -> Vec<Action> {
        let tree = Tree::new(&self.parts.workspace);
        let mut parser = Parser::new();
        parser.push(text, &tree);
        parser.finish(crate::reply::Ending::Whole, &tree).actions
    }

    /// The runs and reads among these actions, as `on_reply` leaves them.
    async fn reshaped(&mut self, turn: &mut Turn, actions: Vec<Action>) -> Result<Vec<Task>, Stopped> {
        let actions: Vec<Action> =
            actions.into_iter().filter(|action| matches!(action, Action::Run { .. } | Action::Read { .. })).collect();
        if actions.is_empty() {
            return Ok(Vec::new());
        }
        let usage = self.history.usage;
        let event = |text: &str, actions: &[Action]| ReplyEvent {
            text: text.to_owned(),
            reasoning: String::new(),
            actions: values(actions),
            unnamed: Vec::new(),
            finish_reason: finish_name(Finish::Stop).to_owned(),
            usage,
        };
        Ok(tasks_of(self.shaped_reply(turn, event, actions).await?.unwrap_or_default()))
    }

    /// The last reply, read again.
    pub(super) fn parsed(&self, finish: Finish) -> Parsed {
        let (tree, reply) = (Tree::new(&self.parts.workspace), self.history.reply());
        let text = self.history.reply_text();
        if let Some(parsed) = self.history.lines_of().and_then(|path| self.parsed_by_lines(path, text)) {
            return parsed;
        }
        let mut parser = Parser::going_on(reply.last_edited.clone());
        parser.push(text, &tree);
        parser.finish(ending_of(finish), &tree)
    }

    /// Takes up a reply that was in the log, whole or interrupted, when the session was opened again.
    pub(super) async fn take_up(&mut self, turn: &mut Turn, finish: Finish) -> Result<Next, Stopped> {
        self.settle_version(turn).await?;
        self.mend().await?;
        turn.replied = true;
        let reply = Reply { reasoning: String::new(), finish, parsed: self.parsed(finish), grew: true };
        self.carry_out(turn, reply).await
    }

    fn next(&self, turn: &mut Turn, wants: Wants) -> Next {
        let failed = turn.evidence.validation == Some(false);
        match (failed, wants) {
            (false, Wants::Nothing) => Next::End(Ending::Done),
            (false, Wants::More) => Next::Ask,
            (true, wants) => {
                if turn.repairs < self.parts.limits.max_repairs {
                    turn.repairs += 1;
                    return Next::Ask;
                }
                if wants == Wants::More { Next::Ask } else { Next::End(Ending::GivenUp) }
            }
        }
    }

    /// The actions as `on_reply` leaves them; `None` where it wants another reply.
    async fn shaped_reply(
        &mut self,
        turn: &mut Turn,
        event: impl FnOnce(&str, &[Action]) -> ReplyEvent,
        actions: Vec<Action>,
    ) -> Result<Option<Vec<Action>>, Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(Some(actions)) };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let event = event(self.history.reply_text(), &actions);
        let before = event.actions.clone();
        let hooked = scripts.on_reply(&at, event, self.host(), &token).await?;
        match self.hooked(hooked).await {
            ReplyDecision::Go { actions: after } if after == before => Ok(Some(actions)),
            ReplyDecision::Go { actions: after } => {
                let decoded: Result<Vec<Action>, _> = after.into_iter().map(serde_json::from_value).collect();
                match decoded {
                    Ok(actions) => Ok(Some(actions)),
                    Err(error) => {
                        // `on_reply` is an observer: what it breaks is shown, and the reply counts as it was.
                        let text =
                            format!("a script gave an action that is none ({error}); the reply counts as written");
                        self.emit(Event::Notice(text)).await;
                        Ok(Some(actions))
                    }
                }
            }
            ReplyDecision::Retry { feedback, .. } => {
                self.note(feedback);
                Ok(None)
            }
            ReplyDecision::Stop { script, why } => Err(Stopped::Denied(format!("{why} (`{script}`)"))),
        }
    }

    /// Gives what is to be done after it.
    async fn write_files(&mut self, turn: &mut Turn, walked: Walked) -> Result<Vec<Task>, Stopped> {
        let Walked { steps, files, outcomes, tasks, told, .. } = walked;
        let changed = outcomes.iter().any(|outcome| matches!(outcome.result, Went::Applied { .. }));
        if !steps.is_empty() {
            self.keep_before(&files).await?;
            self.files_are_changing(files).await?;
            let (workspace, versions) = (self.parts.workspace.clone(), self.parts.versions.clone());
            let written: Vec<RelPath> = steps.iter().filter_map(written_by).cloned().collect();
            blocking(move || workspace.apply(&steps)).await??;
            // What the model writes can be taken back, ignored or not.
            versions.lock().unwrap_or_else(PoisonError::into_inner).adopt(written);
        }
        self.log_outcomes(turn, outcomes).await?;
        told.into_iter().for_each(|text| self.note(text));
        if changed {
            self.keep_version(&format!("reply {} of message {}", turn.calls, self.history.turn)).await?;
        }
        Ok(tasks)
    }

    /// Runs and reads, in the reply's order. Runs are held back after a refusal.
    async fn do_tasks(&mut self, turn: &mut Turn, tasks: Vec<Task>, hold_back: bool) -> Result<Wants, Stopped> {
        let mut wants = Wants::Nothing;
        // The model counts its own, also where another process has begun with them.
        let mut number = self.history.done().runs;
        let mut told = false;
        for task in tasks {
            match task {
                Task::Run(script) if hold_back && self.parts.mode == Mode::Work => {
                    self.run_event(&script, ActionOutcome::Refused, Some(HELD_BACK)).await;
                    if !std::mem::replace(&mut told, true) {
                        self.note(format!("run: {HELD_BACK}. Send the run block again when it is."));
                    }
                }
                Task::Run(script) => {
                    number += 1;
                    if self.parts.mode == Mode::Work {
                        wants = Wants::More;
                    }
                    self.run_block(turn, number, &script).await?;
                }
                Task::Read(what) => {
                    wants = Wants::More;
                    self.read(turn, &what).await?;
                }
            }
        }
        Ok(wants)
    }

    pub(super) async fn run_event(&self, script: &str, outcome: ActionOutcome, reason: Option<&str>) {
        let path = script.lines().next().unwrap_or_default().to_owned();
        let (kind, reason) = (ActionKind::Run, reason.map(str::to_owned));
        self.emit(Event::Action(ActionEvent { kind, path, outcome, reason, diff: None, lines: None })).await;
    }

    async fn read(&mut self, turn: &mut Turn, what: &str) -> Result<(), Stopped> {
        self.keep_before_it_is_shown(what).await?;
        let workspace = self.parts.workspace.clone();
        let name = what.to_owned();
        let (outcome, reason) = match blocking(move || reading::read(&workspace, &name)).await? {
            Reading::Shown(text) => {
                self.record(Entry::FileAttached { path: what.to_owned(), source: AttachedBy::Model, text });
                (ActionOutcome::Applied, None)
            }
            Reading::Refused(feedback) => {
                turn.repeats.note("the same refused read", &feedback);
                let reason = feedback.split_once(": ").map_or(feedback.as_str(), |(_, why)| why).to_owned();
                let (kind, path) = (ActionKind::Read, what.to_owned());
                self.record(Entry::ActionRefused { kind, path, reason: reason.clone(), feedback, begun: true });
                (ActionOutcome::Refused, Some(reason))
            }
        };
        let (kind, path) = (ActionKind::Read, what.to_owned());
        self.emit(Event::Action(ActionEvent { kind, path, outcome, reason, diff: None, lines: None })).await;
        Ok(())
    }
}

fn after_lines(path: &str) -> String {
    // One change is seldom all, and runs were held back for it.
    format!("{path}: go on with what is still missing, and with the runs that waited.")
}

fn tasks_of(actions: Vec<Action>) -> Vec<Task> {
    let task = |action| match action {
        Action::Run { script } => Some(Task::Run(script)),
        Action::Read { what } => Some(Task::Read(what)),
        _ => None,
    };
    actions.into_iter().filter_map(task).collect()
}

fn written_by(step: &FileOp) -> Option<&RelPath> {
    match step {
        FileOp::Write { path, .. } | FileOp::Put { path, .. } | FileOp::Link { path, .. } => Some(path),
        FileOp::Move { to, .. } => Some(to),
        FileOp::Delete { .. } => None,
    }
}

fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Interrupted => "interrupted",
        Finish::BrokenOff => "broken_off",
    }
}
