//! An edit that has failed twice is asked for by line numbers, under a schema that the server holds the model to: it cannot be
//! malformed and cannot miss.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::path::RelPath;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::Event;
use crate::core::reading::{self, Reading};
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::reply::{Action, Parsed};
use crate::session::record::{AttachedBy, Entry};

/// A longer file is not shown whole, and its lines could not be counted.
const MOST_LINES: usize = 1_500;

/// What is asked for.
#[derive(Deserialize)]
struct Lines {
    first_line: usize,
    last_line: usize,
    replacement: String,
}

impl Conversation {
    /// The file that is shown with the next request, to be changed by line numbers; `None` where it is asked for as ever.
    pub(super) fn asks_for_lines(&mut self, turn: &mut Turn) -> Result<Option<RelPath>, Stopped> {
        let shapes = self.parts.gateway.as_ref().is_some_and(crate::gateway::Gateway::shapes);
        let Some(path) =
            turn.failing.take().filter(|_| shapes && self.parts.mode != Mode::DryRun && !turn.shape_refused)
        else {
            return Ok(None);
        };
        let lines = self.lines_of(path.as_str()).len();
        let Reading::Shown(text) = reading::read(&self.parts.workspace, path.as_str()) else { return Ok(None) };
        // Shown whole, with room beside it: a quarter of the window, at four characters a token.
        let most = self.server().and_then(|server| server.context_window).map_or(usize::MAX, |tokens| tokens as usize);
        if !(1..=MOST_LINES).contains(&lines) || text.lines().count() != lines + 1 || text.len() > most {
            return Ok(None);
        }
        self.record(Entry::FileAttached { path: path.to_string(), source: AttachedBy::Model, text });
        let words = self.parts.prompts.render("lines", json!({ "path": path.as_str(), "lines": lines }))?;
        self.note(words);
        Ok(Some(path))
    }

    pub(super) async fn tell_of_lines(&self, path: &str) {
        let text = format!("the edit of {path} failed twice: it is asked for by line numbers");
        self.emit(Event::Notice(text)).await;
    }

    /// The schema that the server holds the model to.
    pub(super) fn schema_of_lines(&self, path: &str) -> Value {
        let lines = self.lines_of(path).len();
        json!({
            "type": "object",
            "properties": {
                "first_line": {"type": "integer", "minimum": 1, "maximum": lines + 1},
                "last_line": {"type": "integer", "minimum": 0, "maximum": lines},
                "replacement": {"type": "string"},
            },
            "required": ["first_line", "last_line", "replacement"],
            "additionalProperties": false,
        })
    }

    /// The file that the last reply changes by line numbers.
    pub(super) fn changed_by_lines(&self) -> Option<&str> {
        let path = self.history.lines_of()?;
        self.parsed_by_lines(path, self.history.reply_text()).map(|_| path)
    }

    /// What an answer to it asks for; `None` where it is another reply.
    pub(super) fn parsed_by_lines(&self, path: &str, text: &str) -> Option<Parsed> {
        let action = by_lines(&RelPath::parse(path).ok()?, &self.lines_of(path), text)?;
        Some(Parsed { actions: vec![action], whole_until: text.len(), ..Parsed::default() })
    }

    /// Each with its end, without a byte order mark and carriage returns, which an edit leaves as they are.
    fn lines_of(&self, path: &str) -> Vec<String> {
        let bytes = RelPath::parse(path).ok().and_then(|path| self.parts.workspace.read(&path, 1 << 20).ok().flatten());
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).replace("\r\n", "\n");
        text.trim_start_matches('\u{feff}').split_inclusive('\n').map(str::to_owned).collect()
    }
}

fn by_lines(path: &RelPath, lines: &[String], text: &str) -> Option<Action> {
    // A server that is not held to the schema may put a fence around it.
    let object = text.get(text.find('{')?..=text.rfind('}')?)?;
    let Lines { first_line, last_line, mut replacement } = serde_json::from_str(object).ok()?;
    if first_line == 0 || first_line > last_line + 1 || last_line > lines.len() {
        let reason = format!("lines {first_line} to {last_line} of {} are none", lines.len());
        return Some(Action::Refused { what: format!("edit {path}"), reason });
    }
    if !replacement.is_empty() && !replacement.ends_with('\n') {
        replacement.push('\n');
    }
    let (mut before, after) = (lines[..first_line - 1].concat(), lines[last_line..].concat());
    if !replacement.is_empty() && !before.is_empty() && !before.ends_with('\n') {
        before.push('\n');
    }
    Some(Action::Write { path: path.clone(), content: format!("{before}{replacement}{after}") })
}

#[cfg(test)]
mod tests {
    use super::by_lines;
    use crate::base::path::RelPath;
    use crate::reply::Action;

    fn changed(text: &str) -> Option<String> {
        let lines = ["one\n", "two\n", "three"].map(str::to_owned);
        match by_lines(&RelPath::parse("a.txt").unwrap(), &lines, text)? {
            Action::Write { content, .. } => Some(content),
            Action::Refused { reason, .. } => Some(reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_replaced_inserted_and_taken_away() {
        for (answer, wanted) in [
            (r#"{"first_line": 2, "last_line": 2, "replacement": "2"}"#, Some("one\n2\nthree")),
            (r#"{"first_line": 1, "last_line": 0, "replacement": "zero\n"}"#, Some("zero\none\ntwo\nthree")),
            (r#"{"first_line": 1, "last_line": 2, "replacement": ""}"#, Some("three")),
            (
                "```json\n{\"first_line\": 3, \"last_line\": 3, \"replacement\": \"3\\n4\"}\n```",
                Some("one\ntwo\n3\n4\n"),
            ),
            (r#"{"first_line": 4, "last_line": 3, "replacement": "four"}"#, Some("one\ntwo\nthree\nfour\n")),
            (r#"{"first_line": 3, "last_line": 4, "replacement": ""}"#, Some("lines 3 to 4 of 3 are none")),
            (r#"{"first_line": 0, "last_line": 0, "replacement": ""}"#, Some("lines 0 to 0 of 3 are none")),
            ("I cannot.", None),
            ("} {", None),
        ] {
            assert_eq!(changed(answer).as_deref(), wanted, "{answer}");
        }
    }
}
