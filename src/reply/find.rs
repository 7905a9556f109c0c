//! The matching steps: where a section's SEARCH lines stand in a file, and what its REPLACE lines become there.

use std::collections::HashSet;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::elision::is_placeholder;
use super::indent::{Shift, indent_of};
use super::likeness::{PATIENCE, Pattern as Likeness};
use super::pattern::Pattern;

/// Lines `from` to `to` (exclusive) of the file, and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub from: usize,
    pub to: usize,
    pub lines: Vec<String>,
}

/// What one step found. Several places are told by their first line and the one behind their last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    One(Place),
    Several(Vec<(usize, usize)>),
}

/// The two halves of a section, and the file as lines.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    pub file: &'a [&'a str],
    pub search: &'a [&'a str],
    pub replace: &'a [&'a str],
}

type Step = fn(Section<'_>) -> Found;

static NUMBERED: Pattern = Pattern::new(r"^\s*\d+\s*([|:])(?: (.*)|(.*))$");

/// Step 1, whole lines.
pub fn exact(section: Section<'_>) -> Found {
    let Section { file, search, replace } = section;
    only(occurrences(file, search, |a, b| a == b), search.len(), |_| owned(replace))
}

/// Steps 2 to 8, the first that finds anything, with its number.
pub fn loose(section: Section<'_>) -> (u8, Found) {
    let steps: [(u8, Step); 7] = [
        (2, trailing_space),
        (3, shifted),
        (4, blank_lines),
        (5, line_numbers),
        (6, elided),
        (7, typography),
        (8, similar),
    ];
    let tried = steps.into_iter().map(|(number, step)| (number, step(section)));
    tried.into_iter().find(|(_, found)| *found != Found::Nothing).unwrap_or((0, Found::Nothing))
}

/// Whether the lines stand in exactly one place, white space at their ends aside.
pub fn stands_once(file: &[&str], lines: &[&str]) -> bool {
    !lines.iter().all(|line| line.trim().is_empty()) && occurrences(file, lines, same_but_ends).len() == 1
}

fn first_of(steps: &[Step], section: Section<'_>) -> Found {
    steps.iter().map(|step| step(section)).find(|found| *found != Found::Nothing).unwrap_or(Found::Nothing)
}

/// One place becomes what `lines` makes of it.
fn only(starts: Vec<usize>, length: usize, lines: impl FnOnce(usize) -> Vec<String>) -> Found {
    match starts.as_slice() {
        [] => Found::Nothing,
        [from] => Found::One(Place { from: *from, to: from + length, lines: lines(*from) }),
        _ => Found::Several(starts.into_iter().map(|from| (from, from + length)).collect()),
    }
}

fn same_but_ends(a: &str, b: &str) -> bool {
    a.trim_end() == b.trim_end()
}

fn same_but_indented(a: &str, b: &str) -> bool {
    a.trim() == b.trim()
}

/// Where `lines` begins in the file, also where places overlap: Knuth, Morris and Pratt's search, which reads no line of
/// the file twice. `same` must be transitive.
pub fn occurrences(file: &[&str], lines: &[&str], same: impl Fn(&str, &str) -> bool) -> Vec<usize> {
    if lines.is_empty() || lines.len() > file.len() {
        return Vec::new();
    }
    let borders = borders(lines, &same);
    let (mut starts, mut matched) = (Vec::new(), 0);
    for (at, line) in file.iter().enumerate() {
        while matched > 0 && (matched == lines.len() || !same(line, lines[matched])) {
            matched = borders[matched - 1];
        }
        matched += usize::from(same(line, lines[matched]));
        if matched == lines.len() {
            starts.push(at + 1 - matched);
        }
    }
    starts
}

/// For each start of `lines` the length of its longest part that is both its beginning and its end.
fn borders(lines: &[&str], same: &impl Fn(&str, &str) -> bool) -> Vec<usize> {
    let mut borders = vec![0; lines.len()];
    let mut matched = 0;
    for at in 1..lines.len() {
        while matched > 0 && !same(lines[at], lines[matched]) {
            matched = borders[matched - 1];
        }
        matched += usize::from(same(lines[at], lines[matched]));
        borders[at] = matched;
    }
    borders
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// REPLACE lines that stand in SEARCH too keep the file's own text.
fn keeping(section: Section<'_>, from: usize, otherwise: impl Fn(&str) -> String) -> Vec<String> {
    /// Larger sections are not worth a diff; their lines become what the section says.
    const LARGEST: usize = 4_000_000;
    let Section { file, search, replace } = section;
    let mut lines: Vec<String> = replace.iter().map(|line| otherwise(line)).collect();
    if search.len() * replace.len() > LARGEST {
        return lines;
    }
    for op in capture_diff_slices(Algorithm::Myers, search, replace) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for at in 0..len {
                file[from + old_index + at].clone_into(&mut lines[new_index + at]);
            }
        }
    }
    lines
}

fn trailing_space(section: Section<'_>) -> Found {
    let starts = occurrences(section.file, section.search, same_but_ends);
    only(starts, section.search.len(), |from| keeping(section, from, str::to_owned))
}

