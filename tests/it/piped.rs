//! One request, piped: what goes in, what comes out, and the options that change the way between.

use std::process::Stdio;

use serde_json::Value;

use crate::support::env::TestEnv;
use faos::playback::Reply;

use crate::support::model_server::serve;
use crate::support::process::Output;
use crate::support::schema::{assert_stream, assert_valid};

const HELLO: &str = "Here it is.\n\nhello.sh\n```bash\necho hello\n```\n\n```run\nbash hello.sh\n```\n";
const DONE: &str = "It prints `hello`.\n";

fn env_with(replies: &[&str]) -> (TestEnv, faos::playback::Player) {
    let server = serve(replies.iter().map(|reply| Reply::text(reply)));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

fn workspace(env: &TestEnv) -> String {
    env.workspace().to_str().unwrap().to_owned()
}

#[test]
fn the_reply_is_on_stdout_and_the_work_on_stderr() {
    let (env, server) = env_with(&[HELLO, DONE]);
    let output = env.run_with_stdin(["-w", &workspace(&env)], "a script that says hello");
    output.assert_code(0);
    assert_eq!(output.stdout, format!("{HELLO}\n{DONE}\n"));
    for line in [
        "wrote hello.sh",
        "run 1: bash hello.sh",
        "  | hello",
        "check built-in/50-validate-shell.rhai: passed",
        "passed · 1 created",
    ] {
        assert!(output.stderr.contains(line), "`{line}` is missing:\n{}", output.stderr);
    }
    let end = format!("files: {}\ngo on: faos resume {} \"what comes next\"\n", workspace(&env), env.session().id());
    assert!(output.stderr.ends_with(&end), "{}", output.stderr);
    assert_eq!(env.read("workspace/hello.sh"), "echo hello\n");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn without_a_workspace_the_session_has_its_own() {
    let (env, _server) = env_with(&[HELLO, DONE]);
    let output = env.run(["-p", "--output-format", "json", "a script that says hello"]);
    output.assert_code(0);
    let result = output.json();
    assert_valid("result", &result);
    assert_eq!((result["verdict"].as_str(), result["text"].as_str()), (Some("passed"), Some(DONE)));
    assert_eq!(result["files"], serde_json::json!([{ "path": "hello.sh", "kind": "created" }]));
    assert_eq!(result["runs"][0]["exit"]["code"], 0);
    assert_eq!(result["workspace"].as_str().unwrap(), env.session().path().join("workspace").to_str().unwrap());
}

#[test]
fn stream_json_tells_everything_in_order() {
    let (env, _server) = env_with(&[HELLO, DONE]);
    let output = env.run(["-w", &workspace(&env), "--output-format", "stream-json", "hello"]);
    output.assert_code(0);
    let events = output.stream_json();
    assert_stream(&events);
    let mut kinds: Vec<String> = events.iter().map(name_of).collect();
    kinds.dedup();
    let wanted = [
        "session",
        "version",
        "delta",
        "usage",
        "action write",
        "version",
        "action run",
        "run started",
        "run output",
        "run finished",
        "validation",
        "delta",
        "usage",
        "result",
    ];
    // The version before the message is made beside the stream; where it is told of is not promised.
    kinds.retain(|kind| kind != "version" && kind != "hook" && kind != "notice");
    kinds.dedup();
    assert_eq!(
        kinds,
        wanted.iter().filter(|kind| **kind != "version").map(|kind| (*kind).to_owned()).collect::<Vec<_>>()
    );
}

fn name_of(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap();
    match kind {
        "action" => format!("action {}", event["kind"].as_str().unwrap()),
        "run" => format!("run {}", event["phase"].as_str().unwrap()),
        _ => kind.to_owned(),
    }
}

#[test]
fn quiet_prints_the_last_reply_alone() {
    let (env, _server) = env_with(&[HELLO, DONE]);
    let output = env.run(["-w", &workspace(&env), "-q", "hello"]);
    output.assert_code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (DONE, ""));
}

#[test]
fn runs_can_be_switched_off() {
    let (env, server) = env_with(&[HELLO]);
    let output = env.run(["-w", &workspace(&env), "--no-run", "--output-format", "json", "hello"]);
    output.assert_code(0);
    assert_eq!(output.json()["runs"], serde_json::json!([]));
    assert_eq!(env.session().records_of("run_finished").iter().filter(|record| record["feedback"] != "").count(), 0);
    assert_eq!(server.requests().len(), 1, "a run that is switched off does not keep the request open");
    let notes = env.session().records_of("note");
    assert_eq!(notes[0]["feedback"], "run 1: switched off");
}

#[test]
fn scripts_can_be_switched_off() {
    let (env, _server) = env_with(&["broken.py\n```python\ndef (:\n```\n"]);
    let output = env.run(["-w", &workspace(&env), "--no-scripts", "--output-format", "stream-json", "x"]);
    output.assert_code(0);
    let events = output.stream_json();
    assert!(!events.iter().any(|event| event["type"] == "hook" || event["type"] == "validation"));
    assert_eq!(events.last().unwrap()["verdict"], "unchecked");
}

#[test]
fn a_dry_run_writes_nothing() {
    let (env, server) = env_with(&[HELLO]);
    env.write("workspace/other.txt", "stays\n");
    let output = env.run(["-w", &workspace(&env), "--dry-run", "hello"]);
    output.assert_code(0);
    assert!(output.stderr.contains("+echo hello"), "{}", output.stderr);
    assert!(output.stderr.contains("not run (dry run): bash hello.sh"), "{}", output.stderr);
    assert_eq!(std::fs::read_dir(env.workspace()).unwrap().count(), 1);
    assert_eq!((env.sessions().len(), server.requests().len()), (0, 1));
}

#[test]
fn a_dry_run_makes_no_folder_and_no_session() {
    let (env, _server) = env_with(&[HELLO, HELLO]);
    let missing = env.root().join("missing");
    env.run(["-w", missing.to_str().unwrap(), "--dry-run", "hello"]).assert_code(0);
    assert!(!missing.exists());
    let output = env.run(["--dry-run", "hello"]);
    output.assert_code(0);
    assert!(output.stderr.contains("+echo hello") && !output.stderr.contains("faos resume"), "{}", output.stderr);
    assert_eq!(env.sessions().len(), 0);
    // A saved conversation cannot be gone on with and kept as it was.
    let (ours, folder) = env_with(&[HELLO, DONE]);
    ours.run(["-w", &workspace(&ours), "hello"]).assert_code(0);
    let before = ours.session().records().len();
    for saved in [&["resume", "--last", "more"][..], &["-c", "-w", &workspace(&ours), "more"]] {
        ours.run([&["--dry-run"], saved].concat()).assert_code(2);
    }
    assert_eq!((ours.session().records().len(), folder.requests().len()), (before, 2));
}

#[test]
fn no_session_leaves_the_files_alone() {
    let (env, _server) = env_with(&[HELLO, DONE]);
    env.run(["-w", &workspace(&env), "--no-session", "hello"]).assert_code(0);
    assert_eq!(env.sessions().len(), 0);
    assert_eq!(env.read("workspace/hello.sh"), "echo hello\n");
}

#[test]
fn prompt_and_stdin_together_are_one_message() {
    let (env, server) = env_with(&["Fine.\n"]);
    env.run_with_stdin(["-w", &workspace(&env), "what is this?"], "a log line\n").assert_code(0);
    let requests = server.requests();
    let message = requests[0]["messages"][1]["content"].as_str().unwrap();
    assert!(message.starts_with("what is this?"), "{message}");
    assert!(message.contains("\na log line\n```"), "{message}");
}

#[test]
fn a_silent_pipe_is_not_waited_for() {
    let (env, server) = env_with(&["Fine.\n"]);
    let mut running = env.spawn(["-w", &workspace(&env), "hello"]);
    running.wait_for_stderr("stdin says nothing");
    running.finish().assert_code(0);
    assert_eq!(server.requests()[0]["messages"][1]["content"], "hello");
}

#[test]
fn a_failed_validation_is_fed_back_until_it_passes() {
    let broken = "app.py\n```python\ndef main(:\n    pass\n```\n";
    let whole = "app.py\n```python\ndef main():\n    pass\n```\n";
    let (env, server) = env_with(&[broken, whole]);
    let output = env.run(["-w", &workspace(&env), "--output-format", "stream-json", "x"]);
    output.assert_code(0);
    let requests = server.requests();
    let told = requests[1]["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    assert!(told.contains("SyntaxError"), "{told}");
    let outcomes: Vec<Value> =
        env.session().records_of("validated").iter().map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failed", "passed"]);
}

#[test]
fn a_lone_block_without_a_name_is_named_by_a_script() {
    let (env, _server) = env_with(&["Here you are:\n\n```python\nprint('hi')\n```\n"]);
    let output = env.run(["-w", &workspace(&env), "x"]);
    output.assert_code(0);
    assert_eq!(env.read("workspace/main.py"), "print('hi')\n");
    assert!(output.stderr.contains("main.py"), "{}", output.stderr);
}

#[test]
fn a_users_script_and_template_take_the_place_of_built_in_ones() {
    let (env, server) = env_with(&["notes.txt\n```\nx\n```\n"]);
    env.write("faos/scripts/30-guard.rhai", "fn on_file_write(ev) { deny(\"no files today\") }\n");
    env.write("faos/prompts/system.md", "You write poems.\n");
    let output = env.run(["-w", &workspace(&env), "--max-turns", "1", "x"]);
    output.assert_code(7);
    assert!(output.stderr.contains("no files today"), "{}", output.stderr);
    assert!(!env.workspace().join("notes.txt").exists());
    assert_eq!(server.requests()[0]["messages"][0]["content"].as_str().unwrap().trim_end(), "You write poems.");
}

#[test]
fn the_first_request_is_small() {
    let (env, server) = env_with(&["Fine.\n"]);
    env.run(["-w", &workspace(&env), "--no-scripts", "hello"]).assert_code(0);
    let requests = server.requests();
    let mut all = String::new();
    for message in requests[0]["messages"].as_array().unwrap() {
        all.push_str(message["content"].as_str().unwrap());
    }
    let tokens = tiktoken_rs::o200k_base().unwrap().encode_ordinary(all.strip_suffix("hello").unwrap()).len();
    assert!(tokens <= 900, "{tokens} tokens");
}

#[test]
fn the_demo_repairs_a_failing_attempt() {
    let env = TestEnv::new();
    for name in ["01-todo", "06-backup-rotate"] {
        let output = env.run(["demo", name]);
        output.assert_code(0);
        assert!(output.stderr.contains("the model is a recording"), "{}", output.stderr);
        assert!(output.stderr.contains(": exit 1, "), "the first attempt fails: {}", output.stderr);
        assert!(output.stderr.contains("\npassed · 2 created"), "{}", output.stderr);
    }
    // Without Python the one in Bash is played.
    for (tools, name) in [(["bash", "python3"].as_slice(), "01-todo"), (&["bash"], "06-backup-rotate")] {
        let folder = env.root().join(format!("tools-{}", tools.len()));
        std::fs::create_dir(&folder).unwrap();
        tools.iter().for_each(|tool| std::os::unix::fs::symlink("/bin/true", folder.join(tool)).unwrap());
        let mut command = env.faos(["demo", "--no-run", "--no-scripts"]);
        let output = env.start(command.env("PATH", &folder).stdin(Stdio::null())).finish();
        output.assert_code(0);
        assert!(output.stderr.starts_with(&format!("demo {name}: ")), "{}", output.stderr);
    }
    let unknown = env.run(["demo", "no-such"]);
    unknown.assert_code(2);
    assert!(unknown.stderr.contains("hint: there are 01-todo and 06-backup-rotate"), "{}", unknown.stderr);
}

/// An example's script, with this `faos` on its `PATH`, for two files below the environment's root.
fn example(env: &TestEnv, name: &str, arguments: [&str; 2]) -> Output {
    let mut command = env.command(&format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR")));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_faos")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    command.args(arguments.map(|argument| env.root().join(argument))).env("PATH", path);
    env.start(command.stdin(Stdio::null())).finish()
}

#[test]
fn the_example_of_many_tasks_works_and_goes_on() {
    const NOTE: &str = "note.txt\n```\nkept\n```\n";
    let (env, server) = env_with(&[NOTE, NOTE, NOTE]);
    env.write("tasks.txt", "# a comment\none: a note, with \"quotes\" and 'more'\n\ntwo: a note\nno-colon\n");
    let output = example(&env, "parallel.sh", ["tasks.txt", "results"]);
    output.assert_code(3);
    let said: Vec<&str> = output.stdout.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(said, ["unchecked  one: 1 requests", "unchecked  two: 1 requests", "3 tasks"], "{}", output.stderr);
    assert!(output.stderr.contains("no task: `no-colon`"), "{}", output.stderr);
    assert_eq!(env.read("results/one/note.txt"), "kept\n");
    let asked: Vec<String> = server.requests().iter().map(|request| request["messages"].to_string()).collect();
    assert!(asked.iter().any(|messages| messages.contains(r#"with \"quotes\" and 'more'"#)), "{asked:?}");

    env.write("tasks.txt", "one: a note\ntwo: a note\nthree: a note\n");
    example(&env, "parallel.sh", ["tasks.txt", "results"]).assert_code(0);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_example_of_a_pipe_works() {
    let (env, _server) = env_with(&[HELLO, DONE]);
    env.write("description.txt", "a script that says hello\n");
    let output = example(&env, "piped.sh", ["description.txt", "made"]);
    output.assert_code(0);
    assert!(output.stdout.starts_with("passed after 2 requests\n  created  hello.sh\n  ran in "), "{}", output.stdout);
}
