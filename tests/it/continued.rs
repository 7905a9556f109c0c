//! Replies that are cut, by the length limit or a broken connection, and come to be whole all the same.

use std::collections::BTreeMap;

use faos::playback::{Player, Reply, Step};
use serde_json::{Value, json};

use crate::support::corpus::{Recorded, tree};
use crate::support::env::TestEnv;
use crate::support::model_server::{cut_by_length, cut_off, serve, serve_with_pages};

/// How the rest of a reply comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Prefill,
    Instruction,
}

/// A server that goes on with a reply that it is given the beginning of, or one that nobody knows.
fn server(by: By, replies: impl IntoIterator<Item = Reply>) -> Player {
    let owner = if by == By::Prefill { "vllm" } else { "somebody" };
    let list = json!({"object": "list", "data": [{"id": "m", "owned_by": owner, "max_model_len": 60_000}]});
    serve_with_pages(replies, [("/v1/models", Reply::json(200, &list.to_string()))])
}

/// What a model that does as it is told sends for the rest of a reply that was cut at this byte.
fn rest_of(reply: &str, cut: usize, by: By) -> String {
    if by == By::Prefill {
        return reply[reply[..cut].trim_end().len()..].to_owned();
    }
    let whole = reply[..cut].rfind('\n').map_or(0, |end| end + 1);
    let (mut open, mut start, mut at) = (None, 0, 0);
    for line in reply[..whole].split_inclusive('\n') {
        if line.starts_with("```") {
            open = if open.is_none() { Some(line) } else { None };
            start = at;
        }
        at += line.len();
    }
    let begun = &reply[start..whole];
    match open {
        None => reply[whole..].to_owned(),
        // A file goes on from its last line; what is shorter is sent again whole.
        Some(fence) if !fence.starts_with("```run") && !begun.contains("<<<<<<<") => {
            let content = begun[fence.len()..].trim_end();
            match content.is_empty() {
                true => reply[start..].to_owned(),
                false => {
                    let last = content.rfind('\n').map_or(0, |end| end + 1);
                    format!("Here is the rest:\n\n{fence}{}", &reply[start + fence.len() + last..])
                }
            }
        }
        Some(_) => reply[start..].to_owned(),
    }
}

/// What came of a request: files by path, actions in order, the number of requests.
#[derive(Debug, PartialEq)]
struct Came {
    files: BTreeMap<String, String>,
    actions: Vec<String>,
    verdict: String,
}

fn ask(before: &[(&str, &str)], server: &Player) -> Came {
    let env = TestEnv::new();
    for (path, text) in before {
        env.write(&format!("workspace/{path}"), text);
    }
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let options = ["--no-scripts", "--no-run", "--output-format", "stream-json", "-e", server.url(), "go"];
    let output = env.run(["-w", &workspace].into_iter().chain(options));
    output.assert_code(0);
    let events = output.stream_json();
    let of = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let actions = events.iter().filter(|event| event["type"] == "action");
    let mut actions: Vec<String> =
        actions.map(|event| format!("{} {} {}", of(event, "kind"), of(event, "path"), of(event, "outcome"))).collect();
    actions.sort();
    Came { files: files(&env), actions, verdict: of(events.last().unwrap(), "verdict") }
}

