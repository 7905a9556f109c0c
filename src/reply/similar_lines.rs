//! What a model is shown when its SEARCH lines are not in the file: the lines that come closest, with their numbers.

use std::fmt::Write as _;

use crate::base::path::RelPath;

use super::find::ratio;

/// Lines shown on each side of the closest ones.
const AROUND: usize = 3;
/// Longer files are compared by whole equal lines alone.
const LONG: usize = 5_000;

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

fn best(file: &[&str], search: &[&str], length: usize) -> usize {
    let score = |own: &str, given: &str| {
        let (own, given) = (own.trim(), given.trim());
        match () {
            () if own.is_empty() || given.is_empty() => 0.0,
            () if own == given => 1.0,
            () if file.len() > LONG => 0.0,
            () => ratio(own, given).powi(2),
        }
    };
    // Each line is compared with each other one once.
    let table: Vec<Vec<f32>> = search.iter().map(|given| file.iter().map(|own| score(own, given)).collect()).collect();
    let total = |from: usize| (0..length).map(|at| table[at][from + at]).sum::<f32>();
    let mut best = (0, f32::MIN);
    for from in 0..=file.len() - length {
        let score = total(from);
        if score > best.1 {
            best = (from, score);
        }
    }
    best.0
}

/// Lines `from` to `to` (exclusive), each with its number: `  12 | code`.
pub fn numbered(file: &[&str], from: usize, to: usize) -> String {
    let mut out = String::new();
    for (at, line) in file.iter().enumerate().take(to.min(file.len())).skip(from) {
        let _ = writeln!(out, "{:>4} | {line}", at + 1);
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}
