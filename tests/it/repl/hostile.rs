//! Whatever a model, a file's name, a program or a server sends: no control character reaches the terminal but ours.
//!
//! Ours are the newline, the carriage return, the tab, and the sequences of [`OURS`]: of the prompt, of the live line
//! and of the few styles.

use std::sync::LazyLock;

use faos::playback::{Reply, Step};
use regex::bytes::Regex;
use serde_json::json;

use super::{Chat, USUAL};
use crate::support::env::TestEnv;
use crate::support::model_server::{held, serve_with_pages};

/// Bracketed paste, synchronised output, the cursor shown or hidden; moves, and erasing from the cursor on; our styles.
static OURS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\x1b(\[(\?(2004|2026|25|7)[hl]|[0-9]*[ABCD]|0?[JK]|([0-4]|3[1-6]|1;36)?m)|\]11;\?\x1b\\)").unwrap()
});

/// Each of these does something to a terminal, in one byte or in many.
const HOSTILE: &[&str] = &[
    "\x1b[2J\x1b[H",
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x1b\\",
    "\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x1b[8m",
    "\x1bc",
    "\x1b(0",
    "\x07\x08\x0b\x0c\x0e\x7f",
    "\u{9b}2J\u{9d}0;owned\u{9c}\u{90}x\u{9c}",
    "\u{202e}reversed\u{2066}",
    "\x1b",
    "\r\x1b[A",
];

fn hostile() -> String {
    HOSTILE.iter().enumerate().map(|(at, sequence)| format!("before{at}{sequence}after{at}\n")).collect()
}

#[track_caller]
fn assert_only_ours(chat: &mut Chat) {
    let raw = chat.terminal.raw();
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|byte| *byte == 0x7f || *byte < 0x20) {
        let found = &rest[at..];
        let length = match found[0] {
            b'\n' | b'\r' | b'\t' => Some(1),
            _ => OURS.find(found).map(|ours| ours.end()),
        };
        let Some(length) = length else {
            let around = &rest[at.saturating_sub(80)..(at + 40).min(rest.len())];
            panic!("not ours: {:?}", String::from_utf8_lossy(around));
        };
        rest = &found[length..];
    }
    let text = String::from_utf8_lossy(raw);
    let is_control = |c: char| matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(is_control), "a control character of Unicode");
}

#[test]
fn a_models_text() {
    let text = format!("{}\nx.txt\n```\n{}```\n\nDone.\n", hostile(), hostile());
    let words = Reply::text(&text);
    let mut single: Vec<Step> = text.chars().map(|c| Step::Text(c.to_string())).collect();
    single.push(Step::Finish("stop".to_owned()));
    let thought = Reply::stream(vec![
        Step::Reasoning(hostile()),
        Step::Text(format!("{}Thought.", hostile())),
        Step::Finish("stop".to_owned()),
    ]);
    // So many rows that nothing has to be turned over.
    let mut chat = Chat::of_size((80, 200), [words, Reply::stream(single), thought]);
    for words in ["in words", "in characters", "in thoughts"] {
        chat.ask(words);
    }
    chat.assert_shown("Thought.");
    for command in ["/diff v0", "/versions", "/files"] {
        chat.ask(command);
    }
    assert_only_ours(&mut chat);
    chat.terminal.send("\x04");
    chat.terminal.assert_end(0);
    chat.resume_last();
    chat.assert_shown("Thought.");
    assert_only_ours(&mut chat);
    assert!(!chat.terminal.text().contains("owned"), "what a title or a clipboard was to be is no text");
    chat.quit();
}

#[test]
fn names_of_files() {
    let env = TestEnv::new();
    for sequence in HOSTILE {
        env.write(&format!("workspace/a{}b.txt", sequence.replace('/', "")), "x");
    }
    env.write("faos/state/trust.json", json!({"workspaces": [env.workspace()]}).to_string());
    let blocks: String =
        HOSTILE.iter().map(|name| format!("n{}.txt\n```\nx\n```\n\n", name.replace(['/', '\r'], ""))).collect();
    let mut chat = Chat::begin(env, USUAL, &[], [Reply::text(&blocks), Reply::text("Done.\n")]);
    chat.ask("write them");
    for command in ["/files", "/diff v0", "/versions", "!ls"] {
        chat.ask(command);
    }
    chat.terminal.send("see @a\t\t");
    chat.terminal.wait_for("a name", |screen| screen.cursor_row.ends_with("b.txt"));
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    assert_only_ours(&mut chat);
    chat.quit();
}

