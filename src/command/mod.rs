//! One file a subcommand: what was typed becomes work, and its end an exit code.

pub mod chat;
pub mod demo;
pub mod failure;
pub mod input;
mod panic_report;
pub mod resume;
pub mod sessions;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command};
use crate::frontend::headless;
use failure::Failure;

/// Parses, runs, and returns the exit code.
pub fn main() -> u8 {
    panic_report::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    trace(cli.options.verbose);
    let show = chat::show(&cli.options);
    let result = panic_report::guard(|| match cli.command {
        None => chat::run(cli.prompt, &cli.options),
        Some(Command::Resume(resume)) => resume::run(&resume, &cli.options),
        Some(Command::Sessions(sessions)) => sessions::run(&sessions, &cli.options),
        Some(Command::Demo(demo)) => demo::run(&demo, &cli.options),
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
