//! A conversation gone on with: after its end, after an interruption, after `kill -9` at any moment.

use std::path::Path;

use faos::playback::Reply;
use faos::workspace::{Versions, Workspace};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::env::{SessionFolder, TestEnv};
use crate::support::model_server::{cut_by_length, cut_off, gated, serve};

const FILES: &str = "one.txt\n```\nfirst\n```\n\ntwo.txt\n```\nsecond\n```\n";

fn last_message(request: &Value) -> &str {
    request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

#[test]
fn a_finished_conversation_takes_another_message() {
    let server = serve(vec![Reply::text(FILES), Reply::text("There are two.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.run(["two files"]).assert_code(0);
    let id = env.session().id().to_owned();
    let output = env.run(["resume", &id[..16], "how many are there?"]);
    output.assert_code(0);
    assert_eq!(output.stdout, "There are two.\n\n");
    assert_eq!(env.sessions().len(), 1);
    let requests = server.requests();
    assert_eq!(requests[1]["messages"].as_array().unwrap().len(), 4);
    assert_eq!(requests[1]["messages"][2]["content"], FILES, "the reply goes back as it came");

    let shown = env.run(["sessions", "show"]);
    shown.assert_code(0);
    for words in ["> two files", "[write one.txt]", "> how many are there?", "There are two."] {
        assert!(shown.stdout.contains(words), "`{words}` is missing:\n{}", shown.stdout);
    }
    let listed = env.run(["sessions", "list"]);
    listed.assert_code(0);
    assert!(listed.stdout.starts_with(&id) && listed.stdout.contains("two files"), "{}", listed.stdout);
}

#[test]
fn continue_takes_the_session_of_this_workspace() {
    let server = serve(vec![Reply::text("One.\n"), Reply::text("Two.\n"), Reply::text("Three.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "first"]).assert_code(0);
    env.run(["elsewhere"]).assert_code(0);
    env.run(["-w", &workspace, "-c", "again"]).assert_code(0);
    let requests = server.requests();
    assert_eq!(requests[2]["messages"][1]["content"], "first");
    assert_eq!(last_message(&requests[2]), "again");
}

#[test]
fn an_interrupted_reply_is_gone_on_with() {
    let (reply, _gate) = gated("one.txt\n```\nfirst\n```\n\ntwo.txt\n```\nsec", "ond\n```\n");
    let server = serve(vec![reply, Reply::text("two.txt\n```\nsecond\n```\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut running = env.spawn(["-w", &workspace, "-"]);
    running.feed("two files");
    running.wait_for_stdout("sec");
    running.signal(Signal::INT);
    running.finish().assert_code(130);
    assert!(!env.workspace().join("one.txt").exists(), "nothing is written before a reply has ended");

    env.run(["resume", "--last"]).assert_code(0);
    assert_eq!(env.read("workspace/one.txt"), "first\n");
    assert_eq!(env.read("workspace/two.txt"), "second\n");
    let requests = server.requests();
    assert!(last_message(&requests[1]).contains("two.txt"), "{}", last_message(&requests[1]));
}

#[test]
fn other_words_after_an_interruption_tell_the_model_of_it() {
    let (reply, _gate) = gated("one.txt\n```\nfirst\n```\n", "rest");
    let server = serve(vec![reply, Reply::text("Fine.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut running = env.spawn(["-p", "-"]);
    running.feed("a file");
    running.wait_for_stdout("first");
    running.signal(Signal::INT);
    running.finish().assert_code(130);
    env.run(["resume", "--last", "never mind"]).assert_code(0);
    let requests = server.requests();
    let told = last_message(&requests[1]);
    assert!(told.contains("interrupted") && told.ends_with("never mind"), "{told}");
}

#[test]
fn a_reply_that_was_cut_is_asked_for_to_the_end() {
    let server = serve(vec![
        cut_by_length("one.txt\n```\nfirst\n```\n\ntwo.txt\n```\nsec"),
        Reply::text("two.txt\n```\nsecond\n```\n"),
    ]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "two files"]).assert_code(0);
    assert_eq!(env.read("workspace/two.txt"), "second\n");
    let requests = server.requests();
    let told = last_message(&requests[1]);
    assert!(told.contains("one.txt") && told.contains("two.txt"), "{told}");
}

#[test]
fn a_broken_connection_loses_nothing() {
    let server =
        serve([cut_off("one.txt\n```\nfirst\n```\n\ntwo.txt\n```\nsec"), Reply::text("two.txt\n```\nsecond\n```\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let output = env.run(["-w", &workspace, "two files"]);
    output.assert_code(0);
    assert!(output.stderr.contains("what came so far is kept"), "{}", output.stderr);
    assert_eq!(env.read("workspace/one.txt"), "first\n");
    assert_eq!(env.read("workspace/two.txt"), "second\n");
    assert_eq!(env.session().records_of("reply_finished")[0]["reason"], "broken_off");
}

/// Acknowledged is what faos said on stdout was done; it must be in the log and on disk afterwards.
#[test]
fn kill_9_at_any_moment_loses_nothing_that_was_acknowledged() {
    let reply: String = (0..40).map(|n| format!("file{n}.txt\n```\nline of file {n}\n```\n\n")).collect();
    let rounds = std::env::var("FAOS_TEST_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
    for round in 0_usize..rounds {
        let words: Vec<&str> = reply.split_inclusive(' ').collect();
        let (before, after) = words.split_at(1 + round * 7 % words.len());
        let (first, gate) = gated(&before.concat(), &after.concat());
        let server = serve([first, Reply::text(&reply), Reply::text("All there.\n")]);
        let mut env = TestEnv::new();
        env.set_endpoint(server.url());
        let workspace = env.workspace().to_str().unwrap().to_owned();
        let mut running = env.spawn(["-w", &workspace, "--output-format", "stream-json", "-"]);
        running.feed("forty files");
        running.wait_for_stdout("\"delta\"");
        if round % 2 == 1 {
            // The kill races with the end of the reply, its files, versions and validation.
            gate.open();
            match round % 8 {
                3 => running.wait_for_stdout("\"action\""),
                5 => env.session().wait_for_log("files_changing"),
                7 => running.wait_for_stdout("\"version\":1"),
                _ => {}
            }
        }
        running.signal(Signal::KILL);
        let output = running.finish();
        let session = env.session();
        acknowledged_is_kept(&output.stdout, &session.records());

        let resumed = env.run(["resume", "--last", "--output-format", "stream-json"]);
        assert!(matches!(resumed.code, Some(0 | 2)), "round {round}: {:?} {}", resumed.code, resumed.stderr);
        for n in 0..40 {
            assert_eq!(env.read(&format!("workspace/file{n}.txt")), format!("line of file {n}\n"), "round {round}");
        }
        is_as_its_newest_version(&session, &env.workspace());
        let seqs: Vec<u64> = session.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>(), "round {round}: no gap");
    }
}

/// Files that nobody has validated yet are no success.
#[test]
fn a_validation_that_was_killed_is_made_again() {
    let server = serve([Reply::text("app.py\n```python\ndef main(:\n```\n"), Reply::text("It works.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let script = "faos/scripts/05-slow.rhai";
    env.write(script, "fn on_validate(ev) { run(#{cmd: \"sleep 1000\"}); }\n");
    let mut running = env.spawn(["--output-format", "stream-json", "-"]);
    running.feed("a program");
    running.wait_for_stdout("\"version\":1");
    running.signal(Signal::KILL);
    running.finish();
    std::fs::remove_file(env.root().join(script)).unwrap();

    let output = env.run(["resume", "--last", "--max-repairs", "0", "--output-format", "json"]);
    output.assert_code(3);
    let result = output.json();
    assert_eq!(result["verdict"], "failed");
    assert_eq!(result["files"], serde_json::json!([{ "path": "app.py", "kind": "created" }]));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_version_without_its_record_gets_one() {
    let server = serve([Reply::text(FILES), Reply::text("There are two.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.run(["two files"]).assert_code(0);
    let log = env.session().path().join("conversation.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    // As a kill leaves it, or a disk that is full.
    let before: String = text.split_inclusive('\n').take_while(|line| !line.contains("\"version\":1,")).collect();
    std::fs::write(&log, before).unwrap();
    assert_eq!(env.session().records_of("version_kept").len(), 1);
    env.run(["resume", "--last", "how many are there?"]).assert_code(0);
    let kept = env.session().records_of("version_kept");
    assert_eq!((kept.len(), kept[1]["version"].as_u64(), kept[1]["files"].as_array().unwrap().len()), (2, Some(1), 2));
}

/// The workspace, file for file, is what the newest version holds.
fn is_as_its_newest_version(session: &SessionFolder, workspace: &Path) {
    let mut versions = Versions::open(&session.path().join("versions")).unwrap();
    let newest = versions.newest().unwrap();
    let workspace = Workspace::open(workspace).unwrap();
    assert_eq!(versions.since(&workspace, newest).unwrap(), []);
}

fn acknowledged_is_kept(stdout: &str, records: &[Value]) {
    let whole = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for event in whole {
        let (kind, key) = match event["type"].as_str().unwrap() {
            "action" => ("action_applied", "path"),
            "version" => ("version_kept", "version"),
            _ => continue,
        };
        let kept = records.iter().any(|record| record["type"] == kind && record[key] == event[key]);
        assert!(kept, "shown as done and not in the log: {event}");
    }
    assert!(records.iter().any(|record| record["type"] == "user_message"), "the user's words");
}

#[test]
fn two_at_once_are_told_apart() {
    let (reply, gate) = gated("Wait", " for it.\n");
    let server = serve(vec![reply, Reply::text("Fine.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut running = env.spawn(["-w", &workspace, "-"]);
    running.feed("hello");
    running.wait_for_stdout("Wait");
    for arguments in [vec!["resume", "--last", "x"], vec!["-w", &workspace, "x"]] {
        let output = env.run(&arguments);
        output.assert_code(1);
        assert!(output.stderr.contains(&running.pid().to_string()), "{}", output.stderr);
    }
    gate.open();
    running.finish().assert_code(0);
}

/// The program ended between two renames: some files of the reply are there, some are not, and one the user has changed since.
#[test]
fn files_that_were_half_written_are_written_anew() {
    const REPLY: &str = "a.txt\n```\n<<<<<<< SEARCH\none\n=======\none\ntwo\n>>>>>>> REPLACE\n```\n\n```move\nold.txt -> new.txt\n```\n\n\
                         ```delete\ngone.txt\n```\n\nb.txt\n```\nb\n```\n";
    let server = serve([Reply::text(REPLY)]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let before = [("a.txt", "one\n"), ("old.txt", "old\n"), ("gone.txt", "gone\n")];
    before.iter().for_each(|(path, text)| env.write(&format!("workspace/{path}"), text));
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    let after = crate::support::corpus::tree(&env.workspace());

    // As it was in the middle: the first steps are done, the last are not.
    let session = env.session();
    let log = session.path().join("conversation.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| line.contains("\"files_changing\"")).unwrap();
    std::fs::write(&log, lines[..=at].concat()).unwrap();
    for (path, text) in [("gone.txt", "gone\n"), (".faos-4711-0", "b\n"), (".faos-notes", "mine\n")] {
        env.write(&format!("workspace/{path}"), text);
    }
    std::fs::remove_file(env.workspace().join("b.txt")).unwrap();

    let output = env.run(["resume", "--last", "--no-scripts"]);
    output.assert_code(0);
    assert!(output.stderr.contains("3 were set back, and are written anew"), "{}", output.stderr);
    let mut wanted = after;
    wanted.insert(".faos-notes".to_owned(), b"mine\n".to_vec());
    assert_eq!(crate::support::corpus::tree(&env.workspace()), wanted);
    assert_eq!(session.records_of("action_refused").len(), 0);
}

/// Cuts the log behind the first record with this text.
fn cut_log_behind(env: &TestEnv, text: &str) {
    let log = env.session().path().join("conversation.jsonl");
    let whole = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| line.contains(text)).unwrap();
    std::fs::write(&log, lines[..=at].concat()).unwrap();
}

#[test]
fn a_run_that_was_not_begun_is_done_when_the_session_goes_on() {
    let reply = "```run\necho 1 >> log.txt\n```\n\n```run\necho 2 >> log.txt\n```\n";
    let server = serve([Reply::text(reply), Reply::text("Done.\n"), Reply::text("Done.\n"), Reply::text("Done.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    cut_log_behind(&env, "\"run_finished\"");
    env.write("workspace/log.txt", "1\n");
    env.run(["resume", "--last", "--no-scripts"]).assert_code(0);
    assert_eq!(env.read("workspace/log.txt"), "1\n2\n");
    let told = server.requests()[2]["messages"].to_string();
    assert!(told.contains("run 1: exit 0") && told.contains("run 2: exit 0"), "{told}");

    cut_log_behind(&env, "\"reply_finished\"");
    env.run(["resume", "--last", "--no-scripts", "something else"]).assert_code(0);
}

#[test]
fn a_read_that_found_nothing_holds_no_run_back_when_the_session_goes_on() {
    let reply = "```read\nmissing.txt\n```\n\n```run\necho 1 >> log.txt\n```\n\n```run\necho 2 >> log.txt\n```\n";
    let server = serve([Reply::text(reply), Reply::text("Done.\n"), Reply::text("Done.\n"), Reply::text("Done.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    for (request, last, left) in [(2, "\"run_finished\"", "1\n"), (3, "\"action_refused\"", "")] {
        cut_log_behind(&env, last);
        env.write("workspace/log.txt", left);
        env.run(["resume", "--last", "--no-scripts"]).assert_code(0);
        assert_eq!(env.read("workspace/log.txt"), "1\n2\n", "cut behind {last}");
        assert_eq!(env.session().records_of("action_refused").len(), 1, "cut behind {last}");
        let requests = server.requests();
        let told = last_message(&requests[request]);
        let all = ["read missing.txt: no such file", "run 1: exit 0", "run 2: exit 0"];
        assert!(all.iter().all(|text| told.matches(text).count() == 1), "cut behind {last}: {told}");
    }
}

/// What is written through a link is what it leads to, and so is what is set back.
#[test]
fn files_that_were_half_written_through_a_link_are_set_back() {
    const EDIT: &str = "```\n<<<<<<< SEARCH\none\n=======\none\ntwo\n>>>>>>> REPLACE\n```\n";
    let server = serve([Reply::text(&format!("link.txt\n{EDIT}\ndir/a.txt\n{EDIT}"))]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.write("workspace/real.txt", "one\n");
    env.write("workspace/real/a.txt", "one\n");
    std::os::unix::fs::symlink("real.txt", env.workspace().join("link.txt")).unwrap();
    std::os::unix::fs::symlink("real", env.workspace().join("dir")).unwrap();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    cut_log_behind(&env, "\"files_changing\"");
    let output = env.run(["resume", "--last", "--no-scripts"]);
    output.assert_code(0);
    assert!(output.stderr.contains("2 were set back"), "{}", output.stderr);
    for path in ["real.txt", "real/a.txt"] {
        assert_eq!(env.read(&format!("workspace/{path}")), "one\ntwo\n");
    }
    assert!(env.workspace().join("link.txt").symlink_metadata().unwrap().is_symlink());
    assert_eq!(env.session().records_of("action_refused").len(), 0);
}

#[test]
fn a_link_that_was_deleted_in_a_half_written_reply_is_set_back() {
    let server = serve([Reply::text("```delete\nlink.txt\n```\n\n```delete\ndir/a.txt\n```\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.write("workspace/real.txt", "one\n");
    env.write("workspace/real/a.txt", "one\n");
    env.write("workspace/real/b.txt", "two\n");
    std::os::unix::fs::symlink("real.txt", env.workspace().join("link.txt")).unwrap();
    std::os::unix::fs::symlink("real", env.workspace().join("dir")).unwrap();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    assert!(!env.workspace().join("link.txt").exists() && !env.workspace().join("real/a.txt").exists());
    cut_log_behind(&env, "\"files_changing\"");
    let output = env.run(["resume", "--last", "--no-scripts"]);
    output.assert_code(0);
    assert!(output.stderr.contains("2 were set back"), "{}", output.stderr);
    assert_eq!(env.read("workspace/real.txt"), "one\n");
    assert!(!env.workspace().join("link.txt").exists() && !env.workspace().join("real/a.txt").exists());
    assert_eq!(env.session().records_of("action_refused").len(), 0);
}
