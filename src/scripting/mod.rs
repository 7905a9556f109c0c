//! Rhai hooks: the program's policy in the user's hands.
//!
//! Invariant: a script can slow nothing and hide nothing. One engine runs on a thread of its own; every call has a
//! budget, and one that cannot be stopped is given up together with its thread. A gate that breaks denies, an observer
//! that breaks is passed over, and either way the call is told. What a decision does is core's part, as is trust.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use chain::Chain;
use ledger::Ledger;
use set::Set;
use worker::Worker;

mod answer;
mod around;
mod chain;
mod chains;
mod commands;
mod definitions;
mod engine;
mod event;
mod functions;
mod handler;
mod ledger;
mod location;
mod meter;
mod plain;
mod reference;
mod request;
mod sample;
mod set;
mod text;
mod worker;
mod world;

#[cfg(test)]
mod tests;

pub use commands::{Command, is_taken};
pub use definitions::definitions;
pub use event::{
    Changed, CommandDecision, Context, FileWrite, HookRun, Hooked, Opinion, Params, PromptDecision, PromptEvent,
    ReplyDecision, ReplyEvent, RequestDecision, RequestEvent, RunDecision, RunEvent, RunRequest, RunResult,
    RunResultDecision, SessionEnd, SessionStart, Setting, TurnEnd, TurnEndDecision, Validation, WriteDecision,
};
pub use ledger::Tally;
pub use reference::reference;
pub use set::{Loaded, Source, built_in, in_use};

/// Script time of one call where nothing else is asked for.
const BUDGET: Duration = Duration::from_millis(250);

/// Where scripts come from; built-in ones stand before all folders, and a later file of the same name replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub user: Option<PathBuf>,
    /// `None` where the project has none or they are not trusted.
    pub project: Option<PathBuf>,
    /// The project's files that the user has let in, by name (`lib/words.rhai`), with their SHA-256; `None`: whatever they
    /// are, this once.
    pub trusted: Option<BTreeMap<String, String>>,
    /// Script time of one call; host calls have their own limits.
    pub budget: Option<Duration>,
}

#[derive(Debug, Error)]
pub enum ScriptError {
    /// File, line and column, and what is wrong.
    #[error("{0}")]
    Load(String),
    #[error("the scripting thread is gone: {0}")]
    Gone(String),
    /// The work was stopped while a script was asked: there is no decision.
    #[error("interrupted")]
    Cancelled,
}

/// Every script compiled, one by one: those that can be asked, in order, and a line for each file that is faulty.
pub fn check(options: &Options) -> Result<(Vec<Loaded>, Vec<String>), ScriptError> {
    check_with(options, |_, _| Vec::new())
}

/// The same, with every handler called once; then also a line for each that cannot work.
pub fn try_out(options: &Options) -> Result<(Vec<Loaded>, Vec<String>), ScriptError> {
    check_with(options, sample::faults)
}

fn check_with(
    options: &Options,
    more: fn(&worker::Bench, &Set) -> Vec<String>,
) -> Result<(Vec<Loaded>, Vec<String>), ScriptError> {
    let files = set::read(options)?;
    let worker = Worker::start(options.budget.unwrap_or(BUDGET))?;
    worker.wait_for(move |bench| {
        let (set, mut faults) = Set::compile_sound(bench, files);
        faults.extend(more(bench, &set));
        (set.list(), faults)
    })
}

/// What a script may do to the world. Core implements it; calls arrive on the engine's thread and may block.
pub trait Host: Send {
    fn read(&mut self, path: &str) -> Result<String, String>;
    fn write(&mut self, path: &str, content: &str) -> Result<(), String>;
    fn exists(&mut self, path: &str) -> bool;
    /// Versioned files that the glob matches, sorted.
    fn list(&mut self, glob: &str) -> Result<Vec<String>, String>;
    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String>;
    fn ask(&mut self, question: &str) -> bool;
    /// A line for the user.
    fn say(&mut self, level: Level, text: &str);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
    Notify,
}

type Call<T> = Result<Hooked<T>, ScriptError>;

/// The loaded scripts. All calls go to one engine thread, one after the other.
pub struct Scripts {
    options: Options,
    set: Mutex<Arc<Set>>,
    ledger: Arc<Ledger>,
    /// Held through a call: calls are strictly one after the other. A thread that was given up is replaced under it.
    worker: tokio::sync::Mutex<Worker>,
}

impl Scripts {
    /// Compiles every script; one that does not compile is an error that names file, line and column.
    pub fn load(options: &Options) -> Result<Self, ScriptError> {
        let worker = Worker::start(options.budget.unwrap_or(BUDGET))?;
        let files = set::read(options)?;
        let set = worker.wait_for(move |bench| Set::compile(bench, files))??;
        Ok(Self {
            options: options.clone(),
            set: Mutex::new(Arc::new(set)),
            ledger: Arc::default(),
            worker: tokio::sync::Mutex::new(worker),
        })
    }

    /// The scripts in the order in which they are asked.
    pub fn list(&self) -> Vec<Loaded> {
        self.current().list()
    }

    /// The slash commands that they add, by name.
    pub fn commands(&self) -> Vec<Command> {
        let off = self.ledger.off();
        self.current().commands().into_iter().filter(|command| !off.contains(&command.script)).collect()
    }

    /// Whether a script handles the event of that name.
    pub fn handles(&self, event: &str) -> bool {
        let set = self.current();
        handler::Event::named(event, 1).is_ok_and(|event| event.is_some_and(|event| set.handles(event)))
    }

