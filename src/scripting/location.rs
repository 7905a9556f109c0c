//! Rhai's errors in one line: script, line, column, and what is wrong. Also the nearest name to one that is not there.

use rhai::{EvalAltResult, ParseError, Position};

use super::definitions;

/// An error that a native function raises; Rhai adds the place of the call.
pub(super) fn raise(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// `script` is the label of the file that the call began in; an error may lie in one that it imports.
pub(super) fn of_call(error: Box<EvalAltResult>, script: &str) -> String {
    let (mut source, mut position, mut error) = (script.to_owned(), Position::NONE, error);
    let message = loop {
        let own = error.position();
        if !own.is_none() {
            position = own;
        }
        match *error {
            EvalAltResult::ErrorInFunctionCall(_, within, inner, _) => {
                if !within.is_empty() {
                    source = within;
                }
                error = inner;
            }
            EvalAltResult::ErrorInModule(_, inner, _) => error = inner,
            EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => {
                break value.to_string();
            }
            mut other => {
                other.clear_position();
                break format!("{other}{}", meant(&other));
            }
        }
    };
    place(&source, position, &message)
}

pub(super) fn of_parse(error: &ParseError, file: &str) -> String {
    place(file, error.1, &error.0.to_string())
}

/// The place of a function's definition, for errors about its name.
pub(super) fn of_function(file: &str, source: &str, name: &str, message: &str) -> String {
    let line = source.lines().enumerate().find_map(|(at, line)| {
        let column = line.find(&format!("fn {name}"))?;
        let after = line[column + 3 + name.len()..].chars().next();
        (!after.is_some_and(|c| c.is_alphanumeric() || c == '_')).then_some((at + 1, column + 1))
    });
    match line {
        Some((line, column)) => format!("{file}:{line}:{column}: {message}"),
        None => format!("{file}: {message}"),
    }
}

/// What a name that is not there was meant to be: a field or a function that every script can use.
fn meant(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorPropertyNotFound(name, _) => nearest(name, &definitions::field_names()),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split(" (").next().unwrap_or_default();
            let known = definitions::function_names();
            if known.contains(&name) { String::new() } else { nearest(name, &known) }
        }
        _ => String::new(),
    }
}

/// `; did you mean …`, or nothing where no name is near.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    let near = similar::get_close_matches(name, known, 1, 0.6);
    near.first().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn place(file: &str, position: Position, message: &str) -> String {
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {message}"),
        (Some(line), None) => format!("{file}:{line}: {message}"),
        (None, _) => format!("{file}: {message}"),
    }
}
