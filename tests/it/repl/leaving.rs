//! The terminal is given back as it was, whatever ends or stops the program; and who is let into a folder at all.
//!
//! `Terminal::wait_for_end` compares the terminal's modes itself, in every test of the conversation.

use faos::playback::{Gate, Reply};
use rustix::process::Signal;

use super::Chat;
use crate::support::env::TestEnv;
use crate::support::model_server::held;

/// A chat in the middle of a reply.
fn streaming() -> (Chat, Gate) {
    let (reply, gate) = held(["Some words. ", "More words. ", "The end.\n"]);
    let mut chat = Chat::new([reply, Reply::text("Next.\n")]);
    chat.say("begin");
    chat.terminal.wait_for_text("Some words.");
    (chat, gate)
}

#[test]
fn quit_ends_the_session_and_gives_the_terminal_back() {
    let mut chat = Chat::new([]);
    assert!(!chat.terminal.is_as_it_was() && chat.terminal.screen().bracketed_paste);
    chat.say("/quit");
    chat.terminal.assert_end(0);
    let screen = chat.terminal.screen();
    assert_eq!((screen.cursor.1, screen.cursor_row.as_str()), (0, ""), "the shell goes on in a row of its own");
    assert!(chat.env.sessions().is_empty(), "nothing was said, nothing is kept");
}

#[test]
fn the_words_of_other_programs_leave_too() {
    for word in ["/exit", "exit", "quit"] {
        let mut chat = Chat::new([]);
        chat.say(word);
        chat.terminal.assert_end(0);
        assert!(chat.server.requests().is_empty(), "{word} is no message");
    }
}

#[test]
fn a_signal_at_the_prompt_gives_the_terminal_back() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 143)] {
        let mut chat = Chat::new([]);
        chat.terminal.send("half a li");
        chat.wait_for_prompt_with("half a li");
        chat.terminal.signal(signal);
        chat.terminal.assert_end(code);
        let screen = chat.terminal.screen();
        assert_eq!((screen.cursor.1, screen.cursor_row.as_str()), (0, ""), "{}", screen.text);
    }
}

#[test]
fn a_signal_in_mid_stream_gives_the_terminal_back_and_keeps_what_came() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 143)] {
        let (mut chat, _gate) = streaming();
        chat.terminal.signal(signal);
        chat.terminal.assert_end(code);
        let screen = chat.terminal.screen();
        assert_eq!((screen.cursor.1, screen.cursor_row.as_str()), (0, ""), "{}", screen.text);
        let session = chat.env.session();
        assert_eq!(session.records_of("reply_finished")[0]["reason"], "interrupted");
        assert_eq!(session.records_of("reply_delta")[0]["text"], "Some words. ");
    }
}

#[test]
fn an_interrupt_signal_stops_the_reply_and_not_the_program() {
    let (mut chat, _gate) = streaming();
    chat.terminal.signal(Signal::INT);
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    chat.ask("next");
    chat.assert_shown("Next.");
    chat.quit();
}

#[test]
fn a_window_that_is_closed_ends_the_program_and_keeps_what_came() {
    let (mut chat, _gate) = streaming();
    chat.terminal.hang_up();
    let code = chat.terminal.wait_for_end().code();
    assert!(matches!(code, Some(141 | 143)), "{code:?}");
    assert_eq!(chat.env.session().records_of("reply_finished")[0]["reason"], "interrupted");
    chat.resume_last();
    chat.assert_shown("Some words.");
    chat.quit();
}

#[test]
fn a_window_that_is_closed_at_the_prompt_ends_the_program() {
    let mut chat = Chat::new([Reply::text("Words.\n")]);
    chat.ask("hello");
    chat.terminal.hang_up();
    assert!(chat.terminal.wait_for_end().code().is_some(), "it ends by itself");
    assert_eq!(chat.env.session().records().last().unwrap()["reason"], "left");
}

