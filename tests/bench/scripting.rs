//! What scripts add: to a turn that writes 20 files, as an empty handler, and to the start. What they wait for, runs and
//! answers, is not theirs: runs end at once here.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use faos::base::report::RunReport;
use faos::base::usage::Usage;
use faos::scripting::{
    FileWrite, Host, Level, Options, PromptEvent, ReplyEvent, RunRequest, RunResult, Scripts, Setting, TurnEnd,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::table::{Mark, Row};
use crate::{Outcome, millis};

const FILES: usize = 20;
/// Handlers whose cost is told from that of the call around them.
const HANDLERS: usize = 100;

pub fn rows(runs: usize) -> Outcome<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let built_in = Scripts::load(&Options::default())?;
    let (one, many) = (empty_handlers(1)?, empty_handlers(1 + HANDLERS)?);
    // The first calls compile patterns and touch memory.
    for scripts in [&built_in, &one, &many] {
        turn(&runtime, scripts)?;
    }
    let (mut start, mut whole, mut handler) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let begun = Instant::now();
        drop(Scripts::load(&Options::default())?);
        start.push(millis(begun.elapsed()));
        whole.push(millis(turn(&runtime, &built_in)?));
        let (few, more) = (prompts(&runtime, &one)?, prompts(&runtime, &many)?);
        handler.push(more.saturating_sub(few).as_secs_f64() * 1e6 / HANDLERS as f64);
    }
    let row = |what, unit, ours, most| Row { what, unit, limit: Vec::new(), ours, mark: Mark::AtMost(most) };
    Ok(vec![
        row("scripts: a turn with 20 files, runs aside", "ms", whole, 5.0),
        row("scripts: an empty handler", "µs", handler, 5.0),
        row("scripts: all of them loaded", "ms", start, 10.0),
    ])
}

fn empty_handlers(count: usize) -> Outcome<Scripts> {
    let folder = tempfile::TempDir::with_prefix("faos-bench-")?;
    for number in 0..count {
        fs::write(folder.path().join(format!("{number:03}.rhai")), "fn on_prompt(ev) { }")?;
    }
    Ok(Scripts::load(&Options { user: Some(folder.path().to_owned()), ..Options::default() })?)
}

/// The best of several: a thread that has to be woken costs more than what is measured.
fn prompts(runtime: &Runtime, scripts: &Scripts) -> Outcome<Duration> {
    let (at, cancel) = (setting(), CancellationToken::new());
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        runtime.block_on(scripts.on_prompt(&at, prompt("hello"), Box::new(Workspace), &cancel))?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

fn turn(runtime: &Runtime, scripts: &Scripts) -> Outcome<Duration> {
    let (at, cancel) = (setting(), CancellationToken::new());
    let names: Vec<String> = (0..FILES).map(|number| format!("src/module_{number}.py")).collect();
    let content = "def add(a, b):\n    return a + b\n".repeat(40);
    let write = |path: &String| json!({"kind": "write", "path": path, "content": content});
    let actions: Vec<Value> = names.iter().map(write).collect();
    let changed: Vec<Value> = names.iter().map(|path| json!({"path": path, "kind": "created"})).collect();
    let host = || Box::new(Workspace);
    let begun = Instant::now();
    runtime.block_on(async {
        scripts.on_prompt(&at, prompt("write it"), host(), &cancel).await?;
        let (text, reasoning, unnamed) = (content.repeat(FILES), String::new(), Vec::new());
        let (finish_reason, usage) = ("stop".to_owned(), Usage::default());
        let reply = ReplyEvent { text, reasoning, actions, unnamed, finish_reason, usage };
        scripts.on_reply(&at, reply, host(), &cancel).await?;
        for path in &names {
            let (path, lang, content) = (path.clone(), "python".to_owned(), content.clone());
            scripts.on_file_write(&at, FileWrite { path, lang, old_text: None, content }, host(), &cancel).await?;
        }
        scripts.on_validate(&at, changed.clone(), names.clone(), host(), &cancel).await?;
        let (runs, verdict) = (Vec::new(), "passed".to_owned());
        let text = "Done.".to_owned();
        let end = TurnEnd { text, files_changed: changed, runs, verdict, continues: 0, continues_left: 3 };
        scripts.on_turn_end(&at, end, host(), &cancel).await?;
        Ok::<(), faos::scripting::ScriptError>(())
    })?;
    Ok(begun.elapsed())
}

fn setting() -> Setting {
    Setting {
        session: "20261122-200000-ab12".to_owned(),
        turn: 1,
        attempt: 1,
        workspace: "/workspace".to_owned(),
        model: "some-model".to_owned(),
        headless: true,
    }
}

/// Files of some lines, and runs that end at once.
struct Workspace;

impl Host for Workspace {
    fn read(&mut self, _: &str) -> Result<String, String> {
        Ok("def add(a, b):\n    return a + b\n".repeat(40))
    }

    fn write(&mut self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn exists(&mut self, path: &str) -> bool {
        Path::new(path).extension().is_some()
    }

    fn list(&mut self, _: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String> {
        let report = RunReport::made_up(&request.cmd, "/workspace", 0);
        Ok(RunResult { cmd: request.cmd.clone(), report, stdout: String::new(), stderr: String::new() })
    }

    fn ask(&mut self, _: &str) -> bool {
        false
    }

    fn say(&mut self, _: Level, _: &str) {}
}

fn prompt(text: &str) -> PromptEvent {
    PromptEvent { text: text.to_owned(), source: "keyboard".to_owned(), files: Vec::new() }
}
