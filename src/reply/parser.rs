//! One reply, line by line. Pieces are shown as they come; what they ask for is decided over the whole text, so that it
//! does not depend on how the text was cut.

use super::block::{self, Block, Builder};
use super::fence::{self, Fence, Open, Turn};
use super::path::Meant;
use super::place::{self, Around};
use super::thought::{self, Mark, Thought};
use super::{BlockEvent, BlockLabel, Ending, Files, MARK, Parsed, RelPath, language, section, tool};

/// Lines of prose that may stand between a heading with a path and its fence.
const HEADING_REACH: usize = 12;

/// How often the text may be read in vain before ends of literals and calls are no longer looked for; so the time stays
/// linear. No real reply comes near it.
const PATIENCE: usize = 4;
/// Bytes for short texts.
const LEAST_PATIENCE: usize = 64 * 1024;

#[derive(Default)]
pub struct Parser {
    text: String,
    /// Bytes of whole lines that were shown.
    seen: usize,
    live: Live,
    last_edited: Option<RelPath>,
}

/// What is shown while the text comes in.
#[derive(Default)]
struct Live {
    open: Option<(Open, usize)>,
    above: String,
    thought: Option<Thought>,
}

impl Parser {
    pub fn new() -> Self {
        Self::default()
    }

    /// The rest of a cut reply, in which this file was edited last.
    pub fn going_on(last_edited: Option<RelPath>) -> Self {
        Self { last_edited, ..Self::default() }
    }

    /// The next piece of the reply's text (never of its reasoning). Linear in the text over all calls.
    pub fn push(&mut self, piece: &str, files: &dyn Files) -> Vec<BlockEvent> {
        // What came before this piece holds no line break that was not seen: a long line is never searched again.
        let mut from = self.text.len();
        self.text.push_str(piece);
        let mut events = Vec::new();
        while let Some(end) = self.text[from..].find('\n').map(|at| from + at) {
            let line = &self.text[self.seen..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = if self.seen == 0 { line.strip_prefix(MARK).unwrap_or(line) } else { line };
            self.live.line(line, files, &mut events);
            from = end + 1;
            self.seen = from;
        }
        events
    }

    pub fn finish(self, ending: Ending, files: &dyn Files) -> Parsed {
        let text = self.text.strip_prefix(MARK).unwrap_or(&self.text);
        let builder = Builder::new(files, self.last_edited);
        let mut walk = Walk::new(thought::without_end_signs(text), builder);
        walk.walk(ending);
        let from = self.text.len() - text.len();
        let whole_until = walk.lines.get(walk.done).map_or(self.text.len(), |line| from + walk.offset_of(line));
        Parsed { whole_until, ..walk.builder.finish() }
    }
}

impl Live {
    fn line(&mut self, line: &str, files: &dyn Files, events: &mut Vec<BlockEvent>) {
        if let Some((open, lines)) = &mut self.open {
            match open.take(line, || false) {
                Turn::Content => {
                    *lines += 1;
                    events.push(BlockEvent::Grew(*lines));
                    if open.is_broken {
                        // The block had ended before; what it broke on opens the next one.
                        events.push(BlockEvent::Closed { lines: *lines });
                        self.open = None;
                        if let Some(fence) = fence::opener(line) {
                            self.open(fence, files, events);
                        }
                    }
                }
                Turn::Close => {
                    events.push(BlockEvent::Closed { lines: *lines });
                    self.open = None;
                }
                Turn::CloseAndOpen(fence) => {
                    events.push(BlockEvent::Closed { lines: *lines });
                    self.open(fence, files, events);
                }
            }
            return;
        }
        let Some(line) = self.without_thoughts(line) else { return };
        if let Some(fence) = fence::opener(line) {
            self.open(fence, files, events);
        } else if !line.trim().is_empty() {
            line.clone_into(&mut self.above);
        }
    }

    /// What of the line is no thought.
    fn without_thoughts<'a>(&mut self, mut line: &'a str) -> Option<&'a str> {
        loop {
            if let Some(thought) = self.thought {
                line = thought.end(line)?;
                self.thought = None;
            }
            match thought::mark(line) {
                Mark::Begins(thought, rest) => (self.thought, line) = (Some(thought), rest),
                Mark::Ended(rest) | Mark::Header(rest) => line = rest,
                Mark::None => return Some(line),
            }
        }
    }

    fn open(&mut self, fence: Fence, files: &dyn Files, events: &mut Vec<BlockEvent>) {
        let above = std::mem::take(&mut self.above);
        let around = Around { info: &fence.info, above: Some(&above), heading: None, own_fence: None, content: &[] };
        events.push(BlockEvent::Opened(block::label(&around, files)));
        let language = language::of_block(&fence.info, None);
        self.open = Some((Open::new(fence, language), 0));
    }
}

