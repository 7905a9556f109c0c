//! Unified diffs: applied by their context through the same steps as sections; their line numbers are not believed.

use crate::base::path::RelPath;

use super::Action;
use super::edit::text_of;
use super::place::{self, Around};

/// What a diff says of one file.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Of the header; `None` where there was none.
    pub path: Option<String>,
    deletes: bool,
    /// Old and new lines of each hunk.
    hunks: Vec<(String, String)>,
}

pub fn is_diff(around: &Around<'_>) -> bool {
    let lines = around.content;
    let headers = lines.windows(2).any(|pair| pair[0].starts_with("--- ") && pair[1].starts_with("+++ "));
    let hunks = lines.iter().any(|line| line.starts_with("@@"));
    let named = matches!(place::first_word(around.info).to_lowercase().as_str(), "diff" | "patch" | "udiff");
    // A file may show a diff somewhere; a diff shows nothing else.
    let begins = lines
        .iter()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|first| ["--- ", "diff ", "Index: ", "index ", "@@"].iter().any(|start| first.starts_with(start)));
    (named && (headers || hunks)) || (begins && headers && hunks)
}

pub fn parts(lines: &[&str]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.starts_with("--- ") && lines.get(at + 1).is_some_and(|next| next.starts_with("+++ ")) {
            parts.push(header(line, lines[at + 1]));
            at += 2;
            continue;
        }
        if line.starts_with("@@") {
            if parts.is_empty() {
                parts.push(Part::default());
            }
            at += 1;
            let end = (at..lines.len()).find(|at| ends_hunk(&lines[*at..])).unwrap_or(lines.len());
            if let Some(part) = parts.last_mut() {
                part.hunks.push(hunk(&lines[at..end]));
            }
            at = end;
            continue;
        }
        at += 1;
    }
    parts
}

/// A line that goes may begin with `-- ` and one that comes with `++ `: the next file's header is known by what follows.
fn ends_hunk(lines: &[&str]) -> bool {
    let line = lines[0];
    let header = [(0, "--- "), (1, "+++ "), (2, "@@")];
    let is_header = header.iter().all(|(at, start)| lines.get(*at).is_some_and(|line| line.starts_with(start)))
        || line.starts_with("--- ") && lines.get(1).is_some_and(|next| next.trim_end() == "+++ /dev/null");
    line.starts_with("@@") || line.starts_with("diff --git ") || is_header
}

fn header(old: &str, new: &str) -> Part {
    let name = |line: &str| {
        let text = line[4..].split('\t').next().unwrap_or_default().trim().to_owned();
        let bare = text.strip_prefix("a/").or_else(|| text.strip_prefix("b/")).unwrap_or(&text).to_owned();
        (text != "/dev/null").then_some(bare)
    };
    match (name(old), name(new)) {
        (Some(old), None) => Part { path: Some(old), deletes: true, hunks: Vec::new() },
        (_, new) => Part { path: new, deletes: false, hunks: Vec::new() },
    }
}

fn hunk(lines: &[&str]) -> (String, String) {
    let (mut old, mut new) = (String::new(), String::new());
    // Blank lines at the end are the block's, not the file's.
    let end = lines.len() - lines.iter().rev().take_while(|line| line.is_empty()).count();
    for line in &lines[..end] {
        let (sign, text) = line.split_at_checked(1).unwrap_or((" ", ""));
        match sign {
            "-" => push(&mut old, text),
            "+" => push(&mut new, text),
            "\\" => {}
            " " => {
                push(&mut old, text);
                push(&mut new, text);
            }
            // Context that lost its leading space.
            _ => {
                push(&mut old, line);
                push(&mut new, line);
            }
        }
    }
    (old, new)
}

fn push(to: &mut String, line: &str) {
    to.push_str(line);
    to.push('\n');
}

impl Part {
    /// One action a hunk; a file that is not there yet is written whole.
    pub fn actions(&self, path: &RelPath, exists: bool) -> Vec<Action> {
        if self.deletes {
            return vec![Action::Delete { path: path.clone() }];
        }
        if !exists && self.hunks.iter().all(|(old, _)| old.is_empty()) {
            let content = text_of(&self.hunks.iter().flat_map(|(_, new)| new.lines()).collect::<Vec<_>>());
            return vec![Action::Write { path: path.clone(), content }];
        }
        let of = self.hunks.len();
        let action = |(at, (search, replace)): (usize, &(String, String))| Action::Edit {
            path: path.clone(),
            search: search.clone(),
            replace: replace.clone(),
            number: at + 1,
            of,
        };
        self.hunks.iter().enumerate().map(action).collect()
    }
}
