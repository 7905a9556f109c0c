//! `docs/guide.md` is what the program prints: its conversation is had again, and compared line by line.

use std::fs;
use std::path::Path;

use super::Chat;
use crate::support::corpus::Recorded;
use crate::support::env::TestEnv;
use crate::support::model_server::in_pieces;
use crate::support::redact;

const LEFT_OUT: &str = "[…]";

#[test]
fn the_guide_is_a_real_conversation() {
    let replies = Recorded::open("01-todo").replies();
    let replies = replies.iter().enumerate().map(|(at, text)| in_pieces(text, at as u64));
    let mut chat = Chat::begin(TestEnv::new(), (160, 50), &[], replies);
    let guide = session_lines();
    for line in guide.iter().filter_map(|line| line.strip_prefix("› ")) {
        chat.ask(line);
    }
    let workspace = chat.env.workspace().to_str().unwrap().to_owned();
    let shown = chat.terminal.text().replace(&workspace, "/home/you/todo");
    let shown: Vec<String> = shown.lines().map(plain).collect();
    compare(&guide, &shown);
    chat.quit();
}

/// The lines of all `session` blocks, in order; between two blocks anything may be left out.
fn session_lines() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md");
    let guide = fs::read_to_string(path).unwrap();
    let mut lines = Vec::new();
    let mut inside = false;
    for line in guide.lines() {
        match line {
            "```session" => inside = true,
            "```" if inside => {
                inside = false;
                lines.push(LEFT_OUT.to_owned());
            }
            _ if inside => lines.push(line.to_owned()),
            _ => {}
        }
    }
    assert!(lines.len() > 40, "the guide's conversation is gone");
    lines
}

/// Each line of the guide is the next one on the screen, or a later one after lines that were left out.
fn compare(guide: &[String], shown: &[String]) {
    let mut rest = shown;
    let mut may_skip = false;
    for line in guide {
        if line == LEFT_OUT {
            may_skip = true;
            continue;
        }
        let wanted = plain(line);
        let reach = if may_skip { rest.len() } else { rest.len().min(1) };
        let is_it = |shown: &String| match wanted.strip_suffix(LEFT_OUT) {
            Some(beginning) => shown.starts_with(beginning.trim_end()),
            None => *shown == wanted,
        };
        match rest[..reach].iter().position(is_it) {
            Some(at) => rest = &rest[at + 1..],
            None => panic!("the guide says\n{wanted}\nand the screen\n{}\n…", rest[..rest.len().min(12)].join("\n")),
        }
        may_skip = false;
    }
}

/// Without what differs from run to run.
fn plain(line: &str) -> String {
    let measured =
        regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d|\d+ tokens in, \d+ out|:\d{4,5}\b|about +\d+").unwrap();
    let line = line.replace("small-model", "scripted");
    redact::text(&measured.replace_all(&line, "[measured]")).trim_end().to_owned()
}
