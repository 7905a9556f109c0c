//! What `faos sessions` does with what is saved, and sessions that go on from others.

use faos::playback::Reply;
use serde_json::Value;

use crate::support::env::{TestEnv, json_lines};
use crate::support::model_server::serve;

const CALC: &str = "Here it is.\n\ncalc.py\n```python\nprint(1 + 2)  # adds\n```\n";
const MORE: &str = "calc.py\n```python\nprint(2 * 2)\n```\n";

/// Two messages, in a session of its own workspace.
fn saved() -> (TestEnv, faos::playback::Player) {
    let server = serve([CALC, MORE, "Other words.\n", "More words.\n"].map(Reply::text));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.run(["--no-scripts", "# Write a calculator"]).assert_code(0);
    env.run(["--no-scripts", "resume", "--last", "now it multiplies"]).assert_code(0);
    (env, server)
}

fn messages(request: &Value) -> Vec<Value> {
    request["messages"].as_array().unwrap().clone()
}

#[test]
fn a_session_is_found_by_words_and_named_by_its_title() {
    let (env, server) = saved();
    let id = env.session().id().to_owned();
    let found = env.run(["sessions", "search", "MULTIPLIES"]);
    found.assert_code(0);
    assert_eq!(found.stdout, format!("{id}  Write a calculator\n  message 2, you: now it multiplies\n"));
    let found = env.run(["sessions", "search", "adds", "print"]);
    assert_eq!(found.stdout, format!("{id}  Write a calculator\n  message 1, reply: print(1 + 2)  # adds\n"));
    let nothing = env.run(["sessions", "search", "nonsense"]);
    assert_eq!((nothing.stdout.as_str(), nothing.code), ("", Some(0)));

    env.run(["sessions", "rename", "calculator", "a pocket calculator"]).assert_code(0);
    assert!(env.run(["sessions"]).stdout.ends_with("a pocket calculator\n"));
    assert_eq!(env.session().identity()["title"], "a pocket calculator");
    env.run(["resume", "pocket", "and now?"]).assert_code(0);
    assert_eq!(messages(&server.requests()[2]).len(), 6);
    let missing = env.run(["sessions", "show", "no such title"]);
    missing.assert_code(2);
    env.run(["sessions", "rename", &id, " \n "]).assert_code(2);
}

