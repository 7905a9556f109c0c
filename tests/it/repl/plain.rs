//! A terminal that only prints, as `TERM=dumb` says: the conversation goes on line by line, in the terminal's own mode.

use faos::playback::{Reply, Step};

use super::{Chat, PATIENCE, USUAL};
use crate::support::env::TestEnv;
use crate::support::model_server::held;

fn dumb() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("TERM", "dumb");
    env
}

/// The terminal echoes what is typed by itself.
#[test]
fn lines_are_read_and_printed_and_nothing_else() {
    let mut chat = Chat::begin(dumb(), USUAL, &[], [Reply::text("**Hello** there.\n"), Reply::text("Read.\n")]);
    assert!(chat.terminal.is_as_it_was(), "its mode stays");
    chat.ask("hello");
    chat.assert_answered("hello", "**Hello** there.\n");
    chat.ask("/help undo");
    chat.assert_answered("/help undo", "take back the last message");
    chat.terminal.send("first \\\rsecond\r");
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "first \nsecond");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    let raw = String::from_utf8_lossy(chat.terminal.raw()).into_owned();
    assert!(!raw.contains('\x1b'), "{raw:?}");
}

#[test]
fn ctrl_c_is_the_signal_that_stops_a_reply_and_twice_at_the_prompt_it_leaves() {
    let (mut reply, gate) = held(["Never shown.\n"]);
    reply.steps.insert(0, Step::Wait(gate));
    let mut chat = Chat::begin(dumb(), USUAL, &[], [reply, Reply::text("Answered.\n")]);
    chat.say("hello");
    assert!(chat.server.wait_until(PATIENCE, |seen| seen.requests.iter().any(|request| request.method == "POST")));
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    chat.ask("/retry");
    chat.assert_shown("Answered.");
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("Ctrl-C again or Ctrl-D leaves");
    chat.wait_for_prompt();
    chat.terminal.send("\x03");
    chat.terminal.assert_end(0);
}

/// `--plain` draws no line below the text.
#[test]
fn what_takes_long_is_said_in_a_line_of_its_own() {
    let (mut reply, gate) = held(["Here.\n"]);
    reply.steps.insert(0, Step::Wait(gate.clone()));
    let mut chat = Chat::begin(TestEnv::new(), USUAL, &["--plain"], [reply]);
    chat.say("hello");
    chat.terminal.wait_for_text("\nwaiting for the model");
    (0..2).for_each(|_| gate.open());
    chat.terminal.wait_for_text("Here.");
    chat.wait_for_prompt();
    assert_eq!(chat.terminal.text().matches("waiting for the model").count(), 1);
    chat.quit();
}

#[test]
fn a_message_that_was_not_sent_is_shown() {
    let mut env = dumb();
    env.set_endpoint("http://127.0.0.1:1");
    let mut terminal = env.at_terminal::<&str>([]);
    terminal.wait_for_text("it is looked for again when you say something\n› ".trim_end());
    terminal.send("hello\r");
    terminal.wait_for("the message", |screen| screen.text.ends_with("copy what you need of it:\nhello\n›"));
    terminal.send("\x04");
    terminal.assert_end(0);
}

#[test]
fn a_line_answers_a_question_and_ctrl_c_is_a_no() {
    let env = dumb();
    env.write(
        "faos/scripts/70-ask.rhai",
        "fn on_run(ev) { if ask_user(\"run it?\") { allow() } else { deny(\"not wanted\") } }",
    );
    let mut chat = Chat::begin(env, USUAL, &[], [Reply::text("Fine.\n")]);
    for (line, came) in [("yes\r", "  | it ran"), ("\r", "not run: not wanted"), ("\x03", "^C\nno\n")] {
        chat.say("!echo it ran");
        chat.terminal.wait_for("the question", |screen| screen.text.ends_with("a script asks: run it? [y/N]\n›"));
        chat.terminal.send(line);
        chat.terminal.wait_for_text(came);
        chat.wait_for_prompt();
    }
    chat.ask("then not");
    assert!(chat.asked().ends_with("then not"), "{}", chat.asked());
    chat.terminal.send("/quit\r");
    chat.terminal.assert_end(0);
}
