//! Every case of `tests/cases`, through the whole program: the workspace before, the raw reply streamed in pieces, the
//! workspace after, and what was applied, refused, run, read and fed back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use faos::playback::{Reply, Step};
use serde_json::Value;
use toml::Table;

use crate::support::env::TestEnv;
use crate::support::model_server::{in_pieces, serve};

/// Cases that are not met yet, each with its reason; one that is met must leave the list.
const NOT_YET: [(&str, &str); 0] = [];

struct Case {
    id: String,
    table: Table,
}

fn cases(topic: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/{topic}.toml"));
    let table: Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let cases = table["case"].as_array().unwrap().iter();
    cases
        .map(|case| Case { id: case["id"].as_str().unwrap().to_owned(), table: case.as_table().unwrap().clone() })
        .collect()
}

impl Case {
    fn text(&self, key: &str) -> String {
        let mut text = self.table.get(key).and_then(|text| text.as_str()).unwrap_or_default().to_owned();
        for (token, part) in self.table.get("expand").and_then(|expand| expand.as_table()).into_iter().flatten() {
            let (one, times) = (part["text"].as_str().unwrap(), part["times"].as_integer().unwrap());
            let all: String = (1..=times).map(|n| one.replace("{i}", &n.to_string())).collect();
            text = text.replace(token, &all);
        }
        text
    }

