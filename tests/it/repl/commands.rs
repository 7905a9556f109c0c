//! The slash commands that show something, the user's own runs, and attached files.

use faos::playback::Reply;
use serde_json::{Value, json};

use super::{Chat, USUAL};
use crate::support::env::TestEnv;
use crate::support::model_server::serve_with_pages;

const FILE: &str = "app.py\n```python\nprint(\"hello\")\n```\n";

#[test]
fn what_there_is_can_be_asked_for() {
    let mut chat = Chat::new([FILE, "app.py\n```python\nprint(\"bye\")\n```\n"].map(Reply::text));
    chat.ask("/diff");
    chat.assert_shown("nothing was said yet");
    chat.ask("/files");
    chat.assert_shown("the workspace is empty");
    chat.ask("write it");
    chat.ask("write it again");
    for (command, shown) in [
        ("/files", "13  app.py"),
        ("/diff", "since version 1:"),
        ("/diff", "-print(\"hello\")\n+print(\"bye\")"),
        ("/diff v0", "+print(\"bye\")"),
        ("/diff 77", "there is no version 77"),
        ("/versions", "reply 1 of message 1              1 created"),
        ("/context", "of 32768 tokens ("),
        ("/stats", "messages         2"),
        ("/stats", "requests         2 in"),
        ("/model", "* scripted  "),
        ("/scripts", "built-in   50-validate-python.rhai"),
        ("/prompts", "system.md (built in)"),
        ("/sessions", "2 messages  write it"),
        ("/resume", "* is this one; /resume goes on with another, by its number or its id"),
        ("/help", "!!COMMAND          the same, for you alone"),
        ("/help undo", "/undo              take back the last message"),
        ("/undoo", "there is no `/undoo`; did you mean `/undo`?"),
        ("/xyzzy", "there is no `/xyzzy`; `/help` lists the commands"),
        ("/undo now", "`/undo` takes nothing behind it"),
        ("!", "which command? `!ls` runs `ls` in the sandbox"),
    ] {
        chat.ask(command);
        chat.assert_answered(command, shown);
    }
    assert_eq!(chat.server.requests().len(), 2, "none of these asks the model");
    chat.quit();
}

/// It is there: the diff must not look as if it were gone.
#[test]
fn a_file_that_is_too_large_for_a_diff_is_named() {
    let mut chat = Chat::new([FILE].map(Reply::text));
    chat.ask("write it");
    chat.env.write("workspace/app.py", "#".repeat(1024 * 1024 + 1));
    chat.ask("/diff v1");
    chat.assert_answered("/diff v1", "app.py: differs, and is not shown: `app.py` has 1048577 bytes");
    chat.quit();
}

#[test]
fn every_command_of_the_help_is_one() {
    let mut chat = Chat::new([]);
    chat.ask("/help");
    let help = chat.terminal.text();
    let names = help.lines().filter_map(|line| line.strip_prefix("  /")?.split_whitespace().next());
    let names: Vec<String> = names.filter(|name| *name != "quit").map(str::to_owned).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        chat.ask(&format!("/help {name}"));
        chat.assert_answered(&format!("/help {name}"), &format!("/{name}"));
    }
    chat.quit();
}

#[test]
fn the_users_runs_are_told_to_the_model_with_one_mark_and_not_with_two() {
    let mut chat = Chat::new([Reply::text("Seen.\n")]);
    chat.ask("!echo out; echo err >&2; exit 3");
    chat.assert_shown("  | out\n");
    chat.assert_shown("  | err\n");
    chat.assert_shown("run 1: exit 3, ");
    chat.ask("!!echo between us");
    chat.assert_shown("  | between us\n");
    chat.ask("what was that?");
    let asked = chat.asked();
    assert!(asked.contains("echo out; echo err >&2; exit 3") && asked.contains("exit 3"), "{asked}");
    assert!(asked.ends_with("what was that?") && !asked.contains("between us"), "{asked}");
    chat.quit();
}

#[test]
fn a_run_can_be_stopped() {
    let mut chat = Chat::new([Reply::text("Seen.\n")]);
    chat.say("!echo begun; exec tail -f /dev/null");
    chat.terminal.wait_for_text("  | begun");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.ask("what was that?");
    let asked = chat.asked();
    assert!(asked.contains("cancelled") && asked.contains("--- stdout ---\nbegun"), "{asked}");
    assert!(!chat.terminal.text().contains("80-feedback.rhai"), "no script is asked any more");
    chat.quit();
}

