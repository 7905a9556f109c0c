//! A finished block becomes actions, and the actions of a reply are put in order.

use std::collections::{HashMap, HashSet};

use crate::base::path::{PathRefusal, RelPath};

use super::edit::text_of;
use super::path::{Meant, Quoting, meant};
use super::pattern::Pattern;
use super::place::{self, Around, Found};
use super::{Action, BlockLabel, Ending, FileState, Files, Parsed, Unnamed, diff, section, tool};

/// More files in one reply are none.
const MOST_FILES: usize = 500;
const LARGEST_FILE: usize = 5 * 1024 * 1024;

pub struct Block<'a> {
    pub around: Around<'a>,
    pub ending: Ending,
}

/// What a block with these lines around it will probably become.
pub fn label(around: &Around<'_>, files: &dyn Files) -> BlockLabel {
    match word(around.info) {
        "run" => return BlockLabel::Run,
        "read" => return BlockLabel::Read,
        "delete" => return BlockLabel::Delete,
        "move" => return BlockLabel::Move,
        _ => {}
    }
    let is_edit = around.content.iter().any(|line| section::is_search(line));
    match place::find(around, files) {
        Found::Path(Meant::Path(path)) | Found::Comment(Meant::Path(path), _) if is_edit => BlockLabel::Edit(path),
        Found::Path(Meant::Path(path)) | Found::Comment(Meant::Path(path), _) => BlockLabel::File(path),
        Found::Path(Meant::Unsafe(..)) | Found::Comment(Meant::Unsafe(..), _) | Found::Snippet(_) | Found::Nothing => {
            BlockLabel::Shown
        }
    }
}

fn word(info: &str) -> &str {
    info.split_whitespace().next().unwrap_or_default()
}

/// Collects what a reply asks for.
pub struct Builder<'a> {
    pub files: &'a dyn Files,
    parsed: Parsed,
    /// For an edit without a path of its own.
    last_edited: Option<RelPath>,
    /// Where the text is now of the files that the reply has written whole, moved or deleted.
    left: HashMap<RelPath, Left>,
}

enum Left {
    /// In this action.
    Written(usize),
    /// Where it was before the reply.
    MovedFrom(RelPath),
    Gone,
}

impl<'a> Builder<'a> {
    /// `last_edited`: by a block before, where the text goes on.
    pub fn new(files: &'a dyn Files, last_edited: Option<RelPath>) -> Self {
        Self { files, parsed: Parsed::default(), last_edited, left: HashMap::new() }
    }

    pub fn open(&mut self, label: BlockLabel) {
        self.parsed.open = Some(label);
    }

    pub fn actions(&mut self, actions: Vec<Action>) {
        actions.into_iter().for_each(|action| self.act(action));
    }

    fn act(&mut self, action: Action) {
        match &action {
            Action::Write { path, .. } => {
                self.left.insert(path.clone(), Left::Written(self.parsed.actions.len()));
            }
            Action::Move { from, to } => {
                let text = self.left.insert(from.clone(), Left::Gone).unwrap_or_else(|| Left::MovedFrom(from.clone()));
                self.left.insert(to.clone(), text);
            }
            Action::Delete { path } => {
                self.left.insert(path.clone(), Left::Gone);
            }
            Action::Edit { .. } | Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => {}
        }
        self.parsed.actions.push(action);
    }

    pub fn finish(mut self) -> Parsed {
        self.keep_last_writes();
        self.refuse_too_many();
        self.parsed.last_edited = self.last_edited;
        self.parsed
    }

    pub fn block(&mut self, block: &Block<'_>) {
        let around = &block.around;
        let lines = around.content;
        match word(around.info) {
            "run" => {
                let script = lines.join("\n");
                if !script.trim().is_empty() {
                    self.act(Action::Run { script: script.trim_end().to_owned() });
                }
            }
            "read" => lines.iter().for_each(|line| self.read(line)),
            "delete" => lines.iter().for_each(|line| self.delete(line)),
            "move" => lines.iter().for_each(|line| self.rename(line)),
            _ if lines.iter().any(|line| section::is_search(line)) => self.edit(around),
            _ => self.file(block),
        }
    }