fn files(env: &TestEnv) -> BTreeMap<String, String> {
    tree(&env.workspace()).into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

/// Cuts one reply at every hundredth byte.
fn cut_everywhere(before: &[(&str, &str)], reply: &str, by: By) {
    let whole = ask(before, &server(by, [Reply::text(reply)]));
    assert!(whole.actions.len() > 2, "{whole:?}");
    for cut in (100..reply.len()).step_by(100) {
        let cut = reply.floor_char_boundary(cut);
        let first = if cut % 200 == 0 { cut_by_length(&reply[..cut]) } else { cut_off(&reply[..cut]) };
        let server = server(by, [first, Reply::text(&rest_of(reply, cut, by))]);
        assert_eq!(ask(before, &server), whole, "cut at byte {cut}");
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        let asked = requests[1].get("continue_final_message").is_some();
        assert_eq!(asked, by == By::Prefill);
        let (before, after) =
            (requests[0]["messages"].as_array().unwrap(), requests[1]["messages"].as_array().unwrap());
        assert_eq!(&after[..before.len()], &before[..], "the prompt only grows");
    }
}

fn recorded() -> String {
    Recorded::open("06-backup-rotate").replies().remove(0)
}

#[test]
fn files_cut_anywhere_are_whole_by_prefill() {
    cut_everywhere(&[], &recorded(), By::Prefill);
}

#[test]
fn files_cut_anywhere_are_whole_by_instruction() {
    cut_everywhere(&[], &recorded(), By::Instruction);
}

const STOCK: &str = "import csv\n\n\ndef load(path):\n    rows = []\n    with open(path) as f:\n        for row in csv.reader(f):\n            \
                     rows.append(row)\n    return rows\n\n\ndef low(rows, limit):\n    return [row for row in rows if int(row[1]) < limit]\n";
const REPORT: &str = "import stock\n\nprint(stock.load(\"stock.csv\"))\n";

/// Sections, an edit without a path of its own, a new file, a move, a deletion and a run.
const EDITS: &str = "Two things are wrong: the header counts as a row, and the limit itself is left out.

stock.py
```python
<<<<<<< SEARCH
        for row in csv.reader(f):
            rows.append(row)
=======
        for row in csv.DictReader(f):
            rows.append((row[\"name\"], int(row[\"quantity\"])))
>>>>>>> REPLACE
<<<<<<< SEARCH
    return [row for row in rows if int(row[1]) < limit]
=======
    return [name for name, quantity in rows if quantity <= limit]
>>>>>>> REPLACE
```

And the first line of the same file:

```python
<<<<<<< SEARCH
import csv
=======
import csv
import sys
>>>>>>> REPLACE
```

The report gets its own name:

```move
report.py -> tools/report.py
```

```delete
old.txt
```

tools/__init__.py
```python
\"\"\"Tools around the stock.\"\"\"
```

```run
python3 -m tools.report
python3 -c 'import stock; print(stock.low([(\"a\", 1)], 1))'
```

That is all.
";

#[test]
fn edits_cut_anywhere_are_whole_by_prefill() {
    cut_everywhere(&[("stock.py", STOCK), ("report.py", REPORT), ("old.txt", "x\n")], EDITS, By::Prefill);
}

#[test]
fn edits_cut_anywhere_are_whole_by_instruction() {
    cut_everywhere(&[("stock.py", STOCK), ("report.py", REPORT), ("old.txt", "x\n")], EDITS, By::Instruction);
}

/// A project of 3,000 lines from a model that stops every 500 tokens, of about 40 lines.
#[test]
fn a_long_project_arrives_whole_from_a_model_that_stops_again_and_again() {
    let file = |n: usize| {
        let lines: String = (0..1000).map(|line| format!("value_{n}_{line} = compute({line})\n")).collect();
        format!("part{n}.py\n```python\n{lines}```\n\n")
    };
    let reply: String = (0..3).map(file).collect();
    let lines: Vec<&str> = reply.split_inclusive('\n').collect();
    for by in [By::Prefill, By::Instruction] {
        let (mut at, mut end) = (0, 0);
        let mut replies = Vec::new();
        for piece in lines.chunks(40) {
            // Cut in the middle of a line, as a limit on tokens does.
            end += piece.concat().len();
            let stop = if end == reply.len() { end } else { end - 5 };
            let text = match replies.is_empty() {
                true => reply[..stop].to_owned(),
                false => {
                    let rest = rest_of(&reply, at, by);
                    rest[..rest.len() - (reply.len() - stop)].to_owned()
                }
            };
            replies.push(cut_by_length(&text));
            at = stop;
        }
        let last = replies.last_mut().unwrap();
        *last.steps.last_mut().unwrap() = Step::Finish("stop".to_owned());
        let calls = replies.len();
        let server = server(by, replies);
        let env = TestEnv::new();
        let workspace = env.workspace().to_str().unwrap().to_owned();
        let options = ["--no-scripts", "--max-turns", "100", "-q", "-e", server.url(), "a long project"];
        env.run(["-w", &workspace].into_iter().chain(options)).assert_code(0);
        let wanted: BTreeMap<String, String> = (0..3)
            .map(|n| {
                let lines = (0..1000).map(|line| format!("value_{n}_{line} = compute({line})\n"));
                (format!("part{n}.py"), lines.collect())
            })
            .collect();
        assert!(files(&env) == wanted, "{by:?}");
        assert_eq!(server.requests().len(), calls);
    }
}

/// Its template does not take it: the model is told in words, and nothing is lost.
#[test]
fn a_server_that_refuses_to_go_on_is_told_in_words() {
    let refusal = json!({"error": {"message": "Assistant response prefill is incompatible with enable_thinking.",
        "type": "invalid_request_error", "code": 400}});
    let replies = [
        cut_by_length("a.txt\n```\none\ntw"),
        Reply::json(400, &refusal.to_string()),
        Reply::text("```\none\ntwo\n```\n"),
    ];
    let server = server(By::Prefill, replies);
    let env = TestEnv::new();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "-e", server.url(), "a file"]).assert_code(0);
    assert_eq!(env.read("workspace/a.txt"), "one\ntwo\n");
    let requests = server.requests();
    assert!(requests[1].get("continue_final_message").is_some());
    assert!(requests[2]["messages"].to_string().contains("Your reply was cut off"), "{}", requests[2]);
}

