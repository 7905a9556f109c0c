//! What was asked about a conversation, as lines for a terminal.

use std::fmt::Write as _;

use crate::base::clock::to_the_minute;
use crate::base::printable::printable;
use crate::base::report::{ChangeKind, FileChange};
use crate::core::view::{
    Context, Handler, KeptVersion, Model, Prompt, Recap, SavedSession, Script, Stats, ValidationOutcome, View,
};

/// Rows that are shown of what may be long; how many more there are is said.
const MOST: usize = 200;
/// Lines of a reply that is shown again.
const REPLY_LINES: usize = 12;

/// The lines of a view, each with its newline. Formatting into a string cannot fail, so its results are not looked at.
pub fn lines(view: &View) -> String {
    match view {
        View::Recap(recap) => self::recap(recap),
        View::Context(context) => self::context(context),
        View::Files { files, unnamed, truncated } => self::files(files, unnamed, *truncated),
        View::Diff { version, text, .. } if text.is_empty() => format!("nothing differs from version {version}\n"),
        View::Diff { version, to: None, text } => format!("since version {version}:\n{}", printable(text)),
        View::Diff { version, to: Some(to), text } => {
            format!("from version {version} to {to}:\n{}", printable(text))
        }
        View::Versions(versions) => self::versions(versions),
        View::Sessions(sessions) => self::sessions(sessions),
        View::Models(models) => self::models(models),
        View::Scripts(scripts) => self::scripts(scripts),
        // For completion and `/help`.
        View::Commands(_) => String::new(),
        View::Prompts(prompts) => self::prompts(prompts),
        View::Stats(stats) => self::stats(stats),
        // It goes into a file, not on the screen.
        View::Transcript(_) => String::new(),
    }
}

/// At most [`MOST`] rows, the last ones where `newest_last`.
fn table<T>(rows: &[T], row: impl Fn(&T) -> String) -> String {
    let left_out = rows.len().saturating_sub(MOST);
    let mut out = String::new();
    if left_out > 0 {
        let _ = writeln!(out, "({left_out} more before these)");
    }
    for item in &rows[left_out..] {
        let _ = writeln!(out, "{}", row(item).trim_end());
    }
    out
}

fn recap(recap: &Recap) -> String {
    let Some(message) = &recap.message else { return "nothing was said yet\n".to_owned() };
    let mut out = format!("› {}\n", printable(message).trim_end().replace('\n', "\n  "));
    let reply = printable(&recap.reply);
    let reply: Vec<&str> = reply.trim_end().lines().collect();
    let left_out = reply.len().saturating_sub(REPLY_LINES);
    if left_out > 0 {
        let _ = writeln!(out, "[… {left_out} lines …]");
    }
    for line in &reply[left_out..] {
        let _ = writeln!(out, "{line}");
    }
    if recap.open {
        let what = if recap.reply.is_empty() { "no answer came" } else { "the reply was interrupted" };
        let _ = writeln!(out, "[{what}: /retry goes on with it, or say something else]");
    }
    out
}

fn context(context: &Context) -> String {
    let mut out = String::new();
    let estimated: u64 = context.parts.iter().map(|(_, tokens)| tokens).sum();
    for (name, tokens) in &context.parts {
        let _ = writeln!(out, "  {name:<24} about {tokens:>7} tokens");
    }
    let used = if context.counted > 0 { context.counted } else { estimated };
    let by = if context.counted > 0 { "counted by the server" } else { "estimated" };
    match context.window {
        Some(window) => {
            let percent = used * 100 / window.max(1);
            let left = window.saturating_sub(used);
            let _ = writeln!(out, "{used} of {window} tokens ({percent} %, {by}); {left} left");
        }
        None => {
            let _ = writeln!(out, "{used} tokens ({by}); the server does not say how long its window is (--context)");
        }
    }
    out
}

