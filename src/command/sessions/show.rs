//! `faos sessions show`: a conversation as lines of text, or with `--run N` what one of its runs printed.

use std::fmt::Write;
use std::path::Path;

use crate::base::printable::{Printable, printable};
use crate::base::streams::Stream;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session::record::{DeltaKind, Entry, Record};
use crate::session::{self, Printed};

pub fn run(folder: &Path, run: Option<u32>) -> Result<Plan, Failure> {
    let (records, problems) = session::read(folder)?;
    super::warn(&problems);
    match run {
        None => output::print(&conversation(&records)),
        Some(run) => output::print(&one_run(folder, &records, run)?),
    }
}

/// A run's command, its output and its end.
fn one_run(folder: &Path, records: &[Record], wanted: u32) -> Result<String, Failure> {
    let command = records.iter().find_map(|record| match &record.entry {
        Entry::RunStarted { run, command, .. } if *run == wanted => Some(command),
        _ => None,
    });
    let Some(command) = command else {
        let runs = records.iter().filter(|record| matches!(record.entry, Entry::RunStarted { .. })).count();
        return Err(Failure::usage(format!("there is no run {wanted} in this session"), format!("it has {runs}")));
    };
    let mut out = format!("$ {}\n", printable(command).trim_end().replace('\n', "\n  "));
    out.push_str(&lines(&session::output(folder, wanted)?));
    let is_it = |record: &&Record| matches!(&record.entry, Entry::RunFinished { run, .. } if *run == wanted);
    out.push_str(&records.iter().find(is_it).map_or_else(|| "[it came to no end]\n".to_owned(), |it| shown(&it.entry)));
    Ok(out)
}

/// Each line with its time and its stream. One that the other stream comes into is shown in parts.
fn lines(printed: &[Printed]) -> String {
    let mut filters = [Printable::default(), Printable::default()];
    let mut out = String::new();
    let mut open: Option<Stream> = None;
    for Printed { stream, at_s, bytes } in printed {
        let mut text = String::new();
        filters[*stream as usize].push_bytes(bytes, &mut text);
        for part in text.split_inclusive('\n') {
            if open != Some(*stream) {
                out.push_str(if open.is_some() { "\n" } else { "" });
                let at = at_s.map_or_else(|| "?".to_owned(), |at| format!("{at:.3}"));
                let name = if *stream == Stream::Stdout { "out" } else { "err" };
                let _ = write!(out, "{at:>8} {name} | ");
            }
            out.push_str(part);
            open = (!part.ends_with('\n')).then_some(*stream);
        }
    }
    out.push_str(if open.is_some() { "\n" } else { "" });
    out
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