fn shifted(section: Section<'_>) -> Found {
    /// Lines that may be compared, for a file that is the section's text many times over, indented in other ways.
    const PATIENCE: usize = 20_000_000;
    let Section { file, search, replace } = section;
    let mut starts = occurrences(file, search, same_but_indented);
    if starts.len() * search.len() > PATIENCE {
        return Found::Nothing;
    }
    starts.retain(|from| Shift::between(&file[*from..from + search.len()], search).is_some());
    only(starts, search.len(), |from| {
        let shift = Shift::between(&file[from..from + search.len()], search);
        let line = |line: &&str| shift.as_ref().and_then(|shift| shift.line(line));
        replace.iter().map(|given| line(given).unwrap_or_else(|| given.trim_start().to_owned())).collect()
    })
}

/// The lines at this place where the section lacks nothing but their indentation; its replacement then lacks it too.
pub fn indented_at(section: Section<'_>, from: usize) -> Option<Place> {
    let Section { file, search, replace } = section;
    let window = &file[from..(from + search.len()).min(file.len())];
    let place = match shifted(Section { file: window, search, replace }) {
        Found::One(place) => Place { from, to: from + place.to, ..place },
        Found::Nothing | Found::Several(_) => return None,
    };
    // Of one line it shows in the replacement whether the first line alone was stripped.
    let indent = indent_of(window[0]).len();
    let stripped = |line: &&str| !line.trim().is_empty() && indent_of(line).len() < indent;
    (search.len() > 1 || replace.is_empty() || replace.iter().skip(1).any(stripped)).then_some(place)
}

/// Blank lines at the ends first, dropped from both halves alike; then blank lines inside.
fn blank_lines(section: Section<'_>) -> Found {
    let Section { file, search, replace } = section;
    let (before, after) = blank_ends(search);
    let (new_before, new_after) = blank_ends(replace);
    let trimmed = &search[before..search.len() - after];
    let new = &replace[before.min(new_before)..replace.len() - after.min(new_after)];
    let steps: [Step; 3] = [exact, trailing_space, shifted];
    if trimmed.len() < search.len() {
        let found = first_of(&steps, Section { file, search: trimmed, replace: new });
        if found != Found::Nothing {
            return found;
        }
    }
    let solid =
        |lines: &[&str]| -> Vec<usize> { (0..lines.len()).filter(|at| !lines[*at].trim().is_empty()).collect() };
    let at = solid(file);
    let own: Vec<&str> = at.iter().map(|at| file[*at]).collect();
    let given: Vec<&str> = solid(trimmed).into_iter().map(|at| trimmed[at]).collect();
    let span = |from: usize, to: usize| (at[from], at[to - 1] + 1);
    match first_of(&steps, Section { file: &own, search: &given, replace: new }) {
        Found::Nothing => Found::Nothing,
        Found::One(Place { from, to, lines }) => {
            let (from, to) = span(from, to);
            Found::One(Place { from, to, lines })
        }
        Found::Several(places) => Found::Several(places.into_iter().map(|(from, to)| span(from, to)).collect()),
    }
}

/// How many blank lines stand at the start and at the end.
fn blank_ends(lines: &[&str]) -> (usize, usize) {
    let is_blank = |line: &&&str| line.trim().is_empty();
    let before = lines.iter().take_while(is_blank).count();
    (before, lines[before..].iter().rev().take_while(is_blank).count())
}

/// Numbers copied from a listing, removed from each half on its own.
fn line_numbers(section: Section<'_>) -> Found {
    let Section { file, search, replace } = section;
    let Some(given) = unnumbered(search) else { return Found::Nothing };
    let new = unnumbered(replace).map(|lines| owned(&lines)).unwrap_or_else(|| {
        // New lines among copied ones have no number. A bar behind one is hardly ever code.
        let copied: HashSet<&str> = search.iter().copied().collect();
        let bare = |line: &str| match numbered(line) {
            Some((sign, rest)) if sign == "|" || copied.contains(line) => rest.to_owned(),
            _ => line.to_owned(),
        };
        replace.iter().map(|line| bare(line)).collect()
    });
    first_of(&[exact, trailing_space, shifted, blank_lines], Section { file, search: &given, replace: &strs(&new) })
}

/// The sign behind a line's number, and the rest.
fn numbered(line: &str) -> Option<(&str, &str)> {
    let found = NUMBERED.captures(line)?;
    let rest = found.get(2).or_else(|| found.get(3)).map_or("", |rest| rest.as_str());
    Some((found.get(1)?.as_str(), rest))
}

/// `None` where a line that is not blank has no number.
fn unnumbered<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    let bare = |line: &&'a str| if line.trim().is_empty() { Some("") } else { numbered(line).map(|(_, rest)| rest) };
    lines.iter().map(bare).collect()
}

