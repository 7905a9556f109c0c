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

pub struct Parser {
    text: String,
}
impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}
fn clean(line: &str) -> Option<RelPath> {
    let t = line.trim().trim_start_matches(['#', '*', ' ']).trim_end_matches([':', '*', ' ']);
    let t = t.split_once(". ").filter(|(n, _)| n.chars().all(|c| c.is_ascii_digit())).map_or(t, |(_, r)| r);
    let t = t.trim_start_matches("File: ").trim_matches(['`', '*']);
    if t.contains(' ') || !t.contains('.') {
        return None;
    }
    RelPath::parse(t).ok()
}
impl Parser {
    pub fn new() -> Self {
        Self { text: String::new() }
    }
    pub fn push(&mut self, piece: &str, _: &dyn Files) -> Vec<BlockEvent> {
        self.text.push_str(piece);
        Vec::new()
    }
    pub fn finish(self, ending: Ending, _: &dyn Files) -> Parsed {
        let mut p = Parsed::default();
        let mut above: Option<RelPath> = None;
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if !line.starts_with("```") {
                if !line.trim().is_empty() {
                    above = clean(line);
                }
                continue;
            }
            let fence: String = line.chars().take_while(|c| *c == '`').collect();
            let info = line[fence.len()..].trim().to_owned();
            let mut body = String::new();
            let mut closed = false;
            for l in lines.by_ref() {
                if l.trim_end() == fence {
                    closed = true;
                    break;
                }
                body.push_str(l);
                body.push('\n');
            }
            if !closed && ending == Ending::Cut {
                p.open = above.take().map(BlockLabel::File);
                continue;
            }
            match info.as_str() {
                "run" => p.actions.push(Action::Run { script: body.trim_end().to_owned() }),
                "read" => p.actions.extend(body.lines().map(|l| Action::Read { what: l.trim().to_owned() })),
                "delete" => p
                    .actions
                    .extend(body.lines().filter_map(|l| Some(Action::Delete { path: RelPath::parse(l.trim()).ok()? }))),
                "move" => p.actions.extend(body.lines().filter_map(|l| {
                    let (a, b) = l.split_once("->")?;
                    Some(Action::Move { from: RelPath::parse(a.trim()).ok()?, to: RelPath::parse(b.trim()).ok()? })
                })),
                _ => match above.take() {
                    Some(path) if body.contains("<<<<<<< SEARCH") => {
                        let secs: Vec<&str> = body.split("<<<<<<< SEARCH\n").skip(1).collect();
                        for (n, sec) in secs.iter().enumerate() {
                            let (a, b) = sec.split_once("=======\n").unwrap_or((sec, ""));
                            p.actions.push(Action::Edit {
                                path: path.clone(),
                                search: a.to_owned(),
                                replace: b.split(">>>>>>> REPLACE").next().unwrap_or("").to_owned(),
                                number: n + 1,
                                of: secs.len(),
                            });
                        }
                    }
                    Some(path) => p.actions.push(Action::Write { path, content: body }),
                    None => p.unnamed.push(Unnamed { language: info, content: body }),
                },
            }
        }
        p
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    pub step: u8,
    pub note: Option<String>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRefusal {
    pub reason: String,
    pub context: String,
}
pub fn apply_edit(_: &RelPath, text: Option<&str>, search: &str, replace: &str) -> Result<Edited, EditRefusal> {
    let text = text.unwrap_or("");
    match text.matches(search).count() {
        1 => Ok(Edited { text: text.replacen(search, replace, 1), step: 1, note: None }),
        n => Err(EditRefusal { reason: format!("{n}"), context: String::new() }),
    }
}
pub fn apply_write(_: Option<&str>, content: &str) -> Result<String, String> {
    Ok(content.to_owned())
}
pub fn from_tool_call(name: &str, _: &str, _: bool) -> Action {
    Action::Refused { what: name.to_owned(), reason: String::new() }
}
