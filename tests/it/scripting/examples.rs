//! The scripts of `examples/hooks`: each loads, and does what it says.
#![expect(clippy::expect_used, reason = "a test that cannot go on ends")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use faos::base::fs;
use faos::base::message::{Message, Role};
use faos::scripting::{
    CommandDecision, FileWrite, Options, Params, PromptEvent, RequestDecision, RequestEvent, Scripts, SessionEnd,
    Setting, TurnEnd, TurnEndDecision, WriteDecision, try_out,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::validators::with_program;
use crate::support::bash::{Bash, wait};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hooks")
}

/// The program's scripts and this one.
fn example(name: &str) -> (tempfile::TempDir, Scripts) {
    let user = tempfile::tempdir().expect("a folder");
    let text = fs::read_text(&folder().join(name)).expect("an example");
    fs::replace(&user.path().join(name), text.as_bytes()).expect("written");
    let budget = Some(Duration::from_secs(10));
    let options = Options { user: Some(user.path().to_owned()), budget, ..Options::default() };
    (user, Scripts::load(&options).expect("it loads"))
}

fn written(scripts: &Scripts, bash: &Bash, path: &str, old: Option<&str>, content: &str) -> WriteDecision {
    let old_text = old.map(str::to_owned);
    let event = FileWrite { path: path.to_owned(), lang: String::new(), old_text, content: content.to_owned() };
    let (at, cancel) = (bash.setting(), CancellationToken::new());
    let hooked = wait(scripts.on_file_write(&at, event, bash.host(), &cancel)).expect("lives");
    assert!(hooked.hooks.iter().all(|hook| hook.outcome != "failed"), "{:?}", hooked.hooks);
    hooked.decision
}

fn go(content: &str) -> WriteDecision {
    WriteDecision::Go { content: content.to_owned() }
}

