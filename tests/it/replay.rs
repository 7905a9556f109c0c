//! A saved conversation through today's scripts: what comes out the same, what differs, and what is accepted.

use std::fs;

use faos::playback::Reply;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

const FIRST: &str = "a.sh\n```bash\nif true; then\n```\n\n```run\necho hi\n```\n";
const SECOND: &str = "a.sh\n```bash\necho mended\n```\n";

/// Two messages; the first reply is broken, the check sends it back, the second mends it.
fn recorded() -> (TestEnv, String) {
    let server = serve([FIRST, SECOND, "notes.txt\n```\nhello\n```\n"].map(Reply::text));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.write("workspace/README.md", "before\n");
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let output = env.run(["-w", &workspace, "a script"]);
    output.assert_code(0);
    env.run(["resume", "--last", "-p", "and thanks"]).assert_code(0);
    let id = env.session().id().to_owned();
    // Nobody is asked from here on.
    env.set_endpoint("http://127.0.0.1:9");
    (env, id)
}

#[test]
fn a_conversation_that_comes_out_the_same_is_exit_0() {
    let (env, id) = recorded();
    let log = env.session().path().join("conversation.jsonl");
    let before = fs::read(&log).unwrap();
    let output = env.run(["replay", &id, "--diff"]);
    output.assert_code(0);
    assert_eq!(output.stdout, "message 1: passed; as recorded\nmessage 2: passed; as recorded\n");
    assert_eq!(fs::read(&log).unwrap(), before, "a replay changes nothing of the session");
    assert_eq!(env.sessions().len(), 1);
    assert_eq!(env.read("workspace/a.sh"), "echo mended\n");
}

/// A script that was changed shows what it does to yesterday's conversation; what is accepted is compared with from then on.
#[test]
fn a_changed_script_shows_what_it_changes() {
    let (env, id) = recorded();
    env.write("faos/scripts/40-head.rhai", "fn on_file_write(ev) { modify(#{content: \"# ours\\n\" + ev.content}) }");
    let output = env.run(["replay", &id]);
    output.assert_code(3);
    assert!(output.stdout.starts_with("message 1: passed; 1 file differ"), "{}", output.stdout);
    assert!(output.stderr.contains("error: 2 of 2 messages come out differently\nhint: `--diff`"), "{}", output.stderr);
    let output = env.run(["replay", &id, "--diff"]);
    output.assert_code(3);
    assert!(
        output.stdout.contains("--- a/a.sh\n+++ b/a.sh\n@@ -1 +1,2 @@\n+# ours\n echo mended\n"),
        "{}",
        output.stdout
    );

    env.run(["replay", &id, "--accept"]).assert_code(0);
    env.run(["replay", &id, "--diff"]).assert_code(0);
    fs::remove_file(env.root().join("faos/scripts/40-head.rhai")).unwrap();
    let output = env.run(["replay", &id, "--diff"]);
    output.assert_code(3);
    assert!(output.stdout.contains("-# ours\n"), "{}", output.stdout);
}

/// Today's check asks for more replies than there are.
#[test]
fn a_verdict_that_changes_is_told() {
    let (env, id) = recorded();
    env.write("faos/scripts/50-validate-shell.rhai", "fn on_validate(ev) { fail(\"never good enough\") }");
    let output = env.run(["replay", &id, "--diff"]);
    output.assert_code(3);
    assert!(output.stdout.contains("the verdict was passed"), "{}", output.stdout);
    assert!(output.stdout.contains("+") && output.stdout.contains("never good enough"), "{}", output.stdout);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let (env, id) = recorded();
    env.run(["replay", "2000"]).assert_code(2);
    env.write("faos/scripts/40-x.rhai", "fn on_prompt(ev) {");
    env.run(["replay", &id]).assert_code(2);
    fs::remove_file(env.root().join("faos/scripts/40-x.rhai")).unwrap();
    fs::write(env.session().path().join("replay.json"), "{").unwrap();
    let output = env.run(["replay", &id]);
    output.assert_code(2);
    assert!(output.stderr.contains("hint: `--accept` writes it anew"), "{}", output.stderr);
}

#[test]
fn a_replay_that_is_ended_leaves_nothing() {
    let (mut env, id) = recorded();
    env.write("faos/scripts/60-wait.rhai", "fn on_validate(ev) { run(\"sleep 100\"); }");
    env.write("tmp/.keep", "");
    let temporary = env.root().join("tmp");
    env.set("TMPDIR", &temporary);
    let mut running = env.spawn(["-v", "replay", &id]);
    running.wait_for_stderr("server found");
    running.signal(rustix::process::Signal::TERM);
    let ended = running.finish();
    ended.assert_code(143);
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".keep"]);
}