    fn map(&self, key: &str) -> BTreeMap<String, String> {
        let table = self.table.get(key).and_then(|table| table.as_table());
        table
            .into_iter()
            .flatten()
            .map(|(path, text)| (path.clone(), text.as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    fn modes(&self) -> BTreeMap<String, u32> {
        let mode = |text: &str| u32::from_str_radix(text.trim_start_matches("0o"), 8).unwrap();
        let table = self.table.get("modes").and_then(|table| table.as_table());
        let pairs = table.into_iter().flatten();
        pairs.map(|(path, text)| (path.clone(), text.as_str().map_or_else(|| mode(&text.to_string()), mode))).collect()
    }

    fn expect(&self) -> &Table {
        self.table["expect"].as_table().unwrap()
    }

    fn reply(&self, seed: u64) -> Reply {
        let mut reply = in_pieces(&self.text("reply"), seed);
        reply.steps.pop();
        if let Some(reasoning) = self.table.get("reasoning").and_then(|text| text.as_str()) {
            reply.steps.insert(0, Step::Reasoning(reasoning.to_owned()));
        }
        reply.steps.push(Step::Finish(self.table["finish"].as_str().unwrap().to_owned()));
        reply
    }

    /// What is wrong, a line each.
    fn faults(&self, seed: u64) -> Vec<String> {
        let env = TestEnv::new();
        for (path, text) in self.map("before") {
            env.write(&format!("workspace/{path}"), text);
        }
        for (path, target) in self.map("links") {
            symlink(target, env.workspace().join(path)).unwrap();
        }
        for (path, mode) in self.modes() {
            fs::set_permissions(env.workspace().join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        // The model's answer to the request for the rest of a reply.
        let rest = self.table.get("continuation").map(|text| in_pieces(text.as_str().unwrap(), seed));
        let is_cut = self.expect().get("complete").is_some_and(|complete| complete.as_bool() == Some(false));
        let turns = if is_cut || rest.is_some() { "2" } else { "1" };
        let server = serve([self.reply(seed)].into_iter().chain(rest));
        let workspace = env.workspace().to_str().unwrap().to_owned();
        let options =
            ["--no-scripts", "--no-run", "--max-turns", turns, "--output-format", "stream-json", "-e", server.url()];
        let output = env.run(["-w", &workspace].into_iter().chain(options).chain(["x"]));
        let mut faults = self.check(&env, &output.stream_json());
        faults.extend(self.check_modes(&env));
        faults
    }

    fn check(&self, env: &TestEnv, events: &[Value]) -> Vec<String> {
        let expect = self.expect();
        let mut faults = Vec::new();
        let mut differs = |what: &str, wanted: String, got: String| {
            if wanted != got {
                faults.push(format!("{what}: wanted {wanted}, got {got}"));
            }
        };
        let actions: Vec<&Value> = events.iter().filter(|event| event["type"] == "action").collect();
        let is = |action: &Value, kinds: &[&str]| kinds.contains(&action["kind"].as_str().unwrap());
        let done = actions.iter().filter(|action| is(action, &["write", "edit", "delete", "move"]));
        let applied = done.filter(|action| action["outcome"] != "refused").count();
        let refused = actions.iter().filter(|action| action["outcome"] == "refused" && !is(action, &["run"])).count();
        differs("applied", expect["applied"].to_string(), applied.to_string());
        differs("refused", expect["refused"].to_string(), refused.to_string());
        differs("after", format!("{:#?}", self.map("after")), format!("{:#?}", files(env, &self.map("links"))));
        let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let runs =
            actions.iter().filter(|action| is(action, &["run"])).map(|action| first(action["path"].as_str().unwrap()));
        let wanted = expect["runs"].as_array().unwrap().iter().map(|run| first(run.as_str().unwrap()));
        differs("runs", format!("{:?}", wanted.collect::<Vec<_>>()), format!("{:?}", runs.collect::<Vec<_>>()));
        let unsafe_read = |action: &&&Value| {
            // A path that is missing is asked for all the same; one outside the workspace is not.
            action["outcome"] != "refused"
                || action["reason"].as_str().unwrap().contains("no such file")
                || action["reason"].as_str().unwrap().contains("no file matches")
        };
        let reads = actions.iter().filter(|action| is(action, &["read"])).filter(unsafe_read);
        let reads: Vec<String> = reads.map(|action| action["path"].as_str().unwrap().to_owned()).collect();
        let wanted: Vec<String> =
            expect["reads"].as_array().unwrap().iter().map(|read| read.as_str().unwrap().to_owned()).collect();
        differs("reads", format!("{wanted:?}"), format!("{reads:?}"));
        let told = told(env);
        for piece in expect["feedback_contains"].as_array().unwrap() {
            let piece = piece.as_str().unwrap();
            if !told.contains(piece) {
                differs("feedback", format!("…{piece}…"), told.clone());
            }
        }
        faults
    }

    fn check_modes(&self, env: &TestEnv) -> Vec<String> {
        let mode =
            |path: &str| fs::metadata(env.workspace().join(path)).map(|found| found.permissions().mode() & 0o7777).ok();
        let changed =
            self.modes().into_iter().filter(|(path, wanted)| mode(path).is_some_and(|found| found != *wanted));
        changed.map(|(path, wanted)| format!("mode of {path}: wanted {wanted:o}, got {:?}", mode(&path))).collect()
    }
}

/// Regular files of the workspace by path; what stands behind a link is seen at its own place.
fn files(env: &TestEnv, links: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let root = env.workspace();
    let walk =
        walkdir::WalkDir::new(&root).into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    let read = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (path, String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned())
    };
    walk.map(read).filter(|(path, _)| !links.contains_key(path)).collect()
}

/// Everything that the model would be told.
fn told(env: &TestEnv) -> String {
    let records = env.session().records();
    let texts = records.iter().filter_map(|record| {
        record["feedback"].as_str().or(record["text"].as_str().filter(|_| record["type"] == "file_attached"))
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn run(topic: &str) {
    let mut wrong = Vec::new();
    for (at, case) in cases(topic).iter().enumerate() {
        let faults = case.faults(at as u64);
        let listed = NOT_YET.iter().any(|(id, _)| *id == case.id);
        match (faults.is_empty(), listed) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("# {}: is met now; take it off the list", case.id)),
            (false, false) => wrong.push(format!("# {}\n{}", case.id, faults.join("\n"))),
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases of {topic}:\n{}", wrong.len(), cases(topic).len(), wrong.join("\n\n"));
}

macro_rules! topics {
    ($($name:ident: $file:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            run($file);
        })*
    };
}
topics! {
    diffs: "diffs",
    edits_format: "edits-format",
    edits_match: "edits-match",
    edits_more: "edits-more",
    elision: "elision",
    fences: "fences",
    files_of_a_reply: "files",
    more: "more",
    multi: "multi",
    paths: "paths",
    refused: "refused",
    run_and_read: "run-read",
    thinking: "thinking",
    tool_shapes: "tool-shapes",
    tool_text: "tool-text",
    truncation: "truncation",
}
