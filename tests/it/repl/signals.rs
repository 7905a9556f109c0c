//! Each signal in each state: the terminal is given back, and nothing is lost.

use faos::playback::{Gate, Reply};
use rustix::process::Signal;

use super::{Chat, USUAL};
use crate::support::env::TestEnv;
use crate::support::model_server::held;

#[derive(Clone, Copy, Debug)]
enum State {
    Prompt,
    Streaming,
    Run,
    Question,
    Pager,
}

const STATES: [State; 5] = [State::Prompt, State::Streaming, State::Run, State::Question, State::Pager];

impl State {
    /// What holds the state has to live as long as it.
    fn enter(self) -> (Chat, Option<Gate>) {
        let env = TestEnv::new();
        match self {
            Self::Prompt => {
                let mut chat = Chat::begin(env, USUAL, &[], ["Kept words.\n", "Next.\n"].map(Reply::text));
                chat.ask("speak");
                chat.terminal.send("half");
                chat.wait_for_prompt_with("half");
                (chat, None)
            }
            Self::Streaming => {
                let (reply, gate) = held(["Kept words. ", "More.\n"]);
                let mut chat = Chat::begin(env, USUAL, &[], [reply, Reply::text("Next.\n")]);
                chat.say("speak");
                chat.terminal.wait_for_text("Kept words.");
                (chat, Some(gate))
            }
            Self::Run => {
                let run = Reply::text("Kept words.\n\n```run\necho begun; exec tail -f /dev/null\n```\n");
                let mut chat = Chat::begin(env, USUAL, &[], [run, Reply::text("Next.\n")]);
                chat.say("run it");
                chat.terminal.wait_for_text("| begun");
                (chat, None)
            }
            Self::Question => {
                let asks = "fn on_run(ev) { if ask_user(\"run it?\") { allow() } else { deny(\"no\") } }\n";
                env.write("faos/scripts/70-ask.rhai", asks);
                let run = Reply::text("Kept words.\n\n```run\necho begun\n```\n");
                let mut chat = Chat::begin(env, USUAL, &[], [run, Reply::text("Next.\n")]);
                chat.say("run it");
                chat.terminal.wait_for_text("run it? [y/N]");
                (chat, None)
            }
            Self::Pager => {
                let long: String = (1..=60).map(|n| format!("line {n}\n")).collect();
                let file = Reply::text(&format!("a.txt\n```\n{long}```\n\nKept words.\n"));
                let mut chat = Chat::begin(env, USUAL, &[], [file, Reply::text("Next.\n")]);
                chat.ask("write it");
                chat.say("/diff");
                chat.terminal.wait_for_text("1-23 of ");
                (chat, None)
            }
        }
    }
}

/// What was said and what came is in the session, and it can be gone on with.
fn assert_kept(mut chat: Chat, state: State) {
    chat.resume_last();
    chat.assert_shown("Kept words.");
    let records = chat.env.session().records();
    assert!(records.iter().any(|record| record["type"] == "reply_finished"), "{state:?}");
    chat.quit();
}

/// The next message is answered; what asked before asks again, since its reply is gone on with.
fn assert_goes_on(mut chat: Chat, state: State) {
    chat.say("go on");
    if let State::Question = state {
        chat.terminal.wait_for("the question again", |screen| screen.text.matches("run it? [y/N]").count() == 2);
        chat.terminal.send("n");
    }
    chat.terminal.wait_for_text("Next.");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn what_ends_the_program_gives_the_terminal_back_and_keeps_all() {
    for state in STATES {
        for signal in [Signal::TERM, Signal::HUP] {
            let (mut chat, _held) = state.enter();
            chat.terminal.signal(signal);
            let status = chat.terminal.wait_for_end();
            assert_eq!(status.code(), Some(143), "{signal:?} in {state:?}");
            let screen = chat.terminal.screen();
            assert!(!screen.bracketed_paste && !screen.cursor_hidden, "{signal:?} in {state:?}\n{}", screen.text);
            assert_eq!(screen.cursor.1, 0, "the shell has a row of its own: {signal:?} in {state:?}\n{}", screen.text);
            assert_kept(chat, state);
        }
    }
}

#[test]
fn an_interrupt_ends_what_is_done_and_not_the_program() {
    for state in [State::Streaming, State::Run, State::Question] {
        let (mut chat, _held) = state.enter();
        chat.terminal.signal(Signal::INT);
        chat.terminal.wait_for("the end of it", |screen| screen.text.contains("\ninterrupted"));
        chat.wait_for_prompt();
        assert_goes_on(chat, state);
    }
}

/// As Ctrl-C there: the line is put aside, and the program stays.
#[test]
fn an_interrupt_at_the_prompt_ends_nothing() {
    let (mut chat, _held) = State::Prompt.enter();
    chat.terminal.signal(Signal::INT);
    // Nothing shows that the signal was heard; what is asked for after it is done after it.
    chat.terminal.send("\x15/versions\r");
    chat.terminal.wait_for_text("before the message");
    chat.wait_for_prompt();
    assert_goes_on(chat, State::Prompt);
}

#[test]
fn a_stop_gives_the_terminal_back_and_it_goes_on_where_it_was() {
    for state in STATES {
        let (mut chat, held) = state.enter();
        chat.terminal.signal(Signal::TSTP);
        chat.terminal.wait_for_stop();
        assert!(chat.terminal.is_as_it_was(), "{state:?}");
        assert!(!chat.terminal.screen().bracketed_paste, "{state:?}");
        chat.terminal.signal(Signal::CONT);
        chat.terminal.wait_for("it goes on", |screen| screen.bracketed_paste);
        match state {
            State::Prompt => chat.terminal.send("\x03"),
            State::Streaming => {
                let gate = held.unwrap();
                gate.open();
                gate.open();
                chat.terminal.wait_for_text("More.");
            }
            State::Run | State::Question => chat.terminal.send("\x03"),
            State::Pager => {
                chat.terminal.wait_for_text("1-23 of ");
                chat.terminal.send("q");
            }
        }
        chat.wait_for_prompt();
        assert_goes_on(chat, state);
    }
}

/// A pipe that closes somewhere is not the terminal that closes.
#[test]
fn a_broken_pipe_elsewhere_ends_nothing() {
    for state in STATES {
        let (mut chat, held) = state.enter();
        chat.terminal.signal(Signal::PIPE);
        match state {
            State::Prompt | State::Run | State::Question => chat.terminal.send("\x03"),
            State::Streaming => {
                let gate = held.unwrap();
                gate.open();
                gate.open();
            }
            State::Pager => chat.terminal.send("q"),
        }
        chat.wait_for_prompt();
        assert_goes_on(chat, state);
    }
}
