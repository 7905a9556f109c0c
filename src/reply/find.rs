//! The matching steps: where a section's SEARCH lines stand in a file, and what its REPLACE lines become there.

use similar::TextDiff;

use super::pattern::Pattern;

/// Lines `from` to `to` (exclusive) of the file, and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub from: usize,
    pub to: usize,
    pub lines: Vec<String>,
    pub step: u8,
}

static NUMBERED: Pattern = Pattern::new(r"^\s*\d+\s*[|:](?: (.*)|(.*))$");

/// Step 1, whole lines.
pub fn find(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let found = windows(file, search.len(), |window| window == search);
    found.map(|from| Place { from, to: from + search.len(), lines: owned(replace), step: 1 }).collect()
}

/// Steps 2 to 8, the first that finds anything.
pub fn find_loosely(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    for (step, found) in [
        (2, trailing_space as fn(&[&str], &[&str], &[&str]) -> Vec<Place>),
        (3, shifted),
        (4, blank_lines),
        (5, line_numbers),
        (6, elided),
        (7, typography),
        (8, similar),
    ] {
        let mut places = found(file, search, replace);
        if !places.is_empty() {
            places.iter_mut().for_each(|place| place.step = step);
            return places;
        }
    }
    Vec::new()
}

/// Whether the lines stand in exactly one place, white space at their ends aside.
pub fn stands_once(file: &[&str], lines: &[&str]) -> bool {
    !lines.iter().all(|line| line.trim().is_empty())
        && windows(file, lines.len(), |window| same(window, lines, str::trim_end)).count() == 1
}

fn windows<'a>(
    file: &'a [&'a str],
    length: usize,
    fits: impl Fn(&[&str]) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    let last = if length == 0 || length > file.len() { 0 } else { file.len() - length + 1 };
    (0..last).filter(move |from| fits(&file[*from..from + length]))
}