    fn file(&mut self, block: &Block<'_>) {
        let around = &block.around;
        let found = place::find(around, self.files);
        if diff::is_diff(around)
            && !matches!(&found, Found::Path(Meant::Path(path)) if matches!(path.extension(), Some("diff" | "patch")))
        {
            return self.diff(around);
        }
        match found {
            Found::Path(Meant::Path(path)) => self.write(path, around.content),
            Found::Comment(Meant::Path(path), skip) => self.write(path, &around.content[skip..]),
            Found::Path(Meant::Unsafe(text, why)) | Found::Comment(Meant::Unsafe(text, why), _) => {
                self.refuse("write", &text, &why);
            }
            Found::Snippet(Meant::Path(path)) => {
                let reason = "the sentence above asks to add this to the file: send the whole file, or an edit with SEARCH and REPLACE".to_owned();
                self.act(Action::Refused { what: format!("write {path}"), reason });
            }
            Found::Snippet(Meant::Unsafe(text, why)) => self.refuse("write", &text, &why),
            Found::Nothing => self.nameless(block),
        }
    }

    fn nameless(&mut self, block: &Block<'_>) {
        let around = &block.around;
        let language = place::first_word(around.info);
        if let Some(calls) = tool::in_fence(language, around.content, block.ending) {
            return self.actions(calls);
        }
        let unnamed = Unnamed { language: language.to_owned(), content: text_of(around.content) };
        self.parsed.unnamed.push(unnamed);
    }

    fn write(&mut self, path: RelPath, lines: &[&str]) {
        let content = text_of(lines);
        if content.len() > LARGEST_FILE {
            let reason = format!("the file would have {} bytes, more than 5 MiB", content.len());
            self.act(Action::Refused { what: format!("write {path}"), reason });
            return;
        }
        self.act(Action::Write { path, content });
    }

    fn edit(&mut self, around: &Around<'_>) {
        let first = around.content.iter().position(|line| section::is_search(line)).unwrap_or(0);
        let inside = around.content[..first].iter().rev().find(|line| !line.trim().is_empty());
        let found = match place::find(&Around { content: &[], ..*around }, self.files) {
            Found::Nothing => {
                inside.and_then(|line| place::alone(line, self.files).or_else(|| comment_path(line, self.files)))
            }
            Found::Path(found) | Found::Comment(found, _) | Found::Snippet(found) => Some(found),
        };
        let path = match (found, &self.last_edited) {
            (Some(Meant::Path(path)), _) => path,
            (Some(Meant::Unsafe(text, why)), _) => return self.refuse("edit", &text, &why),
            (None, Some(path)) => path.clone(),
            (None, None) => {
                let reason = "the edit names no file: write its path alone on the line above".to_owned();
                self.act(Action::Refused { what: "edit (no path)".to_owned(), reason });
                return;
            }
        };
        let is_prose = matches!(path.extension(), Some("md" | "mdx" | "markdown" | "rst" | "txt"));
        let sections = section::sections(around.content).into_iter();
        let sections = sections.map(|section| if is_prose { section } else { section.without_last_divider() });
        let sections: Vec<section::Section> = sections.collect();
        let of = sections.len();
        for (at, section) in sections.iter().enumerate() {
            let number = at + 1;
            let action = match section.halves(|| self.text_so_far(&path)) {
                Some((search, replace)) => Action::Edit { path: path.clone(), search, replace, number, of },
                None => Action::Refused {
                    what: format!("edit {path}"),
                    reason: format!("section {number} of {of} has no ======= line between SEARCH and REPLACE"),
                },
            };
            self.act(action);
        }
        self.last_edited = Some(path);
    }

    fn diff(&mut self, around: &Around<'_>) {
        let above = match place::find(around, self.files) {
            Found::Path(Meant::Path(path)) => Some(path),
            _ => None,
        };
        for part in diff::parts(around.content) {
            let named = part.path.as_deref().map(|text| (text, RelPath::parse(text)));
            let path = match (named, &above) {
                (Some((_, Ok(path))), _) => path,
                (Some((text, Err(why))), _) => {
                    self.refuse("edit", text, &why);
                    continue;
                }
                (None, Some(path)) => path.clone(),
                (None, None) => {
                    let reason = "the diff names no file: begin it with `--- a/PATH` and `+++ b/PATH`".to_owned();
                    self.act(Action::Refused { what: "edit (no path)".to_owned(), reason });
                    continue;
                }
            };
            self.actions(part.actions(&path, self.is_there(&path)));
            self.last_edited = Some(path);
        }
    }

    fn read(&mut self, line: &str) {
        let what = bare(line);
        if what.is_empty() {
            return;
        }
        let path = what
            .rsplit_once(':')
            .filter(|(_, range)| range.starts_with(|c: char| c.is_ascii_digit()))
            .map_or(what, |(path, _)| path);
        let is_root = matches!(path.trim_end_matches('/'), "." | "");
        match RelPath::parse(path) {
            Err(why) if !is_root => self.refuse("read", what, &why),
            Ok(_) | Err(_) => self.act(Action::Read { what: what.to_owned() }),
        }
    }

