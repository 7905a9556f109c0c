//! Tool calls become actions: native ones, and (see [`text`]) those that arrive as text in the shapes that models write.

mod json;
mod text;

use serde_json::{Map, Value};

use crate::base::path::RelPath;

use super::Action;
use super::edit::text_of;

pub use text::{Read, after_words, begins, in_fence, read};

/// The tools by name, and the word for what each does.
const TOOLS: [(&str, &str); 6] = [
    ("write_file", "write"),
    ("edit_file", "edit"),
    ("run", "run"),
    ("read_file", "read"),
    ("delete_file", "delete"),
    ("move_file", "move"),
];

const NO_JSON: &str =
    "its arguments are no JSON object; send it again with quotes and line breaks escaped, or as a fenced block";

/// A native tool call as an action. One that was cut is refused, as is a tool that is not known.
pub fn from_tool_call(name: &str, arguments: &str, cut: bool) -> Action {
    let name = bare_name(name);
    if cut {
        return refused(name, "the call was cut: send it again");
    }
    if arguments.trim().is_empty() {
        return action(name, &Map::new());
    }
    match json::read(arguments).map(|meant| meant.value) {
        Ok(Value::Object(arguments)) => action(name, &arguments),
        // Encoded twice.
        Ok(Value::String(text)) => match json::read(&text).map(|meant| meant.value) {
            Ok(Value::Object(arguments)) => action(name, &arguments),
            _ => refused(name, NO_JSON),
        },
        Ok(Value::Null) => action(name, &Map::new()),
        _ => refused(name, NO_JSON),
    }
}

fn is_tool(name: &str) -> bool {
    TOOLS.iter().any(|(tool, _)| *tool == name)
}

/// `functions.write_file:0` is `write_file`.
fn bare_name(name: &str) -> &str {
    let name = name.trim().trim_matches(['"', '\'', '`']);
    let name = name.strip_prefix("functions.").unwrap_or(name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

fn refused(name: &str, reason: &str) -> Action {
    let word = TOOLS.iter().find(|(tool, _)| *tool == name).map_or("write", |(_, word)| word);
    let what = if name.is_empty() { "write (call of no tool)".to_owned() } else { format!("{word} (call of {name})") };
    Action::Refused { what, reason: reason.to_owned() }
}

fn action(name: &str, arguments: &Map<String, Value>) -> Action {
    made(name, arguments).unwrap_or_else(|refused| refused)
}

fn made(name: &str, arguments: &Map<String, Value>) -> Result<Action, Action> {
    let text = |key: &str| {
        let value = names_of(key).find_map(|name| arguments.get(name));
        value.and_then(text_in).ok_or_else(|| refused(name, &format!("`{key}` is missing")))
    };
    let path = |key: &str, word: &str| {
        let path = text(key)?;
        RelPath::parse(path.trim())
            .map_err(|why| Action::Refused { what: format!("{word} {path}"), reason: why.to_string() })
    };
    Ok(match name {
        "write_file" => {
            let path = path("path", "write")?;
            Action::Write { path, content: whole(&text("content")?) }
        }
        "edit_file" => Action::Edit {
            path: path("path", "edit")?,
            search: text("search")?,
            replace: text("replace")?,
            number: 1,
            of: 1,
        },
        "run" => Action::Run { script: text("script")?.trim_end().to_owned() },
        "read_file" => {
            let what = text("path")?.trim().to_owned();
            if !matches!(what.as_str(), "." | "./") {
                path("path", "read")?;
            }
            Action::Read { what }
        }
        "delete_file" => Action::Delete { path: path("path", "delete")? },
        "move_file" => Action::Move { from: path("from", "move")?, to: path("to", "move")? },
        _ => {
            let names = TOOLS.map(|(name, _)| name).join(", ");
            return Err(refused(name, &format!("no tool is named `{name}`; there are {names}")));
        }
    })
}

/// A text, also where it came as its lines or, for a JSON file, as the value itself.
fn text_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) if !lines.is_empty() && lines.iter().all(Value::is_string) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            Some(lines.iter().map(|line| line.strip_suffix('\n').unwrap_or(line)).collect::<Vec<_>>().join("\n"))
        }
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).ok(),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null => None,
    }
}

/// A parameter's name, and what models call it too.
fn names_of(key: &str) -> impl Iterator<Item = &str> {
    let others: &[&str] = match key {
        "path" => &["file_path", "filepath", "filename", "file", "name"],
        "content" => &["contents", "text", "file_text"],
        "search" => &["old_string", "old_str", "old", "old_text"],
        "replace" => &["new_string", "new_str", "new", "new_text"],
        "script" => &["command", "cmd", "code"],
        "from" => &["source", "old_path", "src"],
        "to" => &["destination", "new_path", "dest", "dst"],
        _ => &[],
    };
    std::iter::once(key).chain(others.iter().copied())
}

fn whole(content: &str) -> String {
    text_of(&content.lines().collect::<Vec<_>>())
}
