//! What a person would see, through a terminal emulator.

use std::num::NonZero;

use proptest::prelude::*;
use vt100::Parser;

use super::{Coloring, Ground, Look, Pane, Signs, Size, Style};
use crate::base::printable::Printable;

const FULL: Look = Look { color: true, motion: true, folds: false, ground: Ground::Unknown, signs: Signs::Unicode };
const MOVES: Look = Look { color: false, ..FULL };
const PLAIN: Look = Look { color: false, motion: false, ..FULL };

/// With colours now and then: each time anew they take a while to be made.
const LOOKS: [Look; 6] = [FULL, MOVES, MOVES, MOVES, MOVES, MOVES];

/// A pane and the terminal that it is on.
struct Screen {
    pane: Pane,
    terminal: Parser,
    written: String,
}

impl Screen {
    fn new(look: Look, columns: u16, rows: u16) -> Self {
        let size = Size { columns: columns.into(), rows: rows.into() };
        let terminal = terminal(columns, rows, 1000);
        Self { pane: Pane::new(look, size), terminal, written: String::new() }
    }

    /// What a terminal driver does with newlines is done here.
    fn show(&mut self) -> &mut Self {
        let batch = self.pane.take();
        self.terminal.process(batch.replace('\n', "\r\n").as_bytes());
        self.written.push_str(&batch);
        self
    }

    fn reply(&mut self, text: &str) -> &mut Self {
        self.pane.reply(text);
        self.show()
    }

    fn live(&mut self, line: &str) -> &mut Self {
        self.pane.live(Some(line.to_owned()));
        self.show()
    }

    fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.terminal.screen_mut().set_size(extent(rows), extent(columns));
        self.pane.resize(Size { columns: columns.into(), rows: rows.into() });
        self.show()
    }

    /// Until every line of code has come back.
    fn settle(&mut self) -> &mut Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        self.show();
        while !self.pane.is_settled() {
            runtime.block_on(self.pane.recoloured());
            self.show();
        }
        self
    }

    fn text(&self) -> String {
        self.terminal.screen().contents()
    }

    /// Of each character in a row: `.` plain, `b` bold, `d` dim, else its colour's number.
    fn styles(&self, row: u16) -> String {
        let of = |cell: &vt100::Cell| match cell.fgcolor() {
            vt100::Color::Idx(number) => number.to_string(),
            _ if cell.bold() => "b".to_owned(),
            _ if cell.dim() => "d".to_owned(),
            _ => ".".to_owned(),
        };
        let cells =
            (0..self.terminal.screen().size().1.get()).filter_map(|column| self.terminal.screen().cell(row, column));
        cells.filter(|cell| cell.has_contents()).map(of).collect()
    }
}

fn terminal(columns: u16, rows: u16, history: usize) -> Parser {
    Parser::new(extent(rows), extent(columns), history)
}

fn extent(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).unwrap()
}

/// What the text alone looks like.
fn plainly(text: &str, columns: u16, rows: u16) -> Parser {
    let mut terminal = terminal(columns, rows, 0);
    terminal.process(shown(text).replace('\n', "\r\n").as_bytes());
    terminal
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    Printable::default().push(text, &mut out);
    out
}

/// The sequences that are this module's own, taken out.
fn without_ours(text: &str) -> String {
    let ours = regex::Regex::new(r"\x1b\[(\?(2026|7)[hl]|[0-9]*[ABC]|J|3[1-6]m|38;5;[0-9]+m|[1-4]?m)|\r").unwrap();
    ours.replace_all(text, "").into_owned()
}

#[test]
fn text_is_there_before_its_line_ends() {
    let mut screen = Screen::new(FULL, 80, 24);
    assert_eq!(screen.reply("Hel").text(), "Hel");
    assert_eq!(screen.reply("lo").text(), "Hello");
    assert_eq!(screen.written, "Hello", "plain text costs nothing");
}

