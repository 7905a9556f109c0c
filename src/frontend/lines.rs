//! Events as plain lines for people, on stderr beside the reply's text.

use std::fmt::Write as _;

use crate::base::printable::printable;
use crate::base::report::{ChangeKind, ExitKind, Network, RunReport};
use crate::core::event::{ActionEvent, ActionOutcome, Event, Finished, SessionInfo};
use crate::core::view::{ActionKind, ValidationOutcome, Verdict};

/// Lines of a failed check that are shown; all of them are in the session.
const FEEDBACK_LINES: usize = 20;

/// The lines of an event, each with its newline; empty for what is shown elsewhere or not at all.
pub fn lines(event: &Event) -> String {
    match event {
        Event::Session(info) => session(info),
        Event::Delta { .. } | Event::Block { .. } | Event::ReplyFinished | Event::Version { .. } | Event::Usage(_) => {
            String::new()
        }
        Event::Action(action) => self::action(action),
        Event::RunStarted { run, command, .. } => {
            let mut script = command.lines();
            let first = printable(script.next().unwrap_or_default());
            match script.count() {
                0 => format!("run {run}: {first}\n"),
                more => format!("run {run}: {first} (+{more} lines)\n"),
            }
        }
        Event::RunOutput { text, .. } => text.lines().map(|line| format!("  | {line}\n")).collect(),
        Event::RunFinished { run, report, .. } => format!("run {run}: {}\n", outcome(report)),
        Event::Validation { outcome, script, feedback } => validation(*outcome, script, feedback),
        Event::Hook { script, event, outcome, note, .. } => match note.is_empty() || outcome == "pass" {
            true => String::new(),
            false => format!("{script} {event}: {outcome}: {}\n", printable(note)),
        },
        Event::Retry { attempt, wait_s, reason } => {
            format!("try {attempt} failed ({}); the next one in {wait_s:.1} s\n", printable(reason))
        }
        Event::Notice(text) => format!("{}\n", printable(text)),
        Event::Error { message, hints } => error(message, hints),
        Event::Finished(finished) => self::finished(finished),
    }
}

/// `error: …` and its `hint: …` lines.
pub fn error(message: &str, hints: &[String]) -> String {
    let mut out = format!("error: {}\n", printable(message));
    for hint in hints {
        let _ = writeln!(out, "hint: {}", printable(hint));
    }
    out
}

fn session(info: &SessionInfo) -> String {
    let window = info.context_window.map_or_else(|| "unknown window".to_owned(), |tokens| format!("window {tokens}"));
    let word = if info.resumed { "resumed" } else { "session" };
    format!("{word} {} · {} · {} · {window}\n", info.id, printable(&info.model), info.server)
}

fn action(action: &ActionEvent) -> String {
    let path = printable(&action.path);
    let word = match action.kind {
        ActionKind::Write => "wrote",
        ActionKind::Edit => "edited",
        ActionKind::Delete => "deleted",
        ActionKind::Move => "moved",
        ActionKind::Run => "ran",
        ActionKind::Read => "read",
    };
    let reason = action.reason.as_deref().map(printable).unwrap_or_default();
    let mut out = match action.outcome {
        // Its own lines tell of a run.
        ActionOutcome::Applied if action.kind == ActionKind::Run => String::new(),
        ActionOutcome::Noop if action.kind == ActionKind::Run => format!("not run ({reason}): {path}\n"),
        ActionOutcome::Applied if reason.is_empty() => format!("{word} {path}\n"),
        ActionOutcome::Applied => format!("{word} {path} ({reason})\n"),
        ActionOutcome::Noop => format!("unchanged {path}\n"),
        ActionOutcome::Refused => format!("refused: {path}: {reason}\n"),
    };
    if let Some(diff) = &action.diff {
        out.push_str(&printable(diff));
    }
    out
}

/// How a run ended and what it cost.
fn outcome(report: &RunReport) -> String {
    let exit = report.exit;
    let end = match exit.kind {
        ExitKind::Exited => format!("exit {}", exit.code.unwrap_or_default()),
        ExitKind::Signaled => format!("signal {}", exit.signal.unwrap_or_default()),
        kind => serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
    };
    let network = match report.network {
        Network::Off => "no network",
        Network::Full => "full network",
    };
    format!(
        "{end}, {:.2} s, CPU {:.2} s, peak {} MB, {network}",
        report.wall_s,
        report.user_s + report.system_s,
        report.peak_memory_bytes / 1_000_000
    )
}

fn validation(outcome: ValidationOutcome, script: &str, feedback: &str) -> String {
    let feedback = printable(feedback);
    match outcome {
        ValidationOutcome::Passed => format!("check {script}: passed\n"),
        ValidationOutcome::None if feedback.is_empty() => String::new(),
        ValidationOutcome::None => format!("check {script}: no opinion: {feedback}\n"),
        ValidationOutcome::Failed => {
            let mut out = format!("check {script}: failed\n");
            for line in feedback.lines().take(FEEDBACK_LINES) {
                let _ = writeln!(out, "  | {line}");
            }
            if feedback.lines().count() > FEEDBACK_LINES {
                out.push_str("  | …\n");
            }
            out
        }
    }
}

fn finished(finished: &Finished) -> String {
    let verdict = match finished.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unchecked => "unchecked",
        Verdict::Error => "error",
        Verdict::Interrupted => "interrupted",
    };
    let usage = &finished.usage;
    let mut out = verdict.to_owned();
    let counts = [
        (finished.files.iter().filter(|file| file.kind == ChangeKind::Created).count(), "created"),
        (finished.files.iter().filter(|file| file.kind == ChangeKind::Modified).count(), "modified"),
        (finished.files.iter().filter(|file| file.kind == ChangeKind::Deleted).count(), "deleted"),
    ];
    for (count, word) in counts.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(out, " · {count} {word}");
    }
    let _ = write!(
        out,
        " · {} requests, {} tokens in, {} out",
        usage.requests, usage.prompt_tokens, usage.completion_tokens
    );
    let _ = write!(out, "\nfiles: {}\n", finished.workspace.display());
    out
}
