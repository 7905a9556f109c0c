//! Every reply of the recorded conversations on its own, streamed in pieces of random size: the actions that were read
//! in it, and the tree that they leave. Nothing is run, so what only a run could have made or changed is named here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::support::corpus::{Recorded, tree};
use crate::support::env::TestEnv;
use crate::support::model_server::{in_pieces, serve};

/// What a run made or changed, from which reply on.
const BY_RUNS: [(&str, usize, &str); 5] = [
    ("01-todo", 1, "todo.json"),
    ("04-rust-wordfreq", 1, "Cargo.lock"),
    ("10-shop-generator", 1, "REPORT.md"),
    ("10-shop-generator", 1, "shop.db"),
    ("11-todo-followup", 5, "test_tasks.py"),
];

/// A SEARCH of half a line was refused when this was recorded. It stands in one place, and is applied today.
const HALF_A_LINE: (&str, usize, &str) = ("03-markdown", 2, "test/markdown.test.js");
/// Lines of both halves with hyphens of another kind: they went into the file then, which keeps its own today.
const HYPHENS: (&str, usize, &str) = ("09-notes-api", 2, "notes.py");

#[test]
fn every_recorded_reply_is_read_and_applied_as_it_was_meant() {
    let names = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replies")).unwrap();
    let names: BTreeSet<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 12);
    let faults: Vec<String> = names.iter().flat_map(|name| conversation(name)).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong, a line each.
fn conversation(name: &str) -> Vec<String> {
    let recorded = Recorded::open(name);
    let replies = recorded.replies();
    let server = serve(replies.iter().enumerate().map(|(at, text)| in_pieces(text, at as u64 + 1)));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    for (path, content) in recorded.before() {
        env.write(&format!("workspace/{path}"), content);
    }
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut faults = Vec::new();
    for at in 1..=replies.len() {
        let place: &[&str] = if at == 1 { &["-w", &workspace] } else { &["resume", "--last"] };
        // One reply, whatever it asks for.
        let options = ["--no-run", "--no-scripts", "--max-turns", "1", "--output-format", "stream-json", "-"];
        let output = env.run_with_stdin(place.iter().chain(&options), "go on");
        assert!(matches!(output.code, Some(0 | 7)), "{name} {at}: {:?}\n{}", output.code, output.stderr);
        let (mut wanted, found) = (recorded.actions(at), actions(&output.stream_json()));
        let (half, since, path) = HALF_A_LINE;
        if (half, since) == (name, at) {
            wanted
                .iter_mut()
                .filter(|action| action.contains(path))
                .for_each(|action| *action = action.replace("refused", "applied"));
        }
        if wanted != found {
            faults.push(format!("{name} {at}: actions\n  wanted {wanted:?}\n  found  {found:?}"));
        }
        let known = BY_RUNS.iter().chain([&HALF_A_LINE, &HYPHENS]);
        let made = |path: &str| known.clone().any(|(of, from, made)| (*of, *made) == (name, path) && *from <= at);
        let wanted = recorded.tree_after(at);
        for path in wanted.keys().filter(|path| made(path) && !env.workspace().join(path).exists()) {
            env.write(&format!("workspace/{path}"), "");
        }
        let found = sums(&env);
        let differ = |path: &&String| !made(path) && wanted.get(*path) != found.get(*path);
        let paths: BTreeSet<&String> = wanted.keys().chain(found.keys()).filter(differ).collect();
        if !paths.is_empty() {
            faults.push(format!("{name} {at}: files {paths:?}"));
        }
    }
    faults
}

/// The actions of a reply by kind, path and outcome: files first, as they came, then runs and reads.
fn actions(events: &[Value]) -> Vec<String> {
    let actions = events.iter().filter(|event| event["type"] == "action");
    let told = actions.map(|action| {
        let text = |field: &str| action[field].as_str().unwrap().to_owned();
        match text("kind").as_str() {
            "run" => "run".to_owned(),
            "read" => format!("read {}", text("path")),
            kind => format!("{kind} {} {}", text("path"), text("outcome")),
        }
    });
    in_order(told.collect())
}

/// Sections of one file that were refused are told after those that were applied.
pub fn in_order(mut actions: Vec<String>) -> Vec<String> {
    let is_task = |action: &String| action == "run" || action.starts_with("read ");
    actions.sort_by_key(is_task);
    let file_of = |action: &String| action.rsplit_once(' ').map(|(file, _)| file.to_owned());
    actions.chunk_by_mut(|a, b| !is_task(a) && file_of(a) == file_of(b)).for_each(<[String]>::sort);
    actions
}

/// The SHA-256 of every file, by path.
fn sums(env: &TestEnv) -> BTreeMap<String, String> {
    let sum = |content: Vec<u8>| faos::base::digest::sha256(&content);
    tree(&env.workspace()).into_iter().map(|(path, content)| (path, sum(content))).collect()
}
