//! The composition root: from what was typed to the exit code. Builds what a conversation needs, joins it to a front
//! end, and sees it to its end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser;
use clap::error::ErrorKind;
use tokio::sync::mpsc;

use crate::base::fs;
use crate::cli::{Cli, Command};
use crate::command::failure::Failure;
use crate::command::job::{Job, Place, Plan, Words};
use crate::command::{
    chat, completions, demo, doctor, eject, man, models, panic_report, prompts, resume, scripts, sessions,
};
use crate::core::conversation::{Conversation, Limits, Mode, Parts};
use crate::core::event::Event;
use crate::core::op::{Interrupt, Op, Source, Stop};
use crate::frontend::headless;
use crate::gateway::Gateway;
use crate::prompting::Prompts;
use crate::sandbox::Sandbox;
use crate::scripting::Scripts;
use crate::session::{self, Opened, Session};
use crate::settings::Settings;
use crate::workspace::{self, Versions, Workspace};

/// Events that may wait for the front end; a slow one slows the stream down and not the log.
const EVENTS: usize = 1_024;

/// Parses, runs, and returns the exit code.
pub fn main() -> u8 {
    panic_report::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    trace(cli.options.verbose);
    let show = chat::show(&cli.options);
    let result = panic_report::guard(|| {
        let plan = match &cli.command {
            None => chat::run(cli.prompt.clone(), &cli.options)?,
            Some(Command::Resume(resume)) => resume::run(resume, &cli.options)?,
            Some(Command::Sessions(sessions)) => sessions::run(sessions, &cli.options)?,
            Some(Command::Demo(demo)) => demo::run(demo, &cli.options)?,
            Some(Command::Doctor) => doctor::run(&cli.options)?,
            Some(Command::Models) => models::run(&cli.options)?,
            Some(Command::Prompts(prompts)) => prompts::run(prompts, &cli.options)?,
            Some(Command::Scripts(scripts)) => scripts::run(scripts, &cli.options)?,
            Some(Command::Eject(eject)) => eject::run(eject, &cli.options)?,
            Some(Command::Completions(completions)) => completions::run(completions)?,
            Some(Command::Man) => man::run()?,
        };
        Ok(match plan {
            Plan::Converse(job) => run(*job),
            Plan::Done(code) => code,
        })
    });
    result.unwrap_or_else(|failure| {
        headless::show_failed_start(show, &failure.message, &failure.hints, failure.exit_code);
        failure.exit_code
    })
}

/// Clap's own words, with the hint that a second PROMPT needs.
fn usage(error: &clap::Error) -> u8 {
    // Help that cannot be printed is no reason for another exit code.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        ErrorKind::UnknownArgument => {
            let hint = Failure::usage("PROMPT is one argument", "quote it: faos \"what you want\"");
            headless::show_failed_start(headless::Options::default(), &hint.message, &hint.hints, 2);
            2
        }
        _ => 2,
    }
}

/// `-v` and `-vv`: what the program does, on stderr.
fn trace(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        2.. => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
}

/// Does the job and returns the exit code. What goes wrong before there is a conversation is shown here.
fn run(job: Job) -> u8 {
    let show = job.show;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            headless::show_failed_start(show, &format!("cannot start the runtime: {error}"), &[], 1);
            return 1;
        }
    };
    let code = runtime.block_on(converse(job)).unwrap_or_else(|failure| {
        headless::show_failed_start(show, &failure.message, &failure.hints, failure.exit_code);
        failure.exit_code
    });
    // A thread that waits for stdin cannot be joined.
    runtime.shutdown_background();
    code
}

async fn converse(job: Job) -> Result<u8, Failure> {
    let Job { settings, place, words, mode, scripts, show, notices, player: _player } = job;
    let interrupt = Interrupt::default();
    watch_signals(&interrupt)?;
    let place = checked(place, &settings)?;
    let prompts = Prompts::load(&settings.prompting)?;
    let scripts = scripts.then(|| Scripts::load(&settings.scripting)).transpose()?;
    let (gateway, sandbox) = outside(&settings, &interrupt, mode, scripts.is_some()).await?;
    let home = Home::open(&settings, &place)?;
    let op = op_of(words, &prompts)?;
    let (events, shown) = mpsc::channel(EVENTS);
    let screen = tokio::spawn(headless::show(shown, show, interrupt.clone()));
    for notice in notices.into_iter().chain(home.repaired) {
        // The front end was started just now: it listens.
        let _ = events.send(Event::Notice(notice)).await;
    }
    let parts = Parts {
        session: home.session,
        gateway,
        workspace: home.workspace,
        versions: Arc::new(Mutex::new(home.versions)),
        sandbox: sandbox.map(Arc::new),
        prompts,
        scripts,
        limits: Limits {
            max_turns: settings.max_turns,
            max_repairs: settings.max_repairs,
            run: settings.sandbox.limits.clone(),
            network: settings.sandbox.network,
        },
        mode,
        events,
        interrupt,
    };
    let mut conversation = Conversation::begin(parts, &home.records).await?;
    if op == Op::GoOn && !conversation.is_open() {
        return Err(Failure::usage(
            "the conversation came to its end: there is nothing to go on with",
            "say what you want next, as PROMPT",
        ));
    }
    let finished = conversation.handle(op).await;
    conversation.close("done").await;
    // The conversation's end of the channel is closed now: the front end shows the rest and ends.
    let _ = screen.await;
    Ok(finished.exit_code)
}