fn same(window: &[&str], lines: &[&str], key: fn(&str) -> &str) -> bool {
    window.iter().zip(lines).all(|(a, b)| key(a) == key(b))
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// REPLACE lines that stand in SEARCH too keep the file's own text.
fn keeping(window: &[&str], search: &[&str], replace: &[&str], otherwise: impl Fn(&str) -> String) -> Vec<String> {
    let mut next = 0;
    let keep = |line: &&str| match search[next..].iter().position(|searched| searched == line) {
        Some(at) => {
            next += at + 1;
            window.get(next - 1).map_or_else(|| otherwise(line), |own| (*own).to_owned())
        }
        None => otherwise(line),
    };
    replace.iter().map(keep).collect()
}

fn trailing_space(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let found = windows(file, search.len(), |window| same(window, search, str::trim_end));
    let place = |from: usize| {
        let window = &file[from..from + search.len()];
        Place { from, to: from + search.len(), lines: keeping(window, search, replace, str::to_owned), step: 0 }
    };
    found.map(place).collect()
}

fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// How every line's indentation differs: added in front, taken from the front, or spaces for tabs.
enum Shift {
    Add(String),
    Remove(String),
    /// So many spaces of the section are a tab of the file, behind these tabs.
    Tabs {
        width: usize,
        before: String,
    },
}

impl Shift {
    fn between(window: &[&str], search: &[&str]) -> Option<Self> {
        let pairs: Vec<(&str, &str)> = window
            .iter()
            .zip(search)
            .map(|(a, b)| (*a, *b))
            .filter(|(a, b)| !(a.trim().is_empty() && b.trim().is_empty()))
            .collect();
        let (first, searched) = pairs.first()?;
        let (own, given) = (indent_of(first), indent_of(searched));
        let mut candidates = Vec::new();
        candidates.extend(own.strip_suffix(given).map(|more| Self::Add(more.to_owned())));
        candidates.extend(given.strip_suffix(own).map(|less| Self::Remove(less.to_owned())));
        for width in [4, 2, 8, 3] {
            for depth in 0..=3 {
                candidates.push(Self::Tabs { width, before: "\t".repeat(depth) });
            }
        }
        candidates.into_iter().find(|shift| {
            pairs.iter().all(|(own, given)| shift.line(given).as_deref().map(str::trim_end) == Some(own.trim_end()))
        })
    }

    /// The line as it would stand in the file; `None` where it cannot be shifted.
    fn line(&self, line: &str) -> Option<String> {
        if line.trim().is_empty() {
            return Some(String::new());
        }
        match self {
            Self::Add(more) => Some(format!("{more}{line}")),
            Self::Remove(less) => line.strip_prefix(less.as_str()).map(str::to_owned),
            Self::Tabs { width, before } => {
                let given = indent_of(line);
                let only_spaces = given.chars().all(|c| c == ' ') && given.len().is_multiple_of(*width);
                only_spaces.then(|| format!("{before}{}{}", "\t".repeat(given.len() / width), line.trim_start()))
            }
        }
    }
}

fn shifted(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let found = windows(file, search.len(), |window| {
        same(window, search, str::trim) && Shift::between(window, search).is_some()
    });
    let place = |from: usize| {
        let shift = Shift::between(&file[from..from + search.len()], search)?;
        let line = |line: &&str| shift.line(line).unwrap_or_else(|| line.trim_start().to_owned());
        Some(Place { from, to: from + search.len(), lines: replace.iter().map(line).collect(), step: 0 })
    };
    found.filter_map(place).collect()
}

/// Blank lines at the ends first, dropped from both halves alike; then blank lines inside.
fn blank_lines(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let (trimmed, new) = (without_blank_ends(search), without_blank_ends(replace));
    if trimmed.len() < search.len() {
        for step in [find, trailing_space, shifted] {
            let found = step(file, trimmed, new);
            if !found.is_empty() {
                return found;
            }
        }
    }
    let numbered: Vec<(usize, &str)> =
        file.iter().copied().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let solid: Vec<&str> = numbered.iter().map(|(_, line)| *line).collect();
    let searched: Vec<&str> = trimmed.iter().copied().filter(|line| !line.trim().is_empty()).collect();
    for step in [find, trailing_space, shifted] {
        let found = step(&solid, &searched, new);
        if !found.is_empty() {
            let place =
                |place: Place| Place { from: numbered[place.from].0, to: numbered[place.to - 1].0 + 1, ..place };
            return found.into_iter().map(place).collect();
        }
    }
    Vec::new()
}

fn without_blank_ends<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let is_blank = |line: &&str| line.trim().is_empty();
    let from = lines.iter().take_while(|line| is_blank(line)).count();
    let to = lines.len() - lines[from..].iter().rev().take_while(|line| is_blank(line)).count();
    &lines[from..to.max(from)]
}

