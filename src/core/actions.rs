//! The actions of one reply, walked in order over a virtual tree: each sees the ones before it, and each is checked
//! before anything is written.

use std::path::Path;
use std::sync::PoisonError;

use crate::base::path::RelPath;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::{ActionEvent, ActionOutcome, Event, LineCount};
use crate::core::feedback::{EditBlock, NO_SUCH_FILE};
use crate::core::outside::told_of_changes;
use crate::core::seen::CHANGED_OUTSIDE;
use crate::core::tree::{LARGEST_FILE, Tree};
use crate::core::turn::{Task, Turn};
use crate::core::verdict::Stopped;
use crate::core::view::ActionKind;
use crate::reply::{Action, Files, apply_edit, apply_write};
use crate::scripting::{FileWrite, WriteDecision};
use crate::session::record::{self, Applied};
use crate::workspace::{Entry, FileOp, Workspace, changed_lines, diff};

/// What the walk found, in order.
#[derive(Default)]
pub struct Walked {
    pub steps: Vec<FileOp>,
    /// What the steps leave behind.
    pub files: Vec<(RelPath, Option<Vec<u8>>)>,
    pub outcomes: Vec<Outcome>,
    /// `run` and `read` blocks, to be done after the files are written.
    pub tasks: Vec<Task>,
    /// Somebody else has changed a file that the reply is about.
    pub changed_outside: bool,
    /// For the model, beside what was refused.
    pub told: Vec<String>,
}

pub struct Outcome {
    pub kind: ActionKind,
    pub path: String,
    pub result: Went,
    pub diff: Option<String>,
    pub lines: Option<LineCount>,
}

impl Outcome {
    fn new(kind: ActionKind, path: impl Into<String>, result: Went) -> Self {
        Self { kind, path: path.into(), result, diff: None, lines: None }
    }
}

pub enum Went {
    Applied { note: Option<String> },
    Noop { note: Option<String> },
    Refused { reason: String, feedback: String },
}

/// Sections of one file in a row: written together, so that a guard sees the whole change.
struct Draft {
    path: RelPath,
    old: Option<String>,
    text: Option<String>,
    block: EditBlock,
    /// SEARCH and REPLACE of the sections that were refused.
    refused: Vec<(String, String)>,
    notes: Vec<String>,
}

/// What is about to become of one file.
struct Change<'a> {
    path: &'a RelPath,
    old: Option<&'a str>,
    content: String,
}

impl Walked {
    fn refuse(&mut self, kind: ActionKind, path: &str, reason: String) {
        let feedback = format!("{} {path}: {reason}", kind.as_str());
        self.outcomes.push(Outcome::new(kind, path, Went::Refused { reason, feedback }));
    }

    /// What was done by somebody else may be lost: user and model see it first.
    fn refuse_what_changed(&mut self, kind: ActionKind, path: &RelPath, changes: String) {
        let what = "So your block is not applied: keep these changes, and send it again.";
        let feedback = told_of_changes(path, &changes, what);
        let refused = Went::Refused { reason: CHANGED_OUTSIDE.to_owned(), feedback };
        self.outcomes.push(Outcome { diff: Some(changes), ..Outcome::new(kind, path.as_str(), refused) });
        self.changed_outside = true;
    }

    /// It moves with what was done to it.
    fn moved_what_changed(&mut self, path: &RelPath, changes: &str) {
        self.told.push(told_of_changes(path, changes, "It was moved as it is now."));
        self.changed_outside = true;
    }

    /// Sections are looked for in the file as it is, so nothing is lost; it is told all the same.
    fn edited_what_changed(&mut self, path: &RelPath, changes: &str) {
        self.told.push(told_of_changes(path, changes, "Your sections were looked for in the file as it is now."));
        self.changed_outside = true;
    }
}