#[test]
fn what_a_run_printed_is_shown_in_the_order_in_which_it_came() {
    let run = "Look.\n\n```run\nprintf 'one\\nthree, '; echo two >&2; echo and more; exit 3\n```\n";
    let server = serve([Reply::text(run), Reply::text("I see.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let output = env.run(["--no-scripts", "--output-format", "stream-json", "look"]);
    let chunks: Vec<Value> =
        json_lines(&output.stdout).into_iter().filter(|event| event["phase"] == "output").collect();
    assert!(!chunks.is_empty());
    for (chunk, seq) in chunks.iter().zip(1..) {
        crate::support::schema::assert_valid("event", chunk);
        assert_eq!(chunk["seq"], seq, "{chunk}");
    }
    let kept = env.session().path().join("runs/0001/output.jsonl");
    let read = std::fs::read_to_string(&kept).unwrap();
    let bytes = |stream: &str| {
        let pieces = read.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        pieces.filter(|piece| piece["stream"] == stream).map(|piece| piece["bytes"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((bytes("stdout"), bytes("stderr")), (20, 4));

    // How soon a pipe is read is the machine's: an order that is known is put in its place.
    let order = "{\"seq\":1,\"at_s\":0.01,\"stream\":\"stdout\",\"bytes\":11}\n\
                 {\"seq\":2,\"at_s\":0.25,\"stream\":\"stderr\",\"bytes\":4}\n{\"seq\":3,\"at_";
    std::fs::write(&kept, order).unwrap();
    let shown = env.run(["sessions", "show", "--run", "1"]);
    shown.assert_code(0);
    let lines: Vec<&str> = shown.stdout.lines().skip(1).collect();
    let end = lines.last().unwrap();
    assert_eq!(
        lines[..lines.len() - 1],
        ["   0.010 out | one", "   0.010 out | three, ", "   0.250 err | two", "       ? out | and more"]
    );
    assert!(shown.stdout.starts_with("$ printf 'one") && end.starts_with("[run 1: exited after"), "{}", shown.stdout);
    std::fs::remove_file(&kept).unwrap();
    let unordered = env.run(["sessions", "show", "--run", "1"]).stdout;
    assert!(unordered.contains("? out | three, and more\n       ? err | two\n"), "{unordered}");
    env.run(["sessions", "show", "--run", "2"]).assert_code(2);
}

#[test]
fn an_export_is_a_document_without_keys() {
    let server = serve([Reply::text("Say `API_KEY=abcdef1234567890` to it.\n\n<script>x</script>\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.run(["say it"]).assert_code(0);
    let markdown = env.run(["sessions", "export"]);
    markdown.assert_code(0);
    assert!(markdown.stdout.contains("## Reply\n\nSay `API_KEY=[masked]` to it."), "{}", markdown.stdout);
    env.run(["sessions", "export", "-o", "page.html"]).assert_code(0);
    let page = env.read("cwd/page.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("[masked]") && !page.contains("abcdef1234"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http:") && !page.contains("https:"), "{page}");
    let again = env.run(["sessions", "export", "-o", "page.html"]);
    again.assert_code(2);
    assert!(again.stderr.contains("hint: name another file"), "{}", again.stderr);
}

#[test]
fn a_page_holds_diffs_and_verdicts() {
    let (env, _server) = saved();
    let page = env.run(["sessions", "export", "--format", "html"]).stdout;
    for wanted in [
        "<summary>Version 2: reply 1 of message 2 (1 changed)</summary>",
        "<span class=\"d\">-",
        "print(2 * 2)",
        "<p class=\"verdict\">unchecked, exit code 0</p>",
    ] {
        assert!(page.contains(wanted), "`{wanted}` is missing:\n{page}");
    }
}

#[test]
fn an_archive_is_taken_in_elsewhere_and_gone_on_with() {
    let (env, server) = saved();
    env.run(["sessions", "export", "-o", "a.tar"]).assert_code(0);
    let mut elsewhere = TestEnv::new();
    elsewhere.set_endpoint(server.url());
    let archive = env.root().join("cwd/a.tar");
    let imported = elsewhere.run(["sessions", "import", archive.to_str().unwrap()]);
    imported.assert_code(0);
    assert_eq!(imported.stdout, format!("{}\n", env.session().id()));
    elsewhere.run(["resume", "--last", "and now?"]).assert_code(0);
    let requests = server.requests();
    let before = messages(&requests[1]);
    assert_eq!(messages(&requests[2])[..before.len()], before, "the same conversation goes on");
    let workspace = elsewhere.session().path().join("workspace");
    assert_eq!(std::fs::read_to_string(workspace.join("calc.py")).unwrap(), "print(2 * 2)\n");
    // A session's files come back from its versions alone, too.
    let piped = elsewhere.run_with_stdin(["sessions", "import", "-"], "no archive");
    piped.assert_code(2);
    assert!(piped.stderr.contains("the archive was refused"), "{}", piped.stderr);
}

#[test]
fn what_is_removed_is_named_with_its_size_first() {
    let (env, _server) = saved();
    let id = env.session().id().to_owned();
    let dry = env.run(["sessions", "rm", "--dry-run", &id]);
    dry.assert_code(0);
    assert!(dry.stdout.starts_with("would remove ") && dry.stdout.contains(&id), "{}", dry.stdout);
    assert_eq!(env.sessions().len(), 1);
    std::fs::write(env.session().path().join("cache/big"), vec![0; 20_000]).unwrap();
    let dry = env.run(["sessions", "gc", "--dry-run"]);
    assert!(dry.stdout.contains(&format!("would remove     20 kB  cache of session {id}\n")), "{}", dry.stdout);
    env.run(["sessions", "gc"]).assert_code(0);
    assert!(!env.session().path().join("cache/big").exists());
    env.run(["sessions", "rm", &id, "no-such"]).assert_code(2);
    assert_eq!(env.sessions().len(), 1, "a slip removes nothing");
    env.run(["sessions", "rm", &id]).assert_code(0);
    assert_eq!(env.run(["sessions"]).stdout, "no sessions yet\n");
}

#[test]
fn a_fork_goes_on_from_a_version_and_leaves_the_other_alone() {
    let (env, server) = saved();
    let origin = env.session();
    let before = std::fs::read(origin.path().join("conversation.jsonl")).unwrap();
    env.run(["resume", "--fork", "--at", "1", origin.id(), "another way"]).assert_code(0);
    let requests = server.requests();
    let (first, forked) = (messages(&requests[1]), messages(&requests[2]));
    assert_eq!(forked[..3], first[..3], "up to the version the messages are the same");
    assert_eq!((forked.len(), forked[3]["content"].as_str()), (4, Some("another way")));
    let sessions = env.sessions();
    let fork = sessions.iter().find(|session| session.id() != origin.id()).unwrap();
    assert_eq!(std::fs::read_to_string(fork.path().join("workspace/calc.py")).unwrap(), "print(1 + 2)  # adds\n");
    assert_eq!(fork.records()[0]["forked_from"], origin.id());
    assert_eq!(std::fs::read(origin.path().join("conversation.jsonl")).unwrap(), before);
    let none = env.run(["resume", "--fork", "--at", "9", origin.id(), "x"]);
    none.assert_code(2);
    assert!(none.stderr.contains("has no version 9"), "{}", none.stderr);
    env.run(["resume", "--at", "1", origin.id(), "x"]).assert_code(2);
}

#[test]
fn a_session_goes_on_in_another_workspace_with_another_model() {
    let (mut env, _server) = saved();
    let origin = env.session();
    let own = origin.path().join("workspace/calc.py");
    let server = serve(["calc.py\n```python\nprint(3 * 3)\n```\n", "Fine.\n", "Fine.\n"].map(Reply::text));
    env.set_endpoint(server.url());
    // An empty folder gets the files of the last version.
    let first = env.root().join("first").to_str().unwrap().to_owned();
    env.run(["--no-scripts", "resume", "--last", "-w", &first, "-m", "another", "more"]).assert_code(0);
    assert_eq!(env.read("first/calc.py"), "print(3 * 3)\n");
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "print(2 * 2)\n");
    assert_eq!((messages(&server.requests()[0]).len(), &server.requests()[0]["model"]), (6, &Value::from("another")));
    assert_eq!(env.session().identity()["workspace"], first.as_str());
    // From then on it is where the session works; a folder that was moved is named anew.
    std::fs::rename(&first, env.root().join("second")).unwrap();
    let gone = env.run(["--no-scripts", "resume", "--last", "and?"]);
    gone.assert_code(2);
    assert!(
        gone.stderr.contains(&format!("hint: where it was moved to: faos resume {} -w FOLDER", origin.id())),
        "{}",
        gone.stderr
    );
    env.write("second/mine.txt", "mine\n");
    let second = env.root().join("second").to_str().unwrap().to_owned();
    env.run(["--no-scripts", "resume", "--last", "-w", &second, "and?"]).assert_code(0);
    env.run(["--no-scripts", "-w", &second, "-c", "and?"]).assert_code(0);
    let kept = origin.records_of("version_kept");
    assert_eq!(kept.last().unwrap()["files"], serde_json::json!([{"path": "mine.txt", "kind": "created"}]));
    // What is no place to work in is refused before anything changes.
    let home = env.home().to_str().unwrap().to_owned();
    env.run(["--no-scripts", "resume", "--last", "-w", &home, "x"]).assert_code(2);
    assert_eq!(env.session().identity()["workspace"], second.as_str());
}

#[test]
fn an_archive_never_names_where_it_works() {
    let (env, _server) = saved();
    let elsewhere = env.root().join("elsewhere").to_str().unwrap().to_owned();
    env.run(["--no-scripts", "resume", "--last", "-w", &elsewhere, "more"]).assert_code(0);
    env.run(["sessions", "export", "-o", "a.tar"]).assert_code(0);
    let archive = env.root().join("cwd/a.tar").to_str().unwrap().to_owned();
    let other = TestEnv::new();
    other.run(["sessions", "import", &archive]).assert_code(0);
    assert_eq!(other.session().identity()["workspace"], Value::Null);
    let fork = env.run(["--no-scripts", "resume", "--fork", "--last", "another way"]);
    fork.assert_code(0);
    let fork = env.sessions().into_iter().find(|session| session.records()[0]["forked_from"].is_string()).unwrap();
    assert_eq!(fork.identity()["workspace"], Value::Null);
    // Nor where the log has to tell.
    std::fs::remove_file(other.session().path().join("session.json")).unwrap();
    std::fs::create_dir_all(other.session().path().join("workspace")).unwrap();
    other.run(["sessions", "rename", other.session().id(), "a title"]).assert_code(0);
    assert_eq!(other.session().identity()["workspace"], Value::Null);
}

#[test]
fn kill_9_in_a_renaming_leaves_one_name_or_the_other() {
    let (env, _server) = saved();
    let (id, rounds) = (env.session().id().to_owned(), std::env::var("FAOS_TEST_ROUNDS"));
    for round in 0..rounds.map_or(10, |rounds| rounds.parse::<usize>().unwrap() / 10) {
        let title = format!("title {round}");
        let running = env.spawn(["sessions", "rename", &id, &title]);
        // The log and its copy in `session.json` are two steps: the kill comes before, between and after them.
        (0..round % 20 * 200_000).for_each(|turn| {
            std::hint::black_box(turn);
        });
        running.signal(rustix::process::Signal::KILL);
        running.finish();
        env.run(["sessions", "rename", &id, &format!("name {round}")]).assert_code(0);
        let titles: Vec<String> =
            env.session().records_of("renamed").iter().map(|record| record["title"].to_string()).collect();
        assert_eq!(env.session().identity()["title"].to_string(), *titles.last().unwrap());
        let listed = env.run(["sessions"]);
        listed.assert_code(0);
        assert!(listed.stdout.ends_with(&format!("name {round}\n")), "{}", listed.stdout);
    }
}

#[test]
fn a_session_that_moved_keeps_what_was_done_since() {
    let (mut env, _server) = saved();
    let server = serve(["calc.py\n```python\nprint(3 * 3)\n```\n", "Fine.\n", "Fine.\n", "Fine.\n"].map(Reply::text));
    env.set_endpoint(server.url());
    let session = env.session();
    // What the user changed since the last version goes along, into a folder in which only git was begun.
    std::fs::write(session.path().join("workspace/notes.txt"), "mine\n").unwrap();
    env.write("new/.git/HEAD", "ref: refs/heads/main\n");
    let new = env.root().join("new").to_str().unwrap().to_owned();
    env.run(["--no-scripts", "resume", "--last", "-w", &new, "more"]).assert_code(0);
    assert_eq!((env.read("new/notes.txt").as_str(), env.read("new/calc.py").as_str()), ("mine\n", "print(3 * 3)\n"));
    let files = || {
        let versions = session.records_of("version_kept");
        versions.last().unwrap()["files"].clone()
    };
    assert_eq!(files(), serde_json::json!([{"path": "calc.py", "kind": "modified"}]));
    // Where its identity has to be made again, the log knows where it works.
    std::fs::remove_file(session.path().join("session.json")).unwrap();
    env.run(["--no-scripts", "resume", session.id(), "and?"]).assert_code(0);
    assert_eq!(session.identity()["workspace"], new.as_str());
    assert_eq!(files(), serde_json::json!([{"path": "calc.py", "kind": "modified"}]), "nothing was changed since");
    // And an archive has the files of its last version, not those from before it moved.
    env.run(["sessions", "export", "-o", "a.tar"]).assert_code(0);
    let mut other = TestEnv::new();
    other.set_endpoint(server.url());
    other.run(["sessions", "import", env.root().join("cwd/a.tar").to_str().unwrap()]).assert_code(0);
    other.run(["--no-scripts", "resume", "--last", "and?"]).assert_code(0);
    let own = other.session().path().join("workspace");
    assert_eq!(std::fs::read_to_string(own.join("calc.py")).unwrap(), "print(3 * 3)\n");
    assert_eq!(std::fs::read_to_string(own.join("notes.txt")).unwrap(), "mine\n");
}

#[test]
fn a_session_whose_files_cannot_be_brought_along_stays_where_it_is() {
    let (env, _server) = saved();
    let session = env.session();
    let elsewhere = env.root().join("elsewhere");
    let before = session.identity()["workspace"].clone();
    // What its newest version holds cannot be read.
    let objects = session.path().join("versions/objects");
    let hidden = env.root().join("hidden");
    std::fs::rename(&objects, &hidden).unwrap();
    std::fs::create_dir(&objects).unwrap();
    let failed = env.run(["--no-scripts", "resume", "--last", "-w", elsewhere.to_str().unwrap(), "x"]);
    failed.assert_code(1);
    std::fs::remove_dir_all(&objects).unwrap();
    std::fs::rename(&hidden, &objects).unwrap();
    assert_eq!((session.identity()["workspace"].clone(), session.records_of("setting_changed").len()), (before, 0));
    env.run(["--no-scripts", "resume", "--last", "-w", elsewhere.to_str().unwrap(), "x"]).assert_code(0);
    assert_eq!(env.read("elsewhere/calc.py"), "print(2 * 2)\n");
}
