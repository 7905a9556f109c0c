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