#[test]
fn the_live_line_is_below_and_leaves_nothing() {
    let mut screen = Screen::new(FULL, 40, 24);
    assert_eq!(screen.live("thinking").text(), "thinking");
    assert_eq!(screen.reply("Hel").text(), "Hel\nthinking");
    assert_eq!(screen.live("writing todo.py, 34 lines").text(), "Hel\nwriting todo.py, 34 lines");
    assert_eq!(screen.reply("lo\nthere\n").text(), "Hello\nthere\nwriting todo.py, 34 lines");
    assert_eq!(screen.terminal.screen().cursor_position(), (2, 0));
    screen.pane.live(None);
    assert_eq!(screen.show().text(), "Hello\nthere");
    assert_eq!(screen.pane.take(), "", "nothing new, nothing to write");
}

#[test]
fn a_live_line_is_cut_to_the_window_and_to_one_row() {
    let mut screen = Screen::new(FULL, 10, 4);
    let line = FULL.paint(Style::Good, "日本語日本語");
    assert_eq!(screen.reply("a").live(&line).text(), "a\n日本語日");
    assert_eq!(screen.live("12345678901\nb").text(), "a\n123456789");
    assert_eq!(screen.live("x\ny\tz\x1b[2J").text(), "a\nx y z");
    assert_eq!(screen.reply("b").text(), "ab\nx y z");
}

#[test]
fn a_window_of_one_row_has_no_place_for_it() {
    let mut screen = Screen::new(FULL, 20, 1);
    assert_eq!(screen.live("live").reply("abc").reply("d").text(), "abcd");
}

#[test]
fn lines_of_ours_end_a_partial_line() {
    let mut screen = Screen::new(FULL, 40, 24);
    screen.reply("Hel").live("…");
    screen.pane.lines(&format!("{} 3 tests\n", FULL.paint(Style::Good, "passed")));
    assert_eq!(screen.show().text(), "Hel\npassed 3 tests\n…");
    assert_eq!(screen.styles(1), "222222........");
    assert_eq!(screen.reply("lo **b**\n").text(), "Hel\npassed 3 tests\nlo **b**\n…");
}

#[test]
fn what_strays_into_our_lines_is_printable() {
    let mut screen = Screen::new(FULL, 40, 24);
    screen.pane.lines("a\x1b[2Jb\x1b]52;c;aGk=\x07c\rd\u{9b}1mx\x1b[31mred\nplain");
    assert_eq!(screen.show().text(), "abcdxred\nplain");
    assert_eq!((screen.styles(0), screen.styles(1)), (".....111".to_owned(), ".....".to_owned()));
    screen.pane.lines(&PLAIN.paint(Style::Bad, "x\x1by"));
    assert!(!screen.show().written.contains("\x1b]"));
}

#[test]
fn a_full_row_keeps_its_last_character() {
    for text in ["12345678", "123456日", "1234567e\u{301}"] {
        let mut screen = Screen::new(FULL, 8, 6);
        screen.live("live").reply(text);
        assert_eq!(screen.text(), format!("{text}\nlive"));
        screen.live("more");
        assert_eq!(screen.text(), format!("{text}\nmore"));
        screen.reply("x");
        assert_eq!(screen.text(), format!("{text}x\nmore"), "wrapped, and not ended");
        screen.reply("\n").reply(text).reply("\n\ny");
        assert_eq!(screen.text(), format!("{text}x\n{text}\n\ny\nmore"));
    }
}

#[test]
fn prose_is_styled_when_its_line_is_complete() {
    let mut screen = Screen::new(FULL, 20, 10);
    screen.live("live").reply("# Plan\nuse `map` and **a word** that wraps");
    assert_eq!(screen.styles(0), "bbbbbb");
    assert_eq!(screen.styles(1), "....................");
    screen.reply("\nend");
    assert_eq!(screen.styles(1), "....66666.....bbbbbb");
    assert_eq!(screen.styles(2), "bbbb...........");
    assert_eq!(screen.text(), "# Plan\nuse `map` and **a word** that wraps\nend\nlive");
}

