//! The parser and the edits as a whole, without the program around them.

mod cases;
mod forms;
mod fuzz;
mod history;
mod linear;
mod properties;
mod steps;
mod tools;

use std::collections::BTreeMap;

use super::{Action, Ending, FileState, Files, Parsed, Parser, apply_edit, apply_write};
use crate::base::path::RelPath;

/// A workspace in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<RelPath, String>);

impl Memory {
    /// Files whose names are none inside of a workspace are left out.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let file = |(name, text): (&str, &str)| Some((RelPath::parse(name).ok()?, text.to_owned()));
        Self(files.into_iter().filter_map(file).collect())
    }

    /// What a refused action leaves is what was there. Returns how many were refused.
    pub fn apply(&mut self, actions: &[Action]) -> usize {
        actions.iter().filter(|action| self.apply_one(action).is_none()).count()
    }

    fn apply_one(&mut self, action: &Action) -> Option<()> {
        match action {
            Action::Write { path, content } => {
                let content = apply_write(self.0.get(path).map(String::as_str), content).ok()?;
                self.0.insert(path.clone(), content);
            }
            Action::Edit { path, search, replace, .. } => {
                let edited = apply_edit(path, self.0.get(path).map(String::as_str), search, replace).ok()?;
                self.0.insert(path.clone(), edited.text);
            }
            Action::Delete { path } => drop(self.0.remove(path)?),
            Action::Move { from, to } => {
                let text = self.0.remove(from)?;
                self.0.insert(to.clone(), text);
            }
            Action::Run { .. } | Action::Read { .. } => {}
            Action::Refused { .. } => return None,
        }
        Some(())
    }
}

impl Files for Memory {
    fn state(&self, path: &RelPath) -> FileState {
        let below = format!("{path}/");
        match self.0.get(path) {
            Some(text) if text.is_empty() => FileState::Empty,
            Some(_) => FileState::File,
            None if self.0.keys().any(|other| other.as_str().starts_with(&below)) => FileState::Folder,
            None => FileState::Absent,
        }
    }

    fn text(&self, path: &RelPath) -> Option<String> {
        self.0.get(path).cloned()
    }
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("a path")
}

pub fn parse(text: &str, files: &dyn Files) -> Parsed {
    parse_pieces([text], Ending::Whole, files)
}

pub fn parse_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>, ending: Ending, files: &dyn Files) -> Parsed {
    let mut parser = Parser::new();
    for piece in pieces {
        parser.push(piece, files);
    }
    parser.finish(ending, files)
}

/// The text in pieces of one to `longest` characters, the same ones for the same seed.
pub fn pieces(text: &str, longest: usize, seed: u64) -> Vec<&str> {
    let mut random = Random(seed);
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let characters = 1 + random.below(longest);
        let end = rest.char_indices().nth(characters).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        found.push(piece);
        rest = after;
    }
    found
}

/// Knuth's MMIX generator; its high bits are random enough.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
