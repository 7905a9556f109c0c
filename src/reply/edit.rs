//! One section against one file: the matching steps in their order, each taken only where the one before found nothing
//! and only where it finds exactly one place. What is not touched keeps its bytes.

use crate::base::path::RelPath;

use super::find::{self, Place};
use super::similar_lines;

/// A section that found its one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// Which of the matching steps found it, 1 to 8; 0 where it was already applied or changes nothing.
    pub step: u8,
    /// For screen and model where there is something to say (`already applied`).
    pub note: Option<String>,
}

/// Why a section was not applied; the text names the places or the closest lines, with their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRefusal {
    /// One line: `its SEARCH lines are not in the file`, `… stand in 2 places of the file, and must stand in one`.
    pub reason: String,
    /// The lines to show the model below it, each with its number; may be empty.
    pub context: String,
}

/// Places that are shown of many.
const MOST_PLACES: usize = 5;

/// Applies one section to a file's text (`None`: the file is absent).
pub fn apply_edit(path: &RelPath, text: Option<&str>, search: &str, replace: &str) -> Result<Edited, EditRefusal> {
    let search_lines = lines_of(search);
    if search_lines.iter().all(|line| line.trim().is_empty()) {
        return Ok(appended(text, replace));
    }
    let Some(text) = text else {
        let reason = "there is no such file; send it whole".to_owned();
        return Err(EditRefusal { reason, context: String::new() });
    };
    if search == replace {
        return Ok(Edited { text: text.to_owned(), step: 0, note: Some("a section changes nothing".to_owned()) });
    }
    let file = File::new(text);
    let replace_lines = lines_of(replace);
    let found = find::find(&file.lines, &search_lines, &replace_lines);
    match found.as_slice() {
        [place] => Ok(Edited { text: file.with(place), step: place.step, note: None }),
        [] => match substring(&file, search, replace) {
            Some(Ok(edited)) => Ok(edited),
            Some(Err(count)) => Err(several(path, &file, &[], count)),
            None => loosely(path, &file, &search_lines, &replace_lines),
        },
        places => Err(several(path, &file, places, places.len())),
    }
}

/// The steps behind the exact ones, then what is already there.
fn loosely(path: &RelPath, file: &File<'_>, search: &[&str], replace: &[&str]) -> Result<Edited, EditRefusal> {
    let found = find::find_loosely(&file.lines, search, replace);
    match found.as_slice() {
        [place] => Ok(Edited { text: file.with(place), step: place.step, note: None }),
        [] => {
            if find::stands_once(&file.lines, replace) {
                let note = Some("a section was already applied".to_owned());
                return Ok(Edited { text: file.text.to_owned(), step: 0, note });
            }
            let reason = "its SEARCH lines are not in the file".to_owned();
            Err(EditRefusal { reason, context: similar_lines::closest(path, &file.lines, search) })
        }
        places => Err(several(path, file, places, places.len())),
    }
}

/// Exact text that is part of a line or of lines: `Some(Err(n))` where it stands in several places.
fn substring(file: &File<'_>, search: &str, replace: &str) -> Option<Result<Edited, usize>> {
    let (needle, new) = (search.trim_end_matches('\n'), replace.trim_end_matches('\n'));
    if needle.trim().is_empty() {
        return None;
    }
    match file.text.matches(needle).count() {
        0 => None,
        // A whole line's end goes with a line that is replaced by nothing only where lines were meant: not here.
        1 => Some(Ok(Edited { text: file.text.replacen(needle, new, 1), step: 1, note: None })),
        several => Some(Err(several)),
    }
}

/// An empty SEARCH creates the file, or appends to it; it never overwrites.
fn appended(text: Option<&str>, replace: &str) -> Edited {
    let Some(old) = text.filter(|old| !old.is_empty()) else {
        return Edited { text: replace.to_owned(), step: 1, note: None };
    };
    let eol = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if old.ends_with('\n') { "" } else { eol };
    Edited { text: format!("{old}{gap}{}", replace.replace('\n', eol)), step: 1, note: None }
}

fn several(path: &RelPath, file: &File<'_>, places: &[Place], count: usize) -> EditRefusal {
    let reason = format!("its SEARCH lines stand in {count} places of the file, and must stand in one");
    let shown = places.iter().take(MOST_PLACES);
    let context: Vec<String> = shown
        .map(|place| {
            let (first, last) = (place.from + 1, place.to);
            let lines = similar_lines::numbered(&file.lines, place.from.saturating_sub(2), place.to + 2);
            format!("--- {path}, lines {first}-{last} ---\n{lines}")
        })
        .collect();
    EditRefusal { reason, context: context.join("\n") }
}

/// Lines as a file's text: it ends in exactly one newline, or is empty.
pub fn text_of(lines: &[&str]) -> String {
    let text = lines.join("\n");
    let text = text.trim_end_matches('\n');
    if text.trim().is_empty() { String::new() } else { format!("{text}\n") }
}

pub fn lines_of(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect()
}

/// A file as lines without their ends, and where each of them begins.
struct File<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    starts: Vec<usize>,
    eol: &'static str,
}

impl<'a> File<'a> {
    fn new(text: &'a str) -> Self {
        let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut starts = Vec::new();
        let mut lines = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            starts.push(at);
            at += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            lines.push(line.strip_suffix('\r').unwrap_or(line));
        }
        starts.push(at);
        // A byte order mark is no part of the first line's text.
        if let Some(first) = lines.first_mut() {
            *first = first.strip_prefix('\u{feff}').unwrap_or(first);
        }
        Self { text, lines, starts, eol }
    }

    fn with(&self, place: &Place) -> String {
        let mut from = self.starts[place.from];
        if place.from == 0 && self.text.starts_with('\u{feff}') {
            from += '\u{feff}'.len_utf8();
        }
        let to = self.starts[place.to];
        let new = place.lines.join(self.eol);
        let ended = self.text[..to].ends_with('\n');
        let end = if place.lines.is_empty() || !ended { "" } else { self.eol };
        format!("{}{new}{end}{}", &self.text[..from], &self.text[to..])
    }
}