#[test]
fn a_stop_at_the_prompt_gives_the_terminal_back_until_the_program_goes_on() {
    for by_key in [true, false] {
        let mut chat = Chat::new([Reply::text("Next.\n")]);
        chat.terminal.send("half a li");
        chat.wait_for_prompt_with("half a li");
        stop(&mut chat, by_key);
        chat.terminal.signal(Signal::CONT);
        chat.terminal
            .wait_for("the prompt again", |screen| screen.bracketed_paste && screen.text.ends_with("› half a li"));
        chat.terminal.send("ne\r");
        chat.terminal.wait_for_text("Next.");
        chat.wait_for_prompt();
        assert_eq!(chat.asked(), "half a line");
        chat.quit();
    }
}

#[test]
fn a_stop_in_mid_stream_gives_the_terminal_back_until_the_program_goes_on() {
    for by_key in [true, false] {
        let (mut chat, gate) = streaming();
        stop(&mut chat, by_key);
        assert_eq!(chat.terminal.screen().cursor.1, 0, "the shell goes on in a row of its own");
        gate.open();
        chat.terminal.signal(Signal::CONT);
        chat.terminal.wait_for_text("More words.");
        chat.terminal.send("next");
        gate.open();
        gate.open();
        chat.wait_for_prompt_with("next");
        chat.assert_shown("Some words.");
        chat.terminal.send("\r");
        chat.terminal.wait_for_text("Next.");
        chat.wait_for_prompt();
        chat.quit();
    }
}

#[track_caller]
fn stop(chat: &mut Chat, by_key: bool) {
    if by_key {
        chat.terminal.send("\x1a");
    } else {
        chat.terminal.signal(Signal::TSTP);
    }
    chat.terminal.wait_for_stop();
    let screen = chat.terminal.screen();
    assert!(chat.terminal.is_as_it_was(), "by key: {by_key}\n{}", screen.text);
    assert!(!screen.bracketed_paste && !screen.cursor_hidden, "by key: {by_key}\n{}", screen.text);
}

#[test]
fn a_folder_of_the_users_is_asked_about_once() {
    let env = TestEnv::new();
    env.write("project/letter.txt", "dear");
    let project = env.root().join("project");
    let project = project.to_str().unwrap();
    let mut terminal = env.at_terminal(["-w", project]);
    terminal.wait_for_text("Work there? [y/N]");
    assert!(terminal.text().contains("faos was not in `"), "{}", terminal.text());
    terminal.send("\r");
    terminal.assert_end(6);
    assert!(terminal.text().contains("was not let in"), "{}", terminal.text());
    assert!(env.sessions().is_empty());

    let mut terminal = env.at_terminal(["-w", project]);
    terminal.wait_for_text("[y/N]");
    terminal.send("y\r");
    terminal.wait_for("a prompt", |screen| screen.cursor_row == "›");
    terminal.send("\x04");
    terminal.assert_end(0);

    let mut terminal = env.at_terminal(["-w", project]);
    terminal.wait_for("a prompt", |screen| screen.cursor_row == "›");
    assert!(!terminal.text().contains("[y/N]"), "{}", terminal.text());
    terminal.send("\x04");
    terminal.assert_end(0);
}

#[test]
fn no_folder_is_let_in_by_a_key_that_ends_the_question() {
    let env = TestEnv::new();
    env.write("project/letter.txt", "dear");
    let project = env.root().join("project");
    let mut terminal = env.at_terminal(["-w", project.to_str().unwrap()]);
    terminal.wait_for_text("[y/N]");
    terminal.send("\x04");
    terminal.assert_end(6);
    let mut terminal = env.at_terminal(["-w", project.to_str().unwrap()]);
    terminal.wait_for_text("[y/N]");
    terminal.send("\x03");
    terminal.assert_end(130);
    assert!(!env.faos_home().join("state/trust.json").exists());
}

#[test]
fn a_second_program_in_the_same_workspace_or_session_is_told_who_is_there() {
    let mut chat = Chat::new([Reply::text("Hello.\n")]);
    chat.ask("hello");
    let (workspace, pid) = (chat.env.workspace(), chat.terminal.pid().to_string());
    for arguments in [["-w", workspace.to_str().unwrap()], ["resume", "--last"]] {
        let mut second = chat.env.at_terminal(arguments);
        second.assert_end(1);
        assert!(second.text().contains(&pid), "{}", second.text());
    }
    chat.quit();
}
