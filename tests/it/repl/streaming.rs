//! While the model writes: what is on the screen by then, what keys do, and what an interruption leaves.

use faos::playback::{Reply, Step};

use super::{Chat, PATIENCE};
use crate::support::env::TestEnv;
use crate::support::model_server::{gated, held, serve};

#[test]
fn words_are_on_the_screen_before_the_stream_has_ended() {
    let (reply, gate) = held(["The first ", "words are ", "here.\n"]);
    let mut chat = Chat::new([reply]);
    chat.say("speak");
    for shown in ["The first", "The first words are", "The first words are here."] {
        chat.terminal.wait_for_text(shown);
        gate.open();
    }
    chat.wait_for_prompt();
    assert_eq!(chat.server.requests().len(), 1);
    chat.quit();
}

#[test]
fn a_file_is_named_with_its_lines_while_it_is_written() {
    let (reply, gate) = held(["Here it is.\n\ntodo.py\n```python\n", "import sys\n", "\nprint(sys.argv)\n", "```\n"]);
    let mut chat = Chat::new([reply]);
    chat.say("write todo.py");
    chat.terminal.wait_for_text("todo.py ▸ 0 lines");
    gate.open();
    chat.terminal.wait_for_text("todo.py ▸ 1 line,");
    gate.open();
    chat.terminal.wait_for_text("todo.py ▸ 3 lines");
    let shown = chat.terminal.text();
    assert!(!shown.contains("import sys") && !shown.contains("```"), "it is folded:\n{shown}");
    assert_eq!(shown.matches("todo.py").count(), 2, "what was asked, and one line:\n{shown}");
    assert!(!chat.env.workspace().join("todo.py").exists(), "a file that is not complete is not written");
    gate.open();
    gate.open();
    chat.terminal.wait_for_text("wrote todo.py");
    chat.wait_for_prompt();
    chat.assert_shown("Here it is.\n\ntodo.py ▸ 3 lines · /show unfolds it\n");
    assert_eq!(chat.terminal.text().matches("todo.py ▸").count(), 1, "the line below the text is gone");
    for command in ["/show", "/show 1", "/show todo.py"] {
        chat.ask(command);
        chat.assert_answered(command, "import sys\n\nprint(sys.argv)\n");
    }
    chat.ask("/show 2");
    chat.assert_shown("the last answer has no 2. file");
    assert_eq!(chat.env.read("workspace/todo.py"), "import sys\n\nprint(sys.argv)\n");
    chat.quit();
}

/// The colours of the first language take their time, and nothing is written over once the prompt is open.
#[test]
fn the_first_block_of_a_short_reply_has_its_colours() {
    let mut chat = Chat::new([Reply::text("```json\n{\"a\": true}\n```\n")]);
    chat.ask("show me");
    chat.assert_shown("{\"a\": true}");
    let raw = String::from_utf8_lossy(chat.terminal.raw()).into_owned();
    assert!(raw.contains("\x1b[36mtrue\x1b[m"), "{raw:?}");
    chat.quit();
}

