//! A long reply with everything in it, in windows of several sizes; what stands as one line and what is turned over.

use faos::playback::{Reply, Step};

use super::Chat;
use crate::support::env::TestEnv;
use crate::support::model_server::{held, in_pieces};

const EVERYTHING: &str = include_str!("everything.md");

/// A thought, and then the reply.
fn everything() -> Reply {
    let mut reply = in_pieces(EVERYTHING, 5);
    reply.steps.insert(0, Step::Reasoning("They want all of it at once, so I give them all of it.".to_owned()));
    reply
}

/// From the message to the first line of what was done.
fn the_reply(shown: &str) -> String {
    let from = shown.find("› all of it\n").unwrap();
    let until = shown[from..].find("\nwrote ").unwrap();
    let time = regex::Regex::new(r"tokens, \d+ s").unwrap();
    time.replace(&shown[from..from + until], "tokens, [time]").into_owned()
}

#[test]
fn a_long_reply_at_several_widths() {
    for (columns, rows) in [(80, 24), (40, 15), (200, 60)] {
        let mut chat = Chat::of_size((columns, rows), [everything()]);
        chat.ask("all of it");
        insta::assert_snapshot!(format!("everything_at_{columns}_columns"), the_reply(&chat.terminal.text_in_rows()));
        assert_eq!(chat.env.read("workspace/notes.md"), "# Notes\n\nNothing yet.\n");
        chat.quit();
    }
}

#[test]
fn unfolded_it_is_what_the_model_wrote() {
    let env = TestEnv::new();
    env.write("faos/config.toml", "[frontend]\nfold = false\n");
    let mut chat = Chat::begin(env, (200, 60), &[], [everything()]);
    chat.ask("all of it");
    let shown = chat.terminal.text();
    let wanted = format!("They want all of it at once, so I give them all of it.\n\n{EVERYTHING}");
    assert!(shown.contains(wanted.trim_end()), "{shown}");
    chat.quit();
}

/// Each piece of the reply in a window of another size.
#[test]
fn a_window_may_change_at_any_moment() {
    let pieces: Vec<&str> = EVERYTHING.split_inclusive("\n\n").collect();
    let (reply, gate) = held(pieces.iter().copied());
    let mut chat = Chat::new([reply]);
    chat.say("all of it");
    for (number, size) in [(60, 20), (40, 15), (120, 30), (43, 9), (200, 60), (80, 24)].iter().cycle().enumerate() {
        chat.terminal.resize(*size);
        if number == pieces.len() {
            break;
        }
        gate.open();
    }
    chat.wait_for_prompt();
    let shown: String = chat.terminal.text().split_whitespace().collect();
    for words in
        ["A plan with *everything* in it", "nested one with emoji 🦀", "src/todo.py ▸ 12 lines", "which is no file:"]
    {
        let words: String = words.split_whitespace().collect();
        assert_eq!(shown.matches(&words).count(), 1, "{words}\n{}", chat.terminal.text());
    }
    assert!(!shown.contains("Escstops"), "no line below the text is left:\n{}", chat.terminal.text());
    chat.quit();
}

#[test]
fn what_stands_as_one_line_is_unfolded() {
    let mut chat = Chat::of_size((80, 60), [everything()]);
    chat.ask("all of it");
    for (command, wanted) in [
        ("/show", "# Notes\n\nNothing yet.\n"),
        ("/show 1", "import sys\n\n\ndef main(arguments):\n"),
        ("/show todo.py", "import sys\n\n\ndef main(arguments):\n"),
        ("/show thought", "They want all of it at once, so I give them all of it.\n"),
        ("/show nothing.py", "no file of the replies is `nothing.py`"),
    ] {
        chat.ask(command);
        chat.assert_answered(command, wanted);
    }
    chat.terminal.send("/show not\t");
    chat.wait_for_prompt_with("/show notes.md");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

/// An edit is what the reader wants to see.
#[test]
fn an_edit_is_no_fold() {
    let file: String = (1..=9).map(|n| format!("line {n}\n")).collect();
    let edit = "n.txt\n```\n<<<<<<< SEARCH\nline 5\n=======\nline five\n>>>>>>> REPLACE\n```\n";
    let mut chat = Chat::new([Reply::text(&format!("n.txt\n```\n{file}```\n")), Reply::text(edit)]);
    chat.ask("write it");
    chat.assert_shown("n.txt ▸ 9 lines");
    chat.ask("change it");
    chat.assert_answered("change it", edit.trim_end());
    chat.assert_answered("change it", "n.txt +1 -1 · /diff shows it\n");
    chat.quit();
}

/// A reply that stops in the middle of a file says so.
#[test]
fn a_file_that_was_not_finished_is_told() {
    let (reply, gate) = held(["a.txt\n```\none\ntwo\n", "three\n"]);
    let mut chat = Chat::new([reply]);
    chat.say("write it");
    chat.terminal.wait_for_text("a.txt ▸ 2 lines,");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.assert_shown("a.txt ▸ 2 lines, not complete");
    drop(gate);
    chat.quit();
}

#[test]
fn a_long_difference_is_turned_over_and_leaves_its_sums() {
    let lines = |word: &str| (1..=40).map(|n| format!("{word} {n}\n")).collect::<String>();
    let reply = Reply::text(&format!("a.txt\n```\n{}```\nb.txt\n```\n{}```\n", lines("first"), lines("second")));
    let mut chat = Chat::new([reply]);
    chat.ask("write it");
    chat.say("/diff");
    chat.terminal.wait_for_text("1-23 of 87");
    chat.terminal.send(" ");
    chat.terminal.wait_for("the second page", |screen| screen.text.contains("24-46 of 87 ·"));
    chat.terminal.send("\x1b[B\x1b[6~g");
    chat.terminal.wait_for_text("1-23 of 87");
    chat.terminal.send("G");
    chat.terminal.wait_for_text("65-87 of 87");
    assert!(chat.terminal.text().contains("+second 40"));
    chat.terminal.resize((80, 12));
    chat.terminal.wait_for_text("of 87 ·");
    chat.terminal.send("q");
    chat.wait_for_prompt();
    chat.assert_shown("› /diff\nsince version 0:\n  a.txt  +40 -0\n  b.txt  +40 -0\n");
    assert!(!chat.terminal.text().contains("+second 40"), "another screen leaves nothing on this one");
    chat.quit();
}

#[test]
fn a_wide_window_shows_old_and_new_side_by_side() {
    let replies = ["a.txt\n```\none\ntwo\nthree\n```\n", "a.txt\n```\none\n2\nthree\n```\n"];
    let mut chat = Chat::of_size((160, 40), replies.map(Reply::text));
    chat.ask("write it");
    chat.ask("change it");
    chat.ask("/diff");
    chat.assert_answered(
        "/diff",
        &format!("{:<78} │ {}\n{:<78} │ {}\n", "    1 one", "    1 one", "    2 two", "    2 2"),
    );
    chat.quit();
}

#[test]
fn a_long_turn_rings_where_that_is_wanted() {
    for (settings, rings) in
        [("[frontend]\nnotify_s = 0\n", true), ("[frontend]\nnotify_s = 600\n", false), ("", false)]
    {
        let env = TestEnv::new();
        env.write("faos/config.toml", settings);
        let mut chat = Chat::begin(env, super::USUAL, &[], [Reply::text("Words.\n")]);
        chat.ask("speak");
        let raw = String::from_utf8_lossy(chat.terminal.raw()).into_owned();
        assert_eq!(raw.contains("\x1b]9;faos: the answer is there\x07\x07"), rings, "{settings}");
        chat.quit();
    }
}
