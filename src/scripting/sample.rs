//! `faos scripts check`: every handler is called once with a made-up event, and with a world that holds nothing.
//!
//! What is told is what would be wrong with any event: a name that is not there, an answer that cannot be used, a budget
//! that is not enough for nothing. What a script itself throws, or makes of an empty file, is no fault.

use serde_json::{Map, Value, json};

use super::chain::{self, Chain};
use super::handler::Event;
use super::ledger::Ledger;
use super::set::Set;
use super::worker::Bench;
use super::{
    FileWrite, Host, Level, Params, PromptEvent, ReplyEvent, RequestEvent, RunEvent, RunRequest, RunResult, SessionEnd,
    SessionStart, Setting, TurnEnd, around, chains, request,
};
use crate::base::message::{Message, Role};
use crate::base::report::RunReport;
use crate::base::usage::Usage;

/// The beginnings of what Rhai and the return contract say of such faults.
const FAULTS: &[&str] =
    &["Property not found", "Function not found", "Variable not found", "` returned ", "stopped after"];

/// A line for each handler that cannot work.
pub(super) fn faults(bench: &Bench, set: &Set) -> Vec<String> {
    // What one handler keeps is there for the next, as in a session.
    let trial = Trial { bench, set, ledger: Ledger::default() };
    let notes = Event::ALL.into_iter().flat_map(|event| failures(&trial, event));
    notes.filter(|note| FAULTS.iter().any(|fault| note.contains(fault))).collect()
}

struct Trial<'a> {
    bench: &'a Bench,
    set: &'a Set,
    ledger: Ledger,
}

fn failures(trial: &Trial<'_>, event: Event) -> Vec<String> {
    let text = || "write a to-do list".to_owned();
    match event {
        Event::SessionStart => {
            let start = SessionStart { resumed: false, forked_from: None };
            ask(trial, around::Start::new(start, Vec::new()))
        }
        Event::Prompt => {
            let prompt = PromptEvent { text: text(), source: "keyboard".to_owned(), files: vec!["a.py".to_owned()] };
            ask(trial, chains::Prompt::new(prompt))
        }
        Event::Request => {
            let messages = vec![Message::new(Role::System, "Be good."), Message::new(Role::User, text())];
            let params = Params::default();
            let event = RequestEvent { messages, params, est_tokens: 9, context_limit: Some(8_192), goes_on: false };
            ask(trial, request::Request::new(event))
        }
        Event::Reply => {
            let actions = vec![json!({"kind": "write", "path": "a.py", "content": "x = 1\n"})];
            let unnamed = vec![json!({"language": "python", "content": "x = 1\n"})];
            let (reasoning, finish_reason, usage) = (String::new(), "stop".to_owned(), Usage::default());
            let event = ReplyEvent { text: text(), reasoning, actions, unnamed, finish_reason, usage };
            ask(trial, chains::Reply::new(event))
        }
        Event::FileWrite => {
            let (path, lang, content) = ("a.py".to_owned(), "python".to_owned(), "x = 1\n".to_owned());
            ask(trial, chains::Write::new(FileWrite { path, lang, old_text: None, content }))
        }
        Event::Validate => {
            let changed = vec![json!({"path": "a.py", "kind": "created"})];
            ask(trial, chains::Validate::new(changed, vec!["a.py".to_owned()]))
        }
        Event::Run => {
            let (command, source, cwd) = ("ls".to_owned(), "model".to_owned(), "/workspace".to_owned());
            ask(trial, chains::Run::new(RunEvent { command, source, cwd, limits: Map::new() }))
        }
        Event::RunResult => ask(trial, chains::Outcome::new(result("ls"))),
        Event::TurnEnd => {
            let files_changed = vec![json!({"path": "a.py", "kind": "created"})];
            let (verdict, runs) = ("passed".to_owned(), Vec::<Value>::new());
            let end = TurnEnd { text: text(), files_changed, runs, verdict, continues: 0, continues_left: 3 };
            ask(trial, chains::End::new(end))
        }
        Event::Command => {
            let each = |command: super::Command| ask(trial, around::Command::new(&command.script, &command.name, ""));
            trial.set.commands().into_iter().flat_map(each).collect()
        }
        Event::SessionEnd => {
            let totals = json!({
                "messages": 1, "requests": 1, "prompt_tokens": 900, "cached_tokens": 0, "completion_tokens": 90,
                "seconds": 1.5, "runs": 0, "run_s": 0.0, "versions": 1, "verdicts": [],
            });
            ask(trial, around::End::new(SessionEnd { reason: "done".to_owned(), totals }))
        }
    }
}

fn ask<C: Chain>(trial: &Trial<'_>, chain: C) -> Vec<String> {
    let at = Setting {
        session: "20261122-200000-ab12".to_owned(),
        turn: 1,
        attempt: 1,
        workspace: "/workspace".to_owned(),
        model: "some-model".to_owned(),
        headless: true,
    };
    let hooked = chain::ask(trial.bench, trial.set, &trial.ledger, (&at, Box::new(Nothing)), chain);
    hooked.hooks.into_iter().filter(|hook| hook.outcome == "failed").map(|hook| hook.note).collect()
}

/// A workspace without a file, where every command succeeds and says nothing.
struct Nothing;

impl Host for Nothing {
    fn read(&mut self, _: &str) -> Result<String, String> {
        Ok(String::new())
    }

    fn write(&mut self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn exists(&mut self, _: &str) -> bool {
        false
    }

    fn list(&mut self, _: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String> {
        Ok(result(&request.cmd))
    }

    fn ask(&mut self, _: &str) -> bool {
        false
    }

    fn say(&mut self, _: Level, _: &str) {}
}

fn result(cmd: &str) -> RunResult {
    let report = RunReport::made_up(cmd, "/workspace", 0);
    RunResult { cmd: cmd.to_owned(), report, stdout: String::new(), stderr: String::new() }
}
