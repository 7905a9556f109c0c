//! Fences: which line opens a block, and which one closes it.

use super::literal::Literal;

/// An opening fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub sign: char,
    pub length: usize,
    /// Columns before it.
    pub indent: usize,
    pub info: String,
}

/// The fence at a line's start: any run of three or more back quotes or tildes.
pub fn opener(line: &str) -> Option<Fence> {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let sign = text.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = text.chars().take_while(|c| *c == sign).count();
    let info = text[length..].trim();
    // Back quotes after back quotes are inline code.
    if length < 3 || (sign == '`' && info.contains('`')) {
        return None;
    }
    Some(Fence { sign, length, indent, info: info.to_owned() })
}

/// What a line means to an open block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Content,
    Close,
    /// Closer and the next opener on one line.
    CloseAndOpen(Fence),
}

/// An open block's view of the lines that follow.
#[derive(Clone, Debug)]
pub struct Open {
    pub fence: Fence,
    inner: Vec<Fence>,
    literal: Literal,
    language: &'static str,
    /// Whether a block is open inside the literal.
    opened_in_literal: bool,
    /// Set where the literal cannot be one: blocks inside a string are whole.
    pub is_broken: bool,
}

impl Open {
    /// `language` as `language::of_block` says; empty switches the literals off.
    pub fn new(fence: Fence, language: &'static str) -> Self {
        // A longer fence was made longer than those in the content.
        let language = if fence.length > 3 && !matches!(language, "markdown" | "rst") { "" } else { language };
        Self { fence, inner: Vec::new(), literal: Literal::None, language, opened_in_literal: false, is_broken: false }
    }

    fn is_markdown_like(&self) -> bool {
        matches!(self.language, "markdown" | "rst")
    }

    /// Takes the next line; `nests` says whether a bare fence here opens a block of its own (asked for Markdown alone).
    pub fn take(&mut self, line: &str, nests: impl FnOnce() -> bool) -> Turn {
        let found = opener(line).filter(|found| found.sign == self.fence.sign);
        if let (Some(found), Literal::None) = (&found, &self.literal)
            && found.length >= self.fence.length
        {
            return self.fence_line(found, nests);
        }
        if !self.is_markdown_like() {
            if let Some(found) = found.filter(|found| found.length >= self.fence.length) {
                self.is_broken |= self.opened_in_literal && !found.info.is_empty();
                self.opened_in_literal = !self.opened_in_literal;
            }
            self.literal = std::mem::take(&mut self.literal).after(line, self.language);
            self.is_broken |= self.opened_in_literal && self.literal == Literal::None;
        }
        Turn::Content
    }

    fn fence_line(&mut self, found: &Fence, nests: impl FnOnce() -> bool) -> Turn {
        if let Some(inner) = self.inner.last() {
            if found.info.is_empty() && found.length >= inner.length {
                self.inner.pop();
            } else if !found.info.is_empty() {
                self.inner.push(found.clone());
            }
            return Turn::Content;
        }
        if !found.info.is_empty() {
            if found.length == self.fence.length * 2 {
                let next = Fence { length: self.fence.length, ..found.clone() };
                return Turn::CloseAndOpen(next);
            }
            self.inner.push(found.clone());
            return Turn::Content;
        }
        if found.indent.abs_diff(self.fence.indent) > 3 {
            return Turn::Content;
        }
        if self.is_markdown_like() && nests() {
            self.inner.push(found.clone());
            return Turn::Content;
        }
        Turn::Close
    }
}

/// A line of content without the opener's indentation, as far as it has it.
pub fn unindented(line: &str, indent: usize) -> &str {
    let white = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[white.min(indent)..]
}