/// What was cut and given up is gone on with later, from where it stopped.
#[test]
fn a_reply_that_was_given_up_is_gone_on_with_in_a_later_session() {
    let cut = || cut_off("a.txt\n```\none\ntw");
    let mut env = TestEnv::new();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let broken = server(By::Instruction, [cut(), cut(), cut(), cut()]);
    env.set_endpoint(broken.url());
    env.run(["-w", &workspace, "a file"]).assert_code(4);
    let mended = server(By::Prefill, [Reply::text("o\nthree\n```\n\nDone.\n")]);
    env.set_endpoint(mended.url());
    env.run(["resume", "--last"]).assert_code(0);
    assert_eq!(env.read("workspace/a.txt"), "one\ntwo\nthree\n");
}

#[test]
fn a_file_that_the_model_leaves_unfinished_is_asked_for_again() {
    let server = serve([
        cut_by_length("a.txt\n```\none\ntw"),
        Reply::text("b.txt\n```\nx\n```\n"),
        Reply::text("a.txt\n```\none\ntwo\n```\n"),
    ]);
    let env = TestEnv::new();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "-e", server.url(), "two files"]).assert_code(0);
    assert_eq!((env.read("workspace/a.txt"), env.read("workspace/b.txt")), ("one\ntwo\n".into(), "x\n".into()));
    let told = server.requests()[2]["messages"].to_string();
    assert!(told.contains("a.txt: its block was cut and never finished"), "{told}");
}

fn talk(env: &TestEnv, server: &Player, options: &[&str], code: i32) -> Value {
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let fixed = ["-w", &workspace, "--output-format", "json", "-e", server.url()];
    let output = env.run(fixed.iter().chain(options).chain(&["go"]));
    output.assert_code(code);
    output.json()
}

fn resume(env: &mut TestEnv, server: &Player, code: i32) {
    env.set_endpoint(server.url());
    env.run(["resume", "--last"]).assert_code(code);
}

fn refused() -> Reply {
    Reply::json(400, &json!({"error": {"message": "not today", "code": 400}}).to_string())
}

/// A whole call that a server has read by itself.
fn called(text: &str, script: &str, finish: &str) -> Reply {
    let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1",
        "function": {"name": "run", "arguments": json!({"script": script}).to_string()}}]}}]});
    Reply::stream(vec![
        Step::Text(text.to_owned()),
        Step::Bytes(format!("data: {call}\n\n").into_bytes()),
        Step::Finish(finish.to_owned()),
    ])
}

