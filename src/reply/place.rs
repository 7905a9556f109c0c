//! Where a block's path may stand: the info string, the line above, a sentence, a heading, a first-line comment.
//! The first rule that gives a path wins; a path that is unsafe is one too, and no later rule is tried.

use super::path::{Meant, Quoting, meant};
use super::pattern::Pattern;
use super::{FileState, Files, language};

/// What the parser knows of the lines around a fence.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub info: &'a str,
    /// The nearest line above that is not blank, and not of another block.
    pub above: Option<&'a str>,
    /// A heading further up with nothing but prose in between.
    pub heading: Option<&'a str>,
    /// The one line of a fence of its own right before this one.
    pub own_fence: Option<&'a str>,
    pub content: &'a [&'a str],
}

/// What the rules found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Path(Meant),
    /// From a first-line comment that is not part of the file: this many lines of the content go.
    Comment(Meant, usize),
    /// A sentence asks to add something to this file: a snippet, not the file.
    Snippet(Meant),
    Nothing,
}

/// Longer lines name no file.
const LONGEST: usize = 2_000;

static KEYED: Pattern = Pattern::new(r#"^(?:path|file|filename|title|name)\s*[=:]\s*(?:"([^"]*)"|'([^']*)'|(\S+))"#);
static NUMBERED: Pattern = Pattern::new(r"^(?:[Ss]tep\s+)?\d+\s*[.):]\s+");
static LABELLED: Pattern = Pattern::new(r"(?i)^(?:file\s*name|file\s*path|file|path)\s*:\s*");
static NOTE: Pattern = Pattern::new(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])$");
static USING: Pattern = Pattern::new(
    r"(?i)\b(?:run|runs|running|execute|executing|call|calls|calling|invoke|usage|use it|using|output|outputs|print|prints|printed|prints?|try|test it|complains?|error|errors|fails?|failed|open|start|starts|launch|import it)\b",
);
static WRITING: Pattern = Pattern::new(
    r"(?i)\b(?:here is|here's|here are|creates?|created?|updated?|updates?|version|contents?|save|write|writes|written|replace|rewrite|rewritten|new|add|make|put|fix|fixed|define|implement|missing|complete|full|final|follows|following|file named)\b",
);
static ADDING: Pattern = Pattern::new(
    r"(?i)\b(?:add|append|insert|put|include|paste)\b.*\b(?:to|into|in|at the (?:end|top|bottom|beginning) of|inside)\b",
);
static NAMING: Pattern =
    Pattern::new(r"(?i)\b(?:create|save|write|make|update|edit|add|modify|replace|call(?:ed)?|named)\b");
static COMMENT: Pattern = Pattern::new(r"^\s*(?:#+|//+|--|;+|%+|<!--|/\*+)\s*(.*?)\s*(?:-->|\*+/)?\s*$");

pub fn find(around: &Around<'_>, files: &dyn Files) -> Found {
    if let Some(found) = from_info(around.info, files) {
        return Found::Path(found);
    }
    if let Some(above) = around.above {
        if let Some(found) = alone(above, files) {
            return Found::Path(found);
        }
        match from_sentence(above, around, files) {
            Found::Nothing => {}
            found => return found,
        }
    }
    if let Some(found) = around.heading.and_then(|line| alone(line, files))
        && let Meant::Path(path) = &found
        && language::agree(first_word(around.info), path.as_str()) == Some(true)
    {
        return Found::Path(found);
    }
    match from_comment(around, files) {
        Found::Nothing => {}
        found => return found,
    }
    if let Some(found) = around.own_fence.and_then(|line| alone(line, files)) {
        return Found::Path(found);
    }
    Found::Nothing
}

pub fn first_word(info: &str) -> &str {
    info.split(|c: char| c.is_whitespace() || c == ':' || c == '{').next().unwrap_or_default()
}

/// `python app.py`, `python:app.py`, `app.py`, `path=app.py`, `title="app.py"`, `{app.py}`.
pub fn from_info(info: &str, files: &dyn Files) -> Option<Meant> {
    let info = info.trim();
    if info.is_empty() {
        return None;
    }
    let (first, rest) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
    let mut rest = rest.trim();
    if !rest.is_empty() && !language::is_language(first) {
        rest = info;
    }
    if let Some(found) = KEYED.captures(rest).or_else(|| KEYED.captures(info)) {
        let value = found.iter().skip(1).flatten().next().map_or("", |value| value.as_str());
        return meant(value, Quoting::Quoted, files);
    }
    let braced = |text: &str| Some(text.strip_prefix('{')?.strip_suffix('}')?.to_owned());
    for text in [rest, info] {
        if let Some(found) = braced(text).and_then(|inner| meant(&inner, Quoting::None, files)) {
            return Some(found);
        }
    }
    if rest.is_empty() {
        if let Some((language, path)) = first.split_once(':')
            && !language.is_empty()
            && language.len() > 1
        {
            return meant(path, Quoting::None, files);
        }
        return if language::is_language(first) { None } else { meant(first, Quoting::None, files) };
    }
    let mut words = rest.split_whitespace();
    words.find_map(|word| {
        if language::is_language(word) { None } else { meant(word.trim_matches(['"', '\'']), Quoting::None, files) }
    })
}

