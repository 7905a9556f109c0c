//! One reply, line by line. Pieces are shown as they come; what they ask for is decided over the whole text, so that it
//! does not depend on how the text was cut.

use super::block::{self, Block, Builder};
use super::fence::{self, Fence, Open, Turn};
use super::path::Meant;
use super::place::{self, Around};
use super::thought::{self, Mark, Thought};
use super::{BlockEvent, BlockLabel, Ending, Files, Parsed, RelPath, language, section, tool};

/// Lines of prose that may stand between a heading with a path and its fence.
const HEADING_REACH: usize = 12;

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
        self.text.push_str(piece);
        let mut events = Vec::new();
        while let Some(end) = self.text[self.seen..].find('\n') {
            let line = self.text[self.seen..self.seen + end].trim_end_matches('\r');
            self.live.line(line, files, &mut events);
            self.seen += end + 1;
        }
        events
    }

    pub fn finish(self, ending: Ending, files: &dyn Files) -> Parsed {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(&self.text);
        let lines: Vec<&str> = text.lines().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        let mut walk = Walk::new(&lines, Builder::new(files, self.last_edited));
        walk.walk(ending);
        let whole_until =
            lines.get(walk.done).map_or(self.text.len(), |line| line.as_ptr() as usize - self.text.as_ptr() as usize);
        Parsed { whole_until, ..walk.builder.finish() }
    }
}

