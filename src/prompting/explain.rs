//! A template's error in one line: its file, the line, the variable.

use minijinja::{Error, ErrorKind};

use super::PromptError;

pub fn error(error: &Error, file: &str) -> PromptError {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let what = match error.kind() {
        ErrorKind::UndefinedError => "undefined variable".to_owned(),
        ErrorKind::OutOfFuel => "the template takes too long".to_owned(),
        _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    };
    let place = place(error).map_or_else(String::new, |text| format!(": `{text}`"));
    PromptError { message: format!("`{file}{line}`: {what}{place}") }
}

pub fn unknown_variable(name: &str, source: &str, file: &str, known: &[&str]) -> PromptError {
    let line =
        source.lines().position(|line| mentions(line, name)).map_or_else(String::new, |at| format!(":{}", at + 1));
    let known = known.join(", ");
    PromptError { message: format!("`{file}{line}`: undefined variable: `{name}` (there are: {known})") }
}

/// The part of the template that the error points at, where that is short enough to show.
fn place(error: &Error) -> Option<&str> {
    let text = error.template_source()?.get(error.range()?)?.trim();
    (!text.is_empty() && text.len() <= 80 && !text.contains('\n')).then_some(text)
}

fn mentions(line: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.split(|c| !part(c)).any(|word| word == name)
}