impl Conversation {
    pub(super) async fn walk(&mut self, turn: &mut Turn, actions: Vec<Action>) -> Result<Walked, Stopped> {
        let workspace: Workspace = self.parts.workspace.clone();
        let base = self.history.version;
        let mut tree = Tree::new(&workspace).keeping_off(self.unversioned(&actions).await?).based_on(base);
        let mut walked = Walked::default();
        let mut draft: Option<Draft> = None;
        for action in actions {
            let goes_on = matches!((&action, &draft), (Action::Edit { path, number, .. }, Some(draft)) if *path == draft.path && *number > 1);
            if !goes_on && let Some(done) = draft.take() {
                self.write_draft(turn, &mut tree, &mut walked, done).await?;
            }
            match action {
                Action::Write { path, content } => self.write(turn, &mut tree, &mut walked, (path, content)).await?,
                Action::Edit { path, search, replace, number, of } => {
                    if draft.is_none()
                        && let Some(changes) = self.changed_outside(&tree, &path)?
                    {
                        walked.edited_what_changed(&path, &changes);
                    }
                    let draft = draft.get_or_insert_with(|| Draft::new(&tree, path, of));
                    draft.section(number, &search, &replace);
                }
                Action::Run { script } => walked.tasks.push(Task::Run(script)),
                Action::Read { what } => walked.tasks.push(Task::Read(what)),
                Action::Delete { path } => match self.changed_outside(&tree, &path)? {
                    Some(changes) => walked.refuse_what_changed(ActionKind::Delete, &path, changes),
                    None => delete(&mut tree, &mut walked, &path),
                },
                Action::Move { from, to } => {
                    if let Some(changes) = self.changed_outside(&tree, &from)? {
                        walked.moved_what_changed(&from, &changes);
                    }
                    rename(&mut tree, &mut walked, &from, &to)?;
                }
                Action::Refused { what, reason } => {
                    let (word, path) = what.split_once(' ').unwrap_or(("write", &what));
                    walked.refuse(kind_of(word), path, reason);
                }
            }
        }
        if let Some(done) = draft {
            self.write_draft(turn, &mut tree, &mut walked, done).await?;
        }
        walked.files = tree.outcome();
        walked.steps = tree.into_steps();
        Ok(walked)
    }

    /// Of the files that the actions would change, those that no version could bring back.
    async fn unversioned(&mut self, actions: &[Action]) -> Result<Vec<RelPath>, Stopped> {
        let is_there = |path: &&RelPath| matches!(self.parts.workspace.entry(path), Entry::File { .. });
        let there: Vec<RelPath> = actions.iter().flat_map(changed_by).filter(is_there).cloned().collect();
        if self.parts.mode == Mode::DryRun {
            let protected = self.parts.workspace.protected()?;
            let is_protected =
                |path: &RelPath| protected.iter().any(|folder| Path::new(path.as_str()).starts_with(folder));
            return Ok(there.into_iter().filter(is_protected).collect());
        }
        let mut paths = self.not_held(there)?;
        if !paths.is_empty() {
            // What is only new, or in a large workspace was not touched yet, is held by a version from now on.
            self.adopt_where_partial(&paths)?;
            self.keep_version("before the reply's files").await?;
            paths = self.not_held(paths)?;
        }
        Ok(paths)
    }

    fn adopt_where_partial(&self, paths: &[RelPath]) -> Result<(), Stopped> {
        let mut versions = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.is_partial() {
            let left_out = self.parts.workspace.left_out()?;
            let is_left_out =
                |path: &RelPath| left_out.iter().any(|folder| Path::new(path.as_str()).starts_with(folder));
            versions.adopt(paths.iter().filter(|path| !is_left_out(path)).cloned());
        }
        Ok(())
    }

    fn not_held(&self, paths: Vec<RelPath>) -> Result<Vec<RelPath>, Stopped> {
        let versions = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut not_held = Vec::new();
        for path in paths {
            if !versions.holds(&self.parts.workspace.real(&path))? {
                not_held.push(path);
            }
        }
        Ok(not_held)
    }

    async fn write(
        &mut self,
        turn: &mut Turn,
        tree: &mut Tree<'_>,
        walked: &mut Walked,
        (path, content): (RelPath, String),
    ) -> Result<(), Stopped> {
        let old = tree.text(&path);
        let content = match apply_write(old.as_deref(), &content) {
            Ok(content) => content,
            Err(reason) => {
                walked.refuse(ActionKind::Write, path.as_str(), reason);
                return Ok(());
            }
        };
        if old.as_ref() != Some(&content)
            && let Some(changes) = self.changed_outside(tree, &path)?
        {
            walked.refuse_what_changed(ActionKind::Write, &path, changes);
            return Ok(());
        }
        match self.guarded(turn, tree, Change { path: &path, old: old.as_deref(), content }).await? {
            Ok(content) => {
                let result = laid_over(tree, &path, old.as_deref(), &content, None);
                let diff = self.shown_diff(&path, old.as_deref(), &content);
                let lines = Some(line_count(old.as_deref(), &content));
                walked.outcomes.push(Outcome { diff, lines, ..Outcome::new(ActionKind::Write, path, result) });
            }
            Err(reason) => walked.refuse(ActionKind::Write, path.as_str(), reason),
        }
        Ok(())
    }