    /// What the script's handlers did so far.
    pub fn tallies(&self, script: &str) -> Vec<Tally> {
        self.ledger.tallies(script)
    }

    /// Labels of the scripts that are not asked.
    pub fn off(&self) -> Vec<String> {
        self.ledger.off().iter().cloned().collect()
    }

    /// From now on only the other ones are asked.
    pub fn switch_off(&self, scripts: impl IntoIterator<Item = String>) {
        *self.ledger.off() = scripts.into_iter().collect();
    }

    /// Compiles again what changed since, and says whether anything has; the old set stays where that fails.
    pub async fn reload(&self) -> Result<bool, ScriptError> {
        let files = set::read(&self.options)?;
        if self.current().is_of(&files) {
            return Ok(false);
        }
        let worker = self.worker().await?;
        let compiled = worker
            .call(&CancellationToken::new(), move |bench| Set::compile(bench, files))
            .await
            .map_err(|lost| ScriptError::Gone(lost.to_string()))??;
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(compiled);
        Ok(true)
    }

    /// Each script's `this`, to be kept in the session.
    pub async fn state(&self) -> Result<Vec<(String, Value)>, ScriptError> {
        let state = self.ledger.state();
        Ok(state.iter().map(|(script, value)| (script.clone(), value.clone())).collect())
    }

    pub async fn restore(&self, state: Vec<(String, Value)>) -> Result<(), ScriptError> {
        *self.ledger.state() = state.into_iter().collect();
        Ok(())
    }

    pub async fn on_prompt(
        &self,
        at: &Setting,
        event: PromptEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<PromptDecision> {
        self.ask(at, chains::Prompt::new(event), host, cancel).await
    }

    pub async fn on_reply(
        &self,
        at: &Setting,
        reply: ReplyEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<ReplyDecision> {
        self.ask(at, chains::Reply::new(reply), host, cancel).await
    }

    pub async fn on_file_write(
        &self,
        at: &Setting,
        write: FileWrite,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<WriteDecision> {
        self.ask(at, chains::Write::new(write), host, cancel).await
    }

    /// Every validator is asked; runs that one asks for are made through the host, which is on the scratch copy.
    #[expect(clippy::too_many_arguments, reason = "the event's two lists, and what every event takes")]
    pub async fn on_validate(
        &self,
        at: &Setting,
        files_changed: Vec<Value>,
        files: Vec<String>,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<Vec<Validation>> {
        self.ask(at, chains::Validate::new(files_changed, files), host, cancel).await
    }

    pub async fn on_run(
        &self,
        at: &Setting,
        run: RunEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<RunDecision> {
        self.ask(at, chains::Run::new(run), host, cancel).await
    }

    pub async fn on_run_result(
        &self,
        at: &Setting,
        result: RunResult,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<RunResultDecision> {
        self.ask(at, chains::Outcome::new(result), host, cancel).await
    }

    pub async fn on_turn_end(
        &self,
        at: &Setting,
        end: TurnEnd,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<TurnEndDecision> {
        self.ask(at, chains::End::new(end), host, cancel).await
    }

    pub async fn on_session_start(
        &self,
        at: &Setting,
        start: SessionStart,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<Vec<Context>> {
        let scripts = self.list().into_iter().map(|script| script.label).collect();
        self.ask(at, around::Start::new(start, scripts), host, cancel).await
    }

    pub async fn on_request(
        &self,
        at: &Setting,
        request: RequestEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<RequestDecision> {
        self.ask(at, request::Request::new(request), host, cancel).await
    }

    /// Asks the script that has the command, with what was typed behind it.
    pub async fn on_command(
        &self,
        at: &Setting,
        (command, text): (&Command, &str),
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<CommandDecision> {
        self.ask(at, around::Command::new(&command.script, &command.name, text), host, cancel).await
    }

    pub async fn on_session_end(
        &self,
        at: &Setting,
        end: SessionEnd,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<()> {
        self.ask(at, around::End::new(end), host, cancel).await
    }

    async fn ask<C: Chain>(
        &self,
        at: &Setting,
        chain: C,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<C::Decision> {
        let set = self.current();
        if !set.handles(C::EVENT) {
            return Ok(Hooked { decision: chain.decide(), hooks: Vec::new() });
        }
        tracing::debug!(event = C::EVENT.name(), "scripts asked");
        let worker = self.worker().await?;
        let (at, ledger, spare) = (at.clone(), Arc::clone(&self.ledger), chain.clone());
        let called = worker.call(cancel, move |bench| chain::ask(bench, &set, &ledger, (&at, host), chain)).await;
        if cancel.is_cancelled() {
            // A script that was stopped has neither denied anything nor failed.
            return Err(ScriptError::Cancelled);
        }
        match called {
            Ok(hooked) => Ok(hooked),
            Err(lost) => Ok(chain::lost(spare, &worker.at_work(), &lost.to_string())),
        }
    }

    /// The engine's thread, a new one where the last was given up.
    async fn worker(&self) -> Result<tokio::sync::MutexGuard<'_, Worker>, ScriptError> {
        let mut worker = self.worker.lock().await;
        if worker.is_spent() {
            *worker = Worker::start(self.options.budget.unwrap_or(BUDGET))?;
        }
        Ok(worker)
    }

    fn current(&self) -> Arc<Set> {
        Arc::clone(&self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
