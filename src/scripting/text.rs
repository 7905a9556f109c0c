//! Text helpers of scripts: both ends of a text, its fenced blocks, a difference, its size for a model.

use std::time::Duration;

use similar::{Algorithm, TextDiff};

use crate::base::{clip, fences};

/// At most that many characters of the beginning, cut at a line's end where there is one.
pub(super) fn head(text: &str, characters: i64) -> &str {
    clip::head_of(text, usize::try_from(characters).unwrap_or(0))
}

/// At most that many characters of the end, cut at a line's beginning where there is one.
pub(super) fn tail(text: &str, characters: i64) -> &str {
    clip::tail_of(text, usize::try_from(characters).unwrap_or(0))
}

/// An estimate: models of today read code at 3 to 4 bytes a token.
pub(super) fn tokens(text: &str) -> i64 {
    i64::try_from(text.len().saturating_mul(2).div_ceil(7)).unwrap_or(i64::MAX)
}

pub(super) fn diff(old: &str, new: &str) -> String {
    let diff =
        TextDiff::configure().algorithm(Algorithm::Myers).timeout(Duration::from_millis(100)).diff_lines(old, new);
    diff.unified_diff().context_radius(3).header("before", "after").to_string()
}

/// The fenced blocks of a text, as language and content. A fence inside a longer one is content.
pub(super) fn fences(text: &str) -> Vec<(String, String)> {
    fences::blocks(text).into_iter().map(|block| (block.word().to_owned(), block.text.to_owned())).collect()
}
