//! What holds for any text, any files and any change.

use std::collections::BTreeMap;

use proptest::prelude::*;
use similar::TextDiff;

use super::super::{Action, Ending, Parsed};
use super::{Memory, parse, parse_pieces, path, pieces};
use crate::base::path::RelPath;

const PIECES: &[&str] = &[
    "```",
    "````",
    "~~~",
    "```python",
    "```md",
    "```run",
    "```delete",
    "```diff",
    "```json",
    "``````sh",
    "    ```",
    "app.py",
    "`app.py`",
    "**src/a.rs**:",
    "### README.md",
    "../x.py",
    "./c:/x.py",
    "./~/x.py",
    "/etc/passwd",
    ".git/config",
    "C:\\x.py",
    "Here is `app.py`:",
    "# app.py",
    "<<<<<<< SEARCH",
    "=======",
    ">>>>>>> REPLACE",
    "<<<<<<< HEAD",
    "...",
    "\"\"\"",
    "'''",
    "r#\"",
    "cat <<EOF",
    "EOF",
    "<think>",
    "</think>",
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    "<tool_call>",
    "</tool_call>",
    "{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}",
    "{\"name\": \"write_file\",",
    "\"arguments\": {\"path\": \"../x\", \"content\": \"",
    "<function=run>",
    "<parameter=script>",
    "</parameter>",
    "</function>",
    "[TOOL_CALLS]",
    "--- a/app.py",
    "+++ b/app.py",
    "+++ /dev/null",
    "@@ -1 +1 @@",
    "-a",
    "+b",
    " a",
    "a",
    "a.py -> b.py",
    "- x/../../y",
    "> ```",
    "> app.py",
    "\u{feff}",
    "\r",
    "",
    "é — …",
];

/// Pieces of which replies are made, and of which parsers think wrongly.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(PIECES);
    prop_oneof![6 => known.prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => "[`~<>={}\"'\\\\ \t]{0,12}"]
}

/// Lines, some of them joined to the one before.
fn reply() -> impl Strategy<Value = String> {
    let end = prop_oneof![8 => Just("\n"), 1 => Just("\r\n"), 1 => Just("")];
    prop::collection::vec((piece(), end), 0..40)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end.to_owned()]).collect())
}

fn workspace() -> Memory {
    Memory::of([("app.py", "a\nb\nc\n"), ("src/a.rs", "fn a() {}\n"), ("README.md", "# A\r\n\r\nb\r\n"), ("x.py", "")])
}

fn paths(actions: &[Action]) -> Vec<&RelPath> {
    let of = |action| match action {
        &Action::Write { ref path, .. } | &Action::Edit { ref path, .. } | &Action::Delete { ref path } => vec![path],
        Action::Move { from, to } => vec![from, to],
        Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => vec![],
    };
    actions.iter().flat_map(of).collect()
}

fn outside(text: &str) -> bool {
    let reserved = |part: &str| part == ".." || part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case(".faos");
    text.starts_with('/')
        || text.contains(['\\', '\0', '\n'])
        || text.split('/').any(|part| part.is_empty() || reserved(part))
}

/// Longer than any run of back quotes in the content. Four at least: quotes that never end count in a shorter fence.
fn fence(content: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(3) + 1)
}

/// The canonical form: the path alone on a line, then a fenced block.
fn rendered(path: &RelPath, content: &str) -> String {
    let fence = fence(content);
    let gap = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
    format!("`{path}`\n{fence}\n{content}{gap}{fence}\n\n")
}

/// What the language can hold of a file's text: lines that end in a newline, one at the end; no more than white space
/// is nothing.
fn held(content: &str) -> String {
    let lines: Vec<&str> = content.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let text = lines.join("\n");
    if text.trim().is_empty() { String::new() } else { format!("{}\n", text.trim_end_matches('\n')) }
}

fn name() -> impl Strategy<Value = RelPath> {
    "([a-z][a-z0-9_]{0,8}/){0,2}[a-z][a-z ]{0,6}[a-z]\\.(py|rs|md|txt|js|sh|toml|html)"
        .prop_filter("a command or the name of a thing", |text| {
            let first = text.split(' ').next().unwrap_or_default();
            !["cat", "cd", "cp", "go", "ls", "mv", "rm", "sh"].contains(&first) && !text.starts_with("path/")
        })
        .prop_map(|text| path(&text))
}

/// A marker of an edit makes the block one; any other line is content.
fn line() -> impl Strategy<Value = String> {
    let any = prop_oneof![40 => piece(), 30 => "[ \t]{0,8}[a-z(){}:=;\"'#]{0,20}", 10 => "\\PC{0,40}", 1 => Just("x ".repeat(500_000))];
    any.prop_filter("a marker", |line| !line.trim_start().starts_with("<<<<<") && !line.contains('\n'))
}

