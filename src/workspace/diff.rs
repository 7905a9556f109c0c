//! A change as people read it: a unified diff without colour.

use similar::{ChangeTag, TextDiff};

/// `None` is a file that is not there. Binary content is named, not shown.
pub fn diff(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    if old == new {
        return String::new();
    }
    if [old, new].into_iter().flatten().any(|text| text.contains('\0')) {
        return format!("Binary file {path} changed\n");
    }
    let before = old.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{path}"));
    let after = new.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{path}"));
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let hunks = diff.unified_diff().context_radius(3).header(&before, &after).to_string();
    // An empty file has no hunk; its coming and going is a change all the same.
    if hunks.is_empty() { format!("--- {before}\n+++ {after}\n") } else { hunks }
}

/// How many lines came and how many went.
pub fn changed_lines(old: &str, new: &str) -> (usize, usize) {
    if old.is_empty() {
        return (new.lines().count(), 0);
    }
    let diff = TextDiff::from_lines(old, new);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}
