//! `faos sessions show`: a conversation as lines of text.

use std::path::Path;

use crate::base::printable::printable;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session;
use crate::session::record::{DeltaKind, Entry, Record};

pub fn run(folder: &Path) -> Result<Plan, Failure> {
    let (records, problems) = session::read(folder)?;
    super::warn(&problems);
    output::print(&conversation(&records))
}

/// The conversation as text: who said what, what was done, how it ended.
fn conversation(records: &[Record]) -> String {
    let mut out = String::new();
    let mut in_reply = false;
    for record in records {
        let is_text = matches!(&record.entry, Entry::ReplyDelta { kind: DeltaKind::Text, .. });
        if in_reply && !is_text {
            out.push_str(if out.ends_with('\n') { "\n" } else { "\n\n" });
        }
        in_reply = is_text;
        out.push_str(&shown(&record.entry));
    }
    if in_reply && !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn shown(entry: &Entry) -> String {
    match entry {
        Entry::SessionStarted(started) => {
            let workspace = printable(&started.workspace.display().to_string());
            format!("session {} · workspace {workspace}\n\n", started.session)
        }
        Entry::UserMessage { text } => format!("> {}\n\n", printable(text).trim_end().replace('\n', "\n> ")),
        Entry::ReplyDelta { kind: DeltaKind::Text, text } => printable(text),
        Entry::ActionApplied { kind, path, .. } => format!("[{} {}]\n", name(kind), printable(path)),
        Entry::ActionRefused { kind, path, reason, .. } => {
            format!("[{} {}: refused: {}]\n", name(kind), printable(path), printable(reason))
        }
        Entry::VersionKept { version, why, .. } => format!("[version {version}: {}]\n", printable(why)),
        Entry::RunFinished { run, report, .. } => {
            format!("[run {run}: {} after {:.2} s]\n", name(&report.exit.kind), report.wall_s)
        }
        Entry::Validated { outcome, script, .. } => format!("[check {}: {}]\n", printable(script), name(outcome)),
        Entry::ReplyFinished { reason, .. } => format!("[reply: {}]\n", name(reason)),
        Entry::Note { text, .. } => format!("[{}]\n", printable(text)),
        Entry::Error { message, .. } => format!("[error: {}]\n", printable(message)),
        Entry::Renamed { title } => format!("[renamed: {}]\n", printable(title)),
        Entry::TurnFinished { verdict, exit_code } => format!("[{}, exit code {exit_code}]\n\n", name(verdict)),
        Entry::FileAttached { path, .. } => format!("[read {}]\n", printable(path)),
        Entry::RequestChanged { scripts, .. } => {
            format!("[for this request, {} changed what is sent]\n", printable(&scripts.join(", ")))
        }
        Entry::RequestSent { .. }
        | Entry::FilesChanging { .. }
        | Entry::ReplyDelta { kind: DeltaKind::Reasoning | DeltaKind::Tool, .. }
        | Entry::RunStarted { .. }
        | Entry::HookRan { .. }
        | Entry::ScriptState { .. }
        | Entry::Retry { .. }
        | Entry::Compacted { .. }
        | Entry::HeadMoved { .. }
        | Entry::SettingChanged { .. }
        | Entry::SessionEnded { .. }
        | Entry::Unknown(_) => String::new(),
    }
}

/// A closed enum's value as the log spells it.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
