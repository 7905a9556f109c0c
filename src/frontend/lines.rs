//! Events as plain lines for people, on stderr beside the reply's text.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::base::printable::printable;
use crate::base::report::{ChangeKind, ExitKind, Network, RunReport};
use crate::base::streams::Stream;
use crate::base::usage::Usage;
use crate::core::event::{ActionEvent, ActionOutcome, Event, Finished, LineCount, SessionInfo};
use crate::core::view::{ActionKind, ValidationOutcome, Verdict};

/// Lines of a failed check that are shown; all of them are in the session.
const FEEDBACK_LINES: usize = 20;

/// Bytes of one line of output; a longer one is shown in parts.
const LONGEST_LINE: usize = 8192;

/// Tells events in whole lines: a run's output comes in pieces, and an edit of many sections is one thing to a reader.
#[derive(Default)]
pub struct Narrator {
    /// The unfinished last line of a run's stdout and stderr.
    unfinished: [String; 2],
    edited: Option<Edited>,
    shown: RunLines,
    left: Left,
}

/// What there is after the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Left {
    /// Files and a session to go on with, and the last line says how.
    Session,
    /// Files alone, or somebody who knows how to go on.
    #[default]
    Files,
    /// A dry run: nothing.
    Nothing,
}

/// The lines of one run that are shown: the first ones as they come, the last ones at its end.
#[derive(Default)]
struct RunLines {
    count: usize,
    last: VecDeque<String>,
}

impl RunLines {
    const FIRST: usize = 200;
    const LAST: usize = 20;

    fn push(&mut self, line: &str, out: &mut String) {
        self.count += 1;
        if self.count <= Self::FIRST {
            let _ = writeln!(out, "  | {line}");
            return;
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > Self::LAST {
            self.last.pop_front();
        }
    }

    fn finish(&mut self, run: u32, out: &mut String) {
        let left_out = self.count.saturating_sub(Self::FIRST + self.last.len());
        if left_out > 0 {
            let _ = writeln!(out, "  | [… {left_out} lines more; all of them are in runs/{run:04} …]");
        }
        for line in &self.last {
            let _ = writeln!(out, "  | {line}");
        }
        *self = Self::default();
    }
}

/// The sections applied to one file so far, not told yet.
struct Edited {
    path: String,
    sections: usize,
    lines: Option<LineCount>,
}

impl Narrator {
    pub fn new(left: Left) -> Self {
        Self { left, ..Self::default() }
    }

    /// The lines that are complete with this event, each with its newline.
    pub fn lines(&mut self, event: &Event) -> String {
        if let Event::Action(ActionEvent { kind: ActionKind::Edit, outcome, path, reason: None, diff: None, lines }) =
            event
            && *outcome == ActionOutcome::Applied
        {
            return self.edit(path, *lines);
        }
        let mut out = self.told_edits();
        match event {
            Event::RunOutput { stream, text, .. } => self.output(*stream, text, &mut out),
            Event::RunFinished { run, report, .. } => {
                for rest in &mut self.unfinished {
                    if !rest.is_empty() {
                        self.shown.push(&std::mem::take(rest), &mut out);
                    }
                }
                self.shown.finish(*run, &mut out);
                let _ = writeln!(out, "run {run}: {}", outcome(report));
            }
            Event::Session(_) if self.left == Left::Nothing => {}
            Event::Finished(finished) => out.push_str(&self::finished(finished, self.left)),
            _ => out.push_str(&alone(event)),
        }
        out
    }

    fn edit(&mut self, path: &str, lines: Option<LineCount>) -> String {
        if let Some(edited) = &mut self.edited
            && edited.path == path
        {
            edited.sections += 1;
            edited.lines = edited.lines.or(lines);
            return String::new();
        }
        let before = self.told_edits();
        self.edited = Some(Edited { path: path.to_owned(), sections: 1, lines });
        before
    }

    fn told_edits(&mut self) -> String {
        let Some(Edited { path, sections, lines }) = self.edited.take() else { return String::new() };
        let places = if sections == 1 { String::new() } else { format!(" in {sections} places") };
        format!("edited {}{}{places}\n", printable(&path), diffstat(lines))
    }

