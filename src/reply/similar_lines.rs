//! What a model is shown when its SEARCH lines are not in the file: the lines that come closest, with their numbers.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::base::path::RelPath;

use super::likeness::{PATIENCE, Pattern};

/// Lines shown on each side of the closest ones.
const AROUND: usize = 3;
/// Lines shown of a longer place, half of them from its end.
const MOST_LINES: usize = 80;
/// Bytes shown of one line.
const LONGEST: usize = 1_000;

/// The window of the section's length that is most like it, and some lines around it.
pub fn closest(path: &RelPath, file: &[&str], search: &[&str]) -> String {
    if file.is_empty() {
        return format!("--- {path} is empty ---");
    }
    let length = search.len().min(file.len());
    let from = best(file, search, length);
    let lines = numbered(file, from.saturating_sub(AROUND), from + length + AROUND);
    format!("--- closest lines of {path} ---\n{lines}")
}

/// Equal lines count one, like lines less. Where comparing all of them would take too long, equal lines decide, and the
/// section's longest line where there is none.
fn best(file: &[&str], search: &[&str], length: usize) -> usize {
    let mut scores = vec![0.0_f32; file.len() - length + 1];
    let mut count = |line: usize, at: usize, score: f32| {
        if let Some(total) = line.checked_sub(at).and_then(|from| scores.get_mut(from)) {
            *total += score;
        }
    };
    let given = search.iter().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let given: Vec<(usize, Pattern<'_>)> = given.map(|(at, line)| (at, Pattern::new(line.trim()))).collect();
    let bytes = file.iter().map(|line| line.len() + 1).sum();
    if given.iter().map(|(_, pattern)| pattern.cost(bytes)).sum::<u64>() <= PATIENCE / 4 {
        for (at, pattern) in &given {
            for (line, own) in file.iter().enumerate().filter(|(_, own)| !own.trim().is_empty()) {
                count(line, *at, pattern.ratio(own.trim()).powi(2));
            }
        }
    } else {
        equal_lines(file, search, &mut count);
        let longest = given.iter().max_by_key(|(at, _)| search[*at].len().min(200));
        if let Some((at, pattern)) = longest {
            // Less than an equal line, so that it decides only between windows without one.
            file.iter().enumerate().for_each(|(line, own)| count(line, *at, pattern.ratio(own.trim()) * 0.9));
        }
    }
    let better = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
    (0..scores.len()).fold(0, better)
}

/// Lines that stand in many places tell nothing.
fn equal_lines(file: &[&str], search: &[&str], count: &mut impl FnMut(usize, usize, f32)) {
    const MOST_PLACES: usize = 100;
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in file.iter().enumerate() {
        places.entry(line.trim()).or_default().push(at);
    }
    for (at, given) in search.iter().enumerate() {
        if let Some(lines) = places.get(given.trim()).filter(|lines| lines.len() <= MOST_PLACES) {
            lines.iter().for_each(|line| count(*line, at, 1.0));
        }
    }
}

/// Lines `from` to `to` (exclusive), each with its number: `  12 | code`. Of many the first and the last ones.
pub fn numbered(file: &[&str], from: usize, to: usize) -> String {
    let to = to.min(file.len());
    let left_out = (to - from).saturating_sub(MOST_LINES);
    let gap = from + MOST_LINES / 2..from + MOST_LINES / 2 + left_out;
    let mut out = String::new();
    for (at, line) in file.iter().enumerate().take(to).skip(from) {
        if gap.contains(&at) {
            if at == gap.start {
                let _ = writeln!(out, "     [… {left_out} lines …]");
            }
            continue;
        }
        let end = line.floor_char_boundary(LONGEST);
        let more = if end < line.len() { " [… the line goes on …]" } else { "" };
        let _ = writeln!(out, "{:>4} | {}{more}", at + 1, &line[..end]);
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}