fn files(files: &[(String, u64)], unnamed: &[String], truncated: bool) -> String {
    if files.is_empty() && unnamed.is_empty() {
        return "the workspace is empty\n".to_owned();
    }
    let mut out = table(files, |(path, size)| format!("{size:>9}  {}", printable(path)));
    for name in unnamed {
        let _ = writeln!(out, "{:>9}  {name} (no version holds it: its name is no text)", "");
    }
    if truncated {
        out.push_str("(and more that were not looked at)\n");
    }
    out
}

fn versions(versions: &[KeptVersion]) -> String {
    if versions.is_empty() {
        return "no version was kept yet\n".to_owned();
    }
    table(versions, |version| {
        format!(
            "{:>4}  {}  {:<32}  {:<10}{}{}",
            format!("v{}", version.version),
            to_the_minute(&version.time),
            printable(&version.why),
            changes(&version.files),
            outcome(version.outcome),
            names(&version.files)
        )
    })
}

fn outcome(outcome: Option<ValidationOutcome>) -> &'static str {
    match outcome {
        Some(ValidationOutcome::Passed) => "  passed",
        Some(ValidationOutcome::Failed) => "  failed",
        Some(ValidationOutcome::None) | None => "",
    }
}

/// The first few of the files.
fn names(files: &[FileChange]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = files.iter().take(SHOWN).map(|file| printable(&file.path)).collect();
    let more = if files.len() > SHOWN { " …" } else { "" };
    if shown.is_empty() { String::new() } else { format!("  {}{more}", shown.join(" ")) }
}

/// `2 created, 1 changed`.
pub fn changes(files: &[FileChange]) -> String {
    let count = |kind| files.iter().filter(|file| file.kind == kind).count();
    let kinds = [(ChangeKind::Created, "created"), (ChangeKind::Modified, "changed"), (ChangeKind::Deleted, "deleted")];
    let counted = kinds.map(|(kind, word)| (count(kind), word));
    let named: Vec<String> =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    named.join(", ")
}

fn sessions(sessions: &[SavedSession]) -> String {
    if sessions.is_empty() {
        return "no conversation is saved yet\n".to_owned();
    }
    // The newest ones stand at the end, above the prompt.
    let oldest_first: Vec<(usize, &SavedSession)> = (1..).zip(sessions).collect::<Vec<_>>().into_iter().rev().collect();
    let mut out = table(&oldest_first, |(number, session)| {
        let title: String = printable(&session.title).lines().next().unwrap_or_default().chars().take(50).collect();
        let here = if session.here { "*" } else { " " };
        let turns = if session.turns == 1 { "message " } else { "messages" };
        format!(
            "{number:>3} {here} {}  {}  {:<11} {:>2} {turns}  {title}",
            session.id,
            to_the_minute(&session.changed),
            session.verdict,
            session.turns
        )
    });
    out.push_str("* is this one; /resume goes on with another, by its number or its id\n");
    out
}

fn models(models: &[Model]) -> String {
    let mut out = table(models, |model| {
        let used = if model.in_use { "*" } else { " " };
        let window = model.context_window.map(|window| format!("window {window}")).unwrap_or_default();
        format!("{used} {}  {}  {window}", printable(&model.name), printable(&model.server))
    });
    out.push_str("* is in use; /model NAME switches\n");
    out
}

fn scripts(scripts: &[Script]) -> String {
    if scripts.is_empty() {
        return "no script runs (--no-scripts)\n".to_owned();
    }
    let mut out = table(scripts, script);
    out.push_str("ms: all calls together; /scripts off NAME, /scripts on NAME, /scripts reload\n");
    out
}

/// What each of its handlers did so far.
fn script(script: &Script) -> String {
    let off = if script.off { "  off" } else { "" };
    let mut out = format!("{:<10} {}{off}", script.origin, printable(&script.name));
    for Handler { event, calls, time, outcome } in &script.events {
        let _ = write!(out, "\n             {event:<18}");
        if *calls > 0 {
            let outcome = if outcome.is_empty() { "no opinion" } else { outcome };
            let calls = if *calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
            let _ = write!(out, " {calls:>9} {:>9.1} ms   last: {outcome}", time.as_secs_f64() * 1e3);
        }
    }
    for command in &script.commands {
        let _ = write!(out, "\n             /{command}");
    }
    out
}

