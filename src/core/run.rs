//! One run, whoever asked for it: its folder, its records, its report, and the version that it left behind.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::fs;
use crate::base::printable::Printable;
use crate::base::report::{Network, RunReport};
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::{ActionOutcome, Event};
use crate::core::feedback;
use crate::core::limits::{as_map, tightened};
use crate::core::op::Told;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::core::view::RunSource;
use crate::sandbox::{Chunk, Limits, Sandbox, Spec, View};
use crate::scripting::{RunDecision, RunEvent, RunResult, RunResultDecision};
use crate::session::Session;
use crate::session::record::Entry;
use crate::workspace::{Version, Versions, Workspace};

/// Everything a run needs; used from the conversation and, by scripts, from the engine's thread.
#[derive(Clone)]
pub struct Runner {
    pub session: Arc<Session>,
    pub sandbox: Arc<Sandbox>,
    pub workspace: Workspace,
    pub versions: Arc<Mutex<Versions>>,
    pub limits: Limits,
    pub network: Network,
    pub cancel: CancellationToken,
    pub events: mpsc::Sender<Event>,
    pub turn: u32,
}

pub struct Order<'a> {
    pub source: RunSource,
    pub command: &'a str,
    pub stdin: &'a [u8],
    pub limits: Limits,
}

/// A run that is about to be.
pub struct Begun {
    number: u32,
    folder: PathBuf,
}

impl Begun {
    fn record(&self, source: RunSource, command: &str) -> Entry {
        Entry::RunStarted { run: self.number, source, command: command.to_owned() }
    }
}

pub struct Ran {
    pub number: u32,
    pub source: RunSource,
    pub report: RunReport,
    pub stdout: String,
    pub stderr: String,
    /// What it left in the workspace, where that is something.
    pub version: Option<Version>,
}

impl Runner {
    /// Makes the run's folder. It has begun once there is a record of it, which is the caller's to make.
    pub fn begin(&self) -> Result<Begun, Stopped> {
        let (number, folder) = self.session.new_run()?;
        Ok(Begun { number, folder })
    }

    /// A script's run, with its records.
    pub fn run_for_script(&self, order: &Order<'_>) -> Result<Ran, Stopped> {
        let begun = self.begin()?;
        self.session.append(self.turn, begun.record(order.source, order.command));
        let ran = self.run(&begun, order)?;
        let report = Box::new(ran.report.clone());
        self.session.append(self.turn, Entry::RunFinished { run: ran.number, report, feedback: String::new() });
        Ok(ran)
    }

    /// Blocks until the run has ended. A validation's is on a scratch copy and is not shown live.
    pub fn run(&self, begun: &Begun, order: &Order<'_>) -> Result<Ran, Stopped> {
        let Begun { number, folder } = begun;
        let number = *number;
        let scratch = order.source == RunSource::Validation;
        let cache = self.cache("builds")?;
        let packages = self.packages()?;
        let protected = if scratch { Vec::new() } else { self.workspace.protected()? };
        // What the user types is meant as at a shell's prompt; a model's script stops at its first fault.
        let lenient = format!("set +e +o pipefail\n{}", order.command);
        let spec = Spec {
            script: if order.source == RunSource::User { &lenient } else { order.command },
            stdin: order.stdin,
            workspace: self.workspace.root(),
            view: if scratch { View::Scratch { cache: &cache } } else { View::Direct },
            protected: &protected,
            output: Some(folder),
            limits: &order.limits,
            network: self.network,
            packages: packages.as_deref(),
        };
        let mut filters = [Printable::default(), Printable::default()];
        let mut live = |chunk: &Chunk<'_>| {
            if !scratch {
                self.show(number, chunk, &mut filters);
            }
        };
        if scratch {
            self.tell(Event::Checking(order.command.to_owned()));
        } else {
            self.tell(Event::RunStarted { run: number, source: order.source, command: order.command.to_owned() });
        }
        let finished = self.sandbox.run(&spec, &self.cancel, &mut live)?;
        let mut report = RunReport { command: order.command.to_owned(), ..finished.report };
        let version = if scratch { None } else { self.keep_version(number)? };
        if let Some(version) = &version {
            report.files_changed.clone_from(&version.changes);
        }
        self.session.keep_report(number, &report)?;
        Ok(Ran { number, source: order.source, report, stdout: finished.stdout, stderr: finished.stderr, version })
    }

    /// Where packages are kept that were fetched; made for a run that may fetch some.
    fn packages(&self) -> Result<Option<PathBuf>, Stopped> {
        if self.network == Network::Full {
            return self.cache("packages").map(Some);
        }
        let folder = self.session.folder().join("cache/packages");
        Ok(fs::exists(&folder).then_some(folder))
    }

    fn cache(&self, name: &str) -> Result<PathBuf, Stopped> {
        let folder = self.session.folder().join("cache").join(name);
        fs::make_folders(&folder).map_err(|error| Stopped::Internal(error.to_string()))?;
        Ok(folder)
    }

    fn keep_version(&self, run: u32) -> Result<Option<Version>, Stopped> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(versions.keep(&self.workspace, &format!("run {run}"))?)
    }

    fn show(&self, run: u32, chunk: &Chunk<'_>, filters: &mut [Printable; 2]) {
        let Chunk { stream, seq, at_s, bytes } = *chunk;
        let mut text = String::new();
        filters[stream as usize].push_bytes(bytes, &mut text);
        self.tell(Event::RunOutput { run, stream, seq, at_s, text });
    }

    fn tell(&self, event: Event) {
        // A front end that is gone is noticed by the conversation itself.
        let _ = self.events.blocking_send(event);
    }
}