/// Numbers copied from a listing, removed from each half on its own.
fn line_numbers(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let Some(searched) = unnumbered(search) else { return Vec::new() };
    let new = unnumbered(replace);
    let new: Vec<&str> =
        new.as_ref().map_or_else(|| replace.to_vec(), |lines| lines.iter().map(String::as_str).collect());
    let searched: Vec<&str> = searched.iter().map(String::as_str).collect();
    for step in [find, trailing_space, shifted, blank_lines] {
        let found = step(file, &searched, &new);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// `None` where a line that is not blank has no number.
fn unnumbered(lines: &[&str]) -> Option<Vec<String>> {
    let bare = |line: &&str| {
        if line.trim().is_empty() {
            return Some(String::new());
        }
        let found = NUMBERED.captures(line)?;
        let rest = found.get(1).or_else(|| found.get(2)).map_or("", |rest| rest.as_str());
        Some(rest.to_owned())
    };
    lines.iter().map(bare).collect()
}

/// `...` alone on a line in both halves stands for the file's own lines.
fn elided(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let is_dots = |line: &&str| matches!(line.trim(), "..." | "…");
    let (parts, news): (Vec<&[&str]>, Vec<&[&str]>) =
        (search.split(is_dots).collect(), replace.split(is_dots).collect());
    if parts.len() < 2 || parts.len() != news.len() || parts[0].is_empty() {
        return Vec::new();
    }
    let starts: Vec<usize> = windows(file, parts[0].len(), |window| same(window, parts[0], str::trim_end)).collect();
    let place = |from: usize| {
        let mut lines = owned(news[0]);
        let mut at = from + parts[0].len();
        for (part, new) in parts[1..].iter().zip(&news[1..]) {
            let next = if part.is_empty() {
                file.len()
            } else {
                at + windows(&file[at..], part.len(), |window| same(window, part, str::trim_end)).next()?
            };
            lines.extend(owned(&file[at..next]));
            lines.extend(owned(new));
            at = next + part.len();
        }
        Some(Place { from, to: at.min(file.len()), lines, step: 0 })
    };
    starts.into_iter().filter_map(place).collect()
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

fn typography(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    let searched: Vec<String> = search.iter().map(|line| folded(line)).collect();
    let folded_file: Vec<String> = file.iter().map(|line| folded(line)).collect();
    if search.is_empty() || search.len() > file.len() {
        return Vec::new();
    }
    let starts = (0..=file.len() - search.len()).filter(|from| folded_file[*from..from + search.len()] == searched[..]);
    let place = |from: usize| {
        let window = &file[from..from + search.len()];
        // A sign that the file writes plainly is written plainly.
        let plain = |line: &str| {
            line.chars().map(|c| if file.iter().any(|own| own.contains(c)) { c } else { fold(c) }).collect()
        };
        Place { from, to: from + search.len(), lines: keeping(window, search, replace, plain), step: 0 }
    };
    starts.map(place).collect()
}

/// Mean character ratio over the lines; taken at 0.9 or more where the next best is below 0.8.
fn similar(file: &[&str], search: &[&str], replace: &[&str]) -> Vec<Place> {
    const ENOUGH: f32 = 0.9;
    const TOO_CLOSE: f32 = 0.8;
    if search.len() < 3 || search.len() > file.len() {
        return Vec::new();
    }
    let mut scored: Vec<(f32, usize)> = (0..=file.len() - search.len())
        .filter_map(|from| Some((likeness(&file[from..from + search.len()], search, TOO_CLOSE)?, from)))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    match scored.as_slice() {
        [(best, _), rest @ ..] if *best < ENOUGH || rest.first().is_some_and(|(next, _)| *next >= TOO_CLOSE) => {
            Vec::new()
        }
        [(_, from), ..] => {
            let window = &file[*from..from + search.len()];
            let lines = keeping(window, search, replace, str::to_owned);
            vec![Place { from: *from, to: from + search.len(), lines, step: 0 }]
        }
        [] => Vec::new(),
    }
}

/// `None` as soon as the mean cannot reach the bound any more.
fn likeness(window: &[&str], search: &[&str], bound: f32) -> Option<f32> {
    let count = search.len() as f32;
    let mut missing = 0.0;
    for (own, given) in window.iter().zip(search) {
        missing += 1.0 - ratio(own, given);
        if 1.0 - missing / count < bound {
            return None;
        }
    }
    Some(1.0 - missing / count)
}

pub fn ratio(a: &str, b: &str) -> f32 {
    if a == b {
        return 1.0;
    }
    let (short, long) = if a.len() < b.len() { (a.len(), b.len()) } else { (b.len(), a.len()) };
    // The lengths alone bound the ratio; a diff of very long lines is not worth its time.
    let bound = 2.0 * short as f32 / (short + long).max(1) as f32;
    if bound < 0.3 || long > 2_000 { bound.min(0.3) } else { TextDiff::from_chars(a, b).ratio() }
}
