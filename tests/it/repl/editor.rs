//! The user's own editor, opened from the prompt: it gets the terminal as the user had it.

use faos::playback::Reply;
use rustix::process::Signal;

use super::{Chat, USUAL};
use crate::support::env::TestEnv;

/// Says what mode the terminal is in, waits for a line from it, and writes both below the text.
const EDITOR: &str = r#"
mode=$(stty -a | grep -q -- ' icanon' && echo lines || echo keys)
echo "editing in $mode"
read -r typed
printf '%s and %s' "$(cat "$1")" "$typed" > "$1.new" && mv "$1.new" "$1"
"#;

fn chat(editor: &str, replies: &[&str]) -> Chat {
    let mut env = TestEnv::new();
    env.write("editor.sh", editor);
    let file = env.root().join("editor.sh");
    env.set("EDITOR", format!("sh '{}'", file.display()));
    Chat::begin(env, USUAL, &[], replies.iter().map(|text| Reply::text(text)))
}

#[test]
fn a_line_goes_to_the_editor_and_comes_back() {
    let mut chat = chat(EDITOR, &["Done.\n"]);
    chat.terminal.send("half a line");
    chat.wait_for_prompt_with("half a line");
    chat.terminal.send("\x18\x05");
    chat.terminal.wait_for_text("editing in lines");
    chat.terminal.send("the rest\r");
    chat.wait_for_prompt_with("half a line and the rest");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Done.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "half a line and the rest");
    assert!(
        std::fs::read_dir(chat.env.root().join("faos/state"))
            .unwrap()
            .all(|file| { !file.unwrap().file_name().to_string_lossy().starts_with("message-") })
    );
    chat.quit();
}

/// No prompt opens after it, which would take the terminal once more.
#[test]
fn what_ends_the_program_meanwhile_gives_the_terminal_back() {
    for signal in [Signal::TERM, Signal::HUP, Signal::TERM, Signal::HUP] {
        let mut chat = chat(EDITOR, &[]);
        chat.terminal.send("half a line\x18\x05");
        chat.terminal.wait_for_text("editing in lines");
        chat.terminal.signal(signal);
        chat.terminal.send("the rest\r");
        assert_eq!(chat.terminal.wait_for_end().code(), Some(143), "{signal:?}");
        let screen = chat.terminal.screen();
        assert!(!screen.bracketed_paste && !screen.cursor_hidden, "{signal:?}\n{}", screen.text);
        assert!(!screen.text.contains("half a line and the rest"), "{signal:?}\n{}", screen.text);
    }
}

#[test]
fn the_last_message_is_edited_there() {
    let mut chat = chat(EDITOR, &["Done.\n", "Again.\n"]);
    chat.ask("write one");
    chat.say("/edit");
    chat.terminal.wait_for_text("editing in lines");
    chat.terminal.send("two\r");
    chat.wait_for_prompt_with("write one and two");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Again.");
    chat.wait_for_prompt();
    assert_eq!(chat.last_messages().len(), 2, "the system prompt, and the message as it was changed");
    chat.quit();
}

#[test]
fn an_editor_that_fails_leaves_the_line_as_it_was() {
    let mut chat = chat("exit 3", &[]);
    chat.terminal.send("precious words\x18\x05");
    chat.terminal.wait_for("why", |screen| {
        screen.text.replace('\n', " ").contains("failed (exit status: 3); the message is as it was")
    });
    chat.wait_for_prompt_with("precious words");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn without_an_editor_it_is_said_and_the_line_stays() {
    let mut chat = Chat::new([]);
    chat.terminal.send("words\x18\x05");
    chat.terminal.wait_for_text("no editor is known: set VISUAL or EDITOR");
    chat.wait_for_prompt_with("words");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}