/// What `on_run` says.
enum Allowed {
    Yes { command: String, limits: Limits },
    No { by: String, why: String },
}

impl Conversation {
    /// Runs a `run` block; `number` is its place in the reply, which is what the model calls it.
    pub(super) async fn run_block(&mut self, turn: &mut Turn, number: u32, script: &str) -> Result<(), Stopped> {
        let Some(runner) = self.runner().filter(|_| self.parts.mode == Mode::Work) else {
            self.run_event(script, ActionOutcome::Noop, Some("switched off")).await;
            self.note(format!("run {number}: switched off"));
            return Ok(());
        };
        let (command, limits) = match self.allowed(turn, RunSource::Model, script).await? {
            Allowed::Yes { command, limits } => (command, limits),
            Allowed::No { by, why } => {
                self.run_event(script, ActionOutcome::Refused, Some(&why)).await;
                self.note(format!("run {number}: not run, denied by `{by}`: {why}"));
                return Ok(());
            }
        };
        self.run_event(&command, ActionOutcome::Applied, None).await;
        let ran = self.execute(runner, RunSource::Model, command, limits).await?;
        let body = self.shaped(turn, &ran).await?;
        let outcome = feedback::run_outcome(number, &ran.report, &body);
        if self.parts.interrupt.token().is_cancelled() {
            self.finished(turn, ran, outcome).await?;
            return Err(Stopped::Interrupted);
        }
        if !ran.report.succeeded() {
            turn.repeats.note("the same failing run", (&ran.report.command, ran.report.exit.code, &body));
        }
        self.finished(turn, ran, outcome).await
    }

    /// Runs a script of the user's; an empty one is filled in by the scripts.
    /// With a network of its own it is asked about first.
    pub(super) async fn user_run(&mut self, script: &str, told: Told, network: Option<Network>) -> Result<(), Stopped> {
        let Some(mut runner) = self.runner() else {
            self.emit(Event::Notice("runs are switched off".to_owned())).await;
            return Ok(());
        };
        if let Some(network) = network {
            if !self.may_use_the_network(script).await? {
                self.emit(Event::Notice("not run: it was not allowed".to_owned())).await;
                return Ok(());
            }
            runner.network = network;
        }
        let mut turn = Turn::default();
        self.keep_version("before the run").await?;
        let (command, limits) = match self.allowed(&mut turn, RunSource::User, script).await? {
            Allowed::Yes { command, limits } if !command.trim().is_empty() => (command, limits),
            Allowed::Yes { .. } => {
                self.emit(Event::Notice("no script says how this project is run; name a command".to_owned())).await;
                return Ok(());
            }
            Allowed::No { by, why } => {
                self.emit(Event::Notice(format!("not run: {why} (`{by}`)"))).await;
                return Ok(());
            }
        };
        let ran = self.execute(runner, RunSource::User, command, limits).await?;
        let feedback = match told {
            Told::Model => {
                let body = self.shaped(&mut turn, &ran).await?;
                feedback::user_run_outcome(&ran.report, &body)
            }
            Told::UserAlone => String::new(),
        };
        self.finished(&mut turn, ran, feedback).await
    }

