//! The prompt: it is there at once, takes lines of every kind, remembers and completes them, and is left.

use std::time::Duration;

use faos::playback::{Gate, Reply, Seen, Step};
use regex::Regex;

use super::{Chat, PATIENCE, USUAL};
use crate::support::env::TestEnv;
use crate::support::model_server::{MODEL, serve_with_pages};

#[test]
fn the_prompt_opens_before_a_server_is_found() {
    let gate = Gate::default();
    let models =
        format!(r#"{{"object": "list", "data": [{{"id": "{MODEL}", "object": "model", "max_model_len": 4096}}]}}"#);
    let mut held = Reply::json(200, &models);
    held.steps.insert(0, Step::Wait(gate.clone()));
    let server = serve_with_pages([Reply::text("Hello.\n")], [("/v1/models", held)]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut chat = Chat { terminal: env.at_terminal::<&str>([]), env, server };
    chat.wait_for_prompt();
    chat.terminal.send("hel");
    chat.wait_for_prompt_with("hel");
    assert!(!chat.terminal.text().contains("window"), "{}", chat.terminal.text());
    gate.open();
    // What is found is said above the line that is being typed.
    chat.terminal.wait_for_text("window 4096");
    chat.wait_for_prompt_with("hel");
    chat.terminal.send("lo\r");
    chat.terminal.wait_for_text("Hello.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "hello");
    chat.quit();
}

#[test]
fn a_message_that_could_not_be_sent_comes_back_to_the_prompt() {
    let mut env = TestEnv::new();
    env.set_endpoint("http://127.0.0.1:1");
    let mut terminal = env.at_terminal::<&str>([]);
    terminal.wait_for_text("it is looked for again when you say something\n› ".trim_end());
    terminal.send("hello\r");
    terminal.wait_for("the message back at the prompt", |screen| {
        screen.text.matches("error: ").count() == 2 && screen.text.ends_with("\n› hello")
    });
    assert!(terminal.text().contains("127.0.0.1:1"), "{}", terminal.text());
    // Nothing was said, so nothing is kept.
    terminal.send("\x03\x04");
    terminal.assert_end(0);
    assert!(env.sessions().is_empty());
}

#[test]
fn looking_for_a_server_can_be_given_up() {
    let gate = Gate::default();
    let mut held = Reply::json(200, "{}");
    held.steps.insert(0, Step::Wait(gate));
    let server = serve_with_pages([], [("/v1/models", held)]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut chat = Chat { terminal: env.at_terminal::<&str>([]), env, server };
    chat.wait_for_prompt();
    chat.say("hello");
    let looked = |seen: &Seen| seen.requests.iter().any(|request| request.path == "/v1/models");
    assert!(chat.server.wait_until(PATIENCE, looked), "{}", chat.terminal.text());
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt_with("hello");
    chat.terminal.send("\x03\x04");
    chat.terminal.assert_end(0);
}

#[test]
fn without_colours_there_are_none() {
    let mut env = TestEnv::new();
    env.set("NO_COLOR", "1");
    let mut chat =
        Chat::begin(env, USUAL, &[], [Reply::text("**Bold** words and `code`.\n\nx.py\n```python\nx = 1\n```\n")]);
    chat.ask("write it");
    chat.ask("/undo");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    let raw = String::from_utf8_lossy(chat.terminal.raw()).into_owned();
    let styles = Regex::new(r"\x1b\[[0-9;]*m").unwrap();
    assert!(styles.find_iter(&raw).all(|found| found.as_str() == "\x1b[0m"), "{raw:?}");
}

#[test]
fn a_prompt_of_the_command_line_is_answered_first() {
    let mut chat = Chat::begin(TestEnv::new(), USUAL, &["say hello"], [Reply::text("Hello.\n"), Reply::text("Bye.\n")]);
    chat.assert_shown("› say hello\n");
    chat.assert_shown("Hello.");
    chat.ask("say bye");
    chat.assert_shown("Bye.");
    chat.quit();
}

#[test]
fn resume_asks_which_one() {
    let mut chat = Chat::new([Reply::text("One.\n"), Reply::text("Two.\n"), Reply::text("Three.\n")]);
    chat.ask("the first message");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    let other = chat.env.root().join("other");
    chat.terminal = chat.env.at_terminal(["-w", other.to_str().unwrap()]);
    chat.wait_for_prompt();
    chat.ask("the second message");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);

    chat.terminal = chat.env.at_terminal(["resume"]);
    chat.terminal.wait_for_text("which one? [1-2]");
    chat.assert_shown("the first message");
    chat.terminal.send("2\r");
    chat.wait_for_prompt();
    chat.assert_shown("› the first message\nOne.\n");
    chat.ask("more");
    let said: Vec<String> = chat.last_messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said[1..], ["the first message", "One.\n", "more"]);
    chat.quit();
}

#[test]
fn a_message_has_several_lines_by_backslash_quotes_or_ctrl_j() {
    let mut chat = Chat::new(["One.\n", "Two.\n", "Three.\n"].map(Reply::text));
    for (typed, meant, answer) in [
        ("first \\\rsecond\r", "first \nsecond", "One."),
        ("\"\"\"\rfirst\r\rthird\r\"\"\"\r", "first\n\nthird", "Two."),
        ("first\nsecond\nthird\r", "first\nsecond\nthird", "Three."),
    ] {
        chat.terminal.send(typed);
        chat.terminal.wait_for_text(answer);
        chat.wait_for_prompt();
        assert_eq!(chat.asked(), meant);
    }
    chat.quit();
}

/// A program types faster than a person, and so does a terminal that pastes without brackets.
#[test]
fn lines_that_are_typed_at_once_are_all_taken() {
    let mut chat = Chat::new(["One.\n", "Two.\n"].map(Reply::text));
    chat.terminal.send("\x03first\r/help undo\rhalf\x03second\r/quit\r");
    chat.terminal.assert_end(0);
    chat.assert_answered("second", "Two.");
    assert_eq!(chat.asked(), "second");
}

#[test]
fn what_is_pasted_types_no_key() {
    let mut chat = Chat::new([Reply::text("Read.\n")]);
    chat.terminal.paste("hello\x03\x03!echo typed");
    chat.wait_for_prompt_with("hello!echo typed");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "hello!echo typed");
    chat.quit();
}

/// What was killed is yanked into a later line, and is still what was pasted.
#[test]
fn the_mark_of_a_paste_outlives_its_line() {
    let mut chat = Chat::new([Reply::text("Read.\n")]);
    let pasted: String = (1..=30).map(|line| format!("pasted line {line}\n")).collect();
    chat.terminal.paste(pasted.trim_end());
    chat.wait_for_prompt_with("[pasted 30 lines]");
    chat.terminal.send("\x15");
    chat.wait_for_prompt();
    chat.ask("/help undo");
    chat.terminal.send("\x19");
    chat.wait_for_prompt_with("[pasted 30 lines]");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), pasted.trim_end());
    chat.quit();
}

