//! Bad days: what was typed wrong, what stands in the way, and what is interrupted; what is said then, and what is kept.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use faos::playback::{Player, Reply};
use rustix::process::Signal;

use crate::support::env::TestEnv;
use crate::support::model_server::{cut_off, serve};
use crate::support::process::Output;

const NOTE: &str = "note.txt\n```\nkept\n```\n";

fn env_with(replies: impl IntoIterator<Item = Reply>) -> (TestEnv, Player) {
    let server = serve(replies);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

#[test]
fn an_empty_prompt_is_none() {
    let (env, server) = env_with([Reply::text("Fine.\n")]);
    for prompt in ["", "  \n"] {
        let output = env.run([prompt]);
        output.assert_code(2);
        assert!(output.stderr.starts_with("error: PROMPT is empty\nhint: "), "{}", output.stderr);
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_unknown_option_is_no_second_prompt() {
    let env = TestEnv::new();
    let output = env.run(["--frobnicate"]);
    output.assert_code(2);
    assert!(!output.stderr.contains("PROMPT is one argument"), "{}", output.stderr);
}

#[test]
fn a_workspace_is_a_folder_that_can_be_written_to() {
    let (env, server) = env_with([Reply::text("Fine.\n")]);
    env.write("a-file", "");
    env.write("faos/sessions/20261122-200000-ab12/session.json", "{}");
    env.write("faos/scripts/mine.rhai", "");
    let root = env.root().to_str().unwrap().to_owned();
    for (folder, why) in [
        (format!("{root}/a-file"), "it is no folder"),
        (format!("{root}/faos/scripts"), "it is part of"),
        (format!("{root}/faos/sessions/20261122-200000-ab12"), "it is part of a session's own folder"),
    ] {
        let output = env.run(["-w", &folder, "hello"]);
        output.assert_code(2);
        assert!(output.stderr.contains(why), "{folder}: {}", output.stderr);
    }
    set_mode(&env.workspace(), 0o555);
    let output = run_without_rights(&env, &["-w", env.workspace().to_str().unwrap(), "hello"]);
    set_mode(&env.workspace(), 0o755);
    output.assert_code(2);
    assert!(output.stderr.contains("it cannot be written to"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0);
}

/// In a user namespace that maps nobody, even root has the rights of a file's owner alone.
fn run_without_rights(env: &TestEnv, arguments: &[&str]) -> Output {
    let mut command = env.command("unshare");
    command.args(["--user", env!("CARGO_BIN_EXE_faos")]).args(arguments).stdin(Stdio::null());
    env.start(&mut command).finish()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_session_from_elsewhere_does_not_choose_a_folder_to_write_to() {
    let (env, server) = env_with([Reply::text("Fine.\n"), Reply::text(NOTE)]);
    env.run(["hello"]).assert_code(0);
    let file = env.session().path().join("session.json");
    let mut identity = env.session().identity();
    identity["workspace"] = env.home().to_str().unwrap().into();
    std::fs::write(file, identity.to_string()).unwrap();
    let output = env.run(["resume", "--last", "write a note"]);
    output.assert_code(2);
    assert!(output.stderr.contains("it is the home folder"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_session_from_elsewhere_is_shown_as_printable_text() {
    let (env, _server) = env_with([Reply::text("Fine.\n")]);
    env.run(["hello"]).assert_code(0);
    let log = env.session().path().join("conversation.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let evil =
        text.replace("\"workspace\":\"", "\"workspace\":\"/\\u001b]0;title\\u0007").replace("Fine.", "\\u001b[2JFine.");
    assert_ne!(evil, text);
    std::fs::write(log, evil).unwrap();
    for command in ["list", "show"] {
        let output = env.run(["sessions", command]);
        output.assert_code(0);
        assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), "{}", output.stdout);
    }
}

#[test]
fn a_workspace_that_is_gone_can_be_brought_back() {
    let (env, _server) = env_with([Reply::text(NOTE), Reply::text("It is there.\n")]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "a note"]).assert_code(0);
    std::fs::remove_dir_all(&workspace).unwrap();
    let output = env.run(["-c", "-w", &workspace, "is it there?"]);
    output.assert_code(2);
    let hint = output.stderr.lines().find_map(|line| line.split_once("last version: faos ")).unwrap().1;
    let words: Vec<&str> = hint.split(' ').chain(["is it there?"]).collect();
    env.run(words).assert_code(0);
    assert_eq!(env.read("workspace/note.txt"), "kept\n");
}

#[test]
fn a_folder_that_may_not_be_read_is_no_obstacle() {
    let (env, _server) = env_with([Reply::text(NOTE)]);
    env.write("workspace/data/private", "");
    set_mode(&env.workspace().join("data"), 0o000);
    let workspace = env.workspace();
    let arguments = ["--no-run", "--no-scripts", "-w", workspace.to_str().unwrap(), "a note"];
    let output = run_without_rights(&env, &arguments);
    set_mode(&workspace.join("data"), 0o700);
    output.assert_code(0);
    assert_eq!(env.read("workspace/note.txt"), "kept\n");
}

#[test]
fn an_endpoint_that_is_none_is_a_matter_of_usage() {
    let mut env = TestEnv::new();
    for endpoint in ["not a url", "ftp://127.0.0.1/", "http://user:word@127.0.0.1/"] {
        let output = env.run(["-e", endpoint, "hello"]);
        output.assert_code(2);
        assert!(output.stderr.contains("is no endpoint") && output.stderr.contains("hint: "), "{}", output.stderr);
    }
    // One that cannot be read must not lead to whatever server is found elsewhere.
    env.set("FAOS_ENDPOINT", OsStr::from_bytes(b"\xff"));
    env.run(["hello"]).assert_code(2);
    env.run(["--temperature", "nan", "hello"]).assert_code(2);
}

#[test]
fn a_server_without_tls_is_told_from_one_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // What a plain HTTP server makes of the first bytes of TLS.
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let env = TestEnv::new();
    let output = env.run(["-e", &format!("https://{address}"), "hello"]);
    output.assert_code(4);
    assert!(output.stderr.contains(&format!("without TLS: name it as `http://{address}`")), "{}", output.stderr);
}

/// The same beginning each time is the server's doing: the model is not to blame.
#[test]
fn a_server_that_breaks_off_again_and_again_is_no_model() {
    let (env, server) = env_with((0..9).map(|_| cut_off("note.txt\n```\nkep")));
    let output = env.run(["--output-format", "json", "a note"]);
    output.assert_code(4);
    assert_eq!(output.json()["verdict"], "error");
    assert!(output.stderr.contains("error: the answer broke off"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 4);
}

/// What was stopped has refused nothing: the model must not be told so when the work goes on.
#[test]
fn an_interruption_is_no_refusal() {
    let (env, _server) = env_with([Reply::text(NOTE)]);
    env.write("faos/scripts/40-slow.rhai", "fn on_file_write(ev) { run(#{cmd: \"echo begun; sleep 1000\"}); }\n");
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut running = env.spawn(["-w", &workspace, "-"]);
    running.feed("a note");
    running.wait_for_stderr("begun");
    running.signal(Signal::INT);
    let output = running.finish();
    output.assert_code(130);
    assert!(!output.stderr.contains("refused") && !output.stderr.contains("broken"), "{}", output.stderr);
    assert_eq!(env.session().records_of("action_refused").len(), 0);
}

#[test]
fn what_happens_is_told_on_request() {
    let (env, server) = env_with(["```run\ntrue\n```\n", "Fine.\n", "Fine.\n"].map(Reply::text));
    let output = env.run(["-v", "hello"]);
    output.assert_code(0);
    for words in ["server found", server.url(), "sandbox ran", "request messages=2"] {
        assert!(output.stderr.contains(words), "`{words}` is missing:\n{}", output.stderr);
    }
    let all = env.run(["-vv", "hello"]);
    assert!(all.stderr.contains("/v1/models"), "{}", all.stderr);
}

#[test]
fn a_session_is_for_its_owner_alone() {
    let (env, _server) =
        env_with([Reply::text("note.txt\n```\nkept\n```\n\n```run\ncat note.txt\n```\n"), Reply::text("Fine.\n")]);
    env.run(["a note"]).assert_code(0);
    for entry in walkdir::WalkDir::new(env.session().path()).max_depth(1) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let wanted = if entry.file_type().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}: {mode:o}", entry.path().display());
    }
}

#[test]
fn settings_that_cannot_work_are_told_in_one_line() {
    let env = TestEnv::new();
    for (text, problem) in [
        ("[model\n", "line 1: unclosed table, expected `]`"),
        ("[loop]\nmax_turns = \"x\"\n", "line 2: `loop.max_turns` must be a whole number from 1 to 1073741824"),
        (
            "[sandbox.limits]\nwall_s = -1\nx = 1\n",
            "line 2: `sandbox.limits.wall_s` must be a number of seconds above 0 (and 1 more)",
        ),
    ] {
        env.write("faos/config.toml", text);
        let output = env.run(["hello"]);
        output.assert_code(2);
        let file = env.faos_home().join("config.toml");
        let hint = "hint: `faos config edit` opens it, `faos config check` names every fault";
        assert_eq!(output.stderr, format!("error: `{}`: {problem}\n{hint}\n", file.display()));
    }
}

#[test]
fn a_model_that_repeats_itself_where_all_is_well_is_done() {
    let same = "ok.py\n```python\nprint(1)\n```\n\n```run\npython3 ok.py\n```\n";
    let (env, server) = env_with([same; 5].map(Reply::text));
    let output = env.run(["--output-format", "json", "print 1"]);
    output.assert_code(0);
    assert_eq!(output.json()["verdict"], "passed");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn turns_that_are_used_up_are_named() {
    let (env, _server) = env_with(["```run\ntrue\n```\n", "```run\ntrue \n```\n"].map(Reply::text));
    let output = env.run(["--max-turns", "1", "run it"]);
    output.assert_code(7);
    assert!(output.stderr.contains("1 turns are used up, and the model still asks to go on"), "{}", output.stderr);
}

#[test]
fn a_sessions_own_workspace_comes_back_from_its_versions() {
    let (env, _server) = env_with([Reply::text(NOTE), Reply::text("It is there.\n")]);
    env.run(["a note"]).assert_code(0);
    let workspace = env.session().path().join("workspace");
    std::fs::remove_dir_all(&workspace).unwrap();
    let output = env.run(["resume", "--last", "is it there?"]);
    output.assert_code(0);
    assert!(output.stderr.contains("its files are those of version 1 again"), "{}", output.stderr);
    assert_eq!(std::fs::read_to_string(workspace.join("note.txt")).unwrap(), "kept\n");
}

#[test]
fn a_flood_of_output_is_cut_on_the_screen_and_kept_on_disk() {
    let (env, _server) = env_with(["```run\nseq 5000\n```\n", "Done.\n"].map(Reply::text));
    let output = env.run(["count"]);
    output.assert_code(0);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(lines.len() < 300 && lines.contains(&"  | 200") && lines.contains(&"  | 5000"), "{}", output.stderr);
    assert!(output.stderr.contains("[… 4780 lines more; all of them are in runs/0001 …]"), "{}", output.stderr);
    let kept = std::fs::read_to_string(env.session().path().join("runs/0001/stdout.log")).unwrap();
    assert_eq!(kept.lines().count(), 5000);
}

#[test]
fn a_full_disk_behind_stdout_is_no_closed_pipe() {
    let (env, _server) = env_with([Reply::text("Fine.\n")]);
    let mut command = env.command("bash");
    command.args(["-c", "\"$FAOS\" hello >/dev/full"]).env("FAOS", env!("CARGO_BIN_EXE_faos")).stdin(Stdio::null());
    let output = env.start(&mut command).finish();
    output.assert_code(1);
    assert!(output.stderr.contains("error: cannot write to stdout: No space left on device"), "{}", output.stderr);
    assert_eq!(env.session().records_of("turn_finished")[0]["verdict"], "error");
}

#[test]
fn a_start_that_fails_tells_a_program_why() {
    let mut env = TestEnv::new();
    env.set_endpoint("http://127.0.0.1:9");
    let output = env.run(["--output-format", "stream-json", "hello"]);
    output.assert_code(4);
    let lines = output.stream_json();
    assert_eq!(lines[0]["type"], "error");
    assert!(lines[0]["message"].as_str().unwrap().contains("127.0.0.1:9"));
    assert_eq!(lines[1]["type"], "result");
    crate::support::schema::assert_stream(&lines);
}

#[test]
fn what_no_version_holds_is_not_changed_and_what_the_model_made_can_be() {
    let writes = ".env\n```\nX=2\n```\n\n```delete\ndata.csv\n```\n\nnew.env\n```\nA=1\n```\n";
    let again = "new.env\n```\nA=2\n```\n";
    let (env, _server) = env_with([writes, "Then not.\n", again].map(Reply::text));
    env.write("workspace/.gitignore", "*.env\n.env\n*.csv\n");
    env.write("workspace/.env", "SECRET=1\n");
    env.write("workspace/data.csv", "1,2\n");
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let output = env.run(["-w", &workspace, "--no-scripts", "set it up"]);
    assert!(output.stderr.contains("refused: .env: no version holds what is in it"), "{}", output.stderr);
    assert!(output.stderr.contains("refused: data.csv: no version holds"), "{}", output.stderr);
    assert_eq!(env.read("workspace/.env"), "SECRET=1\n");
    assert_eq!(env.read("workspace/data.csv"), "1,2\n");
    // What was not there before is held by versions from then on, though it is ignored.
    env.run(["-c", "-w", &workspace, "--no-scripts", "again"]).assert_code(0);
    assert_eq!(env.read("workspace/new.env"), "A=2\n");
    let mut git = env.command("git");
    git.arg("-C").arg(env.session().path().join("versions")).args(["show", "v1:new.env"]).stdin(Stdio::null());
    assert_eq!(env.start(&mut git).finish().stdout, "A=1\n");
}

#[test]
fn a_name_that_is_no_text_stops_no_run() {
    let (env, _server) = env_with(["```run\necho it ran\n```\n", "Fine.\n"].map(Reply::text));
    env.write("workspace/a.txt", "");
    std::fs::write(env.workspace().join(OsStr::from_bytes(b"latin\xe9.txt")), "").unwrap();
    let output = env.run(["-w", env.workspace().to_str().unwrap(), "run it"]);
    output.assert_code(0);
    assert!(output.stderr.contains("  | it ran"), "{}", output.stderr);
}

#[test]
fn a_workspace_in_use_leaves_no_session_behind() {
    let (held, _gate) = crate::support::model_server::gated("The beginning", " and the end.\n");
    let (env, _server) = env_with([held]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut first = env.spawn(["-w", &workspace, "hello"]);
    first.wait_for_stdout("The beginning");
    let second = env.run(["-w", &workspace, "hello"]);
    second.assert_code(1);
    assert_eq!(env.sessions().len(), 1, "{}", second.stderr);
    first.signal(Signal::KILL);
    first.finish();
}

/// What the user did beside the conversation is neither lost nor unnoticed.
#[test]
fn a_file_that_the_user_has_changed_is_not_overwritten_unnoticed() {
    let (env, server) = env_with([
        Reply::text("app.py\n```python\nx = 1\n```\n"),
        Reply::text("app.py\n```python\nx = 2\n```\n"),
        Reply::text("app.py\n```python\nx = 2\ny = 'mine'\n```\n"),
        Reply::text("app.py\n```python\n<<<<<<< SEARCH\nx = 2\n=======\nx = 3\n>>>>>>> REPLACE\n```\n"),
        Reply::text("app.py\n```python\nx = 4\n```\n"),
    ]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "write it"]).assert_code(0);
    env.write("workspace/app.py", "x = 1\ny = 'mine'\n");
    let output = env.run(["resume", "--last", "--no-scripts", "x is 2"]);
    output.assert_code(0);
    assert_eq!(env.read("workspace/app.py"), "x = 2\ny = 'mine'\n");
    assert!(
        output.stderr.contains("refused: app.py: changed outside since the model last saw it"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("+y = 'mine'"), "{}", output.stderr);
    let told = server.requests()[2]["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(told.contains("keep these changes") && told.contains("+y = 'mine'"), "{told}");

    // An edit finds its place in the file as it is; the model is told with the next words.
    env.write("workspace/app.py", "x = 2\ny = 'ours'\n");
    env.run(["resume", "--last", "--no-scripts", "x is 3"]).assert_code(0);
    assert_eq!(env.read("workspace/app.py"), "x = 3\ny = 'ours'\n");
    env.run(["resume", "--last", "--no-scripts", "only x, and 4"]).assert_code(0);
    assert_eq!(env.read("workspace/app.py"), "x = 4\n");
    let told = server.requests()[4]["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(told.contains("+y = 'ours'") && told.contains("only x"), "{told}");
}

/// What the model's own run has done is no surprise to it.
#[test]
fn a_file_that_the_models_run_has_changed_is_its_own() {
    let (env, _server) = env_with([
        Reply::text("app.py\n```python\nx = 1\n```\n\n```run\nsed -i s/1/5/ app.py\n```\n"),
        Reply::text("app.py\n```python\nx = 2\n```\n"),
    ]);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "go"]).assert_code(0);
    assert_eq!(env.read("workspace/app.py"), "x = 2\n");
    assert_eq!(env.session().records_of("action_refused").len(), 0);
}

/// While the model writes, the user does too: both a file that was there and a new one.
#[test]
fn what_the_user_writes_while_the_model_does_is_kept() {
    let whole = "f.txt\n```\nmodel\n```\n\nnew.txt\n```\nmodel\n```\n";
    let (first, gate) = crate::support::model_server::gated("Well. ", whole);
    let (env, _server) = env_with([first, Reply::text("I see.\n")]);
    env.write("workspace/f.txt", "old\n");
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let mut running = env.spawn(["-w", &workspace, "--no-scripts", "-"]);
    running.feed("go");
    running.wait_for_stdout("Well.");
    env.write("workspace/f.txt", "user\n");
    env.write("workspace/new.txt", "user\n");
    gate.open();
    running.finish().assert_code(0);
    // Either the version before the message, which is made beside, has seen it, or the model was told of it.
    let versions = env.session().path().join("versions");
    let log = env.start(env.command("git").arg("-C").arg(versions).args(["log", "-p", "--all"])).finish().stdout;
    for path in ["f.txt", "new.txt"] {
        let is_there = env.read(&format!("workspace/{path}")) == "user\n";
        assert!(is_there || log.contains("+user"), "{path}: {log}");
    }
}
