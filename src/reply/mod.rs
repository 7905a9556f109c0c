//! A model's text becomes actions. Pure: no IO, no clock; files are asked about through [`Files`] only.
//!
//! The way of a reply: [`parser`] walks its lines, [`fence`] finds where a block begins and ends, [`place`] and
//! [`path`] where its path stands, [`block`] what it asks for. [`edit`] and [`find`] apply what is an edit, [`elision`]
//! a whole file; [`resume`] joins a cut reply with its rest. `prompts/system.md` teaches the one canonical form; the cases in `tests/cases` decide doubts.

mod block;
mod diff;
mod edit;
mod elision;
mod fence;
mod find;
mod indent;
mod language;
mod likeness;
mod literal;
mod parser;
mod path;
mod pattern;
mod place;
pub mod resume;
mod section;
mod similar_lines;
mod thought;
mod tool;

use serde::{Deserialize, Serialize};

use crate::base::path::RelPath;

pub use edit::{EditRefusal, Edited, apply_edit};
pub use elision::apply_write;
pub use parser::Parser;
pub use tool::from_tool_call;

/// A byte order mark: it is a file's, and no part of its first line.
const MARK: char = '\u{feff}';

/// What the parser may ask about the workspace, as it was before the reply (core's virtual tree).
pub trait Files {
    fn state(&self, path: &RelPath) -> FileState;
    /// The file's text, where there is one and it is UTF-8.
    fn text(&self, path: &RelPath) -> Option<String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    Absent,
    Empty,
    File,
    Folder,
}

/// One thing the model asks for. Both roads, plain text and tool calls, end here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Action {
    /// A whole file. `content` ends in one newline, or is empty.
    Write {
        path: RelPath,
        content: String,
    },
    /// One section or hunk; `number` of `of` in its block, both from 1, for the feedback.
    Edit {
        path: RelPath,
        search: String,
        replace: String,
        number: usize,
        of: usize,
    },
    Run {
        script: String,
    },
    /// One line of a `read` block as written: `path`, `path:10-40`, a glob or a folder.
    Read {
        what: String,
    },
    Delete {
        path: RelPath,
    },
    Move {
        from: RelPath,
        to: RelPath,
    },
    /// Cannot be done whatever the workspace holds: an unsafe path, an edit without a path, too many files …
    Refused {
        what: String,
        reason: String,
    },
}

/// How a reply's text ended, as far as it matters for what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model said that it was done.
    Whole,
    /// Cut by the length limit, by a broken connection or by the user.
    Cut,
}

/// What happened to a block while its text came in; for display only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockEvent {
    /// A block that will probably become an action (or, `Shown`, will not).
    Opened(BlockLabel),
    /// Lines of content so far in the open block.
    Grew(usize),
    Closed {
        lines: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockLabel {
    File(RelPath),
    Edit(RelPath),
    Run,
    Read,
    Delete,
    Move,
    Shown,
}

/// A fenced block that no rule gave a path: shown, not written. A script may name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unnamed {
    pub language: String,
    pub content: String,
}

/// Everything a finished reply asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub actions: Vec<Action>,
    pub unnamed: Vec<Unnamed>,
    /// For the user, in plain words (`app.py stands twice in the reply; the last one counts`).
    pub notes: Vec<String>,
    /// The block that was open when the text ended, by what it would have become.
    pub open: Option<BlockLabel>,
    /// Bytes of the text up to the end of the last whole block: what stands behind may wait for its rest.
    pub whole_until: usize,
    /// The file of the last edit, which an edit without a path of its own means.
    pub last_edited: Option<RelPath>,
}

#[cfg(test)]
mod tests;
