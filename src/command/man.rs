//! `faos man`: the manual page, on stdout. Commands and options come from the table that parses them, slash commands and
//! settings from theirs, the rest from `man.roff`.

use std::io;

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::Cli;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::frontend::slash;
use crate::settings::keys::{KEYS, Usual};

/// What no table of options says: exit codes, files, variables, examples.
const REST: &str = include_str!("man.roff");

/// When this version was released, as the changelog says too.
const RELEASED: &str = "2026-11-26";

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
        .date(RELEASED)
        .source(concat!("faos ", env!("CARGO_PKG_VERSION")));
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    synopsis().to_writer(&mut out)?;
    man.render_description_section(&mut out)?;
    commands.to_writer(&mut out)?;
    options(&command).to_writer(&mut out)?;
    slash_commands().to_writer(&mut out)?;
    settings().to_writer(&mut out)?;
    let page = String::from_utf8_lossy(&out).into_owned() + REST;
    // Old programs read nothing but ASCII.
    Ok(page.replace('…', "..."))
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
        if argument.is_last_set() {
            usage.push(bold(" --"));
        }
        let (before, after) = if argument.is_required_set() { (" ", "") } else { (" [", "]") };
        let several = if argument.get_long().is_none() && matches!(argument.get_action(), ArgAction::Append) {
            "..."
        } else {
            ""
        };
        let name = name(argument).into_iter().skip(if argument.get_short().is_some() { 2 } else { 0 });
        usage.push(roman(before));
        usage.extend(name);
        usage.push(roman(format!("{several}{after}")));
    }
    roff.control("TP", []);
    roff.text(usage);
    let about = command.get_long_about().or(command.get_about());
    paragraphs(roff, &about.map(ToString::to_string).unwrap_or_default());
    let own: Vec<&Arg> = command.get_arguments().filter(|argument| is_own(argument)).collect();
    if !own.is_empty() {
        roff.control("RS", []);
        own.into_iter().for_each(|argument| explain(roff, argument));
        roff.control("RE", []);
    }
}

/// Those that every command has, and those of a conversation.
fn options(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["OPTIONS"]);
    for argument in command.get_arguments().filter(|argument| !argument.is_positional() && !argument.is_hide_set()) {
        explain(&mut roff, argument);
    }
    roff
}

fn explain(roff: &mut Roff, argument: &Arg) {
    roff.control("TP", []);
    roff.text(name(argument));
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let takes = argument.get_action().takes_values() && !default.is_empty();
    paragraphs(roff, &if takes { format!("{help} [default: {}]", default.join(" ")) } else { help });
}

/// As it is typed: `-f, --format FORMAT`, or `SESSION`.
fn name(argument: &Arg) -> Vec<Inline> {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| argument.get_id().as_str().to_uppercase());
    let Some(long) = argument.get_long() else { return vec![italic(value)] };
    let mut name = Vec::new();
    if let Some(short) = argument.get_short() {
        name.extend([bold(format!("-{short}")), roman(", ")]);
    }
    name.push(bold(format!("--{long}")));
    if argument.get_action().takes_values() {
        name.extend([roman(if argument.is_require_equals_set() { "=" } else { " " }), italic(value)]);
    }
    name
}

/// A paragraph for each line that is not empty.
fn paragraphs(roff: &mut Roff, text: &str) {
    for (at, line) in text.lines().filter(|line| !line.is_empty()).enumerate() {
        if at > 0 {
            roff.control("IP", []);
        }
        roff.text([roman(line)]);
    }
}

fn slash_commands() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["AT THE PROMPT"]);
    for command in &slash::COMMANDS {
        roff.control("TP", []);
        let mut usage = vec![bold(format!("/{}", command.name))];
        if !command.usage.is_empty() {
            usage.extend([roman(" "), italic(command.usage)]);
        }
        roff.text(usage);
        roff.text([roman(command.about)]);
    }
    roff
}

fn settings() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SETTINGS"]);
    roff.text([
        roman("In config.toml; "),
        bold("faos config"),
        roman(" shows what is in force, "),
        bold("faos config edit"),
        roman(" opens the file."),
    ]);
    for key in KEYS {
        let default = match &key.default {
            Usual::Value(value) => value().to_string(),
            Usual::Unset(meaning) => (*meaning).to_owned(),
        };
        roff.control("TP", []);
        roff.text([bold(key.name)]);
        // Links lead nowhere from here.
        let about = key.about.replace("[sandbox.md](sandbox.md)", "docs/sandbox.md");
        roff.text([roman(format!("{about} (default: {default})"))]);
    }
    roff
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

/// Neither one that every command has, nor the help.
fn is_own(argument: &Arg) -> bool {
    !argument.is_global_set() && !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
}