/// Ctrl-C and Escape at twenty moments; every other one races with the next piece.
#[test]
fn an_interruption_keeps_what_came_and_retry_goes_on() {
    let pieces: Vec<String> = (0..20).map(|n| format!("word{n} ")).collect();
    let (mut replies, mut gates) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let (reply, gate) = held(pieces.iter().map(String::as_str));
        replies.extend([reply, Reply::text(&format!("End of {round}.\n"))]);
        gates.push(gate);
    }
    let mut chat = Chat::new(replies);
    let mut state = 7_u64;
    for (round, gate) in gates.iter().enumerate() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = 1 + (state >> 33) as usize % (pieces.len() - 1);
        let seen = pieces[..moment].concat();
        chat.say(&format!("round {round}"));
        (1..moment).for_each(|_| gate.open());
        chat.terminal.wait_for("the pieces", |screen| since_last_message(&screen.text).contains(seen.trim_end()));
        if round % 2 == 1 {
            gate.open();
        }
        chat.terminal.send(if round % 3 == 0 { "\x1b" } else { "\x03" });
        chat.wait_for_prompt();
        let shown = chat.terminal.text();
        let shown = since_last_message(&shown);
        assert!(shown.contains(seen.trim_end()) && shown.contains("interrupted"), "round {round}:\n{shown}");
        assert_eq!(chat.env.session().records_of("reply_finished").last().unwrap()["reason"], "interrupted");

        chat.ask("/retry");
        chat.assert_shown(&format!("End of {round}."));
        let messages = chat.last_messages();
        let [.., kept, told] = messages.as_slice() else { panic!("two messages") };
        assert!(kept.1.starts_with(&seen) && pieces.concat().starts_with(&kept.1), "round {round}: {kept:?}");
        assert!(told.1.starts_with("Your reply was cut off"), "round {round}: {told:?}");
    }
    chat.quit();
}

fn since_last_message(text: &str) -> &str {
    &text[text.rfind("› round").unwrap_or_default()..]
}

/// Where the server tells how far it is with the prompt, so does the line below the text.
#[test]
fn reading_is_told_in_percent() {
    let progress = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}],\
                    \"prompt_progress\":{\"total\":2048,\"cache\":0,\"processed\":512,\"time_ms\":4}}\n\n";
    let (mut reply, gate) = held(["Read.\n"]);
    reply.steps.splice(0..0, [Step::Bytes(progress.into()), Step::Wait(gate.clone())]);
    let mut chat = Chat::new([reply]);
    chat.say("read this");
    chat.terminal.wait_for_text("the model reads, 25 %, ");
    gate.open();
    gate.open();
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert!(!chat.terminal.text().contains("25 %"), "it leaves nothing");
    chat.quit();
}