#[test]
fn a_paste_of_1000_lines_is_one_message_and_one_mark() {
    let mut chat = Chat::new([Reply::text("Read.\n")]);
    let pasted: String = (1..=1000).map(|line| format!("pasted line {line} \"quoted\"\twith 日本\n")).collect();
    chat.terminal.paste(pasted.trim_end());
    chat.wait_for_prompt_with("[pasted 1000 lines]");
    assert!(chat.server.requests().is_empty(), "a paste alone sends nothing");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), pasted.trim_end());
    chat.assert_shown("› [pasted 1000 lines]\n\nRead.");
    chat.quit();
}

#[test]
fn ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves() {
    let mut chat = Chat::new([]);
    chat.terminal.send("half a thou");
    chat.wait_for_prompt_with("half a thou");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("Ctrl-C again or Ctrl-D leaves; the session is kept");
    chat.wait_for_prompt();
    // Something else in between: it is asked for again.
    chat.ask("/help quit");
    chat.terminal.send("\x03");
    chat.terminal.wait_for("a second word", |screen| screen.text.matches("Ctrl-C again").count() == 2);
    chat.wait_for_prompt();
    chat.terminal.send("\x03");
    chat.terminal.assert_end(0);
}

#[test]
fn escape_takes_no_other_key_along() {
    let mut chat = Chat::new([]);
    chat.terminal.send("a\x1b");
    // Its own time has passed by then.
    chat.terminal.wait_quiet(Duration::from_millis(150));
    chat.terminal.send("bc");
    chat.wait_for_prompt_with("abc");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn ctrl_d_leaves_and_the_session_is_kept() {
    let mut chat = Chat::new([Reply::text("Hello.\n")]);
    chat.ask("hello");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    assert_eq!(chat.env.session().records().last().unwrap()["reason"], "left");
}

#[test]
fn earlier_lines_come_back_with_the_arrow_also_in_the_next_session() {
    let mut chat = Chat::new([Reply::text("Yes.\n")]);
    chat.ask("first words");
    chat.ask("/help undo");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    let mut chat = Chat::begin(chat.env, USUAL, &[], []);
    chat.terminal.send("\x1b[A");
    chat.wait_for_prompt_with("/help undo");
    chat.terminal.send("\x1b[A");
    chat.wait_for_prompt_with("first words");
    chat.terminal.send("\x1b[B\x1b[B");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn ctrl_r_finds_what_was_typed_before() {
    let replies = ["One.\n", "Two.\n", "Three.\n"].map(Reply::text);
    let mut chat = Chat::begin(TestEnv::new(), USUAL, &[], replies);
    chat.ask("write a parser");
    chat.ask("now its tests");
    chat.terminal.send("\x12pars");
    chat.terminal.wait_for_text("write a parser");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Three.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "write a parser");
    chat.quit();
}

#[test]
fn commands_and_paths_are_completed() {
    let env = TestEnv::new();
    env.write("workspace/pasta.txt", "1");
    env.write("workspace/src/main.py", "1");
    env.write("faos/state/trust.json", serde_json::json!({"workspaces": [env.workspace()]}).to_string());
    let mut chat = Chat::begin(env, USUAL, &[], [Reply::text("Seen.\n")]);
    // After it the names of the files are known.
    chat.ask("/files");
    chat.terminal.send("/re\t\t");
    chat.terminal.wait_for_text("retry");
    for name in ["redo", "restore", "resume"] {
        chat.assert_shown(name);
    }
    chat.wait_for_prompt_with("/re");
    chat.terminal.send("su\t");
    chat.wait_for_prompt_with("/resume");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.terminal.send("see @pa\t");
    chat.wait_for_prompt_with("see @pasta.txt");
    chat.terminal.send(" and @s\t");
    chat.wait_for_prompt_with("see @pasta.txt and @src/main.py");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn of_several_models_the_user_chooses_one() {
    let models = r#"{"data": [{"id": "small", "object": "model"}, {"id": "large", "object": "model"}]}"#;
    let server = serve_with_pages([Reply::text("Fine.\n")], [("/v1/models", Reply::json(200, models))]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut terminal = env.at_terminal::<&str>([]);
    terminal.wait_for_text("`/model NAME` chooses one, and then you can begin");
    let shown = terminal.text();
    assert!(shown.contains("small") && shown.contains("large"), "{shown}");
    let mut chat = Chat { env, server, terminal };
    chat.wait_for_prompt();
    chat.ask("/model large");
    chat.ask("hello");
    chat.assert_shown("Fine.");
    assert_eq!(chat.server.requests()[0]["model"], "large");
    chat.quit();
}
