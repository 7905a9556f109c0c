//! A conversation as a document: for people ([`html()`]) and for editors and other programs ([`markdown()`]).
//!
//! A document stands alone: it names no other file, and what it shows was made printable before.

mod html;
mod markdown;

use crate::base::report::RunReport;
use crate::core::view::{Transcript, Verdict};
use crate::frontend::lines;

pub use html::html;
pub use markdown::markdown;

/// What is told in front: the words of the field, and what they are here.
fn facts(transcript: &Transcript) -> Vec<(&'static str, String)> {
    let usage = &transcript.usage;
    let tokens = format!("{} read, {} written in {:.1} s", usage.prompt_tokens, usage.completion_tokens, usage.seconds);
    let facts = [
        ("session", transcript.session.clone()),
        ("begun", transcript.begun.clone()),
        ("model", transcript.model.clone()),
        ("workspace", transcript.workspace.clone()),
        ("tokens", tokens),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// What a run has cost, in one line.
fn telemetry(report: &RunReport) -> String {
    let mut parts = vec![
        lines::ending(report),
        format!("{:.2} s", report.wall_s),
        format!("{:.2} s of CPU", report.user_s + report.system_s),
        format!("{:.1} MiB at most", report.peak_memory_bytes as f64 / 1048576.0),
        format!("sandbox {}", word(&report.backend)),
        format!("network {}", word(&report.network)),
    ];
    if report.written_bytes > 0 {
        parts.push(format!("{} bytes written", report.written_bytes));
    }
    if report.processes_left_killed > 0 {
        parts.push(format!("{} processes left behind and ended", report.processes_left_killed));
    }
    parts.join(" · ")
}

fn verdict(verdict: Verdict, exit_code: u8) -> String {
    format!("{}, exit code {exit_code}", verdict.as_str())
}

/// A closed enum's value as the log spells it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
