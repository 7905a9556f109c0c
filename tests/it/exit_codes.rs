//! Every exit code of the contract, each produced by the real thing.

use faos::playback::Reply;
use rustix::process::Signal;

use crate::support::env::TestEnv;
use crate::support::model_server::{gated, serve};
use crate::support::schema::assert_valid;

const BROKEN: &str = "app.py\n```python\ndef main(:\n```\n";
const RUNS: &str = "```run\necho working\n```\n";

fn env_with(replies: &[&str]) -> (TestEnv, faos::playback::Player) {
    let server = serve(replies.iter().map(|reply| Reply::text(reply)));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

#[test]
fn code_0_is_done() {
    let (env, _server) = env_with(&["Nothing to do.\n"]);
    let output = env.run(["--output-format", "json", "hello"]);
    output.assert_code(0);
    assert_eq!(output.json()["verdict"], "unchecked");
}

#[test]
fn code_1_is_a_session_that_cannot_be_kept() {
    let (env, _server) = env_with(&["Fine.\n"]);
    env.write("faos/sessions", "a file where the folder should be");
    let output = env.run(["--output-format", "json", "hello"]);
    output.assert_code(1);
    assert_valid("result", &output.json());
    assert!(output.stderr.starts_with("error: cannot "), "{}", output.stderr);
}

#[test]
fn code_2_is_usage_or_configuration() {
    let env = TestEnv::new();
    for (arguments, hint) in [
        (vec!["make", "me", "a", "game"], "quote it"),
        (vec!["--no-such-option"], "--no-such-option"),
        (vec!["-w", "/", "x"], "cannot be a workspace"),
        (vec!["--no-session", "x"], "-w DIR"),
        (vec![], "nothing on stdin"),
        (vec!["resume", "no-such"], "faos sessions list"),
        (vec!["resume", "--last"], "no session yet"),
        (vec!["-c", "x"], "no session has the workspace"),
        (vec!["--max-turns", "0", "x"], "--max-turns"),
    ] {
        let output = env.run(&arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(hint), "{arguments:?}: {}", output.stderr);
    }
    env.write("faos/config.toml", "[loop]\nmax_turn = 3\n");
    let output = env.run(["x"]);
    output.assert_code(2);
    assert!(output.stderr.contains("the nearest known one is `loop.max_turns`"), "{}", output.stderr);
}

#[test]
fn code_2_is_input_that_is_no_text() {
    let (env, server) = env_with(&["Fine.\n"]);
    let mut command = env.faos(["x"]);
    let file = env.root().join("binary");
    std::fs::write(&file, b"abc\xff").unwrap();
    let output = env.start(command.stdin(std::fs::File::open(file).unwrap())).finish();
    output.assert_code(2);
    assert!(output.stderr.contains("not UTF-8 (byte 3)"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn code_3_is_a_failed_verdict() {
    let (env, server) = env_with(&[BROKEN, "I am sure that it works.\n"]);
    let output = env.run(["--max-repairs", "1", "--output-format", "json", "x"]);
    output.assert_code(3);
    assert_eq!(output.json()["verdict"], "failed");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn code_3_is_the_same_failure_three_times() {
    let (env, server) = env_with(&[BROKEN; 5]);
    let output = env.run(["--max-repairs", "10", "x"]);
    output.assert_code(3);
    assert!(output.stderr.contains("for the third time"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn code_4_is_no_model() {
    let mut env = TestEnv::new();
    env.set_endpoint("http://127.0.0.1:9");
    let output = env.run(["--output-format", "json", "hello"]);
    output.assert_code(4);
    assert_valid("result", &output.json());
    assert!(output.stderr.contains("127.0.0.1:9") && output.stderr.contains("hint: "), "{}", output.stderr);
}

#[test]
fn code_4_names_every_address_that_was_tried() {
    let env = TestEnv::new();
    // Nothing listens in a network of its own, whatever runs on this machine.
    let mut command = env.command("unshare");
    command.args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_faos"), "hello"]);
    let output = env.start(command.stdin(std::process::Stdio::null())).finish();
    output.assert_code(4);
    for words in
        ["11434", "8080", "8000", "3000", "1234", "Ollama", "llama.cpp", "vLLM", "TGI", "LM Studio", "faos demo"]
    {
        assert!(output.stderr.contains(words), "`{words}` is missing:\n{}", output.stderr);
    }
}

#[test]
fn code_4_is_a_server_that_refuses() {
    let server = serve(vec![Reply::json(400, r#"{"error":{"message":"the model is on strike"}}"#)]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let output = env.run(["--output-format", "json", "hello"]);
    output.assert_code(4);
    assert_eq!(output.json()["verdict"], "error");
    assert!(output.stderr.contains("the model is on strike"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 1, "a refusal is not tried again");
}

#[test]
fn code_5_is_no_sandbox() {
    let (env, server) = env_with(&["Fine.\n"]);
    // A user namespace that may not have another one below it: what a hardened system or container looks like.
    let mut command = env.command("unshare");
    let script = format!("echo 0 > /proc/sys/user/max_user_namespaces; exec {} hello", env!("CARGO_BIN_EXE_faos"));
    command.args(["--user", "--map-root-user", "sh", "-c", &script]);
    let output = env.start(command.stdin(std::process::Stdio::null())).finish();
    output.assert_code(5);
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0, "nothing was asked of the model");
}

#[test]
fn code_6_is_a_denied_request() {
    let (env, server) = env_with(&["Fine.\n"]);
    env.write("faos/scripts/05-hours.rhai", "fn on_prompt(ev) { deny(\"not on Sundays\") }\n");
    let output = env.run(["--output-format", "json", "hello"]);
    output.assert_code(6);
    assert_eq!(output.json()["verdict"], "error");
    assert!(output.stderr.contains("not on Sundays"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn code_7_is_out_of_turns() {
    let (env, server) = env_with(&[RUNS; 3]);
    let output = env.run(["--max-turns", "2", "--output-format", "json", "x"]);
    output.assert_code(7);
    assert_eq!(output.json()["verdict"], "error");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn codes_130_and_143_keep_what_came() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (reply, _gate) = gated("The beginning of a long", " answer.\n");
        let server = serve(vec![reply]);
        let mut env = TestEnv::new();
        env.set_endpoint(server.url());
        let mut running = env.spawn(["-p", "--output-format", "stream-json", "-"]);
        running.feed("hello");
        running.wait_for_stdout("of a long");
        running.signal(signal);
        let output = running.finish();
        output.assert_code(code);
        let events = output.stream_json();
        let result = events.last().unwrap();
        assert_eq!(
            (result["verdict"].as_str(), result["exit_code"].as_i64()),
            (Some("interrupted"), Some(code.into()))
        );
        let finished = env.session().records_of("reply_finished");
        assert_eq!(finished[0]["reason"], "interrupted");
        assert_eq!(env.session().records_of("turn_finished")[0]["exit_code"], code);
    }
}

#[test]
fn code_141_is_a_closed_stdout() {
    let (reply, gate) = gated("The beginning of a long", " answer.\n");
    let server = serve(vec![reply]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut command = env.command("bash");
    let script = "\"$FAOS\" hello > >(head -c 5); echo \"code $?\" >&2";
    command.args(["-c", script]).env("FAOS", env!("CARGO_BIN_EXE_faos")).stdin(std::process::Stdio::null());
    let mut running = env.start(&mut command);
    running.wait_for_stdout("The b");
    gate.open();
    let output = running.finish();
    assert!(output.stderr.contains("code 141"), "{}", output.stderr);
    assert_eq!(env.session().records_of("turn_finished")[0]["exit_code"], 141);
}