#[test]
fn code_is_plain_at_once_and_coloured_in_place_later() {
    let mut screen = Screen::new(FULL, 20, 20);
    screen.live("live").reply("todo.py\n```\ndef add(a):\n    return \"日本\" # e\u{301} long\n```\nDone");
    assert_eq!(screen.styles(2), "...........");
    screen.settle();
    assert_eq!(screen.styles(1), "ddd");
    assert_eq!(screen.styles(2), "555.bbb....");
    assert_eq!(screen.styles(3), "....555555.2222.dd");
    assert_eq!(screen.text(), "todo.py\n```\ndef add(a):\n    return \"日本\" # e\u{301} long\n```\nDone\nlive");
}

#[test]
fn each_of_many_languages_has_its_colours() {
    let mut screen = Screen::new(FULL, 60, 60);
    let blocks = [
        ("rust", "fn main() {}"),
        ("js", "const a = 1;"),
        ("c", "return 0;"),
        ("html", "<p>a</p>"),
        ("sh", "echo 'a'"),
        ("go", "func f() {}"),
        ("run", "echo 'a'"),
        ("src/a.py", "import os"),
        ("toml", "a = \"b\""),
        ("ts", "let a: number;"),
        ("jsx", "return <p/>;"),
        ("rust", "fn main() {}"),
    ];
    for (info, code) in blocks {
        screen.reply(&format!("```{info}\n{code}\n```\n"));
    }
    screen.settle();
    for (at, (info, _)) in (0..).zip(blocks) {
        let styles = screen.styles(at * 3 + 1);
        assert!(styles.contains(['2', '5', '6', 'b']), "{info}: {styles}");
    }
}

#[test]
fn a_line_that_has_left_the_screen_stays_as_it_is() {
    let mut screen = Screen::new(FULL, 20, 5);
    let code: String = (0..30).map(|n| format!("return {n}\n")).collect();
    screen.live("live").reply(&format!("```python\n{code}")).settle();
    assert_eq!(screen.text(), "return 26\nreturn 27\nreturn 28\nreturn 29\nlive");
    assert_eq!(screen.styles(1), "555555.66");
    screen.terminal.screen_mut().set_scrollback(1000);
    let history = screen.terminal.screen().contents();
    assert!(history.starts_with("```python\nreturn 0\n"), "{history}");
}

#[test]
fn a_language_unknown_or_a_line_too_long_stays_plain() {
    let mut screen = Screen::new(FULL, 80, 24);
    let long = "x".repeat(5000);
    screen.reply(&format!("```zzz\nreturn 1\n```\n```js\n{long}\nreturn 1\n")).settle();
    assert!(screen.text().ends_with("\nreturn 1"));
    assert!(!screen.written.contains("\x1b[35m"));
}

#[test]
fn a_new_size_is_taken_with_care() {
    for (columns, rows) in [(27, 8), (60, 24), (30, 6)] {
        let mut screen = Screen::new(FULL, 30, 10);
        screen.live("a live line of some length").reply("```python\nreturn 1\nret");
        screen.resize(columns, rows).settle();
        assert!(!screen.text().contains("live"), "the column is unknown");
        screen.reply("urn 2\nreturn 3\n").settle();
        assert_eq!(screen.text(), "```python\nreturn 1\nreturn 2\nreturn 3\na live line of some length");
        assert_eq!(screen.styles(3), "555555.6");
    }
}

#[test]
fn the_live_line_takes_one_row_in_a_window_of_any_width() {
    let mut screen = Screen::new(FULL, 100, 10);
    screen.live("a live line").reply("text");
    assert!(screen.written.contains("\x1b[?7la live line\x1b[?7h\x1b[A"), "{:?}", screen.written);
    // What is still said to be so wide.
    screen.pane.fit(Size { columns: 100, rows: 10 });
    screen.reply(" and more");
    assert!(screen.text().contains("live"));
    screen.pane.fit(Size { columns: 20, rows: 10 });
    screen.reply(" of it");
    assert!(!screen.text().contains("live"), "the column is unknown");
}

