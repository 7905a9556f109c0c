//! A model's text becomes actions. Pure and incremental: no IO, no clock; files are asked about through [`Files`] only.
//!
//! The language is told in `docs/architecture.md` and taught by `prompts/system.md`; the cases in `tests/cases` decide doubts.

use serde::{Deserialize, Serialize};

use crate::base::path::RelPath;

/// What the parser may ask about the workspace, as it is after the actions before (core's virtual tree).
pub trait Files {
    fn state(&self, path: &RelPath) -> FileState;
    /// The file's text, where [`FileState`] says there is one and it is UTF-8.
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
    /// Cut by the length limit, by a broken connection or by the user: an open block is not an action.
    Cut,
}

/// What happened to a block while its text came in; for display only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockEvent {
    /// A block that will become an action (or, `Shown`, will not).
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
    /// For the user and the model, in plain words (`app.py stood twice in the reply; the last one counts`).
    pub notes: Vec<String>,
    /// The block that was open when the text was cut, by what it would have become; `None` after a whole reply.
    pub open: Option<BlockLabel>,
}

/// Reads one reply. The result does not depend on how the text was cut into pieces.
pub struct Parser {
    _p: (),
}

impl Parser {
    pub fn new() -> Self {
        unimplemented!()
    }

    /// The next piece of the reply's text (never of its reasoning). Linear in the text over all calls.
    pub fn push(&mut self, piece: &str, files: &dyn Files) -> Vec<BlockEvent> {
        let _ = (piece, files);
        unimplemented!()
    }

    pub fn finish(self, ending: Ending, files: &dyn Files) -> Parsed {
        let _ = (ending, files);
        unimplemented!()
    }
}

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

/// Applies one section to a file's text (`None`: the file is absent).
pub fn apply_edit(path: &RelPath, text: Option<&str>, search: &str, replace: &str) -> Result<Edited, EditRefusal> {
    let _ = (path, text, search, replace);
    unimplemented!()
}

/// What a whole-file block over an existing file means: line endings, BOM and elided parts are the file's own.
/// `Err` says why it was refused (an elision that cannot be filled).
pub fn apply_write(old: Option<&str>, content: &str) -> Result<String, String> {
    let _ = (old, content);
    unimplemented!()
}

/// A native tool call as an action. One that was cut is refused, as is a tool that is not known (with the list of names).
pub fn from_tool_call(name: &str, arguments: &str, cut: bool) -> Action {
    let _ = (name, arguments, cut);
    unimplemented!()
}