#[test]
fn runs_and_calls_of_a_cut_reply_are_done_once_and_at_its_end() {
    const RUN: &str = "```run\necho run >> log.txt; ls >> log.txt\n```\n\na.txt\n```\none\ntw";
    for by in [By::Prefill, By::Instruction] {
        let rest = if by == By::Prefill { "o\n```\n" } else { "```\none\ntwo\n```\n" };
        let replies = [cut_by_length(RUN), called(rest, "echo call >> log.txt", "tool_calls"), Reply::text("Done.\n")];
        let env = TestEnv::new();
        let server = server(by, replies);
        talk(&env, &server, &["--no-scripts"], 0);
        assert_eq!(env.read("workspace/log.txt"), "run\na.txt\nlog.txt\ncall\n", "{by:?}");
        let told = server.requests()[1]["messages"].to_string();
        assert_eq!(told.contains("follow when your reply is whole"), by == By::Instruction, "{told}");
    }
    let env = TestEnv::new();
    let cut = called("a.txt\n```\na\n```\n", "echo call >> log.txt", "length");
    talk(&env, &server(By::Instruction, [cut, Reply::text("That is all.\n"), Reply::text("Done.\n")]), &[], 0);
    assert_eq!(env.read("workspace/log.txt"), "call\n");
}

#[test]
fn what_was_done_before_a_rest_that_comes_later_is_validated() {
    let mut env = TestEnv::new();
    let broken = server(By::Instruction, [cut_off("app.py\n```python\ndef main(:\n```\n\nNow the"), refused()]);
    talk(&env, &broken, &[], 4);
    let replies = ["That is all.\n"; 4].map(Reply::text);
    resume(&mut env, &server(By::Instruction, replies), 3);
}

#[test]
fn what_was_refused_before_a_rest_that_comes_later_holds_its_runs_back() {
    let mut env = TestEnv::new();
    env.write("workspace/a.py", "x = 1\n");
    let first = "a.py\n```python\n<<<<<<< SEARCH\ny = 2\n=======\ny = 3\n>>>>>>> REPLACE\n```\n\n```run\necho ran >> log.txt\n```\n\nAnd";
    talk(&env, &server(By::Instruction, [cut_off(first), refused()]), &["--no-scripts"], 4);
    let mended = server(By::Instruction, ["That is all.\n", "Never mind.\n"].map(Reply::text));
    resume(&mut env, &mended, 0);
    assert!(!env.workspace().join("log.txt").exists());
    assert!(mended.requests()[1]["messages"].to_string().contains("section 1 of 1 was not applied"));
}

#[test]
fn a_model_that_was_told_in_words_is_not_gone_on_with_by_prefill() {
    let mut env = TestEnv::new();
    let first = server(By::Prefill, [cut_by_length("a.txt\n```\none\ntw"), refused(), refused()]);
    talk(&env, &first, &["--no-scripts"], 4);
    let again = server(By::Prefill, [Reply::text("```\none\ntwo\n```\n")]);
    resume(&mut env, &again, 0);
    assert_eq!(env.read("workspace/a.txt"), "one\ntwo\n");
    assert!(again.requests()[0].get("continue_final_message").is_none());
}

#[test]
fn whatever_is_left_open_is_told_of() {
    let env = TestEnv::new();
    let replies = [
        cut_by_length("a.txt\n```\none\ntw"),
        cut_by_length("b.txt\n```\nx\ny"),
        Reply::text("```\nx\ny\n```\n\n```run\nls\n```\n"),
        Reply::text("a.txt\n```\none\ntwo\n```\n"),
    ];
    let server = server(By::Instruction, replies);
    talk(&env, &server, &["--no-scripts"], 0);
    assert_eq!((env.read("workspace/a.txt"), env.read("workspace/b.txt")), ("one\ntwo\n".into(), "x\ny\n".into()));
    let told = server.requests()[3]["messages"].to_string();
    assert!(told.contains("a.txt: its block was cut") && told.contains("held back"), "{told}");
}

#[test]
fn a_block_that_becomes_nothing_needs_no_end() {
    let env = TestEnv::new();
    let server = server(By::Instruction, [Reply::text("Start it so:\n\n```bash\npython3 app.py")]);
    talk(&env, &server, &[], 0);
}

#[test]
fn what_was_thought_and_not_said_is_tried_once_more() {
    let env = TestEnv::new();
    let thought = || Reply::stream(vec![Step::Reasoning("hm ".repeat(50)), Step::Finish("length".to_owned())]);
    let server = server(By::Instruction, [thought(), thought(), thought()]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let output = env.run(["-w", &workspace, "-e", server.url(), "go"]);
    output.assert_code(7);
    assert!(output.stderr.contains("more room for it may help"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 2);
}