#[test]
fn every_example_is_sound_and_stands_in_the_list() {
    let (_, faults) = try_out(&Options { user: Some(folder()), ..Options::default() }).expect("read");
    assert_eq!(faults, Vec::<String>::new());
    let list = fs::read_text(&folder().join("README.md")).expect("a list");
    let mut count = 0;
    for entry in walkdir::WalkDir::new(folder()).min_depth(1) {
        let name = entry.expect("listed").file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".rhai") {
            assert!(list.contains(&format!("| `{stem}` |")), "{stem}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count} examples");
}

#[test]
fn new_files_get_a_licence_header() {
    let ((_user, scripts), bash) = (example("15-licence-header.rhai"), Bash::with(&[]));
    let header = "SPDX-License-Identifier: MIT\n";
    for (path, old, content, want) in [
        ("a.py", None, "x = 1\n", format!("# {header}x = 1\n")),
        ("a.rs", None, "fn main() {}\n", format!("// {header}fn main() {{}}\n")),
        ("run", None, "x\n", "x\n".to_owned()),
        ("a.sh", None, "#!/bin/sh\nls\n", format!("#!/bin/sh\n# {header}ls\n")),
        ("a.py", Some("y\n"), "x = 1\n", "x = 1\n".to_owned()),
    ] {
        assert_eq!(written(&scripts, &bash, path, old, content), go(&want), "{path}");
    }
}

#[test]
fn files_are_formatted_where_a_formatter_is() {
    let (_user, scripts) = example("25-format.rhai");
    let bash = with_program("gofmt", "sed 's/  */ /g'", &[]);
    assert_eq!(written(&scripts, &bash, "a.go", None, "package   a\n"), go("package a\n"));
    let broken = with_program("gofmt", "echo half; exit 2", &[]);
    assert_eq!(written(&scripts, &broken, "a.go", None, "package   a\n"), go("package   a\n"));
    assert_eq!(written(&scripts, &bash, "a.sh", None, "ls   -l\n"), go("ls   -l\n"));
    assert_eq!(written(&scripts, &bash, "notes", None, "a  b\n"), go("a  b\n"));
}

#[test]
fn new_dependencies_are_refused() {
    let ((_user, scripts), bash) = (example("35-no-new-dependencies.rhai"), Bash::with(&[]));
    for (path, old, content, refused) in [
        ("requirements.txt", "", "requests==2\n", ""),
        ("requirements.txt", "", "requests\nleft-pad>=1\n", "left-pad would"),
        ("requirements.txt", "left-pad\n", "left-pad\nrequests\n", ""),
        ("Cargo.toml", "", "[package]\nname = \"x\"\n\n[dependencies]\nserde = \"1\"\n", ""),
        ("Cargo.toml", "", "[dependencies]\nserde = \"1\"\nrand = \"0.9\"\n", "rand would"),
        ("package.json", "{}", "{\"devDependencies\": {\"jest\": \"1\"}}\n", "jest would"),
        ("package.json", "{}", "{\"dependencies\": {\"express\": \"5\"}}\n", ""),
    ] {
        match written(&scripts, &bash, path, Some(old), content) {
            WriteDecision::Denied { why, .. } if !refused.is_empty() => assert!(why.contains(refused), "{why}"),
            decision => assert!(refused.is_empty() && decision == go(content), "{path}: {decision:?}"),
        }
    }
}

#[test]
fn secrets_are_not_sent() {
    let ((_user, scripts), bash) = (example("36-keep-secrets-in.rhai"), Bash::with(&[]));
    let sent = |text: &str| {
        let messages = vec![Message::new(Role::System, "Be good."), Message::new(Role::User, text)];
        let params = Params::default();
        let event = RequestEvent { messages, params, est_tokens: 9, context_limit: None, goes_on: false };
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        match wait(scripts.on_request(&at, event, bash.host(), &cancel)).expect("lives").decision {
            RequestDecision::Go(changed) => changed.map(|changed| changed.messages[1].content.clone()),
            denied @ RequestDecision::Denied { .. } => panic!("{denied:?}"),
        }
    };
    let blot = "[a secret that is not sent]";
    assert_eq!(sent("nothing here"), None);
    assert_eq!(sent("key: sk-abcdefghijklmnopqrstuv."), Some(format!("key: {blot}.")));
    assert_eq!(sent("A=1\nDB_PASSWORD=correcthorse\n"), Some(format!("A=1\n{blot}\n")));
}

#[test]
fn todo_comments_are_listed_or_done() {
    let bash = Bash::with(&[("a.py", "x = 1\n# TODO: name it\n"), ("b.rs", "// FIXME(me) slow\n")]);
    let (_user, scripts) = example("40-todo.rhai");
    let command = scripts.commands().remove(0);
    let typed = |bash: &Bash, text: &str| {
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        wait(scripts.on_command(&at, (&command, text), bash.host(), &cancel)).expect("lives").decision
    };
    let listed = "a.py:2  TODO name it\nb.rs:1  FIXME me) slow\n".to_owned();
    assert_eq!(typed(&bash, ""), CommandDecision::Handled { text: listed });
    let nothing = "nothing is left to do".to_owned();
    assert_eq!(typed(&Bash::with(&[]), ""), CommandDecision::Handled { text: nothing });
    let CommandDecision::Say { text } = typed(&bash, "do a.py") else { panic!("nothing is said") };
    assert!(text.contains("comments in a.py"), "{text}");
}

fn ended(scripts: &Scripts, at: &Setting, bash: &Bash, changed: &[&str]) -> TurnEndDecision {
    let files_changed: Vec<Value> = changed.iter().map(|path| json!({"path": path, "kind": "created"})).collect();
    let (runs, verdict) = (Vec::new(), "passed".to_owned());
    let end = TurnEnd { text: String::new(), files_changed, runs, verdict, continues: 0, continues_left: 3 };
    wait(scripts.on_turn_end(at, end, bash.host(), &CancellationToken::new())).expect("lives").decision
}

fn said(scripts: &Scripts, at: &Setting, bash: &Bash) {
    let prompt = PromptEvent { text: "x".to_owned(), source: "user".to_owned(), files: Vec::new() };
    wait(scripts.on_prompt(at, prompt, bash.host(), &CancellationToken::new())).expect("lives");
}

#[test]
fn a_turn_without_test_or_readme_is_sent_back_once() {
    let (_user, scripts) = example("85-definition-of-done.rhai");
    let bare = Bash::with(&[("a.py", "x = 1\n")]);
    said(&scripts, &bare.setting(), &bare);
    let TurnEndDecision::More { feedback, .. } = ended(&scripts, &bare.setting(), &bare, &["a.py"]) else {
        panic!("it is done")
    };
    assert!(feedback.contains("- a test of") && feedback.contains("- a README.md"), "{feedback}");
    let done = TurnEndDecision::Go { verdict: None };
    assert_eq!(ended(&scripts, &bare.setting(), &bare, &["a.py"]), done);
    let whole = Bash::with(&[("a.py", ""), ("test_a.py", ""), ("README.md", "")]);
    said(&scripts, &whole.setting(), &whole);
    assert_eq!(ended(&scripts, &whole.setting(), &whole, &["a.py"]), done);
}

#[test]
fn a_long_turn_calls_the_user() {
    let (_user, scripts) = example("90-notify.rhai");
    let bash = Bash::with(&[]);
    said(&scripts, &bash.setting(), &bash);
    ended(&scripts, &bash.setting(), &bash, &[]);
    assert_eq!(bash.said(), Vec::<String>::new());
    // As if it had begun two minutes ago, yesterday perhaps.
    let state = wait(scripts.state()).expect("lives");
    let began = state[0].1["began"].as_i64().expect("a number");
    let earlier = json!({"began": (began + 86_400 - 120) % 86_400});
    wait(scripts.restore(vec![(state[0].0.clone(), earlier)])).expect("lives");
    ended(&scripts, &bash.setting(), &bash, &["a.py"]);
    assert!(bash.said()[0].contains("s: passed, 1 files"), "{:?}", bash.said());
}

#[test]
fn what_a_session_cost_is_kept() {
    let (_user, scripts) = example("95-metrics.rhai");
    let bash = Bash::with(&[("metrics.jsonl", "{}\n")]);
    ended(&scripts, &bash.setting(), &bash, &[]);
    let totals = json!({"messages": 2, "requests": 3, "completion_tokens": 400, "seconds": 1.5});
    let end = SessionEnd { reason: "left".to_owned(), totals };
    let hooked = wait(scripts.on_session_end(&bash.setting(), end, bash.host(), &CancellationToken::new()));
    assert_eq!(hooked.expect("lives").hooks, []);
    let text = fs::read_text(&bash.path("metrics.jsonl")).expect("kept");
    let line: Value = serde_json::from_str(text.lines().nth(1).expect("a second line")).expect("JSON");
    assert_eq!((&line["requests"], &line["verdicts"]), (&json!(3), &json!(["passed"])));
}
