//! `fn commands()`: the slash commands that a script adds. It is called once, when the scripts are loaded.

use rhai::{AST, Dynamic, Map};

use super::handler::Event;
use super::worker::Bench;
use super::{engine, location};

/// The program's own commands: none of them can be taken.
const TAKEN: &[&str] = &[
    "help", "model", "context", "files", "diff", "run", "retry", "edit", "undo", "redo", "versions", "restore", "show",
    "sessions", "resume", "fork", "rename", "compact", "export", "copy", "scripts", "prompts", "install", "stats",
    "clear", "quit", "exit",
];

/// The function that names them.
pub(super) const FUNCTION: &str = "commands";

/// A slash command of a script's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Without the slash.
    pub name: String,
    pub about: String,
    /// The label of the script that is asked.
    pub script: String,
}

/// Whether the name is a command of the program itself.
pub fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
}

/// What the script's `commands()` names; the error has the script's name in front, and a place where it has one.
pub(super) fn of(bench: &Bench, ast: &AST, label: &str, handlers: &[Event]) -> Result<Vec<Command>, String> {
    let has_function = ast.iter_functions().any(|function| function.name == FUNCTION && function.params.is_empty());
    match (has_function, handlers.contains(&Event::Command)) {
        (false, false) => return Ok(Vec::new()),
        (true, false) => return Err(format!("{label}: it has `commands` and no `on_command` that does them")),
        (false, true) => return Err(format!("{label}: it has `on_command` and no `commands` that names them")),
        (true, true) => {}
    }
    let meter = bench.desk().meter();
    meter.begin(label);
    bench.desk().serve(label);
    let called = bench.guard(|| engine::call(bench.engine(), ast, FUNCTION, (), &mut Map::new().into()));
    let over = meter.verdict().map(|why| format!("{label}: {why}"));
    let named = match called {
        Ok(Ok(named)) => over.map_or(Ok(named), Err)?,
        Ok(Err(error)) => return Err(location::of_call(error, label)),
        Err(panic) => return Err(format!("{label}: {panic}")),
    };
    decoded(&named).map_err(|what| format!("{label}: `{FUNCTION}` {what}")).map(|commands| {
        let command = |(name, about)| Command { name, about, script: label.to_owned() };
        commands.into_iter().map(command).collect()
    })
}

fn decoded(named: &Dynamic) -> Result<Vec<(String, String)>, String> {
    let Ok(map) = named.as_map_ref() else {
        return Err(format!("returned a value of type {}, not a map of names and what they do", named.type_name()));
    };
    let command = |(name, about): (&rhai::Identifier, &Dynamic)| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
            return Err(format!("names `{name}`: a command is lower-case letters, digits and `-`"));
        }
        if is_taken(name) {
            return Err(format!("names `{name}`, which is a command of the program itself"));
        }
        let about =
            about.as_immutable_string_ref().map_err(|_| format!("does not say in a text what `{name}` does"))?;
        Ok((name.to_string(), about.to_string()))
    };
    map.iter().map(command).collect()
}