    /// The user's word; where nobody can be asked it is no.
    async fn may_use_the_network(&mut self, script: &str) -> Result<bool, Stopped> {
        let Some(answers) = self.parts.answers.clone() else { return Ok(false) };
        self.emit(Event::Question(format!("run `{script}` once with the network? It may send what it reads"))).await;
        blocking(move || answers.wait()).await
    }

    /// What `on_run` makes of the command.
    async fn allowed(&mut self, turn: &mut Turn, source: RunSource, script: &str) -> Result<Allowed, Stopped> {
        let limits = self.parts.limits.run.clone();
        let Some(scripts) = &self.parts.scripts else {
            return Ok(Allowed::Yes { command: script.to_owned(), limits });
        };
        let event = RunEvent {
            command: script.to_owned(),
            source: if source == RunSource::User { "user" } else { "model" }.to_owned(),
            cwd: self.parts.workspace.root().display().to_string(),
            limits: as_map(&limits),
        };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_run(&at, event, self.host(), &token).await?;
        Ok(match self.hooked(hooked).await {
            RunDecision::Go { command, limits: by } => {
                let limits = tightened(&limits, &by).map_err(Stopped::Internal)?;
                Allowed::Yes { command, limits }
            }
            RunDecision::Denied { script: by, why } => Allowed::No { by, why },
        })
    }

    /// The outcome's body as `on_run_result` wants it shown.
    async fn shaped(&mut self, turn: &mut Turn, ran: &Ran) -> Result<String, Stopped> {
        let plain = feedback::streams(&ran.stdout, &ran.stderr);
        // Once the work is stopped no script is asked, and the model still has to know what came of the run.
        let stopped = self.parts.interrupt.token().is_cancelled();
        let Some(scripts) = self.parts.scripts.as_ref().filter(|_| !stopped) else { return Ok(plain) };
        let result = RunResult {
            cmd: ran.report.command.clone(),
            report: ran.report.clone(),
            stdout: crate::base::printable::printable(&ran.stdout),
            stderr: crate::base::printable::printable(&ran.stderr),
        };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_run_result(&at, result, self.host(), &token).await?;
        match self.hooked(hooked).await {
            RunResultDecision::Go { feedback } => Ok(feedback.unwrap_or(plain)),
            RunResultDecision::Stop { script, why } => Err(Stopped::Denied(format!("{why} (`{script}`)"))),
        }
    }

    async fn finished(&mut self, turn: &mut Turn, ran: Ran, feedback: String) -> Result<(), Stopped> {
        let Ran { number, source, report, version, .. } = ran;
        turn.evidence.last_run = Some(report.succeeded());
        turn.runs.push(report.clone());
        self.record(Entry::RunFinished { run: number, report: Box::new(report.clone()), feedback });
        if !report.quarantined.is_empty() {
            let (made, folder) = (report.quarantined.join("`, `"), self.parts.session.folder().display());
            let kept = format!("{folder}/runs/{number:04}/quarantine");
            self.emit(Event::Notice(format!(
                "the run made `{made}`: moved to `{kept}`, as programs obey what it says"
            )))
            .await;
        }
        self.version_kept(version, &format!("run {number}")).await?;
        self.emit(Event::RunFinished { run: number, source, report: Box::new(report) }).await;
        Ok(())
    }

    /// Runs it on a thread of its own, from its record on.
    async fn execute(
        &mut self,
        runner: Runner,
        source: RunSource,
        command: String,
        limits: Limits,
    ) -> Result<Ran, Stopped> {
        let begun = runner.begin()?;
        self.record(begun.record(source, &command));
        blocking(move || runner.run(&begun, &Order { source, command: &command, stdin: &[], limits })).await?
    }

    /// Something beside the outcomes that the model is told.
    pub(super) fn note(&mut self, text: String) {
        self.record(Entry::Note { feedback: Some(text.clone()), text });
    }
}

/// Work that blocks, on a thread of its own.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Stopped::Internal(format!("a worker thread ended: {error}")))
}
