//! A recorded conversation of three messages, said at the terminal.

use super::{Chat, USUAL};
use crate::support::corpus::{Recorded, tree};
use crate::support::env::TestEnv;
use crate::support::model_server::in_pieces;

#[test]
fn three_messages_about_an_existing_program() {
    let recorded = Recorded::open("11-todo-followup");
    let env = TestEnv::new();
    for (path, content) in recorded.before() {
        env.write(&format!("workspace/{path}"), content);
    }
    let trust = serde_json::json!({"workspaces": [env.workspace()]});
    env.write("faos/state/trust.json", trust.to_string());
    let replies = recorded.replies();
    let replies = replies.iter().enumerate().map(|(at, text)| in_pieces(text, 100 + at as u64));
    let mut chat = Chat::begin(env, USUAL, &["--max-repairs", "10"], replies);
    for (number, (_, message)) in recorded.messages().into_iter().enumerate() {
        chat.terminal.paste(message.trim_end());
        chat.terminal.send("\r");
        chat.terminal.wait_for("the verdict", |screen| screen.text.matches("\nfiles: ").count() == number + 1);
        chat.wait_for_prompt();
    }
    assert_eq!(chat.server.requests().len(), recorded.requests());
    let finished = chat.env.session().records_of("turn_finished");
    assert_eq!(finished.len(), 3);
    assert_eq!(finished[2]["verdict"], recorded.verdict().as_str());
    for shown in ["moved ", "deleted ", "check built-in/50-validate-python.rhai: passed"] {
        chat.assert_shown(shown);
    }
    let (left, wanted) = (tree(&chat.env.workspace()), recorded.after());
    assert_eq!(left.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (path, content) in &wanted {
        assert!(left[path] == *content, "`{path}` differs:\n{}", String::from_utf8_lossy(&left[path]));
    }
    chat.quit();
}
