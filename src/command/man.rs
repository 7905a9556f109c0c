//! `faos man`: the manual page, on stdout. Options and commands come from the table that parses them, the rest from
//! `man.roff`.

use std::io;

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::Cli;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;

/// What no table of options says: exit codes, files, variables, examples.
const REST: &str = include_str!("man.roff");

pub fn run() -> Result<Plan, Failure> {
    let page = page().map_err(|error| Failure {
        message: format!("cannot write the manual page: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    output::print(&page)
}

fn page() -> io::Result<String> {
    let mut command = Cli::command();
    command.build();
    let commands = commands(&command);
    let mut out = Vec::new();
    let man = Man::new(command.clone())
        .section("1")
        .manual("User commands")
        .source(concat!("faos ", env!("CARGO_PKG_VERSION")));
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    synopsis().to_writer(&mut out)?;
    man.render_description_section(&mut out)?;
    commands.to_writer(&mut out)?;
    man.render_options_section(&mut out)?;
    let page = String::from_utf8_lossy(&out).into_owned();
    Ok(page + REST)
}

/// The page would open with a screenful of options otherwise.
fn synopsis() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("faos"), roman(" ["), italic("OPTIONS"), roman("] ["), italic("PROMPT"), roman("]")]);
    roff.control("br", []);
    roff.text([bold("faos"), roman(" "), italic("COMMAND"), roman(" ["), italic("OPTIONS"), roman("]")]);
    roff
}

/// Every command with its own arguments; of those that stand for several, the several.
fn commands(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for sub in shown(command) {
        describe(&mut roff, sub, &format!("{} {}", command.get_name(), sub.get_name()));
    }
    roff
}

fn describe(roff: &mut Roff, command: &Command, called: &str) {
    let mut below = shown(command).peekable();
    if below.peek().is_some() {
        return below.for_each(|sub| describe(roff, sub, &format!("{called} {}", sub.get_name())));
    }
    let mut usage: Vec<Inline> = vec![bold(called.to_owned())];
    for argument in command.get_arguments().filter(|argument| is_own(argument)) {
        let (before, after) = if argument.is_required_set() { (" ", "") } else { (" [", "]") };
        let name = match argument.get_long() {
            Some(long) => bold(format!("--{long}")),
            None => italic(argument.get_id().as_str().to_uppercase()),
        };
        usage.extend([roman(before), name, roman(after)]);
    }
    roff.control("TP", []);
    roff.text(usage);
    roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

/// Neither one that every command has, nor the help.
fn is_own(argument: &Arg) -> bool {
    !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version")
}