/// The server and the sandbox are looked for side by side.
async fn outside(
    settings: &Settings,
    interrupt: &Interrupt,
    mode: Mode,
    scripts: bool,
) -> Result<(Gateway, Option<Sandbox>), Failure> {
    let runs = mode == Mode::Work || (mode == Mode::NoRun && scripts);
    let options = settings.sandbox.clone();
    let sandbox = tokio::task::spawn_blocking(move || runs.then(|| Sandbox::open(&options)).transpose());
    let gateway = tokio::select! {
        gateway = Gateway::connect(&settings.gateway) => gateway?,
        () = interrupt.token().cancelled() => {
            return Err(Failure { message: "interrupted".to_owned(), hints: Vec::new(), exit_code: interrupt.exit_code() });
        }
    };
    let sandbox = sandbox.await.map_err(|error| Failure {
        message: format!("the sandbox's self-test ended: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    Ok((gateway, sandbox?))
}

fn op_of(words: Words, prompts: &Prompts) -> Result<Op, Failure> {
    Ok(match words {
        Words::GoOn => Op::GoOn,
        Words::Say { prompt: Some(text), piped: None } => Op::Say { text, source: Source::Argument },
        Words::Say { prompt: None, piped } => Op::Say { text: piped.unwrap_or_default(), source: Source::Pipe },
        Words::Say { prompt: Some(prompt), piped: Some(attachment) } => {
            let values = serde_json::json!({ "prompt": prompt, "attachment": attachment });
            Op::Say { text: prompts.render("attachment", values)?, source: Source::Argument }
        }
    })
}

/// An open session with its workspace, both locked.
struct Home {
    session: Arc<Session>,
    records: Vec<session::record::Record>,
    repaired: Vec<String>,
    workspace: Workspace,
    versions: Versions,
    /// Held until the end.
    _lock: session::WorkspaceLock,
    _passing: Option<Passing>,
}

/// A folder that goes with the program.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder; there is nobody left to tell.
        let _ = fs::remove_folder(&self.0);
    }
}

impl Home {
    fn open(settings: &Settings, place: &Place) -> Result<Self, Failure> {
        let mut passing = None;
        let Opened { session, records, repaired } = match place {
            Place::Saved { folder } => Session::open(folder)?,
            Place::New { workspace } => new(&settings.folders.sessions, workspace.as_deref())?,
            Place::Passing { workspace } => {
                let folder = std::env::temp_dir().join(format!("faos-{}", std::process::id()));
                passing = Some(Passing(folder.clone()));
                fs::make_folders(&folder)?;
                new(&folder, workspace.as_deref())?
            }
        };
        let lock = session::lock_workspace(&settings.folders.state, session.workspace())?;
        let workspace = Workspace::open(session.workspace())?;
        let versions = Versions::open(&session.folder().join("versions"))?;
        Ok(Self { session: Arc::new(session), records, repaired, workspace, versions, _lock: lock, _passing: passing })
    }
}

fn new(sessions: &Path, workspace: Option<&Path>) -> Result<Opened, Failure> {
    let session = Session::create(sessions, workspace)?;
    Ok(Opened { session, records: Vec::new(), repaired: Vec::new() })
}

/// The same place, with a workspace that may be worked in. Asked before anything else is.
fn checked(place: Place, settings: &Settings) -> Result<Place, Failure> {
    Ok(match place {
        Place::New { workspace: Some(workspace) } => Place::New { workspace: Some(allowed(&workspace, settings)?) },
        Place::Passing { workspace: Some(workspace) } => {
            Place::Passing { workspace: Some(allowed(&workspace, settings)?) }
        }
        place @ (Place::New { .. } | Place::Passing { .. } | Place::Saved { .. }) => place,
    })
}

/// The folder, made where it is missing, unless it is one that no program should be let into.
fn allowed(folder: &Path, settings: &Settings) -> Result<PathBuf, Failure> {
    if !fs::exists(folder) {
        fs::make_folders(folder)?;
    }
    let root = fs::canonical(folder)?;
    let folders = &settings.folders;
    let ours = [folders.sessions.clone(), folders.settings.clone(), folders.state.clone()];
    match workspace::refuse_as_root(&root, folders.home.as_deref(), &ours) {
        None => Ok(root),
        Some(why) => Err(Failure::usage(
            format!("`{}` cannot be a workspace: {why}", folder.display()),
            "name a folder for the project with -w, or leave -w away",
        )),
    }
}

fn watch_signals(interrupt: &Interrupt) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| Failure {
        message: format!("cannot watch for signals: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    };
    for (kind, why) in [
        (SignalKind::interrupt(), Stop::Interrupted),
        (SignalKind::terminate(), Stop::Terminated),
        (SignalKind::hangup(), Stop::Terminated),
    ] {
        let mut signals = signal(kind).map_err(failed)?;
        let interrupt = interrupt.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupt.stop(why);
            }
        });
    }
    Ok(())
}
