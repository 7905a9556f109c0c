//! Scripts in a conversation: what they change of a request, what they are told at both ends, and that a changed file
//! counts from the next turn on.

use faos::playback::{Player, Reply};
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::model_server::serve;
use crate::support::schema::assert_stream;

fn env_with(replies: &[&str]) -> (TestEnv, Player) {
    let server = serve(replies.iter().map(|reply| Reply::text(reply)));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

fn workspace(env: &TestEnv) -> String {
    env.workspace().to_str().unwrap().to_owned()
}

fn contents(request: &Value) -> Vec<&str> {
    request["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
}

const REDACT: &str = r#"
fn on_request(ev) {
    for message in ev.messages {
        if message.content.contains("hunter2") {
            let messages = ev.messages.map(|m| { m.content = m.content.re_replace("hunter2", "[secret]"); m });
            return #{messages: messages, params: #{temperature: 0.0}};
        }
    }
}
"#;

/// Sent once, logged, shown; the conversation stays as it was.
#[test]
fn a_request_is_changed_this_once_and_that_is_told() {
    let (env, server) = env_with(&["Noted.\n", "Yes.\n"]);
    env.write("faos/scripts/40-redact.rhai", REDACT);
    let output = env.run(["-w", &workspace(&env), "my password is hunter2"]);
    output.assert_code(0);
    let told = "user/40-redact.rhai on_request: changed: 1 of 2 messages are other ones, temperature 0";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    let request = &server.requests()[0];
    assert_eq!((contents(request)[1], &request["temperature"]), ("my password is [secret]", &json!(0.0)));

    let session = env.session();
    assert_eq!(session.records_of("user_message")[0]["text"], "my password is hunter2");
    let changed = &session.records_of("request_changed")[0];
    let sent = json!([{"role": "user", "content": "my password is [secret]"}]);
    assert_eq!((&changed["messages"], &changed["first"], &changed["last"]), (&sent, &json!(1), &json!(0)));
    let types: Vec<String> =
        session.records().iter().map(|record| record["type"].as_str().unwrap().to_owned()).collect();
    let at = types.iter().position(|kind| kind == "request_changed").unwrap();
    assert_eq!((types[at - 1].as_str(), types[at + 1].as_str()), ("hook_ran", "request_sent"));

    // Without the script the conversation is sent as it is, and with the usual parameters.
    env.write("faos/scripts/40-redact.rhai", "");
    env.run(["resume", "--last", "is it safe?"]).assert_code(0);
    let request = &server.requests()[1];
    assert_eq!(contents(request)[1..], ["my password is hunter2", "Noted.\n", "is it safe?"]);
    assert_eq!(request["temperature"], Value::Null);
}

#[test]
fn a_request_that_is_denied_is_not_sent() {
    let (env, server) = env_with(&["Fine.\n"]);
    for (script, why) in [
        ("fn on_request(ev) { deny(\"too late today\") }", "error: denied: too late today (`user/40-x.rhai`)"),
        ("fn on_request(ev) { boom() }", "denied because the script itself is broken: user/40-x.rhai:1:21: "),
    ] {
        env.write("faos/scripts/40-x.rhai", script);
        let output = env.run(["-w", &workspace(&env), "hello"]);
        output.assert_code(6);
        assert!(output.stderr.contains(why), "{}", output.stderr);
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(env.sessions()[0].records_of("request_sent").len(), 0);
    // What was said is kept, and can be sent.
    env.write("faos/scripts/40-x.rhai", "");
    env.run(["resume", "--last"]).assert_code(0);
    assert_eq!(contents(&server.requests()[0])[1], "hello");
}

const ENDS: &str = r#"
fn on_session_start(ev) {
    this.n = if "n" in this { this.n + 1 } else { 1 };
    context(`opened ${this.n}, resumed ${ev.resumed}, ${ev.scripts.some(|s| s == "user/40-ends.rhai")}`)
}
fn on_session_end(ev) {
    write("totals.txt", `${ev.reason} ${ev.totals.messages} ${ev.totals.requests} ${this.n}`);
}
"#;

#[test]
fn scripts_are_told_of_both_ends_of_a_session() {
    let (env, server) = env_with(&["One.\n", "Two.\n"]);
    env.write("faos/scripts/40-ends.rhai", ENDS);
    let output = env.run(["-w", &workspace(&env), "--output-format", "stream-json", "hello"]);
    output.assert_code(0);
    assert_stream(&output.stream_json());
    assert_eq!(contents(&server.requests()[0])[1], "hello\n\nopened 1, resumed false, true");
    assert_eq!(env.read("workspace/totals.txt"), "done 1 1 1");
    env.run(["resume", "--last", "again"]).assert_code(0);
    assert_eq!(contents(&server.requests()[1])[3], "again\n\nopened 2, resumed true, true");
    assert_eq!(env.read("workspace/totals.txt"), "done 2 2 2");
}

/// An observer that fails at the end is told before the result, and changes nothing of it.
#[test]
fn a_failure_at_the_end_is_told_before_the_result() {
    let (env, _server) = env_with(&["One.\n"]);
    env.write("faos/scripts/40-x.rhai", "fn on_session_end(ev) { ev.reasn }");
    let output = env.run(["-w", &workspace(&env), "--output-format", "stream-json", "hello"]);
    output.assert_code(0);
    let events = output.stream_json();
    assert_stream(&events);
    let hook = events.iter().find(|event| event["type"] == "hook").unwrap();
    let note = "user/40-x.rhai:1:28: Property not found: reasn; did you mean `reason`?";
    assert_eq!((&hook["outcome"], &hook["note"]), (&json!("failed"), &json!(note)));
    assert_eq!(events.last().unwrap()["type"], "result");
    assert_eq!(env.session().records_of("hook_ran").len(), 1);
}