#[test]
fn a_run_that_prints_without_an_end_can_be_stopped() {
    let mut chat = Chat::new([]);
    chat.say("!yes endless");
    chat.terminal.wait_for_text("  | endless");
    chat.terminal.send("\x03");
    // The limit of what a run may print ends it too.
    chat.terminal.wait_for("the run's end", |screen| {
        screen.text.contains("run 1: stopped by you") || screen.text.contains("run 1: stopped: it printed too much")
    });
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn a_file_goes_with_the_message_that_names_it() {
    let mut chat = Chat::new([Reply::text("Seen.\n"), Reply::text("Again.\n")]);
    chat.env.write("workspace/src/notes.md", "remember the milk\n");
    chat.ask("read @src/notes.md, please");
    chat.assert_shown("`src/notes.md` goes with the message");
    let asked = chat.asked();
    assert!(asked.contains("read @src/notes.md, please") && asked.contains("remember the milk"), "{asked}");
    chat.ask("and @src/other.md too");
    chat.assert_shown("`@src/other.md` names no file here: sent as it is");
    assert_eq!(chat.asked(), "and @src/other.md too");
    chat.quit();
}

#[test]
fn a_file_with_spaces_in_its_name_is_completed_in_quotes_and_goes_along() {
    let env = TestEnv::new();
    env.write("workspace/my shopping list.md", "remember the milk\n");
    env.write("faos/state/trust.json", json!({"workspaces": [env.workspace()]}).to_string());
    let mut chat = Chat::begin(env, USUAL, &[], [Reply::text("Seen.\n")]);
    chat.ask("/files");
    chat.terminal.send("read @my\t");
    chat.wait_for_prompt_with("read @\"my shopping list.md\"");
    chat.terminal.send(", please\r");
    chat.terminal.wait_for_text("Seen.");
    chat.wait_for_prompt();
    chat.assert_shown("`my shopping list.md` goes with the message");
    assert!(chat.asked().contains("remember the milk"), "{}", chat.asked());
    chat.quit();
}

#[test]
fn another_session_is_gone_on_with_by_its_id() {
    let chat = Chat::new([Reply::text("One.\n"), Reply::text("Two.\n"), Reply::text("Three.\n")]);
    let (first, mut chat) = with_an_earlier_session(chat);
    chat.ask("/sessions");
    chat.assert_shown("message   in the first");
    chat.say(&format!("/resume {}", &first[..18]));
    chat.terminal.wait_for_text("resumed ");
    chat.wait_for_prompt();
    chat.assert_shown("› in the first\nOne.\n");
    chat.terminal.send("/resume 20\t\t");
    chat.terminal.wait_for("both ids", |screen| screen.text.matches(&first).count() > 1);
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.ask("more");
    let said: Vec<String> = chat.last_messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said[1..], ["in the first", "One.\n", "more"]);
    chat.say("/resume 19990101");
    chat.terminal.wait_for_text("19990101");
    chat.wait_for_prompt();
    chat.quit();
}

/// The chat's first session has ended, and another is open at the same place; the first one's id.
fn with_an_earlier_session(mut chat: Chat) -> (String, Chat) {
    chat.ask("in the first");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    let first = chat.env.session().id().to_owned();
    let other = chat.env.root().join("other");
    chat.terminal = chat.env.at_terminal(["-w", other.to_str().unwrap()]);
    chat.wait_for_prompt();
    chat.ask("in the second");
    (first, chat)
}

#[test]
fn another_session_is_gone_on_with_by_its_number() {
    let chat = Chat::new([Reply::text("One.\n"), Reply::text("Two.\n"), Reply::text("Three.\n")]);
    let (_, mut chat) = with_an_earlier_session(chat);
    // The second newest, with a list that was shown or without.
    for listed in [false, true] {
        if listed {
            chat.ask("/resume");
            let shown = chat.terminal.text();
            let numbers = shown.lines().filter(|line| line.contains(" message "));
            let numbers: Vec<&str> = numbers.filter_map(|line| line.split_whitespace().next()).collect();
            assert_eq!(numbers, ["2", "1"], "{shown}");
        }
        chat.say("/resume 2");
        chat.terminal
            .wait_for("the other one", |screen| screen.text.matches("resumed ").count() == 1 + usize::from(listed));
        chat.wait_for_prompt();
    }
    chat.assert_shown("› in the first\nOne.\n");
    chat.quit();
}

