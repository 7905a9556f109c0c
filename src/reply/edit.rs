//! One section against one file: the matching steps in their order, each taken only where the one before found nothing
//! and only where it finds exactly one place. What is not touched keeps its bytes.

use super::MARK;
use super::elision::{is_crlf, is_placeholder};
use super::find::{self, Found, Place, Section};
use super::similar_lines;
use crate::base::path::RelPath;

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
/// Places that are counted of very many.
const MOST_COUNTED: usize = 1_000;

/// Applies one section to a file's text (`None`: the file is absent).
pub fn apply_edit(path: &RelPath, text: Option<&str>, search: &str, replace: &str) -> Result<Edited, EditRefusal> {
    let (search_lines, replace_lines) = (lines_of(search), lines_of(replace));
    if search_lines.iter().all(|line| line.trim().is_empty()) {
        return Ok(appended(text, &replace_lines));
    }
    let Some(text) = text else {
        let reason = "there is no such file; send it whole".to_owned();
        return Err(EditRefusal { reason, context: String::new() });
    };
    if search_lines == replace_lines {
        return Ok(Edited { text: text.to_owned(), step: 0, note: Some("a section changes nothing".to_owned()) });
    }
    let file = File::new(text);
    if let Some(line) = left_out(&file, &search_lines, &replace_lines) {
        let reason = format!("`{}` in its REPLACE leaves code out; write those lines out", line.trim());
        return Err(EditRefusal { reason, context: String::new() });
    }
    let section = Section { file: &file.lines, search: &search_lines, replace: &replace_lines };
    let edited = |step: u8, text: String| Ok(Edited { text, step, note: None });
    match find::exact(section) {
        Found::One(place) => return edited(1, file.with(&place)),
        Found::Several(places) => return Err(several(path, &file, &places)),
        Found::Nothing => {}
    }
    match file.places_of_part(&search_lines).as_slice() {
        [] => {}
        [at] => {
            let indented = || find::indented_at(section, file.lines_at(*at, search_lines.len()).0);
            let whole = if replace_lines.len() == 1 { None } else { indented().map(|place| file.with(&place)) };
            return edited(1, whole.unwrap_or_else(|| file.with_part(*at, &search_lines, &replace_lines)));
        }
        places => {
            let lines: Vec<(usize, usize)> = places.iter().map(|at| file.lines_at(*at, search_lines.len())).collect();
            return Err(several(path, &file, &lines));
        }
    }
    match find::loose(section) {
        (step, Found::One(place)) => edited(step, file.with(&place)),
        (_, Found::Several(places)) => Err(several(path, &file, &places)),
        (_, Found::Nothing) if find::stands_once(&file.lines, &replace_lines) => {
            let note = Some("a section was already applied".to_owned());
            Ok(Edited { text: text.to_owned(), step: 0, note })
        }
        (_, Found::Nothing) => {
            let reason = "its SEARCH lines are not in the file".to_owned();
            Err(EditRefusal { reason, context: similar_lines::closest(path, &file.lines, &search_lines) })
        }
    }
}

/// A placeholder of the replacement that is in no line of SEARCH or of the file: the code it stands for would be lost.
fn left_out<'a>(file: &File<'_>, search: &[&str], replace: &[&'a str]) -> Option<&'a str> {
    let stands = |line: &str| file.lines.iter().chain(search).any(|own| own.trim() == line.trim());
    replace.iter().copied().find(|line| is_placeholder(line) && !stands(line))
}

/// An empty SEARCH creates the file, or appends to it; it never overwrites.
fn appended(text: Option<&str>, replace: &[&str]) -> Edited {
    let new = text_of(replace);
    let Some(old) = text.filter(|old| !old.is_empty()) else { return Edited { text: new, step: 1, note: None } };
    let eol = File::new(old).eol;
    let gap = if old.ends_with('\n') || new.is_empty() { "" } else { eol };
    Edited { text: format!("{old}{gap}{}", new.replace('\n', eol)), step: 1, note: None }
}

/// `places` are the first line of each and the one behind its last.
fn several(path: &RelPath, file: &File<'_>, places: &[(usize, usize)]) -> EditRefusal {
    let count = match places.len() {
        count if count < MOST_COUNTED => count.to_string(),
        _ => format!("{MOST_COUNTED} or more"),
    };
    let reason = format!("its SEARCH lines stand in {count} places of the file, and must stand in one");
    let shown = places.iter().take(MOST_PLACES).map(|(from, to)| {
        let lines = similar_lines::numbered(&file.lines, from.saturating_sub(2), to + 2);
        format!("--- {path}, lines {}-{to} ---\n{lines}", from + 1)
    });
    EditRefusal { reason, context: shown.collect::<Vec<_>>().join("\n") }
}

/// Lines as a file's text: it ends in exactly one newline, or is empty.
pub fn text_of(lines: &[&str]) -> String {
    let text = lines.join("\n");
    let text = text.trim_end_matches('\n');
    if text.trim().is_empty() { String::new() } else { format!("{text}\n") }
}

pub fn lines_of(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.trim_end_matches('\r')).collect()
}

/// A file as lines without their ends, and where each of them begins.
struct File<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    starts: Vec<usize>,
    /// Of most lines.
    eol: &'static str,
}

impl<'a> File<'a> {
    fn new(text: &'a str) -> Self {
        let eol = if is_crlf(text) { "\r\n" } else { "\n" };
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
            *first = first.strip_prefix(MARK).unwrap_or(first);
        }
        Self { text, lines, starts, eol }
    }

    fn with(&self, place: &Place) -> String {
        let mut from = self.starts[place.from];
        if place.from == 0 && self.text.starts_with(MARK) {
            from += MARK.len_utf8();
        }
        let to = self.starts[place.to];
        let eol = self.eol_of(place.from);
        let new = place.lines.join(eol);
        let ended = self.text[..to].ends_with('\n');
        let (before, end) = match (place.lines.is_empty(), ended) {
            (false, true) => (&self.text[..from], eol),
            (false, false) | (true, true) => (&self.text[..from], ""),
            // A file that does not end in a newline does not end in one without its last lines either.
            (true, false) => (self.text[..from].trim_end_matches('\n').trim_end_matches('\r'), ""),
        };
        format!("{before}{new}{end}{}", &self.text[to..])
    }

    /// The end of a line, or of most where it has none.
    fn eol_of(&self, line: usize) -> &'static str {
        match &self.text[..self.starts[line + 1]] {
            text if text.ends_with("\r\n") => "\r\n",
            text if text.ends_with('\n') => "\n",
            _ => self.eol,
        }
    }

    /// Where the lines stand as text that need not begin or end with a line, overlapping places too.
    fn places_of_part(&self, search: &[&str]) -> Vec<usize> {
        // Blank lines at the ends are no text to be found.
        if [search.first(), search.last()].into_iter().flatten().any(|line| line.trim().is_empty()) {
            return Vec::new();
        }
        let needle = search.join(self.eol);
        let mut places = Vec::new();
        let mut from = 0;
        while let Some(at) = self.text[from..].find(&needle).map(|at| from + at) {
            places.push(at);
            if places.len() == MOST_COUNTED {
                break;
            }
            from = at + self.text[at..].chars().next().map_or(1, char::len_utf8);
        }
        places
    }

    fn with_part(&self, at: usize, search: &[&str], replace: &[&str]) -> String {
        let end = at + search.join(self.eol).len();
        format!("{}{}{}", &self.text[..at], replace.join(self.eol), &self.text[end..])
    }

    /// The lines that a part of the text touches.
    fn lines_at(&self, at: usize, count: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        (line, line + count)
    }
}
