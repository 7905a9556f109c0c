//! Every way in which an action is refused: what the user is told, and what the model is. To be read as a table.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;

use faos::playback::{Reply, Step};

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

const APP: &str = "import os\n\n\ndef a():\n    return 1\n\n\ndef b():\n    return 1\n";

/// By what is wrong, and the reply. The workspace is always the same one.
const REFUSALS: &[(&str, &str)] = &[
    ("an absolute path", "/etc/x.py\n```\nx\n```\n"),
    ("a path above", "../x.py\n```\nx\n```\n"),
    ("a drive", "C:\\x\\a.py\n```\nx\n```\n"),
    (
        "a control character",
        "<tool_call>{\"name\": \"delete_file\", \"arguments\": {\"path\": \"a\\u0007.py\"}}</tool_call>\n",
    ),
    ("git's folder", ".git/config\n```\nx\n```\n"),
    ("our folder", "```delete\n.faos/x\n```\n"),
    ("an empty path", "<tool_call>{\"name\": \"delete_file\", \"arguments\": {\"path\": \"\"}}</tool_call>\n"),
    ("a folder in the file's place", "src.d\n```\nx\n```\n"),
    ("a file in a folder's place", "app.py/x.py\n```\nx\n```\n"),
    ("a link that leads out", "out/x.py\n```\nx\n```\n"),
    ("a snippet", "Add this to `app.py`:\n\n```python\nx = 1\n```\n"),
    ("an elision", "app.py\n```python\ndef b():\n    return 2\n# ... existing code ...\n```\n"),
    (
        "an elision in an edit",
        "app.py\n```\n<<<<<<< SEARCH\nimport os\n=======\n# ... existing code ...\nimport re\n>>>>>>> REPLACE\n```\n",
    ),
    ("an edit without a path", "```python\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n"),
    ("an edit of a missing file", "x.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n"),
    ("an edit without a divider", "app.py\n```\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n```\n"),
    (
        "an edit of lines that are not there",
        "app.py\n```\n<<<<<<< SEARCH\ndef c():\n=======\nb\n>>>>>>> REPLACE\n```\n",
    ),
    (
        "an edit of lines that are there twice",
        "app.py\n```\n<<<<<<< SEARCH\n    return 1\n=======\nb\n>>>>>>> REPLACE\n```\n",
    ),
    (
        "an edit of which one section is good",
        "app.py\n```\n<<<<<<< SEARCH\nimport os\n=======\nimport sys\n>>>>>>> REPLACE\n<<<<<<< SEARCH\ndef c():\n=======\nb\n>>>>>>> REPLACE\n```\n",
    ),
    ("a diff without a file", "```diff\n@@ -1 +1 @@\n-a\n+b\n```\n"),
    ("a diff of lines that are not there", "```diff\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-import re\n+b\n```\n"),
    ("a delete of a missing file", "```delete\nx.py\n```\n\n```read\napp.py\n```\n"),
    ("a delete of a folder", "```delete\nsrc.d\n```\n"),
    ("a move of one path", "```move\napp.py\n```\n"),
    ("a move of a missing file", "```move\nx.py -> y.py\n```\n"),
    ("a move onto a file", "```move\napp.py -> src.d/b.py\n```\n"),
    ("a move to the outside", "```move\napp.py -> ../app.py\n```\n"),
    ("a read of the outside", "```read\n../x.py\n```\n"),
    ("a read of a missing file", "```read\nx.py\n```\n"),
    ("a read of no match", "```read\n*.rs\n```\n"),
    ("a read of no text", "```read\nimage.png\n```\n"),
    ("an unknown tool", "<tool_call>{\"name\": \"lookup\", \"arguments\": {}}</tool_call>\n"),
    ("a call without a name", "<tool_call>{\"arguments\": {}}</tool_call>\n"),
    ("a call without an argument", "<tool_call>{\"name\": \"run\", \"arguments\": {}}</tool_call>\n"),
    ("a call that is no JSON", "<tool_call>{\"name\": \"run\", \"argu</tool_call>\n"),
];

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("workspace/app.py", APP);
    env.write("workspace/src.d/b.py", "x\n");
    env.write("outside/x", "x\n");
    fs::write(env.workspace().join("image.png"), b"\x89PNG\xff").unwrap();
    symlink(env.root().join("outside"), env.workspace().join("out")).unwrap();
    env
}

/// What the user sees and what the model gets, a paragraph each.
fn told(env: &TestEnv, reply: &str) -> String {
    let steps = vec![Step::Text(reply.to_owned()), Step::Finish("stop".to_owned())];
    let server = serve([Reply::stream(steps)]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let options = ["--no-scripts", "--max-turns", "1", "--output-format", "stream-json", "-e", server.url(), "x"];
    let output = env.run(["-w", &workspace].into_iter().chain(options));
    let mut text = String::new();
    for event in output.stream_json().iter().filter(|event| event["outcome"] == "refused") {
        let of = |field: &str| event[field].as_str().unwrap().to_owned();
        let reason = of("reason");
        assert!(!reason.contains('\n') && !reason.ends_with('.') && reason.len() < 250, "one sentence: {reason}");
        writeln!(text, "user:  {} {}: {reason}", of("kind"), of("path")).unwrap();
    }
    assert!(!text.is_empty(), "not refused: {reply}");
    let records = env.session().records();
    let feedback =
        records.iter().filter(|record| record["type"] == "action_refused" || record["type"] == "file_attached");
    let feedback = feedback.filter_map(|record| record["feedback"].as_str().or(record["text"].as_str()));
    for (at, line) in feedback.flat_map(str::lines).enumerate() {
        writeln!(text, "{} {line}", if at == 0 { "model:" } else { "      " }).unwrap();
    }
    text
}

#[test]
fn every_refusal_has_its_words() {
    let mut table = String::new();
    for (what, reply) in REFUSALS {
        write!(table, "# {what}\n{}\n", told(&env(), reply)).unwrap();
    }
    let long = format!("{}.py\n```\nx\n```\n", "x".repeat(300));
    let large = format!("large.txt\n```\n{}```\n", "0123456789\n".repeat(500_000));
    let many: String = (1..=501).map(|n| format!("f{n}.txt\n```\nx\n```\n\n")).collect();
    for (what, reply) in
        [("a name that is too long", long), ("a file that is too large", large), ("too many files", many)]
    {
        let told = told(&env(), &reply).replace(&"x".repeat(300), "xxx…");
        let mut lines: Vec<&str> = told.lines().collect();
        lines
            .dedup_by_key(|line| line.split_once(": ").map(|(_, rest)| rest.trim_start_matches(char::is_alphanumeric)));
        write!(table, "# {what}\n{}\n\n", lines.iter().take(2).copied().collect::<Vec<_>>().join("\n")).unwrap();
    }
    insta::assert_snapshot!(table);
}