/// The whole text, once.
struct Walk<'a> {
    text: &'a str,
    /// The lines from `at` on; what of the next one was taken already is cut off its front.
    lines: Vec<&'a str>,
    files: &'a dyn Files,
    builder: Builder<'a>,
    at: usize,
    above: Option<&'a str>,
    heading: Option<(&'a str, usize)>,
    own_fence: Option<&'a str>,
    /// The first line behind the last whole block.
    done: usize,
    /// Bare fences of back quotes and of tildes from each line on.
    bare_ahead: Vec<[usize; 2]>,
    /// Bytes that were read in vain: for the end of a literal, for a call that was none.
    in_vain: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, builder: Builder<'a>) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let mut bare_ahead = vec![[0, 0]; lines.len() + 2];
        for (at, line) in lines.iter().enumerate().rev() {
            bare_ahead[at] = bare_ahead[at + 1];
            if let Some(fence) = fence::opener(line).filter(|fence| fence.info.is_empty()) {
                bare_ahead[at][usize::from(fence.sign == '~')] += 1;
            }
        }
        let files = builder.files;
        Self {
            text,
            lines,
            files,
            builder,
            at: 0,
            above: None,
            heading: None,
            own_fence: None,
            done: 0,
            bare_ahead,
            in_vain: 0,
        }
    }

    fn walk(&mut self, ending: Ending) {
        while self.at < self.lines.len() {
            let line = self.lines[self.at];
            self.outside(line, ending);
        }
    }

    fn outside(&mut self, line: &'a str, ending: Ending) {
        if tool::begins(&self.text[self.offset_of(line)..]) && self.tool_call(line, ending) {
            return;
        }
        match thought::mark(line) {
            Mark::Begins(thought, rest) => return self.pass_over(thought, rest, ending),
            Mark::Ended(rest) => {
                // The opening tag is missing: all before it was thought.
                self.builder = Builder::new(self.files, None);
                self.done = self.at;
                self.forget();
                self.lines[self.at] = rest;
                return;
            }
            Mark::Header(rest) => {
                self.lines[self.at] = rest;
                return;
            }
            Mark::None => {}
        }
        let (text, quoted) = unquoted(line);
        if let Some(fence) = fence::opener(text) {
            self.at += 1;
            let mut next = Some(fence);
            while let Some(fence) = next {
                next = self.fenced(&fence, quoted, ending);
            }
        } else if section::is_search(text) {
            self.unfenced_edit(quoted, ending);
        } else {
            self.prose(text);
        }
    }

    fn prose(&mut self, text: &'a str) {
        // A call may follow the words that announce it.
        if let Some(at) = tool::after_words(text) {
            self.lines[self.at] = &text[at..];
            return;
        }
        self.at += 1;
        if text.trim().is_empty() || is_wrapper(text) {
            return;
        }
        self.own_fence = None;
        if place::is_heading(text) {
            self.heading = Some((text, self.at));
        }
        self.above = Some(text);
    }

    fn forget(&mut self) {
        self.above = None;
        self.heading = None;
        self.own_fence = None;
    }

    fn pass_over(&mut self, thought: Thought, rest: &'a str, ending: Ending) {
        self.lines[self.at] = rest;
        while self.at < self.lines.len() {
            if let Some(after) = thought.end(self.lines[self.at]) {
                self.lines[self.at] = after;
                self.forget();
                return;
            }
            self.at += 1;
        }
        if ending == Ending::Cut {
            self.builder.open(BlockLabel::Shown);
        }
    }

    /// Takes a block's content; `at` is behind the opener. What opens the next block on the closer's line is returned.
    fn fenced(&mut self, fence: &Fence, quoted: bool, ending: Ending) -> Option<Fence> {
        let begun = self.at;
        let (content, turn) = self.content(fence, quoted);
        let heading = self.heading.take().filter(|(_, at)| begun - at <= HEADING_REACH + 1).map(|(line, _)| line);
        let (above, own_fence) = (self.above.take(), self.own_fence.take());
        let around = Around { info: &fence.info, above, heading, own_fence, content: &content };
        if turn.is_none() {
            self.builder.open(block::label(&around, self.files));
            return None;
        }
        let is_name = fence.info.is_empty() && content.len() == 1 && place::alone(content[0], self.files).is_some();
        let has_path = || place::find(&Around { content: &[], ..around }, self.files) != place::Found::Nothing;
        if is_name && self.a_fence_follows() && !has_path() {
            self.own_fence = Some(content[0]);
        } else {
            self.builder.block(&Block { around, ending });
            self.done = self.at;
        }
        let Some(Turn::CloseAndOpen(next)) = turn else { return None };
        if self.done == self.at {
            // What of the line opens the next block is not done yet.
            let glued = self.at - 1;
            let line = self.lines[glued];
            self.lines[glued] = &line[line.find(fence.sign).unwrap_or(0) + fence.length..];
            self.done = glued;
        }
        Some(next)
    }

    fn content(&mut self, fence: &Fence, quoted: bool) -> (Vec<&'a str>, Option<Turn>) {
        let language = self.language_of(fence);
        let without_literals = if matches!(language, "markdown" | "rst") { language } else { "" };
        let begun = self.at;
        let language = if self.is_patient() { language } else { without_literals };
        let taken = self.content_in(fence, quoted, language);
        if taken.1.is_some() || language == without_literals {
            return taken;
        }
        // A literal that never ends, or holds half a block, was none: the first bare fence closes after all.
        let end = std::mem::replace(&mut self.at, begun);
        self.in_vain += taken.0.iter().map(|line| line.len() + 1).sum::<usize>();
        match self.content_in(fence, quoted, without_literals) {
            (retried, Some(turn)) => (retried, Some(turn)),
            _ => {
                self.at = end;
                taken
            }
        }
    }

    fn content_in(&mut self, fence: &Fence, quoted: bool, language: &'static str) -> (Vec<&'a str>, Option<Turn>) {
        let mut open = Open::new(fence.clone(), language);
        let mut content = Vec::new();
        while self.at < self.lines.len() {
            let raw = self.lines[self.at];
            let line = if quoted { unquoted(raw).0 } else { raw };
            let (next, ahead) =
                (self.lines.get(self.at + 1), self.bare_ahead[self.at + 1][usize::from(fence.sign == '~')]);
            // In Markdown a bare fence opens a block of its own where text follows it and enough fences to close both.
            let nests =
                || next.is_some_and(|next| !next.trim().is_empty() && fence::opener(next).is_none()) && ahead >= 2;
            let turn = open.take(line, nests);
            self.at += 1;
            match turn {
                Turn::Content if open.is_broken => return (content, None),
                Turn::Content => content.push(fence::unindented(line, fence.indent)),
                turn => return (content, Some(turn)),
            }
        }
        (content, None)
    }

    /// For fences and literals; the path above tells where the info string does not.
    fn language_of(&self, fence: &Fence) -> &'static str {
        let around = Around { info: &fence.info, above: self.above, heading: None, own_fence: None, content: &[] };
        let path = match place::find(&around, self.files) {
            place::Found::Path(Meant::Path(path)) => Some(path),
            _ => None,
        };
        match path {
            Some(path) if language::of_block("", Some(path.as_str())) == "markdown" => "markdown",
            path => language::of_block(&fence.info, path.as_ref().map(RelPath::as_str)),
        }
    }

    fn a_fence_follows(&self) -> bool {
        let next = self.lines[self.at..].iter().find(|line| !line.trim().is_empty());
        next.is_some_and(|line| fence::opener(line).is_some())
    }

    /// Path and section without any fence. A quoted one ends with its quotation.
    fn unfenced_edit(&mut self, quoted: bool, ending: Ending) {
        let mut content = Vec::new();
        let mut is_whole = false;
        while let Some(line) = self.lines.get(self.at).filter(|_| !is_whole) {
            let (text, is_quoted) = unquoted(line);
            if quoted && !is_quoted {
                break;
            }
            let line = if quoted { text } else { line };
            is_whole = section::is_replace(line);
            content.push(line);
            self.at += 1;
        }
        let above = self.above.take();
        let around = Around { info: "", above, heading: None, own_fence: None, content: &content };
        if is_whole {
            self.builder.block(&Block { around, ending });
            self.done = self.at;
        } else if self.at == self.lines.len() {
            self.builder.open(block::label(&around, self.files));
        }
    }

    /// Whether the line did begin a call, which is taken then.
    fn tool_call(&mut self, line: &'a str, ending: Ending) -> bool {
        if !self.is_patient() {
            return false;
        }
        let begun = self.offset_of(line);
        match tool::read(&self.text[begun..], ending) {
            tool::Read::Calls { calls, used, looked_at } => {
                self.in_vain += looked_at.saturating_sub(used);
                self.forget();
                self.builder.actions(calls);
                self.go_on_at(begun + used);
                self.done = self.at;
                true
            }
            tool::Read::Cut => {
                self.builder.open(BlockLabel::Shown);
                self.at = self.lines.len();
                true
            }
            tool::Read::NoCall(looked_at) => {
                self.in_vain += looked_at;
                false
            }
        }
    }

    fn is_patient(&self) -> bool {
        self.in_vain <= PATIENCE * self.text.len() + LEAST_PATIENCE
    }

    /// Where a line that is part of the text begins in it.
    fn offset_of(&self, line: &str) -> usize {
        line.as_ptr() as usize - self.text.as_ptr() as usize
    }

    /// Drops what stands before this place of the text.
    fn go_on_at(&mut self, offset: usize) {
        while let Some(line) = self.lines.get(self.at) {
            let begin = self.offset_of(line);
            if begin + line.len() > offset {
                self.lines[self.at] = &line[offset.saturating_sub(begin)..];
                return;
            }
            self.at += 1;
        }
    }
}

/// A tag that some models put around an edit as if it were a fence.
fn is_wrapper(line: &str) -> bool {
    let inner = line.trim().strip_prefix('<').and_then(|rest| rest.split_once('>'));
    inner.is_some_and(|(tag, language)| {
        let tag = tag.strip_prefix('/').unwrap_or(tag);
        ["source", "code", "pre", "codeblock", "sourcecode"].contains(&tag)
            && language.chars().all(char::is_alphanumeric)
    })
}

/// The line without a quotation's sign.
fn unquoted(line: &str) -> (&str, bool) {
    match line.trim_start().strip_prefix('>') {
        Some(rest) => (rest.strip_prefix(' ').unwrap_or(rest), true),
        None => (line, false),
    }
}
