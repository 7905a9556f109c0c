//! The composition root: from what was typed to the exit code. Builds what a conversation needs, joins it to a front
//! end, and sees it to its end.

mod at_once;
mod home;
mod keyboard;
mod parts;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use crate::cli::{Cli, Command};
use crate::command::failure::Failure;
use crate::command::job::{Job, Manner, Plan};
use crate::command::{
    chat, completions, config, demo, doctor, eject, help, key, man, models, panic_report, prompts, replay, resume,
    sandbox, scripts, sessions, signals,
};
use crate::core::op::Interrupt;
use crate::frontend::headless;

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
            Some(Command::Replay(replay)) => replay::run(replay, &cli.options)?,
            Some(Command::Demo(demo)) => demo::run(demo, &cli.options)?,
            Some(Command::Sandbox(command)) => sandbox::run(command, &cli.options)?,
            Some(Command::Doctor) => doctor::run(&cli.options)?,
            Some(Command::Config(config)) => config::run(config, &cli.options)?,
            Some(Command::Models) => models::run(&cli.options)?,
            Some(Command::Prompts(prompts)) => prompts::run(prompts, &cli.options)?,
            Some(Command::Scripts(scripts)) => scripts::run(scripts, &cli.options)?,
            Some(Command::Eject(eject)) => eject::run(eject, &cli.options)?,
            Some(Command::Completions(completions)) => completions::run(completions, &cli.options)?,
            Some(Command::Man) => man::run()?,
            Some(Command::Help(help)) => help::run(help)?,
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

/// Clap's own words; of a second PROMPT ours.
fn usage(error: &clap::Error) -> u8 {
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => 2,
    };
    if let ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand = error.kind() {
        // An option that is unknown has clap's own tip.
        let word = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
        if !word.starts_with('-') && usage.contains("[PROMPT]") {
            let hint = Failure::usage("PROMPT is one argument", "quote it: faos \"what you want\"");
            headless::show_failed_start(headless::Options::default(), &hint.message, &hint.hints, code);
            return code;
        }
    }
    // Help that cannot be printed is no reason for another exit code.
    let _ = error.print();
    code
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
fn run(mut job: Job) -> u8 {
    let show = job.show;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            headless::show_failed_start(show, &format!("cannot start the runtime: {error}"), &[], 1);
            return 1;
        }
    };
    let code = key::fetch(&mut job.settings).and_then(|()| {
        runtime.block_on(async {
            let interrupt = Interrupt::default();
            signals::watch(&interrupt)?;
            match job.manner {
                Manner::AtOnce => at_once::converse(job, interrupt).await,
                Manner::AtKeyboard => keyboard::converse(job, interrupt).await,
            }
        })
    });
    let code = code.unwrap_or_else(|failure: Failure| {
        headless::show_failed_start(show, &failure.message, &failure.hints, failure.exit_code);
        failure.exit_code
    });
    // A thread that waits for stdin cannot be joined.
    runtime.shutdown_background();
    code
}
