//! What stands as one line in the conversation: the files of a reply while they come and afterwards, and what was thought.
//!
//! An edit is no such thing, since its lines are what the reader wants to see; it is known by its first line. The newest
//! folds are kept for `/show`, up to a limit: all of it is in the session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use crate::base::printable::printable;
use crate::frontend::render::{Look, Pane, Style};
use crate::frontend::slash::Which;

/// Bytes of all that is kept.
const MOST: usize = 4 << 20;

/// What a block of changes may begin with: a section to be searched for, or a difference.
const CHANGES: [&str; 4] = ["<<<<", "--- ", "@@ ", "diff "];

/// Characters of a token, about, in text that nobody has counted.
pub const TOKEN: usize = 4;

#[derive(Default)]
pub struct Folds {
    kept: VecDeque<Fold>,
    bytes: usize,
    /// How many of those that are kept came before the last message.
    before: usize,
    open: Option<Open>,
    thought: Option<Thought>,
    /// The way to unfold was told.
    told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    pub label: String,
    pub text: String,
}

struct Open {
    fold: Fold,
    lines: usize,
    /// That it is no edit is known, and it was taken off the screen.
    decided: bool,
}

struct Thought {
    text: String,
    since: Instant,
}

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    Cut,
}

impl Folds {
    /// A message was said: blocks are counted anew.
    pub fn message(&mut self) {
        self.before = self.kept.len();
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn begin(&mut self, label: &str) {
        let fold = Fold { label: label.to_owned(), text: String::new() };
        self.open = Some(Open { fold, lines: 0, decided: false });
    }

    /// Text of the open block.
    pub fn push(&mut self, text: &str, pane: &mut Pane) {
        let Some(open) = &mut self.open else { return pane.reply(text) };
        open.fold.text.push_str(text);
        if !open.decided && open.fold.text.contains('\n') {
            self.decide(pane);
        }
    }

    pub fn grew(&mut self, lines: usize) {
        if let Some(open) = &mut self.open {
            open.lines = lines;
        }
    }

    /// The reply is not whole and goes on with the next byte; what follows belongs to the open block.
    pub fn pause(&mut self, pane: &mut Pane) {
        self.decide(pane);
    }

    pub fn end(&mut self, end: End, look: Look, pane: &mut Pane) {
        self.decide(pane);
        let Some(Open { mut fold, mut lines, .. }) = self.open.take() else { return };
        match end {
            // The line that closes it is no part of it.
            End::Whole => fold.text = fold.text.split_inclusive('\n').take(lines).collect(),
            End::Cut => lines = fold.text.lines().count(),
        }
        let (label, what) = (printable(&fold.label), counted(lines));
        let mut line = self::line(look, &label, &what);
        if end == End::Cut {
            line.push_str(&look.paint(Style::Warn, ", not complete"));
        }
        const WAY: &str = " · /show unfolds it";
        let is_short = label.width() + what.width() + WAY.width() + " ▸ , not complete".width() <= pane.columns();
        if is_short && !std::mem::replace(&mut self.told, true) {
            line.push_str(&look.paint(Style::Dim, WAY));
        }
        pane.lines(&line);
        self.keep(fold);
    }

    fn decide(&mut self, pane: &mut Pane) {
        let Some(open) = self.open.as_mut().filter(|open| !open.decided) else { return };
        open.decided = true;
        let is_edit = CHANGES.iter().any(|begin| open.fold.text.starts_with(begin));
        if (is_edit || !pane.fold(&open.fold.label))
            && let Some(open) = self.open.take()
        {
            pane.reply(&open.fold.text);
        }
    }

    /// A piece of what the model thinks.
    pub fn think(&mut self, piece: &str) {
        let thought = self.thought.get_or_insert_with(|| Thought { text: String::new(), since: Instant::now() });
        if thought.text.len() < MOST {
            thought.text.push_str(piece);
        }
    }

    /// The thought has ended, where there was one.
    pub fn thought(&mut self, look: Look, pane: &mut Pane) {
        let Some(Thought { text, since }) = self.thought.take() else { return };
        if look.folds {
            let what = format!("about {} tokens, {} s", text.chars().count() / TOKEN, seconds(since.elapsed()));
            pane.lines(&look.paint(Style::Dim, &format!("thought ▸ {what}")));
        }
        self.keep(Fold { label: Which::THOUGHT.to_owned(), text });
    }

    fn keep(&mut self, fold: Fold) {
        self.bytes += fold.text.len();
        self.kept.push_back(fold);
        while self.bytes > MOST && self.kept.len() > 1 {
            let oldest = self.kept.pop_front();
            self.bytes -= oldest.map_or(0, |fold| fold.text.len());
            self.before = self.before.saturating_sub(1);
        }
    }

    /// The newest one that is meant.
    pub fn find(&self, which: &Which) -> Option<&Fold> {
        let is_file = |fold: &&Fold| fold.label != Which::THOUGHT;
        let ends = |label: &str, path: &str| {
            label.strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        match which {
            Which::Last => self.kept.iter().rfind(is_file),
            Which::Number(number) => self.kept.iter().skip(self.before).filter(is_file).nth(number - 1),
            Which::Thought => self.kept.iter().rfind(|fold| !is_file(fold)),
            Which::Path(path) => self.kept.iter().filter(is_file).rfind(|fold| ends(&fold.label, path)),
        }
    }

    /// What can be unfolded, by name.
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.kept.iter().rev().map(|fold| fold.label.clone()).collect();
        labels.sort();
        labels.dedup();
        labels
    }
}

/// `src/app.py ▸ 42 lines`.
pub fn line(look: Look, label: &str, what: &str) -> String {
    format!("{} {}", look.paint(Style::Path, label), look.paint(Style::Dim, &format!("▸ {what}")))
}

pub fn counted(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs()
}