    async fn write_draft(
        &mut self,
        turn: &mut Turn,
        tree: &mut Tree<'_>,
        walked: &mut Walked,
        mut draft: Draft,
    ) -> Result<(), Stopped> {
        draft.count_lines_again();
        let Draft { path, old, text, block, notes, .. } = draft;
        for (number, refusal) in &block.refused {
            turn.repeats.note("the same refused edit", (path.as_str(), number, &refusal.context));
        }
        if let Some(text) = text.filter(|_| !block.applied.is_empty()) {
            let written = self.guarded(turn, tree, Change { path: &path, old: old.as_deref(), content: text }).await?;
            match written {
                Ok(content) => {
                    let note = (!notes.is_empty()).then(|| notes.join("; "));
                    let result = laid_over(tree, &path, old.as_deref(), &content, note);
                    let diff = self.shown_diff(&path, old.as_deref(), &content);
                    let lines = Some(line_count(old.as_deref(), &content));
                    let one = Outcome { diff, lines, ..Outcome::new(ActionKind::Edit, path.as_str(), result) };
                    walked.push_sections(one, block.applied.len());
                }
                Err(reason) => {
                    walked.refuse(ActionKind::Edit, path.as_str(), reason);
                    return Ok(());
                }
            }
        }
        if !block.refused.is_empty() {
            turn.note_failed_edit(&path);
        }
        let text = (!block.refused.is_empty()).then(|| block.text());
        for (at, (_, refusal)) in block.refused.into_iter().enumerate() {
            // One text speaks for all sections of the block.
            let feedback = if at == 0 { text.clone().unwrap_or_default() } else { String::new() };
            let result = Went::Refused { reason: refusal.reason, feedback };
            walked.outcomes.push(Outcome::new(ActionKind::Edit, path.as_str(), result));
        }
        Ok(())
    }

    /// The content as it may be written, or why it may not.
    async fn guarded(
        &mut self,
        turn: &mut Turn,
        tree: &Tree<'_>,
        change: Change<'_>,
    ) -> Result<Result<String, String>, Stopped> {
        let Change { path, old, content } = change;
        if let Some(obstacle) = tree.obstacle(path) {
            return Ok(Err(obstacle));
        }
        if content.len() as u64 > LARGEST_FILE {
            return Ok(Err(format!("the file would have {} bytes, more than 5 MiB", content.len())));
        }
        let Some(scripts) = &self.parts.scripts else { return Ok(Ok(content)) };
        let lang = path.extension().unwrap_or_default().to_owned();
        let write = FileWrite { path: path.to_string(), lang, old_text: old.map(str::to_owned), content };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_file_write(&at, write, self.host(), &token).await?;
        Ok(match self.hooked(hooked).await {
            WriteDecision::Go { content } => Ok(content),
            WriteDecision::Denied { script, why } => Err(format!("denied by `{script}`: {why}")),
            WriteDecision::Retry { feedback, .. } => Err(feedback),
        })
    }

    fn shown_diff(&self, path: &RelPath, old: Option<&str>, new: &str) -> Option<String> {
        (self.parts.mode == Mode::DryRun).then(|| diff(path.as_str(), old, Some(new)))
    }

    /// Logs what became of the actions and what the model is told of it; shows it.
    pub(super) async fn log_outcomes(&mut self, turn: &mut Turn, outcomes: Vec<Outcome>) -> Result<(), Stopped> {
        let mut events = Vec::with_capacity(outcomes.len());
        for Outcome { kind, path, result, diff, lines } in outcomes {
            let (outcome, reason) = match result {
                Went::Applied { note } => {
                    let entry = record::Entry::ActionApplied {
                        kind,
                        path: path.clone(),
                        outcome: Applied::Applied,
                        note: note.clone(),
                    };
                    self.record(entry);
                    (ActionOutcome::Applied, note)
                }
                Went::Noop { note } => {
                    let entry = record::Entry::ActionApplied {
                        kind,
                        path: path.clone(),
                        outcome: Applied::Noop,
                        note: note.clone(),
                    };
                    self.record(entry);
                    (ActionOutcome::Noop, note)
                }
                Went::Refused { reason, feedback } => {
                    if kind != ActionKind::Edit {
                        turn.repeats.note("the same refused action", (kind.as_str(), &path, &reason));
                    }
                    let (path, shown) = (path.clone(), Some(reason.clone()));
                    self.record(record::Entry::ActionRefused { kind, path, reason, feedback, begun: false });
                    (ActionOutcome::Refused, shown)
                }
            };
            events.push(Event::Action(ActionEvent { kind, path, outcome, reason, diff, lines }));
        }
        self.parts.session.sync().await?;
        for event in events {
            self.emit(event).await;
        }
        Ok(())
    }
}