fn prompts(prompts: &[Prompt]) -> String {
    table(prompts, |prompt| format!("{:<12} {}", prompt.name, printable(&prompt.origin)))
}

fn stats(stats: &Stats) -> String {
    let usage = &stats.usage;
    let rate = |tokens: u64, seconds: f64| match tokens {
        0 => String::new(),
        _ if seconds < 0.001 => String::new(),
        tokens => format!(", {:.1} tokens a second", tokens as f64 / seconds),
    };
    let reused = match (usage.cached_tokens * 100).checked_div(usage.prompt_tokens) {
        Some(percent) if percent > 0 => format!(" ({percent} %)"),
        Some(_) | None => String::new(),
    };
    let fresh = usage.prompt_tokens.saturating_sub(usage.cached_tokens);
    let verdicts: Vec<String> = stats.verdicts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let rows = [
        (
            "messages",
            format!(
                "{} ({})",
                stats.messages,
                if verdicts.is_empty() { "none ended".to_owned() } else { verdicts.join(", ") }
            ),
        ),
        ("requests", format!("{} in {:.1} s", usage.requests, usage.seconds)),
        (
            "tokens read",
            format!("{}, {}{reused} of them from the server's cache", usage.prompt_tokens, usage.cached_tokens),
        ),
        ("tokens written", usage.completion_tokens.to_string()),
        ("reading", format!("{:.1} s{}", stats.prefill_s, rate(fresh, stats.prefill_s))),
        ("writing", format!("{:.1} s{}", stats.generation_s, rate(usage.completion_tokens, stats.generation_s))),
        ("runs", format!("{} in {:.1} s", stats.runs, stats.run_s)),
        ("versions", stats.versions.to_string()),
    ];
    rows.iter().map(|(name, value)| format!("  {name:<16} {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::base::usage::Usage;
    use crate::core::view::{Context, Recap, Stats, View};

    #[test]
    fn a_full_context_says_what_is_left() {
        let parts = vec![("system prompt".to_owned(), 500), ("replies".to_owned(), 1_500)];
        let shown = lines(&View::Context(Context { parts, window: Some(8_000), counted: 2_400 }));
        assert!(shown.ends_with("2400 of 8000 tokens (30 %, counted by the server); 5600 left\n"), "{shown}");
    }

    #[test]
    fn an_interrupted_reply_is_shown_from_its_end() {
        let reply: String = (1..=40).map(|line| format!("line {line}\n")).collect();
        let recap = Recap { message: Some("write it".to_owned()), reply, open: true, version: None };
        let shown = lines(&View::Recap(recap));
        assert!(shown.starts_with("› write it\n[… 28 lines …]\nline 29\n"), "{shown}");
        assert!(
            shown.ends_with("line 40\n[the reply was interrupted: /retry goes on with it, or say something else]\n")
        );
    }

    #[test]
    fn hostile_names_stay_printable() {
        let shown = lines(&View::Files {
            files: vec![("a\u{1b}]52;c;x\u{7}".to_owned(), 1)],
            unnamed: Vec::new(),
            truncated: false,
        });
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    }

    #[test]
    fn what_took_how_long_and_how_fast_it_was() {
        let usage =
            Usage { requests: 2, prompt_tokens: 3_000, cached_tokens: 2_000, completion_tokens: 500, seconds: 14.5 };
        let stats = Stats { usage, prefill_s: 2.0, generation_s: 12.5, runs: 1, run_s: 0.25, ..Stats::default() };
        let shown = lines(&View::Stats(stats));
        for row in [
            "tokens read      3000, 2000 (66 %) of them from the server's cache",
            "tokens written   500",
            "reading          2.0 s, 500.0 tokens a second",
            "writing          12.5 s, 40.0 tokens a second",
            "runs             1 in 0.2 s",
        ] {
            assert!(shown.contains(row), "{row}\n{shown}");
        }
    }
}
