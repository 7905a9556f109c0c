//! Every case of `tests/cases`, streamed in four ways: the same actions, and the same blocks on the way.

use toml::Table;

use super::super::{BlockEvent, Ending, Parsed, Parser};
use super::{Memory, pieces};

pub const CASES: [(&str, &str); 16] = [
    ("diffs", include_str!("../../../tests/cases/diffs.toml")),
    ("edits-format", include_str!("../../../tests/cases/edits-format.toml")),
    ("edits-match", include_str!("../../../tests/cases/edits-match.toml")),
    ("edits-more", include_str!("../../../tests/cases/edits-more.toml")),
    ("elision", include_str!("../../../tests/cases/elision.toml")),
    ("fences", include_str!("../../../tests/cases/fences.toml")),
    ("files", include_str!("../../../tests/cases/files.toml")),
    ("more", include_str!("../../../tests/cases/more.toml")),
    ("multi", include_str!("../../../tests/cases/multi.toml")),
    ("paths", include_str!("../../../tests/cases/paths.toml")),
    ("refused", include_str!("../../../tests/cases/refused.toml")),
    ("run-read", include_str!("../../../tests/cases/run-read.toml")),
    ("thinking", include_str!("../../../tests/cases/thinking.toml")),
    ("tool-shapes", include_str!("../../../tests/cases/tool-shapes.toml")),
    ("tool-text", include_str!("../../../tests/cases/tool-text.toml")),
    ("truncation", include_str!("../../../tests/cases/truncation.toml")),
];

pub struct Case {
    pub id: String,
    pub reply: String,
    pub before: Memory,
    pub ending: Ending,
}

/// All of them; what stands for a very long text is left as it is.
pub fn all() -> Vec<Case> {
    let table = |text: &str| text.parse::<Table>().expect("a table");
    CASES
        .iter()
        .flat_map(|(_, text)| table(text)["case"].as_array().expect("cases").clone())
        .map(|case| one(&case))
        .collect()
}

fn one(case: &toml::Value) -> Case {
    let text = |key: &str| case[key].as_str().expect("a text").to_owned();
    let before = case["before"].as_table().into_iter().flatten();
    Case {
        id: text("id"),
        reply: text("reply"),
        before: Memory::of(before.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or_default()))),
        ending: if text("finish") == "length" { Ending::Cut } else { Ending::Whole },
    }
}

fn streamed<'a>(case: &Case, pieces: impl IntoIterator<Item = &'a str>) -> (Vec<BlockEvent>, Parsed) {
    let mut parser = Parser::new();
    let events = pieces.into_iter().flat_map(|piece| parser.push(piece, &case.before)).collect();
    (events, parser.finish(case.ending, &case.before))
}

#[test]
fn however_a_reply_is_cut_it_asks_for_the_same() {
    let cases = all();
    assert!(cases.len() >= 232, "{} cases", cases.len());
    for (seed, case) in cases.iter().enumerate() {
        let whole = streamed(case, [case.reply.as_str()]);
        let by_character = case.reply.char_indices().map(|(at, c)| &case.reply[at..at + c.len_utf8()]);
        assert_eq!(streamed(case, by_character), whole, "{} a character at a time", case.id);
        assert_eq!(streamed(case, case.reply.split_inclusive('\n')), whole, "{} a line at a time", case.id);
        for longest in [3, 20, 200] {
            let cut = pieces(&case.reply, longest, seed as u64);
            assert_eq!(streamed(case, cut), whole, "{} in pieces of up to {longest}", case.id);
        }
    }
}