impl Walked {
    /// One action for each section, as the contract counts them; the diff is shown once.
    fn push_sections(&mut self, one: Outcome, sections: usize) {
        for _ in 1..sections {
            let result = match &one.result {
                Went::Noop { .. } => Went::Noop { note: None },
                Went::Applied { .. } | Went::Refused { .. } => Went::Applied { note: None },
            };
            self.outcomes.push(Outcome::new(one.kind, one.path.clone(), result));
        }
        self.outcomes.push(one);
    }
}

impl Draft {
    fn new(tree: &Tree<'_>, path: RelPath, of: usize) -> Self {
        let old = tree.text(&path);
        let block = EditBlock { path: path.to_string(), applied: Vec::new(), refused: Vec::new(), of };
        Self { path, text: old.clone(), old, block, refused: Vec::new(), notes: Vec::new() }
    }

    fn section(&mut self, number: usize, search: &str, replace: &str) {
        match apply_edit(&self.path, self.text.as_deref(), search, replace) {
            Ok(edited) => {
                self.text = Some(edited.text);
                self.block.applied.push(number);
                self.notes.extend(edited.note);
            }
            Err(refusal) => {
                self.block.refused.push((number, refusal));
                self.refused.push((search.to_owned(), replace.to_owned()));
            }
        }
    }

    /// Sections behind a refused one may have moved the lines that the model is shown.
    fn count_lines_again(&mut self) {
        for ((_, refusal), (search, replace)) in self.block.refused.iter_mut().zip(&self.refused) {
            if let Err(now) = apply_edit(&self.path, self.text.as_deref(), search, replace) {
                *refusal = now;
            }
        }
    }
}

fn line_count(old: Option<&str>, new: &str) -> LineCount {
    let (added, removed) = changed_lines(old.unwrap_or_default(), new);
    LineCount { added, removed }
}

fn laid_over(tree: &mut Tree<'_>, path: &RelPath, old: Option<&str>, content: &str, note: Option<String>) -> Went {
    if old == Some(content) {
        return Went::Noop { note };
    }
    tree.write(path, content.as_bytes().to_vec());
    Went::Applied { note }
}

/// The paths whose files an action writes or takes away.
fn changed_by(action: &Action) -> Vec<&RelPath> {
    match action {
        Action::Write { path, .. } | Action::Edit { path, .. } | Action::Delete { path } => vec![path],
        Action::Move { from, to } => vec![from, to],
        Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => Vec::new(),
    }
}

fn delete(tree: &mut Tree<'_>, walked: &mut Walked, path: &RelPath) {
    if let Some(why) = tree.is_kept(path) {
        walked.refuse(ActionKind::Delete, path.as_str(), why);
        return;
    }
    match tree.state(path) {
        crate::reply::FileState::Folder => {
            walked.refuse(ActionKind::Delete, path.as_str(), "a folder; name its files".to_owned());
        }
        crate::reply::FileState::Absent => {
            walked.refuse(ActionKind::Delete, path.as_str(), NO_SUCH_FILE.to_owned());
        }
        crate::reply::FileState::File | crate::reply::FileState::Empty => {
            tree.delete(path);
            let result = Went::Applied { note: None };
            walked.outcomes.push(Outcome::new(ActionKind::Delete, path.as_str(), result));
        }
    }
}

fn rename(tree: &mut Tree<'_>, walked: &mut Walked, from: &RelPath, to: &RelPath) -> Result<(), Stopped> {
    let both = format!("{from} -> {to}");
    let taken = tree.is_file(to).then(|| format!("`{to}` exists"));
    let obstacle = taken.or_else(|| tree.is_kept(from)).or_else(|| tree.obstacle(to));
    match (tree.bytes(from)?, obstacle) {
        (None, _) => walked.refuse(ActionKind::Move, &both, format!("no such file: `{from}`")),
        (Some(_), Some(obstacle)) => walked.refuse(ActionKind::Move, &both, obstacle),
        (Some(content), None) => {
            tree.rename(from, to, content);
            let result = Went::Applied { note: None };
            walked.outcomes.push(Outcome::new(ActionKind::Move, both, result));
        }
    }
    Ok(())
}

fn kind_of(word: &str) -> ActionKind {
    match word {
        "edit" => ActionKind::Edit,
        "delete" => ActionKind::Delete,
        "move" => ActionKind::Move,
        "run" => ActionKind::Run,
        "read" => ActionKind::Read,
        _ => ActionKind::Write,
    }
}