    fn output(&mut self, stream: Stream, text: &str, out: &mut String) {
        let rest = match stream {
            Stream::Stdout => &mut self.unfinished[0],
            Stream::Stderr => &mut self.unfinished[1],
        };
        for piece in text.split_inclusive('\n') {
            rest.push_str(piece);
            // A line without an end is shown in parts rather than kept.
            if rest.ends_with('\n') || rest.len() > LONGEST_LINE {
                self.shown.push(rest.trim_end_matches('\n'), out);
                rest.clear();
            }
        }
    }
}

/// The lines of an event that needs no other to be understood; empty for what is shown elsewhere or not at all.
fn alone(event: &Event) -> String {
    match event {
        Event::Session(info) => session(info),
        Event::Delta { .. }
        | Event::Block { .. }
        | Event::Reading { .. }
        | Event::ReplyFinished { .. }
        | Event::Version { .. }
        | Event::Usage(_)
        | Event::RunOutput { .. }
        | Event::RunFinished { .. }
        | Event::Checking(_)
        | Event::Question(_)
        | Event::GivenBack(_)
        | Event::HeadMoved(_)
        | Event::Shown(_)
        | Event::Ready
        | Event::Finished(_) => String::new(),
        Event::Action(action) => self::action(action),
        Event::RunStarted { run, command, .. } => {
            let mut script = command.lines();
            let first = printable(script.next().unwrap_or_default());
            match script.count() {
                0 => format!("run {run}: {first}\n"),
                more => format!("run {run}: {first} (+{more} lines)\n"),
            }
        }
        Event::Validation { outcome, script, feedback, ms } => validation((*outcome, *ms), script, feedback),
        // A validator's opinion has lines of its own.
        Event::Hook { event, outcome, .. }
            if event == "on_validate" && ["rejected", "none"].contains(&outcome.as_str()) =>
        {
            String::new()
        }
        Event::Hook { script, event, outcome, note, .. } => match note.is_empty() || outcome == "pass" {
            true => String::new(),
            false => format!("{script} {event}: {outcome}: {}\n", printable(note)),
        },
        Event::Retry { attempt, wait_s, reason } => {
            format!("{}; try {attempt} in {wait_s:.1} s\n", printable(reason))
        }
        Event::Notice(text) => format!("{}\n", printable(text)),
        Event::Error { message, hints } => error(message, hints),
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
    format!("{word} {} · {} · {} · {window}\n", info.id, printable(&info.model), printable(&info.server))
}

fn action(action: &ActionEvent) -> String {
    let path = printable(&action.path);
    // What is done needs no diff: a dry run shows one, and so does a refusal for what somebody else has changed.
    let would = action.diff.is_some();
    let word = match action.kind {
        ActionKind::Write if would => "would write",
        ActionKind::Edit if would => "would edit",
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
        ActionOutcome::Applied if reason.is_empty() => format!("{word} {path}{}\n", diffstat(action.lines)),
        ActionOutcome::Applied => format!("{word} {path}{} ({reason})\n", diffstat(action.lines)),
        ActionOutcome::Noop => format!("unchanged {path}\n"),
        ActionOutcome::Refused => format!("refused: {path}: {reason}\n"),
    };
    if let Some(diff) = &action.diff {
        out.push_str(&printable(diff));
    }
    out
}

/// ` +34 -2`, or nothing.
fn diffstat(lines: Option<LineCount>) -> String {
    match lines {
        Some(LineCount { added, removed: 0 }) => format!("  +{added}"),
        Some(LineCount { added, removed }) => format!("  +{added} -{removed}"),
        None => String::new(),
    }
}

/// How a run ended. What stopped it counts before a code or a signal, which only follow from that.
pub fn ending(report: &RunReport) -> String {
    let exit = report.exit;
    match exit.kind {
        ExitKind::Exited => format!("exit {}", exit.code.unwrap_or_default()),
        ExitKind::Signaled => format!("signal {}", exit.signal.unwrap_or_default()),
        ExitKind::WallLimit => "stopped: it took too long".to_owned(),
        ExitKind::CpuLimit => "stopped: it took too much CPU time".to_owned(),
        ExitKind::MemoryLimit => "stopped: it took too much memory".to_owned(),
        ExitKind::OutputLimit => "stopped: it printed too much".to_owned(),
        ExitKind::FileLimit => "stopped: a file grew too large".to_owned(),
        ExitKind::ProcessLimit => "stopped: it started too many processes".to_owned(),
        ExitKind::DiskLimit => "stopped: it wrote too much".to_owned(),
        ExitKind::Cancelled => "stopped by you".to_owned(),
        ExitKind::SetupFailed => "not started: the sandbox could not be set up".to_owned(),
    }
}

/// How a run ended and what it cost.
fn outcome(report: &RunReport) -> String {
    let end = ending(report);
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

fn validation((outcome, ms): (ValidationOutcome, Option<u64>), script: &str, feedback: &str) -> String {
    let took = ms.map(|ms| format!(", {}.{:02} s", ms / 1000, ms % 1000 / 10)).unwrap_or_default();
    let feedback = printable(feedback);
    match outcome {
        ValidationOutcome::Passed => format!("check {script}: passed{took}\n"),
        ValidationOutcome::None if feedback.is_empty() => String::new(),
        ValidationOutcome::None => format!("check {script}: no opinion: {feedback}\n"),
        ValidationOutcome::Failed => {
            let mut out = format!("check {script}: failed{took}\n");
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

fn finished(finished: &Finished, left: Left) -> String {
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
    let _ = writeln!(out, "{}", cost(usage));
    if left == Left::Nothing {
        return out;
    }
    let _ = writeln!(out, "files: {}", printable(&finished.workspace.display().to_string()));
    if left == Left::Session {
        let _ = writeln!(out, "go on: faos resume {} \"what comes next\"", finished.session);
    }
    out
}

/// What the server counted; what it did not count is no 0.
fn cost(usage: &Usage) -> String {
    let requests = match usage.requests {
        0 => return String::new(),
        1 => "1 request".to_owned(),
        more => format!("{more} requests"),
    };
    match (usage.prompt_tokens, usage.completion_tokens) {
        (0, 0) => format!(" · {requests}"),
        (read, 0) => format!(" · {requests}, {read} tokens in"),
        (0, written) => format!(" · {requests}, {written} tokens out"),
        (read, written) if usage.cached_tokens > 0 => {
            format!(" · {requests}, {read} tokens in ({} reused), {written} out", usage.cached_tokens)
        }
        (read, written) => format!(" · {requests}, {read} tokens in, {written} out"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Narrator, cost};
    use crate::base::streams::Stream;
    use crate::base::usage::Usage;
    use crate::core::event::{ActionEvent, ActionOutcome, Event};
    use crate::core::view::ActionKind;

    fn told(events: impl IntoIterator<Item = Event>) -> String {
        let mut narrator = Narrator::default();
        events.into_iter().map(|event| narrator.lines(&event)).collect()
    }

    fn output(stream: Stream, text: &str) -> Event {
        Event::RunOutput { run: 1, stream, seq: 1, at_s: 0.1, text: text.to_owned() }
    }

    fn edit(path: &str) -> Event {
        Event::Action(ActionEvent {
            kind: ActionKind::Edit,
            path: path.to_owned(),
            outcome: ActionOutcome::Applied,
            reason: None,
            diff: None,
            lines: None,
        })
    }

    #[test]
    fn output_is_told_in_whole_lines() {
        let pieces = [
            output(Stream::Stdout, "test_a ... "),
            output(Stream::Stderr, "warn"),
            output(Stream::Stdout, "ok\ntest_b ... "),
            output(Stream::Stderr, "ing\n\n"),
            output(Stream::Stdout, "FAIL\n"),
        ];
        assert_eq!(told(pieces), "  | test_a ... ok\n  | warning\n  | \n  | test_b ... FAIL\n");
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let long = told((0..100).map(|_| output(Stream::Stdout, &"x".repeat(1000))));
        assert!(long.len() > 90_000, "{}", long.len());
    }

    #[test]
    fn counts_that_the_server_did_not_give_are_left_away() {
        let told = [(0, 0, 0), (1, 0, 0), (1, 7, 0), (2, 0, 8), (2, 7, 8)].map(|(requests, read, written)| {
            cost(&Usage { requests, prompt_tokens: read, completion_tokens: written, ..Usage::default() })
        });
        let wanted = [
            "",
            " · 1 request",
            " · 1 request, 7 tokens in",
            " · 2 requests, 8 tokens out",
            " · 2 requests, 7 tokens in, 8 out",
        ];
        assert_eq!(told, wanted);
        let usage = Usage { requests: 1, prompt_tokens: 7, cached_tokens: 5, completion_tokens: 8, ..Usage::default() };
        assert_eq!(cost(&usage), " · 1 request, 7 tokens in (5 reused), 8 out");
    }

    #[test]
    fn sections_of_one_file_are_one_line() {
        let events = [edit("a.py"), edit("a.py"), edit("b.py"), Event::Notice("done".to_owned())];
        assert_eq!(told(events), "edited a.py in 2 places\nedited b.py\ndone\n");
    }
}