#[test]
fn where_terminals_disagree_nothing_is_guessed() {
    let mut screen = Screen::new(FULL, 20, 10);
    screen.reply("`a`\n").live("live").reply("\u{1f469}\u{200d}\u{1f4bb} `b`");
    assert!(!screen.text().contains("live"));
    let before = screen.written.len();
    screen.reply("\n`c`\n");
    assert!(screen.text().ends_with("`c`\nlive"));
    assert_eq!(screen.written[before..].matches("\x1b[36m").count(), 1);
}

#[test]
fn after_a_prompt_nothing_above_is_touched() {
    let mut screen = Screen::new(FULL, 40, 10);
    screen.reply("```python\nreturn 1\n");
    screen.pane.finish_reply();
    screen.show();
    screen.terminal.process(b"> prompt\r\n");
    screen.pane.restart();
    screen.settle();
    assert_eq!(screen.text(), "```python\nreturn 1\n> prompt");
    assert_eq!(screen.styles(2), "........");
}

#[test]
fn without_motion_and_colour_it_is_the_text() {
    let mut screen = Screen::new(PLAIN, 80, 24);
    screen.live("live").reply("# A\n```python\nreturn 1\n```\n`b`");
    screen.pane.finish_reply();
    screen.pane.lines(&PLAIN.paint(Style::Good, "passed"));
    screen.settle();
    assert_eq!(screen.written, "# A\n```python\nreturn 1\n```\n`b`\npassed\n");
}

#[test]
fn without_colour_there_is_a_live_line_and_no_style() {
    let mut screen = Screen::new(MOVES, 80, 24);
    screen.live("live").reply("# A\n```python\nreturn 1\n```\n`b`").settle();
    assert_eq!(screen.text(), "# A\n```python\nreturn 1\n```\n`b`\nlive");
    assert!(!screen.written.contains('m'), "{:?}", screen.written);
}

