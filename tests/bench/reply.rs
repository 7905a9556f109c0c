//! The parser and the edits by themselves: a long reply as it comes at once and a character at a time, and edits of a file
//! of the largest size. The limit of the second row is the first one's time.

use std::time::Instant;

use faos::base::path::RelPath;
use faos::reply::{Ending, FileState, Files, Parser, apply_edit};

use crate::table::{Mark, Row};
use crate::{Outcome, millis};

const REPLY_BYTES: usize = 2_000_000;
const FILE_BYTES: usize = 5 * 1024 * 1024;

/// An empty workspace.
struct Nothing;

impl Files for Nothing {
    fn state(&self, _: &RelPath) -> FileState {
        FileState::Absent
    }

    fn text(&self, _: &RelPath) -> Option<String> {
        None
    }
}

pub fn rows(runs: usize) -> Outcome<Vec<Row>> {
    let text = reply();
    let (mut whole, mut by_character) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        whole.push(read([text.as_str()].into_iter())?);
        by_character.push(read(text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]))?);
    }
    let row = |what, limit, ours, mark| Row { what, unit: "ms", limit, ours, mark };
    Ok(vec![
        row("a reply of 2 MB is read", Vec::new(), whole.clone(), Mark::AtMost(60.0)),
        row("the same, a character at a time", whole, by_character, Mark::Ratio(3.0)),
        row("an edit in 5 MiB", Vec::new(), edits(runs, 20, "")?, Mark::AtMost(100.0)),
        row(
            "an edit of 1,000 lines in 5 MiB that is nowhere",
            Vec::new(),
            edits(runs, 1_000, "x")?,
            Mark::AtMost(2_000.0),
        ),
    ])
}

/// What small models write: a sentence, a path, a file; and an edit now and then.
fn reply() -> String {
    let samples = [
        ("todo.py", "python", include_str!("samples/todo.py")),
        ("board.js", "javascript", include_str!("samples/board.js")),
        ("page.html", "html", include_str!("samples/page.html")),
        ("words.rs", "rust", include_str!("samples/words.rs")),
        ("ring.c", "c", include_str!("samples/ring.c")),
    ];
    let mut text = String::new();
    // As many files as a reply may have.
    for (at, (name, language, code)) in samples.iter().cycle().enumerate() {
        if text.len() > REPLY_BYTES {
            break;
        }
        let edit = "<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE";
        text += &format!(
            "Here is the file, with all that was asked for:\n\nsrc/{}/{name}\n```{language}\n{code}```\n\n",
            at % 80
        );
        text += &format!("### src/{}/more.py\n\nOne line of it changes.\n\n```python\n{edit}\n```\n\n", at % 80);
    }
    text
}

fn read<'a>(pieces: impl Iterator<Item = &'a str>) -> Outcome<f64> {
    let begun = Instant::now();
    let mut parser = Parser::new();
    for piece in pieces {
        parser.push(piece, &Nothing);
    }
    let parsed = parser.finish(Ending::Whole, &Nothing);
    let taken = millis(begun.elapsed());
    if parsed.actions.len() < 300 || parsed.open.is_some() {
        return Err(format!("the reply was not read: {} actions", parsed.actions.len()).into());
    }
    Ok(taken)
}

/// So many lines from the middle of a file, each with `more` in its words.
fn edits(runs: usize, lines: usize, more: &str) -> Outcome<Vec<f64>> {
    let mut file = String::new();
    for number in 0.. {
        if file.len() > FILE_BYTES {
            break;
        }
        file += &format!("    let value_{number} = compute({}, {});\n", number % 97, number % 89);
    }
    let middle: Vec<String> = file.lines().skip(50_000).take(lines).map(|line| format!("{line}{more}\n")).collect();
    let search = middle.concat().replace("value", &format!("value{more}{more}{more}{more}{more}{more}{more}{more}"));
    let path = RelPath::parse("large.rs")?;
    let mut taken = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        let edited = apply_edit(&path, Some(&file), &search, "replaced\n");
        taken.push(millis(begun.elapsed()));
        if edited.is_ok() != more.is_empty() {
            return Err("the edit did not go as it should".into());
        }
    }
    Ok(taken)
}
