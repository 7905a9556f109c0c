//! Going back: conversation and files together, with what the user changed in between kept.

use faos::playback::Reply;

use super::Chat;

const ONE: &str = "one.txt\n```\nfirst\n```\n";
const TWO: &str = "two.txt\n```\nsecond\n```\n";

fn user_messages(chat: &Chat) -> Vec<String> {
    chat.last_messages().into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect()
}

#[test]
fn undo_and_redo_take_conversation_and_files_together() {
    let mut chat = Chat::new([ONE, TWO, "Three.\n", "Four.\n"].map(Reply::text));
    let workspace = chat.env.workspace();
    let there = |name: &str| workspace.join(name).exists();
    chat.ask("write one");
    chat.ask("write two");
    assert!(there("one.txt") && there("two.txt"));
    chat.ask("/undo");
    chat.assert_shown("took back: write two\nfiles as in version 1 (1 deleted)");
    assert!(there("one.txt") && !there("two.txt"));
    chat.ask("/undo");
    chat.assert_shown("took back: write one");
    assert!(!there("one.txt") && !there("two.txt"));
    chat.ask("/undo");
    chat.assert_shown("there is no message to take back");

    chat.ask("/redo");
    chat.assert_shown("brought back: write one");
    assert!(there("one.txt") && !there("two.txt"));
    chat.ask("and now?");
    assert_eq!(user_messages(&chat), ["write one", "and now?"], "what was taken back is not sent");
    assert_eq!(chat.last_messages()[2].1, ONE);
    chat.ask("/redo");
    chat.assert_shown("there is nothing to bring back");
    chat.ask("/undo");
    chat.ask("/redo");
    chat.ask("go on");
    assert_eq!(user_messages(&chat), ["write one", "and now?", "go on"]);
    chat.quit();
}

#[test]
fn what_the_user_changed_in_between_is_kept_first() {
    let mut chat = Chat::new([Reply::text(ONE)]);
    chat.ask("write one");
    chat.env.write("workspace/one.txt", "mine\n");
    chat.env.write("workspace/notes.txt", "my notes\n");
    chat.ask("/undo");
    assert!(!chat.env.workspace().join("one.txt").exists());
    chat.ask("/versions");
    chat.assert_shown("before undo");
    chat.ask("/redo");
    assert_eq!(chat.env.read("workspace/one.txt"), "mine\n");
    assert_eq!(chat.env.read("workspace/notes.txt"), "my notes\n");
    chat.quit();
}

#[test]
fn a_taken_back_session_is_gone_on_with_as_it_stands() {
    let mut chat = Chat::new([ONE, TWO, "Three.\n"].map(Reply::text));
    chat.ask("write one");
    chat.ask("write two");
    chat.ask("/undo");
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    chat.resume_last();
    chat.assert_shown("› write one");
    chat.ask("and now?");
    assert_eq!(user_messages(&chat), ["write one", "and now?"]);
    chat.quit();
}

#[test]
fn edit_puts_the_message_on_the_prompt() {
    let mut chat = Chat::new([ONE, "Two.\n"].map(Reply::text));
    chat.ask("write onne");
    chat.say("/edit");
    chat.wait_for_prompt_with("write onne");
    assert!(!chat.env.workspace().join("one.txt").exists());
    chat.terminal.send("\x7f\x7f\x7fne\r");
    chat.terminal.wait_for_text("Two.");
    chat.wait_for_prompt();
    assert_eq!(user_messages(&chat), ["write one"]);
    chat.quit();
}

#[test]
fn edit_brings_back_several_lines() {
    let mut chat = Chat::new([Reply::text("Read.\n"), Reply::text("Again.\n")]);
    chat.terminal.send("first\nsecond\r");
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    chat.say("/edit");
    chat.terminal.wait_for("both lines", |screen| screen.text.ends_with("\n› first\nsecond"));
    chat.terminal.send("!\r");
    chat.terminal.wait_for_text("Again.");
    chat.wait_for_prompt();
    assert_eq!(user_messages(&chat), ["first\nsecond!"]);
    chat.quit();
}

#[test]
fn retry_asks_again_from_the_files_as_they_were() {
    let mut chat = Chat::new([ONE, TWO].map(Reply::text));
    chat.ask("write something");
    chat.ask("/retry");
    chat.assert_shown("answering again: write something");
    assert_eq!(user_messages(&chat), ["write something"]);
    assert!(!chat.env.workspace().join("one.txt").exists());
    assert_eq!(chat.env.read("workspace/two.txt"), "second\n");
    chat.quit();
}

#[test]
fn restore_brings_files_back_and_leaves_the_conversation() {
    let mut chat = Chat::new([ONE, "one.txt\n```\nother\n```\n", "Fine.\n"].map(Reply::text));
    chat.ask("write one");
    chat.ask("write it differently");
    chat.ask("/diff");
    chat.assert_shown("-first\n+other");
    chat.ask("/restore v1");
    chat.assert_shown("files brought back; the conversation goes on as it was");
    assert_eq!(chat.env.read("workspace/one.txt"), "first\n");
    chat.ask("go on");
    let messages = user_messages(&chat);
    assert_eq!(messages[..2], ["write one", "write it differently"]);
    assert!(messages[2].contains("one.txt") && messages[2].ends_with("go on"), "the model is told: {messages:?}");
    chat.ask("/restore 99");
    chat.assert_shown("there is no version 99; `/versions` lists them");
    chat.ask("/restore");
    chat.assert_shown("which version? `/versions` lists them");
    chat.quit();
}