/// Words, signs and marks of many kinds; whole lines of them, some with fences.
fn any_reply() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => "[a-z ]{1,12}",
        2 => prop::sample::select(vec!["日本", "\u{1f980}", "e\u{301}", "\t", "**b**", "`c`", "# ", "\"a\": [1, true]"]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["\n", "\n\n", "\n```json\n", "\n```\n", "\n~~~~\n"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// Anything, with more than its share of what terminals obey.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ -~]{0,6}",
        prop::sample::select(vec![
            "\x1b",
            "\x1b[",
            "\x1b]52;c;",
            "\x07",
            "\x1b\\",
            "\r",
            "\u{9b}",
            "\u{9d}",
            "\u{202e}",
            "\x1b[31m",
            "\x1b[2J",
            "\n",
            "\x08",
            "```\n",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// Markdown of every kind, whole or broken off.
fn any_markdown() -> impl Strategy<Value = String> {
    let words = "[a-zA-Z0-9_.,()=\"]{1,9}( [a-z日🦀é]{1,7}){0,12}";
    let code = "[a-z]{1,6}( = |\\(|: )[a-z0-9日\"]{0,30}";
    let line = prop_oneof![
        4 => words.prop_map(|words| format!("{words}\n")),
        1 => words.prop_map(|words| format!("## {words}\n")),
        1 => words.prop_map(|words| format!("- {words} `{words}` **{words}**\n")),
        1 => words.prop_map(|words| format!("> {words}\n")),
        1 => words.prop_map(|words| format!("1. [{words}](https://a.b/c) *x* | `y|z`\n")),
        2 => ("[a-z日]{1,9}", "[a-z`*|]{0,12}").prop_map(|(a, b)| format!("| {a} | b |\n|---|:-:|\n| {b} | {a} |\n")),
        1 => Just("| one | two\n".to_owned()),
        2 => prop::collection::vec(code, 0..8).prop_map(|code| format!("```python\n{}\n```\n", code.join("\n    "))),
        1 => code.prop_map(|code| format!("~~~~ json\n```\n{code}\n~~~~\n")),
        1 => Just("\n".to_owned()),
        1 => Just("``` ```\n".to_owned()),
        1 => Just("```\n".to_owned()),
    ];
    (prop::collection::vec(line, 1..14), "[`~| #a]{0,5}").prop_map(|(lines, rest)| lines.concat() + rest.as_str())
}

/// Everything that is on the screen or was, without blanks.
fn characters_shown(screen: &mut Screen, columns: u16) -> String {
    let terminal = screen.terminal.screen_mut();
    let mut rows = Vec::new();
    for above in (1..=terminal.scrollback_len()).rev() {
        terminal.set_scrollback(above);
        rows.extend(terminal.rows(0, columns).next());
    }
    terminal.set_scrollback(0);
    rows.extend(terminal.rows(0, columns));
    rows.concat().split_whitespace().collect()
}

/// The text in pieces of these sizes, each on the screen before the next one comes.
fn in_pieces(screen: &mut Screen, text: &str, cuts: &[usize]) {
    let (mut rest, mut sizes) = (text, cuts.iter().cycle());
    while let Some((at, _)) = rest.char_indices().nth(*sizes.next().unwrap()) {
        screen.reply(&rest[..at]);
        rest = &rest[at..];
    }
    screen.reply(rest);
    screen.pane.finish_reply();
    screen.pane.live(None);
    screen.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_give_the_same_screen(
        text in any_reply(),
        cuts in prop::collection::vec(1..9_usize, 1..20),
        columns in prop::sample::select(vec![7_u16, 40, 80, 200]),
        rows in 3..30_u16,
    ) {
        let mut pieces = Screen::new(FULL, columns, rows);
        pieces.live("live");
        let (mut rest, mut sizes) = (text.as_str(), cuts.iter().cycle());
        while let Some((at, _)) = rest.char_indices().nth(*sizes.next().unwrap()) {
            pieces.reply(&rest[..at]);
            rest = &rest[at..];
        }
        pieces.reply(rest);
        pieces.pane.live(None);
        pieces.settle();
        let mut whole = Screen::new(FULL, columns, rows);
        whole.reply(&text).settle();
        // The live line makes the screen scroll one row early at the most.
        let plain = plainly(&text, columns, rows);
        let end = |terminal: &Parser| {
            let to_cursor = usize::from(terminal.screen().cursor_position().0) + 1;
            let all: Vec<String> = terminal.screen().rows(0, columns).take(to_cursor).collect();
            all[all.len().saturating_sub(usize::from(rows) - 1)..].to_vec()
        };
        prop_assert_eq!(end(&pieces.terminal), end(&plain));
        prop_assert_eq!(whole.text(), plain.screen().contents());
        let is_all_there = whole.terminal.screen().cursor_position().0 + 2 < rows;
        if is_all_there && !text.contains('\t') {
            prop_assert_eq!(pieces.terminal.screen().contents_formatted(), whole.terminal.screen().contents_formatted());
        }
    }

    #[test]
    fn foreign_text_brings_no_sequence(texts in prop::collection::vec(hostile(), 1..4), columns in 2..90_u16) {
        let mut screen = Screen::new(FULL, columns, 24);
        let mut all = String::new();
        for text in &texts {
            screen.live(text).reply(text);
            screen.pane.lines(text);
            all.push_str(text);
        }
        screen.pane.finish_reply();
        screen.settle();
        let rest = without_ours(&screen.written);
        prop_assert!(!rest.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{:?}", rest);
        prop_assert_eq!(&rest, &shown(&rest));

        let mut plain = Screen::new(PLAIN, columns, 24);
        plain.reply(&all);
        prop_assert_eq!(&plain.written, &shown(&all));
    }

    #[test]
    fn every_character_stands_there_once_and_in_order(
        text in any_markdown(),
        cuts in prop::collection::vec(1..40_usize, 1..20),
        columns in 5..130_u16,
        rows in 2..40_u16,
        look in prop::sample::select(LOOKS.to_vec()),
    ) {
        let mut screen = Screen::new(look, columns, rows);
        screen.live("live");
        in_pieces(&mut screen, &text, &cuts);
        let wanted: String = text.split_whitespace().collect();
        prop_assert_eq!(characters_shown(&mut screen, columns), wanted);
    }

    /// A table that is aligned has other blanks and dashes, and nothing else is different.
    #[test]
    fn what_waits_is_shown_in_the_end(
        text in any_markdown(),
        cuts in prop::collection::vec(1..40_usize, 1..20),
        columns in 5..130_u16,
        rows in 2..40_u16,
        look in prop::sample::select(LOOKS.to_vec()),
    ) {
        let mut screen = Screen::new(Look { folds: true, ..look }, columns, rows);
        screen.live("live");
        in_pieces(&mut screen, &text, &cuts);
        let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !"-|:".contains(*c)).collect::<String>();
        prop_assert_eq!(plain(&characters_shown(&mut screen, columns)), plain(&text));
    }
}

#[test]
fn a_block_folds_and_takes_the_line_with_its_path_along() {
    let mut screen = Screen::new(Look { folds: true, ..FULL }, 40, 10);
    screen.live("live").reply("Here:\n\n**a.py**\n\n```py").reply("thon\n");
    assert_eq!(screen.text(), "Here:\n\n**a.py**\n\nlive", "a fence waits for what it is");
    assert!(screen.pane.fold("a.py"));
    assert_eq!(screen.show().text(), "Here:\n\nlive");
    screen.pane.lines("a.py, folded");
    assert_eq!(screen.reply("\nEnd\n").text(), "Here:\n\na.py, folded\n\nEnd\nlive");
    screen.reply("See b.py:\n```\n");
    assert!(screen.pane.fold("b.py"));
    assert_eq!(screen.reply("x").text(), "Here:\n\na.py, folded\n\nEnd\nSee b.py:\nx\nlive", "words stay");
    assert!(!screen.pane.fold("b.py"), "there is nothing to fold");
}

#[test]
fn a_fence_that_is_no_file_is_shown_with_what_follows() {
    let mut screen = Screen::new(Look { folds: true, ..FULL }, 40, 10);
    assert_eq!(screen.reply("a\n```sh\n").text(), "a");
    assert_eq!(screen.reply("l").text(), "a\n```sh\nl");
    screen.pane.finish_reply();
    screen.show();
    screen.reply("```").pane.finish_reply();
    assert_eq!(screen.show().text(), "a\n```sh\nl\n```");
}

#[test]
fn a_thought_is_dim_and_the_reply_begins_below() {
    let mut screen = Screen::new(FULL, 40, 10);
    screen.pane.aside("hm\x1b[2J, ");
    screen.pane.aside("so");
    screen.show();
    assert_eq!((screen.text(), screen.styles(0)), ("hm, so".to_owned(), "dddddd".to_owned()));
    screen.pane.lines("");
    assert_eq!(screen.reply("Yes").text(), "hm, so\n\nYes");
}

#[test]
fn each_ground_has_colours_of_its_own() {
    for (ground, colour) in
        [(Ground::Unknown, "\x1b[36m"), (Ground::Dark, "\x1b[38;5;116m"), (Ground::Light, "\x1b[38;5;24m")]
    {
        let mut screen = Screen::new(Look { ground, ..FULL }, 40, 10);
        screen.reply("`a`\n```json\n1\n").settle();
        assert_eq!(screen.written.matches(colour).count(), 2, "{:?}", screen.written);
    }
}

#[test]
fn a_line_that_is_too_long_is_plain_and_so_is_what_follows() {
    let code = format!("x = 'a'\ny = '{}'\nz = 'b'\n", "y".repeat(3000));
    let lines = Coloring::default().lines("long.py", &code, FULL);
    assert!(lines[0].contains('\x1b'), "{}", lines[0]);
    assert_eq!(lines[1..].iter().map(String::as_str).collect::<Vec<_>>(), code.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn a_row_that_is_too_long_is_not_waited_with() {
    let mut pane = Pane::new(Look { folds: true, ..MOVES }, Size { columns: 40, rows: 10 });
    pane.reply("| a | b |\n");
    assert_eq!(pane.take(), "", "what follows may be a table");
    let row = format!("| {}\n", "[".repeat(400_000));
    pane.reply(&row);
    assert_eq!(pane.take(), format!("| a | b |\n{row}"));
}