/// A run that prints more than is shown is seen going on below.
#[test]
fn what_a_run_printed_last_stands_below() {
    let run = "```run\nseq 1 250; echo so far; exec tail -f /dev/null\n```\n";
    let mut chat = Chat::new([Reply::text(run), Reply::text("I see.\n")]);
    chat.say("run it");
    chat.terminal.wait_for("the last line", |screen| {
        let below = screen.text.lines().last().unwrap_or_default();
        below.contains("run 1, ") && below.contains(" s · so far · Esc stops")
    });
    assert!(!chat.terminal.text().contains("| so far"), "the lines above it are as many as are shown");
    chat.terminal.send("\x1b");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn an_interruption_may_come_before_the_first_word() {
    let (mut reply, gate) = held(["Never shown.\n"]);
    reply.steps.insert(0, Step::Wait(gate));
    let mut chat = Chat::new([reply, Reply::text("Answered.\n")]);
    chat.say("hello");
    assert!(chat.server.wait_until(PATIENCE, |seen| seen.requests.iter().any(|request| request.method == "POST")));
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    chat.assert_answered("hello", "nothing came: /retry asks again");
    chat.assert_answered("hello", "interrupted\n");
    chat.ask("/retry");
    chat.assert_shown("Answered.");
    assert_eq!(chat.asked(), "hello");
    chat.quit();
}

#[test]
fn an_interruption_stops_a_run_of_the_models() {
    let mut chat =
        Chat::new([Reply::text("```run\necho begun; exec tail -f /dev/null\n```\n"), Reply::text("I see.\n")]);
    chat.say("run it");
    chat.terminal.wait_for_text("  | begun");
    chat.terminal.send("\x1b");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    chat.ask("what came of it?");
    chat.assert_shown("I see.");
    let asked = chat.asked();
    assert!(asked.starts_with("run 1: cancelled") && asked.contains("begun"), "{asked}");
    assert!(asked.ends_with("what came of it?"), "{asked}");
    chat.quit();
}

#[test]
fn what_is_typed_meanwhile_is_the_next_prompts_line() {
    let (reply, gate) = held(["Wait. "]);
    let mut chat = Chat::new([reply, Reply::text("Done.\n")]);
    chat.say("begin");
    chat.terminal.wait_for_text("Wait.");
    // Arrows and Ctrl-D mean nothing here, least of all an end.
    chat.terminal.send("\x04\x1b[Aand thne\x7f\x7f\x7fhen öäü\x1bOD");
    gate.open();
    chat.wait_for_prompt_with("and then öäü");
    chat.terminal.send("!\r");
    chat.terminal.wait_for_text("Done.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "and then öäü!");
    chat.quit();
}

#[test]
fn a_message_that_is_entered_meanwhile_waits_its_turn() {
    let (reply, gate) = held(["Wait. "]);
    let mut chat = Chat::new([reply, Reply::text("Second.\n"), Reply::text("Third.\n")]);
    chat.say("first message");
    chat.terminal.wait_for_text("Wait.");
    chat.terminal.send("second message\rthird \\\rmessage\r");
    chat.terminal.wait_for_text("2 messages wait");
    assert_eq!(chat.server.requests().len(), 1);
    gate.open();
    chat.terminal.wait_for_text("Third.");
    chat.wait_for_prompt();
    let asked: Vec<String> =
        chat.last_messages().into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    assert_eq!(asked, ["first message", "second message", "third \nmessage"]);
    chat.assert_shown("› second message");
    chat.quit();
}

#[test]
fn an_interruption_brings_what_waits_back_to_the_prompt() {
    let (reply, _gate) = held(["Wait. "]);
    let mut chat = Chat::new([reply]);
    chat.say("first message");
    chat.terminal.wait_for_text("Wait.");
    chat.terminal.send("second message\rthi");
    chat.terminal.send("\x03");
    chat.terminal.wait_for("what waits", |screen| screen.text.ends_with("› second message\nthi"));
    assert_eq!(chat.server.requests().len(), 1);
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn a_command_that_waits_becomes_no_part_of_a_message() {
    let (reply, _gate) = held(["Wait. "]);
    let mut chat = Chat::new([reply]);
    chat.say("first message");
    chat.terminal.wait_for_text("Wait.");
    chat.terminal.send("second message\r/versions\r");
    chat.terminal.wait_for_text("2 messages wait");
    chat.terminal.send("\x1b");
    chat.wait_for_prompt_with("second message");
    chat.assert_shown("not done: `/versions`\n");
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn a_paste_meanwhile_is_one_message_too() {
    let (reply, gate) = held(["Wait. "]);
    let mut chat = Chat::new([reply, Reply::text("Read.\n")]);
    chat.say("begin");
    chat.terminal.wait_for_text("Wait.");
    let pasted: String = (1..=200).map(|line| format!("pasted line {line}\n")).collect();
    chat.terminal.paste(pasted.trim_end());
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("1 message waits");
    gate.open();
    chat.terminal.wait_for_text("Read.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), pasted.trim_end());
    chat.quit();
}

#[test]
fn a_killed_program_has_kept_what_came() {
    let (reply, gate) = held(["one.txt\n```\nfirst\n```\n\n", "two.txt\n```\nsec\nond"]);
    let mut chat = Chat::new([reply, Reply::text("two.txt\n```\nsecond\n```\n")]);
    chat.say("two files");
    gate.open();
    chat.terminal.wait_for_text("two.txt ▸ 1 line");
    // What is on the screen is in the log a moment later.
    chat.env.session().wait_for_log("\nsec\nond");
    chat.terminal.kill();

    chat.resume_last();
    chat.assert_shown("› two files");
    chat.assert_shown("sec\nond");
    chat.assert_shown("[the reply was interrupted: /retry goes on with it, or say something else]");
    chat.ask("/retry");
    assert_eq!(chat.env.read("workspace/one.txt"), "first\n");
    assert_eq!(chat.env.read("workspace/two.txt"), "second\n");
    assert!(chat.asked().contains("It stopped inside"), "{}", chat.asked());
    chat.quit();
}

#[test]
fn other_sizes_show_the_same_words() {
    let sentence =
        "Every word of this long sentence, with 日本語 and ünïcödé in it, is seen at any width of the window.";
    for columns in [40, 80, 200] {
        let (reply, gate) = gated(&sentence[..30], &format!("{}\n\n|wide| 全角文字 |\n", &sentence[30..]));
        let mut chat = Chat::of_size((columns, 24), [reply]);
        chat.say("show me 日本");
        chat.terminal.wait_for_text(sentence[..30].trim_end());
        gate.open();
        chat.wait_for_prompt();
        let shown = chat.terminal.text().replace('\n', " ");
        assert!(shown.contains(sentence), "{columns} columns:\n{shown}");
        chat.assert_shown("|wide| 全角文字 |");
        chat.assert_shown("› show me 日本\n");
        chat.quit();
    }
}

#[test]
fn lines_of_ours_are_broken_between_words() {
    let mut chat = Chat::of_size((40, 24), [Reply::text("A word after the other, until the row is full of them.\n")]);
    chat.assert_shown("· window 32768\n");
    chat.ask("/help undo");
    chat.assert_answered("/help undo", "  /undo              take back the last\n                     message, its\n");
    chat.ask("/help");
    let rows: Vec<String> = chat.terminal.rows().collect();
    assert!(rows.iter().all(|row| row.trim_end().chars().count() <= 40), "{rows:?}");
    chat.ask("speak");
    // What the model says is broken by the terminal, which can flow it anew.
    chat.assert_shown("A word after the other, until the row is full of them.\n");
    chat.quit();
}

#[test]
fn the_window_may_change_while_the_model_writes() {
    let pieces: Vec<String> = (0..9).map(|n| format!("line {n} of the answer\n")).collect();
    let (reply, gate) = held(pieces.iter().map(String::as_str));
    let mut chat = Chat::new([reply, Reply::text("Still here.\n")]);
    chat.say("begin");
    for (n, size) in
        [(100, 30), (60, 20), (40, 12), (120, 40), (80, 24), (200, 50), (80, 24), (79, 24)].into_iter().enumerate()
    {
        chat.terminal.wait_for_text(&format!("line {n} of the answer"));
        chat.terminal.resize(size);
        gate.open();
    }
    gate.open();
    chat.wait_for_prompt();
    let shown = chat.terminal.text();
    for line in &pieces {
        assert_eq!(shown.matches(line.trim_end()).count(), 1, "{line:?} is there once:\n{shown}");
    }
    chat.ask("once more");
    chat.assert_shown("Still here.");
    chat.quit();
}

#[test]
fn keys_that_are_typed_before_anything_is_ready_are_not_lost() {
    let server = serve([Reply::text("Hello.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut terminal = env.at_terminal::<&str>([]);
    terminal.send("hello");
    terminal.wait_for("what was typed at the prompt", |screen| screen.text.ends_with("\n› hello"));
    terminal.send("\r");
    terminal.wait_for_text("Hello.");
    terminal.wait_for("a prompt", |screen| screen.cursor_row == "›");
    terminal.send("\x04");
    terminal.assert_end(0);
}

#[test]
fn a_check_is_named_while_it_runs_and_can_be_stopped() {
    let slow = "slow.py\n```python\nprint(1)\n```\n\nMakefile\n```\ntest:\n\tsleep 30\n```\n";
    let mut chat = Chat::new([Reply::text(slow)]);
    chat.say("write it");
    chat.terminal.wait_for_text("checking: make test");
    chat.terminal.send("\x1b");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    assert_eq!(chat.env.read("workspace/slow.py"), "print(1)\n");
    chat.quit();
}