#[test]
fn what_programs_print() {
    let mut chat =
        Chat::new([Reply::text("```run\ncat hostile.txt; cat hostile.txt >&2\n```\n"), Reply::text("Done.\n")]);
    chat.env.write("workspace/hostile.txt", hostile());
    chat.ask("!cat hostile.txt; cat hostile.txt >&2; exit 1");
    chat.ask("run it");
    chat.assert_shown("Done.");
    assert_only_ours(&mut chat);
    chat.quit();
}

/// What is pasted may have been copied from anywhere.
#[test]
fn what_is_pasted() {
    let (reply, gate) = held(["Read. "]);
    let mut chat = Chat::new([Reply::text("One.\n"), reply, Reply::text("Two.\n"), Reply::text("Three.\n")]);
    let pasted = format!("look: {}", HOSTILE.concat().replace('\r', ""));
    chat.terminal.paste(&pasted);
    chat.terminal.send(" END");
    chat.terminal.wait_for_text(" END");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("One.");
    chat.wait_for_prompt();
    chat.say("and now meanwhile");
    chat.terminal.wait_for_text("Read.");
    chat.terminal.paste(&pasted);
    chat.terminal.send("\r");
    chat.terminal.paste(&pasted);
    chat.terminal.send(" REST");
    gate.open();
    chat.terminal.wait_for_text("Two.");
    chat.terminal.wait_for_text(" REST");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("Three.");
    chat.wait_for_prompt();
    chat.say("/edit");
    chat.terminal.wait_for("the message again", |screen| screen.cursor_row.ends_with(" REST"));
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.ask("/sessions");
    assert_only_ours(&mut chat);
    chat.quit();
}

#[test]
fn what_a_server_answers() {
    let message = json!({"error": {"message": hostile(), "code": 400}}).to_string();
    let plain = Reply { status: 500, headers: Vec::new(), steps: vec![Step::Bytes(hostile().into_bytes())] };
    let event = format!("data: {}\n\n", json!({"error": {"message": hostile()}}));
    let broken = Reply::stream(vec![Step::Text("Some. ".to_owned()), Step::Bytes(event.into_bytes())]);
    let mut chat = Chat::new([Reply::json(400, &message), plain, broken, Reply::text("Fine.\n")]);
    for words in ["first", "second", "third"] {
        chat.ask(words);
    }
    chat.assert_shown("error: ");
    assert_only_ours(&mut chat);
    chat.quit();
}

#[test]
fn names_of_models_and_of_the_folder() {
    let names: Vec<_> = HOSTILE.iter().map(|name| json!({"id": format!("m{name}x"), "max_model_len": 4096})).collect();
    let models = Reply::json(200, &json!({"object": "list", "data": names}).to_string()).header("Server", "x");
    let server = serve_with_pages([Reply::text("Hello.\n")], [("/v1/models", models)]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let folder = env.root().join(format!("w{}", HOSTILE.concat().replace('/', "")));
    let arguments = ["-w", folder.to_str().unwrap(), "--model", "m\x1b[8mx"];
    let mut chat = Chat { terminal: env.at_terminal(arguments), env, server };
    chat.terminal.wait_for_text("window 4096");
    chat.wait_for_prompt();
    for line in ["hello", "/model", "/sessions"] {
        chat.ask(line);
    }
    chat.terminal.send("/model m\t\t");
    chat.terminal.wait_for("the line", |screen| screen.cursor_row.starts_with("› /model m"));
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    assert_only_ours(&mut chat);
    for command in ["list", "show"] {
        chat.terminal = chat.env.at_terminal(["sessions", command]);
        chat.terminal.assert_end(0);
        assert_only_ours(&mut chat);
    }
}