fn content() -> impl Strategy<Value = String> {
    let end = prop_oneof![Just(""), Just("\n"), Just("\n\n")];
    let eol = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    (prop::collection::vec(line(), 0..12), eol, end).prop_map(|(lines, eol, end)| lines.join(eol) + end)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_the_same_however_it_is_cut(text in reply(), seed in any::<u64>(), cut in any::<bool>()) {
        let ending = if cut { Ending::Cut } else { Ending::Whole };
        let mut files = workspace();
        let whole: Parsed = parse_pieces([text.as_str()], ending, &files);
        prop_assert_eq!(&parse_pieces(pieces(&text, 9, seed), ending, &files), &whole);
        let by_character = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
        prop_assert_eq!(&parse_pieces(by_character, ending, &files), &whole);
        for path in paths(&whole.actions) {
            prop_assert!(!outside(path.as_str()), "{}", path);
        }
        files.apply(&whole.actions);
    }

    #[test]
    fn files_in_the_canonical_form_are_read_back(files in prop::collection::btree_map(name(), content(), 1..5)) {
        let text: String = files.iter().map(|(path, content)| rendered(path, content)).collect();
        let wanted: BTreeMap<RelPath, String> = files.iter().map(|(path, content)| (path.clone(), held(content))).collect();
        let mut found = Memory::default();
        let parsed = parse(&text, &found);
        prop_assert_eq!(found.apply(&parsed.actions), 0);
        prop_assert!(parsed.unnamed.is_empty() && parsed.open.is_none());
        prop_assert_eq!(found.0, wanted);
    }

    #[test]
    fn a_section_makes_exactly_its_change(
        lines in prop::collection::vec(line(), 1..20),
        new in prop::collection::vec(line(), 0..6),
        (from, count) in (0..20_usize, 1..6_usize),
        crlf in any::<bool>(),
        ended in any::<bool>(),
    ) {
        let from = from.min(lines.len() - 1);
        let to = (from + count).min(lines.len());
        let old = &lines[from..to];
        let is_marker = |line: &String| line.starts_with(">>>>>") || line.trim_start().starts_with("=====") || line.contains('\r');
        prop_assume!(!lines.iter().chain(&new).any(|line| is_marker(line) || line.starts_with('\u{feff}')));
        prop_assume!(old.iter().any(|line| !line.trim().is_empty()));
        prop_assume!(lines.windows(old.len()).filter(|window| *window == old).count() == 1);
        let eol = if crlf { "\r\n" } else { "\n" };
        // A line alone has no end that could be kept.
        prop_assume!(ended || !crlf || lines.len() > 1);
        let text = |lines: &[String]| lines.join(eol) + if ended && !lines.is_empty() { eol } else { "" };
        let changed = [&lines[..from], &new, &lines[to..]].concat();
        // Blank lines at the end of a file without a final newline are ends of lines themselves.
        prop_assume!(ended || [&lines, &changed].iter().all(|lines| lines.last().is_none_or(|last| !last.is_empty())));
        let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let body = format!("<<<<<<< SEARCH\n{}=======\n{}>>>>>>> REPLACE\n", joined(old), joined(&new));
        let mut files = Memory::of([("a.txt", text(&lines).as_str())]);
        let parsed = parse(&rendered(&path("a.txt"), &body), &files);
        prop_assert_eq!(files.apply(&parsed.actions), 0);
        prop_assert_eq!(&files.0[&path("a.txt")], &text(&changed));
    }

    #[test]
    fn a_diff_makes_exactly_its_change(
        kept in prop::collection::vec(any::<u8>(), 1..60),
        ended in any::<bool>(),
        number in 0..500_usize,
    ) {
        // Each line once: the context then stands in one place.
        let mut old = String::new();
        let mut new = String::new();
        for (at, kind) in kept.iter().enumerate() {
            let line = format!("{}-- line {at} of {kind}\n", " ".repeat(at % 5));
            if kind % 8 != 0 { old += &line }
            if kind % 9 != 0 { new += &line }
            if kind % 10 == 0 { new += &format!("++ new {at}\n\n") }
        }
        prop_assume!(!old.is_empty() && old != new);
        if !ended { old.pop(); new.pop(); }
        prop_assume!(ended || !(new.is_empty() || new.ends_with('\n')));
        let diff = TextDiff::from_lines(&old, &new).unified_diff().header("a/a.txt", "b/a.txt").to_string();
        let wrong = diff.lines().map(|line| if line.starts_with("@@") { format!("@@ -{number},2 +{number},3 @@") } else { line.to_owned() });
        let text = format!("````diff\n{}\n````\n", wrong.collect::<Vec<_>>().join("\n"));
        let mut files = Memory::of([("a.txt", old.as_str())]);
        let parsed = parse(&text, &files);
        prop_assert_eq!(files.apply(&parsed.actions), 0, "{}", text);
        prop_assert_eq!(&files.0[&path("a.txt")], &new, "{}", text);
    }
}

/// What the language cannot hold: such a file is an edit, and never a file with half of its lines.
#[test]
fn a_file_with_a_line_that_begins_an_edit_is_an_edit() {
    for marker in ["<<<<<<< SEARCH", "<<<<<<< HEAD", "  <<<<< original"] {
        let file = rendered(&path("a.md"), &format!("# Title\n\n{marker}\nx\n"));
        let text = format!("{file}{}", rendered(&path("b.md"), "y\n"));
        let actions = parse(&text, &Memory::default()).actions;
        let [Action::Refused { what, .. }, Action::Write { path: other, content }] = actions.as_slice() else {
            panic!("{marker}: {actions:?}");
        };
        assert_eq!((what.as_str(), other, content.as_str()), ("edit a.md", &path("b.md"), "y\n"));
    }
}