    fn delete(&mut self, line: &str) {
        let path = bare(line);
        if path.is_empty() {
            return;
        }
        match RelPath::parse(path) {
            Ok(path) => self.act(Action::Delete { path }),
            Err(why) => self.refuse("delete", path, &why),
        }
    }

    fn rename(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let both = ["->", "→", "=>"].iter().find_map(|arrow| line.split_once(arrow));
        let Some((from, to)) = both.map(|(from, to)| (bare(from), bare(to))) else {
            let reason = "a line of a move block is `old -> new`".to_owned();
            self.act(Action::Refused { what: format!("move {}", line.trim()), reason });
            return;
        };
        match (RelPath::parse(from), RelPath::parse(to)) {
            (Ok(from), Ok(to)) => self.act(Action::Move { from, to }),
            (Err(why), _) | (_, Err(why)) => self.refuse("move", &format!("{from} -> {to}"), &why),
        }
    }

    fn refuse(&mut self, word: &str, path: &str, why: &PathRefusal) {
        let action = Action::Refused { what: format!("{word} {path}"), reason: why.to_string() };
        self.act(action);
    }

    /// The file as the reply has left it so far, as far as whole blocks tell.
    fn text_so_far(&self, path: &RelPath) -> Option<String> {
        match self.left.get(path) {
            Some(Left::Written(at)) => match &self.parsed.actions[*at] {
                Action::Write { content, .. } => Some(content.clone()),
                _ => None,
            },
            Some(Left::MovedFrom(from)) => self.files.text(from),
            Some(Left::Gone) => None,
            None => self.files.text(path),
        }
    }

    fn is_there(&self, path: &RelPath) -> bool {
        match self.left.get(path) {
            Some(left) => !matches!(left, Left::Gone),
            None => matches!(self.files.state(path), FileState::File | FileState::Empty),
        }
    }

    /// The same file twice: the last whole one counts, unless something else was done to it in between.
    fn keep_last_writes(&mut self) {
        let actions = std::mem::take(&mut self.parsed.actions);
        let mut kept: Vec<Action> = Vec::with_capacity(actions.len());
        let mut later = HashSet::new();
        for action in actions.into_iter().rev() {
            match &action {
                Action::Write { path, .. } => {
                    if !later.insert(path.clone()) {
                        self.parsed.notes.push(format!("{path} stands twice in the reply; the last one counts"));
                        continue;
                    }
                }
                Action::Edit { path, .. } | Action::Delete { path } => {
                    later.remove(path);
                }
                Action::Move { from, to } => {
                    later.remove(from);
                    later.remove(to);
                }
                Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => {}
            }
            kept.push(action);
        }
        kept.reverse();
        self.parsed.actions = kept;
    }

    fn refuse_too_many(&mut self) {
        let touches = |action: &Action| match action {
            Action::Write { path, .. } | Action::Edit { path, .. } | Action::Delete { path } => Some(path.clone()),
            Action::Move { to, .. } => Some(to.clone()),
            Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => None,
        };
        let files: HashSet<RelPath> = self.parsed.actions.iter().filter_map(touches).collect();
        if files.len() <= MOST_FILES {
            return;
        }
        for action in &mut self.parsed.actions {
            if let Some(path) = touches(action) {
                let reason =
                    format!("the reply changes {} files, more than {MOST_FILES}: none of it is done", files.len());
                *action = Action::Refused { what: format!("write {path}"), reason };
            }
        }
    }
}

static NUMBERED: Pattern = Pattern::new(r"^\d+[.)]\s+");

/// A line of a list without its bullet, its marks and what is said of it.
fn bare(line: &str) -> &str {
    let text = line.trim();
    let text = ["- ", "* ", "+ ", "• "].iter().find_map(|bullet| text.strip_prefix(bullet)).unwrap_or(text).trim();
    let text = NUMBERED.find(text).map_or(text, |number| &text[number.end()..]);
    if let Some((path, _)) = text.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        return path.trim();
    }
    text.split_once(" # ").map_or(text, |(path, _)| path).trim_matches('`').trim()
}

fn comment_path(line: &str, files: &dyn Files) -> Option<Meant> {
    let text = line
        .trim()
        .trim_start_matches(['#', '/', '-', ';', '*', '<', '!', ' '])
        .trim_end_matches(['*', '/', '-', '>', ' ']);
    meant(text, Quoting::None, files)
}
