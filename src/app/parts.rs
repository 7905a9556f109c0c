//! What a conversation is made of, from what the settings say.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::app::home::Inside;
use crate::command::failure::Failure;
use crate::command::job::Job;
use crate::command::keep_model::keep_model;
use crate::core::conversation::{Limits, Mode, Parts};
use crate::core::event::Event;
use crate::core::op::{Answers, Interrupt};
use crate::gateway::{self, Gateway};
use crate::prompting::Prompts;
use crate::sandbox::{Sandbox, SandboxError};
use crate::scripting::Scripts;
use crate::session::record::Record;
use crate::settings::Settings;

/// Events that may wait for the front end; a slow one slows the stream down and not the log.
pub const EVENTS: usize = 1_024;

/// What a conversation talks to beside its session and its workspace.
pub struct Outside {
    pub gateway: Option<Gateway>,
    pub sandbox: Option<Sandbox>,
    pub prompts: Prompts,
    pub scripts: Option<Scripts>,
}

/// To the front end, and from it.
pub struct Ways {
    pub events: mpsc::Sender<Event>,
    pub interrupt: Interrupt,
    /// `None` without a terminal.
    pub answers: Option<Answers>,
}

/// The sandbox while it tests itself on another thread.
pub type Testing = JoinHandle<Result<Option<Sandbox>, SandboxError>>;

pub fn words_and_policy(job: &Job) -> Result<(Prompts, Option<Scripts>), Failure> {
    let prompts = Prompts::load(&job.settings.prompting)?;
    let scripts = job.scripts.then(|| Scripts::load(&job.settings.scripting)).transpose()?;
    Ok((prompts, scripts))
}

pub fn sandbox(job: &Job) -> Testing {
    let runs = match job.mode {
        Mode::Work => true,
        Mode::NoRun => job.scripts,
        Mode::DryRun => false,
    };
    let options = job.settings.sandbox.clone();
    tokio::task::spawn_blocking(move || runs.then(|| Sandbox::open(&options)).transpose())
}

pub async fn tested(testing: Testing) -> Result<Option<Sandbox>, Failure> {
    let sandbox = testing.await.map_err(|error| Failure {
        message: format!("the sandbox's self-test ended: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    Ok(sandbox?)
}

/// Where the server is looked for; what that waits for is told to the front end.
pub fn server(settings: &Settings, events: &mpsc::Sender<Event>) -> gateway::Options {
    // The front end ends when nobody can tell it anything any more: this one must not count.
    let events = events.downgrade();
    let listener = gateway::Listener::new(move |text| {
        if let Some(events) = events.upgrade() {
            // A front end that is behind by a thousand lines can do without this one.
            let _ = events.try_send(Event::Notice(text));
        }
    });
    gateway::Options { listener, ..settings.gateway.clone() }
}

pub fn join(job: &Job, inside: Inside, outside: Outside, ways: Ways) -> (Parts, Vec<Record>) {
    let settings = &job.settings;
    let parts = Parts {
        session: inside.session,
        gateway: outside.gateway,
        server: server(settings, &ways.events),
        workspace: inside.workspace,
        versions: Arc::new(Mutex::new(inside.versions)),
        sandbox: outside.sandbox.map(Arc::new),
        prompts: outside.prompts,
        scripts: outside.scripts,
        limits: Limits {
            max_turns: settings.max_turns,
            max_repairs: settings.max_repairs,
            run: settings.sandbox.limits.clone(),
            network: settings.sandbox.network,
        },
        mode: job.mode,
        keep_model: {
            let file = settings.file.clone();
            Box::new(move |name| keep_model(&file, name))
        },
        answers: ways.answers,
        events: ways.events,
        interrupt: ways.interrupt,
    };
    (parts, inside.records)
}