impl Live {
    fn line(&mut self, line: &str, files: &dyn Files, events: &mut Vec<BlockEvent>) {
        if let Some(thought) = &self.thought {
            if thought.end(line).is_some() {
                self.thought = None;
            }
            return;
        }
        if let Some((open, lines)) = &mut self.open {
            match open.take(line, || false) {
                Turn::Content => {
                    *lines += 1;
                    events.push(BlockEvent::Grew(*lines));
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
        if let Mark::Begins(thought, rest) = thought::mark(line) {
            self.thought = thought.end(rest).is_none().then_some(thought);
        } else if let Some(fence) = fence::opener(line) {
            self.open(fence, files, events);
        } else if !line.trim().is_empty() {
            line.clone_into(&mut self.above);
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
    lines: &'a [&'a str],
    files: &'a dyn Files,
    builder: Builder<'a>,
    at: usize,
    above: Option<String>,
    heading: Option<(String, usize)>,
    own_fence: Option<String>,
    /// The first line behind the last whole block.
    done: usize,
    /// Bare fences of back quotes and of tildes from each line on.
    bare_ahead: Vec<[usize; 2]>,
}

impl<'a> Walk<'a> {
    fn new(lines: &'a [&'a str], builder: Builder<'a>) -> Self {
        let mut bare_ahead = vec![[0, 0]; lines.len() + 2];
        for (at, line) in lines.iter().enumerate().rev() {
            bare_ahead[at] = bare_ahead[at + 1];
            if let Some(fence) = fence::opener(line).filter(|fence| fence.info.is_empty()) {
                bare_ahead[at][usize::from(fence.sign == '~')] += 1;
            }
        }
        let files = builder.files;
        Self { lines, files, builder, at: 0, above: None, heading: None, own_fence: None, done: 0, bare_ahead }
    }

    fn walk(&mut self, ending: Ending) {
        while self.at < self.lines.len() {
            let line = self.lines[self.at];
            self.outside(line, ending);
        }
    }

    fn outside(&mut self, line: &str, ending: Ending) {
        match thought::mark(line) {
            Mark::Begins(thought, rest) => return self.pass_over(&thought, rest, ending),
            Mark::Ended(rest) => {
                // The opening tag is missing: all before it was thought.
                self.builder = Builder::new(self.files, None);
                self.done = self.at;
                self.forget();
                return self.prose(rest);
            }
            Mark::Header(rest) => return self.prose(rest),
            Mark::None => {}
        }
        let (text, quoted) = unquoted(line);
        if let Some(fence) = fence::opener(text) {
            self.at += 1;
            return self.fenced(&fence, quoted, ending);
        }
        if section::is_search(text) {
            return self.unfenced_edit(ending);
        }
        if tool::begins(text) {
            return self.tool_call(ending);
        }
        self.prose(text);
    }

    fn prose(&mut self, text: &str) {
        self.at += 1;
        if text.trim().is_empty() {
            return;
        }
        self.own_fence = None;
        if place::is_heading(text) {
            self.heading = Some((text.to_owned(), self.at));
        }
        self.above = Some(text.to_owned());
    }

    fn forget(&mut self) {
        self.above = None;
        self.heading = None;
        self.own_fence = None;
    }

    fn pass_over(&mut self, thought: &Thought, rest: &str, ending: Ending) {
        if let Some(after) = thought.end(rest) {
            return self.prose(after);
        }
        self.at += 1;
        while self.at < self.lines.len() {
            if let Some(after) = thought.end(self.lines[self.at]) {
                self.forget();
                return self.prose(after);
            }
            self.at += 1;
        }
        if ending == Ending::Cut {
            self.builder.open(BlockLabel::Shown);
        }
    }

    /// Takes a block's content; `at` is behind the opener.
    fn fenced(&mut self, fence: &Fence, quoted: bool, ending: Ending) {
        let language = self.language_of(fence);
        let begun = self.at;
        let (content, turn) = match self.content(fence, quoted, language) {
            (content, Some(turn)) => (content, Some(turn)),
            (content, None) => {
                // A literal that never ends was none: the first bare fence closes after all.
                let end = self.at;
                self.at = begun;
                match self.content(
                    fence,
                    quoted,
                    if language == "markdown" || language == "rst" { language } else { "" },
                ) {
                    (retried, Some(turn)) => (retried, Some(turn)),
                    _ => {
                        self.at = end;
                        (content, None)
                    }
                }
            }
        };
        let heading = self.heading.take().filter(|(_, at)| begun - at <= HEADING_REACH + 1).map(|(line, _)| line);
        let (above, own_fence) = (self.above.take(), self.own_fence.take());
        let borrowed: Vec<&str> = content.iter().map(String::as_str).collect();
        let around = Around {
            info: &fence.info,
            above: above.as_deref(),
            heading: heading.as_deref(),
            own_fence: own_fence.as_deref(),
            content: &borrowed,
        };
        if turn.is_none() {
            self.builder.open(block::label(&around, self.files));
            return;
        }
        let is_name = fence.info.is_empty() && borrowed.len() == 1 && place::alone(borrowed[0], self.files).is_some();
        if is_name && self.a_fence_follows() {
            self.own_fence = Some(borrowed[0].to_owned());
        } else {
            self.builder.block(&Block { around, ending });
            self.done = self.at;
        }
        if let Some(Turn::CloseAndOpen(next)) = turn {
            self.fenced(&next, quoted, ending);
        }
    }

    fn content(&mut self, fence: &Fence, quoted: bool, language: &'static str) -> (Vec<String>, Option<Turn>) {
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
                Turn::Content => content.push(fence::unindented(line, fence.indent).to_owned()),
                turn => return (content, Some(turn)),
            }
        }
        (content, None)
    }

    /// For fences and literals; the path above tells where the info string does not.
    fn language_of(&self, fence: &Fence) -> &'static str {
        let around =
            Around { info: &fence.info, above: self.above.as_deref(), heading: None, own_fence: None, content: &[] };
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

    /// Path and section without any fence.
    fn unfenced_edit(&mut self, ending: Ending) {
        let begun = self.at;
        while self.at < self.lines.len() && !section::is_replace(self.lines[self.at]) {
            self.at += 1;
        }
        let whole = self.at < self.lines.len();
        self.at = (self.at + 1).min(self.lines.len());
        let above = self.above.take();
        let around = Around {
            info: "",
            above: above.as_deref(),
            heading: None,
            own_fence: None,
            content: &self.lines[begun..self.at],
        };
        if whole {
            self.builder.block(&Block { around, ending });
            self.done = self.at;
        } else {
            self.builder.open(block::label(&around, self.files));
        }
    }

    fn tool_call(&mut self, ending: Ending) {
        let (calls, used) = tool::read(&self.lines[self.at..], ending);
        self.at += used.max(1);
        self.forget();
        match calls {
            Some(calls) => {
                self.builder.actions(calls);
                self.done = self.at;
            }
            None => self.builder.open(BlockLabel::Shown),
        }
    }
}

/// The line without a quotation's sign.
fn unquoted(line: &str) -> (&str, bool) {
    match line.trim_start().strip_prefix('>') {
        Some(rest) => (rest.strip_prefix(' ').unwrap_or(rest), true),
        None => (line, false),
    }
}