fn strs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// `...` alone on a line in both halves, or a comment that says as much, stands for the file's own lines.
fn elided(section: Section<'_>) -> Found {
    let Section { file, search, replace } = section;
    let is_dots = |line: &&str| matches!(line.trim(), "..." | "…") || is_placeholder(line);
    let (mut parts, mut news): (Vec<&[&str]>, Vec<&[&str]>) =
        (search.split(is_dots).collect(), replace.split(is_dots).collect());
    // Dots before the first line leave what is above as it is.
    if parts.len() > 1 && news.len() > 1 && parts[0].is_empty() && news[0].is_empty() {
        parts.remove(0);
        news.remove(0);
    }
    let inner = &parts[..parts.len() - 1];
    if search.iter().all(|line| !is_dots(line)) || parts.len() != news.len() || inner.iter().any(|part| part.is_empty())
    {
        return Found::Nothing;
    }
    let places: Vec<Vec<usize>> = parts.iter().map(|part| occurrences(file, part, same_but_ends)).collect();
    // Of each start the parts that follow it, each at its nearest place.
    let way = |from: usize| {
        let mut way = vec![from];
        for (at, part) in parts.iter().enumerate().skip(1) {
            let reached = way[at - 1] + parts[at - 1].len();
            let next = if part.is_empty() {
                file.len()
            } else {
                *places[at].get(places[at].partition_point(|p| *p < reached))?
            };
            way.push(next);
        }
        Some(way)
    };
    let end = |way: &[usize]| way[way.len() - 1] + parts[parts.len() - 1].len();
    let mut ways = places[0].iter().filter_map(|from| way(*from));
    match (ways.next(), ways.next()) {
        (None, _) => Found::Nothing,
        (Some(way), None) => {
            let mut lines = owned(news[0]);
            for at in 1..parts.len() {
                lines.extend(owned(&file[way[at - 1] + parts[at - 1].len()..way[at]]));
                lines.extend(owned(news[at]));
            }
            Found::One(Place { from: way[0], to: end(&way), lines })
        }
        (Some(first), Some(second)) => {
            let more = ways.map(|way| (way[0], end(&way)));
            Found::Several([(first[0], end(&first)), (second[0], end(&second))].into_iter().chain(more).collect())
        }
    }
}

/// Typographic signs and the plain ones that keyboards have.
fn folded(line: &str) -> String {
    line.trim_end().chars().map(fold).collect::<String>().replace('…', "...")
}

fn fold(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{2009}' => ' ',
        c => c,
    }
}

fn typography(section: Section<'_>) -> Found {
    let Section { file, search, .. } = section;
    let given: Vec<String> = search.iter().map(|line| folded(line)).collect();
    let own: Vec<String> = file.iter().map(|line| folded(line)).collect();
    let starts = occurrences(&strs(&own), &strs(&given), |a, b| a == b);
    only(starts, search.len(), |from| {
        // A sign that the file writes plainly is written plainly.
        let used: HashSet<char> = file.iter().flat_map(|line| line.chars()).filter(|c| fold(*c) != *c).collect();
        keeping(section, from, |line| line.chars().map(|c| if used.contains(&c) { c } else { fold(c) }).collect())
    })
}

/// A second place as like as this makes the first one a guess.
const TOO_CLOSE: f32 = 0.8;

/// Mean character ratio over the lines; taken at 0.9 or more where the next best is below 0.8.
fn similar(section: Section<'_>) -> Found {
    const ENOUGH: f32 = 0.9;
    let Section { file, search, .. } = section;
    if search.len() < 3 || search.len() > file.len() {
        return Found::Nothing;
    }
    let patterns: Vec<Likeness<'_>> = search.iter().map(|line| Likeness::new(line)).collect();
    let lengths: Vec<Option<usize>> = file.iter().map(|line| line.is_ascii().then_some(line.len())).collect();
    let mut spent = 0;
    let (mut best, mut next, mut from) = (0.0, 0.0, 0);
    for at in 0..=file.len() - search.len() {
        // What is not compared might be as like.
        if spent > PATIENCE {
            return Found::Nothing;
        }
        let window = at..at + search.len();
        let Some(score) = likeness(&file[window.clone()], &lengths[window], &patterns, &mut spent) else { continue };
        if score > best {
            (best, next, from) = (score, best, at);
        } else if score > next {
            next = score;
        }
    }
    if best < ENOUGH || next >= TOO_CLOSE || spent > PATIENCE {
        return Found::Nothing;
    }
    Found::One(Place { from, to: from + search.len(), lines: keeping(section, from, str::to_owned) })
}

/// `None` as soon as the mean cannot reach what is too close any more. `lengths` are those of lines in ASCII.
fn likeness(window: &[&str], lengths: &[Option<usize>], patterns: &[Likeness<'_>], spent: &mut u64) -> Option<f32> {
    let count = patterns.len() as f32;
    let may_miss = (1.0 - TOO_CLOSE) * count;
    let mut missing = 0.0;
    for (length, pattern) in lengths.iter().zip(patterns) {
        *spent += 1;
        missing += 1.0 - pattern.bound(*length);
        if missing > may_miss {
            return None;
        }
    }
    for ((own, length), pattern) in window.iter().zip(lengths).zip(patterns) {
        *spent += pattern.cost(own.len());
        // What the lengths alone take was counted above.
        missing += pattern.bound(*length) - pattern.ratio(own);
        if missing > may_miss || *spent > PATIENCE {
            return None;
        }
    }
    Some(1.0 - missing / count)
}