#[test]
fn versions_are_completed() {
    let mut chat = Chat::new([Reply::text(FILE)]);
    chat.ask("write it");
    for command in ["/restore", "/diff"] {
        chat.terminal.send(format!("{command} \t"));
        chat.terminal.wait_for("what all begin with", |screen| screen.cursor_row == format!("› {command} v"));
        chat.terminal.send("\t");
        chat.terminal.wait_for("both versions", |screen| screen.text.contains("\nv0  v1"));
        chat.terminal.send("\x03\x0c");
        chat.wait_for_prompt();
    }
    chat.quit();
}

#[test]
fn a_server_that_refuses_is_told_of_and_the_message_can_be_sent_again() {
    let body = r#"{"error": {"message": "the model has the hiccups", "code": 500}}"#;
    let mut chat = Chat::new([Reply::json(500, body), Reply::text("Fine.\n")]);
    chat.ask("hello");
    chat.assert_shown("the model has the hiccups");
    chat.ask("/retry");
    chat.assert_shown("Fine.");
    chat.quit();
}

#[test]
fn what_was_said_is_summed_up_by_the_users_word() {
    let mut chat = Chat::new(["One.\n", "A greeting was answered.", "Two.\n", "Three.\n"].map(Reply::text));
    chat.ask("/compact");
    chat.assert_answered("/compact", "there is nothing to sum up");
    chat.ask("hello");
    chat.ask("/compact");
    chat.assert_shown("summed up: the model goes on from its summary");
    chat.ask("/compact");
    chat.assert_shown("there is nothing to sum up");
    chat.ask("hello again");
    let messages = chat.last_messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    let (_, said) = &messages[1];
    assert!(said.contains("A greeting was answered.") && said.ends_with("hello again"), "{said}");
    // Taken back to before it, the conversation is whole again.
    chat.ask("/undo");
    chat.ask("/undo");
    chat.ask("hello once more");
    assert_eq!(chat.last_messages()[1].1, "hello once more");
    chat.quit();
}

#[test]
fn another_model_answers_from_now_on() {
    let model = |id: &str| json!({"id": id, "object": "model", "max_model_len": 32768});
    let models = json!({"object": "list", "data": [model("first"), model("second")]}).to_string();
    let replies = [Reply::text("One.\n"), Reply::text("Two.\n")];
    let server = serve_with_pages(replies, [("/v1/models", Reply::json(200, &models))]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut chat = Chat { terminal: env.at_terminal(["--model", "first"]), env, server };
    chat.terminal.wait_for_text("window 32768");
    chat.wait_for_prompt();
    chat.terminal.send("/model s\t");
    chat.wait_for_prompt_with("/model second");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.ask("hello");
    chat.ask("/model");
    chat.assert_answered("/model", "* first  ");
    chat.assert_answered("/model", "\n  second  ");
    chat.ask("/model third");
    chat.assert_answered("/model third", "third");
    chat.ask("/model second");
    chat.assert_answered("/model second", "· second\n");
    chat.ask("hello again");
    let models: Vec<Value> = chat.server.requests().iter().map(|request| request["model"].clone()).collect();
    assert_eq!(models, ["first", "second"]);
    chat.env.write("faos/config.toml", "# mine\n[model]\nname = 'third' # for now\n");
    chat.ask("/model first --save");
    chat.assert_answered("/model first --save", "`first` is the model of later sessions too");
    assert_eq!(chat.env.read("faos/config.toml"), "# mine\n[model]\nname = \"first\" # for now\n");
    chat.quit();
}

#[test]
fn a_session_that_cannot_be_opened_brings_the_user_back_with_the_model_that_was_chosen() {
    let mut chat = Chat::new(["Fine.\n", "Fine again.\n"].map(faos::playback::Reply::text));
    chat.ask("hello");
    let here = chat.env.session().id().to_owned();
    let (held, _gate) = crate::support::model_server::gated("The beginning", " and the end.\n");
    let server = crate::support::model_server::serve([held]);
    let mut other = chat.env.spawn(["-e", server.url(), "hello"]);
    other.wait_for_stdout("The beginning");
    let there = chat.env.sessions().iter().map(|session| session.id().to_owned()).find(|id| *id != here).unwrap();
    chat.ask("/model another");
    chat.say(&format!("/resume {there}"));
    chat.terminal.wait_for_text(&format!("session `{there}` is open in process"));
    chat.wait_for_prompt();
    chat.ask("hello again");
    chat.assert_shown("Fine again.");
    assert_eq!(chat.server.requests().last().unwrap()["model"], "another");
    other.signal(rustix::process::Signal::KILL);
    other.finish();
    chat.quit();
}
