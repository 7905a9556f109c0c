//! Events as the lines of `stream-json`; `docs/schema/event.json` and `result.json` describe them.

use serde_json::{Map, Value, json};

use crate::base::clock;
use crate::core::event::{ActionOutcome, Event, Finished, SessionInfo};

/// What every line holds beside its own fields; known from the first event on.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    session: Option<String>,
    turn: u32,
}

impl Lines {
    /// The line of an event, without its newline; `None` for what is only for display.
    pub fn line(&mut self, event: &Event) -> Option<Value> {
        if let Event::Session(info) = event {
            self.session = Some(info.id.to_string());
            self.turn = info.turn;
        }
        let (name, fields) = fields_of(event)?;
        let mut line = Map::new();
        line.insert("type".to_owned(), name.into());
        line.insert("time".to_owned(), clock::now().into());
        line.insert("session".to_owned(), self.session.clone().into());
        line.insert("turn".to_owned(), self.turn.into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        Some(Value::Object(line))
    }
}

fn fields_of(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Session(info) => ("session", session(info)),
        Event::Delta { kind, text } => ("delta", json!({ "kind": kind, "text": text })),
        Event::Block { .. }
        | Event::Reading { .. }
        | Event::ReplyFinished { .. }
        | Event::Checking(_)
        | Event::Question(_)
        | Event::GivenBack(_)
        | Event::HeadMoved(_)
        | Event::Shown(_)
        | Event::Ready => return None,
        Event::Action(action) => {
            let mut fields = json!({
                "kind": action.kind,
                "path": action.path,
                "outcome": outcome(action.outcome),
                "reason": action.reason,
            });
            if let Some(diff) = &action.diff {
                fields["diff"] = diff.as_str().into();
            }
            ("action", fields)
        }
        Event::RunStarted { run, source, command } => {
            ("run", json!({ "phase": "started", "run": run, "source": source, "command": command }))
        }
        Event::RunOutput { run, stream, seq, at_s, text } => {
            ("run", json!({ "phase": "output", "run": run, "stream": stream, "seq": seq, "at_s": at_s, "text": text }))
        }
        Event::RunFinished { run, source, report } => {
            let mut fields = serde_json::to_value(report).unwrap_or_default();
            fields["phase"] = "finished".into();
            fields["run"] = (*run).into();
            fields["source"] = json!(source);
            ("run", fields)
        }
        Event::Validation { outcome, script, feedback, ms: _ } => {
            ("validation", json!({ "outcome": outcome, "script": script, "feedback": feedback }))
        }
        Event::Hook { script, event, outcome, ms, note } => {
            ("hook", json!({ "script": script, "event": event, "outcome": outcome, "ms": ms, "note": note }))
        }
        Event::Retry { attempt, wait_s, reason } => {
            ("retry", json!({ "attempt": attempt, "wait_s": wait_s, "reason": reason }))
        }
        Event::Version { version, commit, files } => {
            ("version", json!({ "version": version, "commit": commit, "files": files }))
        }
        Event::Usage(usage) => ("usage", json!(usage)),
        Event::Notice(text) => ("notice", json!({ "text": text })),
        Event::Error { message, hints } => ("error", json!({ "message": message, "hints": hints })),
        Event::Finished(finished) => ("result", result(finished)),
    })
}

fn session(info: &SessionInfo) -> Value {
    json!({
        "folder": info.folder,
        "workspace": info.workspace,
        "resumed": info.resumed,
        "model": info.model,
        "server": info.server,
        "context_window": info.context_window,
    })
}

fn result(finished: &Finished) -> Value {
    json!({
        "verdict": finished.verdict,
        "exit_code": finished.exit_code,
        "session": finished.session,
        "workspace": finished.workspace,
        "files": finished.files,
        "runs": finished.runs,
        "usage": finished.usage,
        "text": finished.text,
    })
}

/// The result of work that failed before there was a session.
pub fn failed_start(exit_code: u8) -> Value {
    json!({
        "type": "result",
        "time": clock::now(),
        "turn": 0,
        "verdict": "error",
        "exit_code": exit_code,
        "session": null,
        "workspace": null,
        "files": [],
        "runs": [],
        "usage": crate::base::usage::Usage::default(),
        "text": "",
    })
}

fn outcome(outcome: ActionOutcome) -> &'static str {
    match outcome {
        ActionOutcome::Applied => "applied",
        ActionOutcome::Refused => "refused",
        ActionOutcome::Noop => "noop",
    }
}
