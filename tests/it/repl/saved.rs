//! The slash commands that deal with the session itself: its title, a fork of it, what leaves it.

use faos::playback::Reply;

use super::Chat;
use crate::support::model_server::held;

const ONE: &str = "Here.\n\none.txt\n```\nfirst\n```\n";
const TWO: &str = "two.txt\n```\nsecond\n```\n";

#[test]
fn a_session_is_renamed_exported_and_copied() {
    let mut chat = Chat::new([Reply::text(ONE)]);
    chat.ask("/export");
    chat.assert_answered("/export", "nothing was said yet");
    chat.ask("write one");
    chat.ask("/rename a better title");
    assert_eq!(chat.env.session().identity()["title"], "a better title");
    chat.ask("/export page.html");
    chat.assert_answered("/export page.html", "the conversation is in `page.html`");
    assert!(chat.env.read("cwd/page.html").contains("<title>a better title</title>"));
    chat.ask("/export all.tar");
    assert!(chat.env.root().join("cwd/all.tar").exists());
    chat.ask("/copy 1");
    chat.assert_answered("/copy 1", "1 lines were given to the terminal");
    chat.ask("/copy 7");
    chat.assert_answered("/copy 7", "there is nothing like that");
    chat.quit();
}

#[test]
fn a_fork_has_files_of_its_own() {
    let mut chat = Chat::new([ONE, TWO, "Fine.\n"].map(Reply::text));
    chat.ask("write one");
    chat.ask("write two");
    chat.say("/fork 1");
    chat.wait_for_prompt();
    chat.ask("another way");
    let users: Vec<String> =
        chat.last_messages().into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    assert_eq!(users, ["write one", "another way"]);
    let fork = chat.env.sessions().into_iter().find(|session| session.path().join("workspace").exists()).unwrap();
    assert!(fork.path().join("workspace/one.txt").exists() && !fork.path().join("workspace/two.txt").exists());
    assert!(chat.env.workspace().join("two.txt").exists(), "the old session's files stay");
    chat.quit();
}

#[test]
fn a_cleared_conversation_is_a_new_one_about_the_same_files() {
    let mut chat = Chat::new([ONE, "Fine.\n"].map(Reply::text));
    chat.ask("write one");
    chat.say("/clear");
    chat.wait_for_prompt();
    chat.ask("what is there?");
    let messages = chat.last_messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].1.contains("one.txt"), "the new conversation knows the file");
    assert_eq!(chat.env.sessions().len(), 2);
    chat.quit();
}

/// What was stopped before is no reason to leave: neither by Escape nor by Ctrl-C.
#[test]
fn another_conversation_begins_after_a_reply_was_stopped() {
    for (key, command) in [("\x1b", "/clear"), ("\x03", "/fork"), ("\x1b", "/resume")] {
        let (reply, _gate) = held(["Some words. ", "Never said.\n"]);
        let mut chat = Chat::new([reply, Reply::text("Fine.\n")]);
        chat.say("begin");
        chat.terminal.wait_for_text("Some words.");
        chat.terminal.send(key);
        chat.terminal.wait_for_text("interrupted");
        chat.wait_for_prompt();
        let id = chat.env.session().id().to_owned();
        let line = if command == "/resume" { format!("/resume {id}") } else { command.to_owned() };
        let greetings = chat.terminal.text().matches("/help lists the commands").count();
        chat.say(&line);
        chat.terminal.wait_for("the next greeting", |screen| {
            screen.text.matches("/help lists the commands").count() > greetings && screen.cursor_row == "›"
        });
        chat.ask("and now?");
        chat.assert_answered("and now?", "Fine.");
        chat.quit();
    }
}