/// A line that is a path and nothing more, however it is dressed up.
pub fn alone(line: &str, files: &dyn Files) -> Option<Meant> {
    let mut text = line.trim();
    if text.len() > LONGEST {
        return None;
    }
    if let Some(inner) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) {
        text = inner;
    }
    let mut quoting = Quoting::None;
    loop {
        let before = text;
        text = text.trim().trim_start_matches('#').trim_start();
        for bullet in ["- ", "* ", "+ ", "• "] {
            text = text.strip_prefix(bullet).unwrap_or(text);
        }
        text = cut(&NUMBERED, text);
        text = cut(&LABELLED, text);
        text = text.strip_suffix(':').unwrap_or(text).trim_end();
        for pair in ["**", "__"] {
            text = text.strip_prefix(pair).unwrap_or(text);
            text = text.strip_suffix(pair).unwrap_or(text);
        }
        text = text.strip_suffix("**:").unwrap_or(text);
        if let Some(found) = NOTE.find(text).filter(|found| {
            found.start() > 0 && !text[..found.start()].is_empty() && found.as_str().starts_with([' ', '\t'])
        }) {
            text = &text[..found.start()];
        }
        for quote in ['`', '"', '\''] {
            if text.len() > 2 && text.starts_with(quote) && text.ends_with(quote) && text.matches(quote).count() == 2 {
                text = &text[1..text.len() - 1];
                quoting = Quoting::Quoted;
            }
        }
        if text == before {
            break;
        }
    }
    // `**File:** \`x\`` leaves marks in the middle.
    let text = text.replace("**", "");
    let text = text.trim();
    let text = cut(&LABELLED, text).trim_matches(['`', '*', '"']);
    meant(text, quoting, files).or_else(|| before_a_dash(text, files))
}

/// `path – what it is for`.
fn before_a_dash(text: &str, files: &dyn Files) -> Option<Meant> {
    let at = [" – ", " — ", " - "].iter().filter_map(|dash| text.find(dash)).min()?;
    let path = text[..at].trim();
    let quoting = if path.starts_with('`') { Quoting::Quoted } else { Quoting::None };
    meant(path.trim_matches(['`', '*']), quoting, files)
}

fn cut<'a>(pattern: &Pattern, text: &'a str) -> &'a str {
    pattern.find(text).map_or(text, |found| &text[found.end()..])
}

fn from_sentence(line: &str, around: &Around<'_>, files: &dyn Files) -> Found {
    let text = line.trim().trim_end_matches(['*', '_', ' ']);
    if !text.ends_with(':') || text.len() > LONGEST {
        return Found::Nothing;
    }
    let Some(found) = last_quoted(text, files).or_else(|| only_bare(text, files)) else { return Found::Nothing };
    let Meant::Path(path) = &found else { return Found::Path(found) };
    let info = first_word(around.info);
    if language::agree(info, path.as_str()) == Some(false) || USING.is_match(&without_code(text)) {
        return Found::Nothing;
    }
    if info.is_empty() && !WRITING.is_match(text) {
        return Found::Nothing;
    }
    let is_edit = around.content.iter().any(|line| super::section::is_search(line));
    if ADDING.is_match(text) && files.state(path) == FileState::File && !is_edit {
        return Found::Snippet(found);
    }
    Found::Path(found)
}

/// The sentence's own words.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

fn last_quoted(text: &str, files: &dyn Files) -> Option<Meant> {
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    quoted.iter().rev().find_map(|text| meant(text, Quoting::Quoted, files))
}

/// `create a file named x.py`, `Update main.py:`.
fn only_bare(text: &str, files: &dyn Files) -> Option<Meant> {
    if !NAMING.is_match(text) || text.contains('`') {
        return None;
    }
    let words = text.split_whitespace().map(|word| word.trim_matches([':', ',', '.', '*', '"', '\'', '(', ')']));
    let mut found = words.filter_map(|word| meant(word, Quoting::None, files));
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

fn from_comment(around: &Around<'_>, files: &dyn Files) -> Found {
    let at = usize::from(around.content.first().is_some_and(|line| line.starts_with("#!")));
    let Some(line) = around.content.get(at).filter(|line| line.len() <= LONGEST) else { return Found::Nothing };
    let Some(inner) = COMMENT.captures(line).and_then(|found| Some(found.get(1)?.as_str())) else {
        return Found::Nothing;
    };
    let text = cut(&LABELLED, inner).trim_matches('`');
    let Some(found) = meant(text, Quoting::None, files) else { return Found::Nothing };
    let Meant::Path(path) = &found else { return Found::Path(found) };
    if language::agree(first_word(around.info), path.as_str()) == Some(false) {
        return Found::Nothing;
    }
    let had_it = files.text(path).is_some_and(|old| old.lines().nth(at).is_some_and(|old| old.trim() == line.trim()));
    if had_it || at > 0 {
        return Found::Path(found);
    }
    let blank = around.content[1..].iter().take_while(|line| line.trim().is_empty()).count();
    Found::Comment(found, 1 + blank)
}

/// Whether a line is a heading or wholly bold: what rule 4 may look at.
pub fn is_heading(line: &str) -> bool {
    let text = line.trim();
    text.starts_with('#') || (text.starts_with("**") && text.trim_end_matches(':').ends_with("**"))
}
