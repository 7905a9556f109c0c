//! The few styles of the program, by meaning, and the one place that knows their escape sequences.
//!
//! Only colours of the terminal's own palette that can be read on dark and on light ground, and none that says anything
//! which the text does not say too.

use crate::base::printable::Printable;

/// What the terminal and its user can bear; whoever reads the settings decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub color: bool,
    /// Whether what is on the screen may be written over. Screen readers and plain terminals want it only to grow.
    pub motion: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Path,
    User,
    /// The words of a programming language.
    Keyword,
    /// Text in quotes.
    Text,
    /// Numbers, constants, and code within prose.
    Value,
}

impl Look {
    /// The text in this style, made printable.
    pub fn paint(self, style: Style, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        Printable::default().push(text, &mut shown);
        if self.color && !shown.is_empty() { style.wrap(&shown) } else { shown }
    }
}

/// Ends every style.
const PLAIN: &str = "\x1b[m";

impl Style {
    const ALL: [Self; 10] = [
        Self::Bold,
        Self::Dim,
        Self::Good,
        Self::Bad,
        Self::Warn,
        Self::Path,
        Self::User,
        Self::Keyword,
        Self::Text,
        Self::Value,
    ];

    fn start(self) -> &'static str {
        match self {
            Self::Bold | Self::User => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Bad => "\x1b[31m",
            Self::Good | Self::Text => "\x1b[32m",
            Self::Warn | Self::Keyword => "\x1b[35m",
            Self::Path | Self::Value => "\x1b[36m",
        }
    }

    /// For text that is printable already.
    pub(super) fn wrap(self, text: &str) -> String {
        format!("{}{text}{PLAIN}", self.start())
    }
}

/// Joins runs of text, each with its style, and changes styles only where they differ.
#[derive(Default)]
pub(super) struct Painter {
    out: String,
    style: Option<Style>,
}

impl Painter {
    pub fn push(&mut self, style: Option<Style>, text: &str) {
        if text.is_empty() {
            return;
        }
        if style != self.style {
            if self.style.is_some() {
                self.out.push_str(PLAIN);
            }
            self.out.push_str(style.map_or("", Style::start));
            self.style = style;
        }
        self.out.push_str(text);
    }

    /// `None`: no style was used.
    pub fn finish(mut self) -> Option<String> {
        if self.style.is_some() {
            self.out.push_str(PLAIN);
        }
        self.out.contains('\x1b').then_some(self.out)
    }
}

/// A part of a text of ours.
pub(super) enum Part<'a> {
    /// One of the sequences of [`Style`].
    Sequence(&'a str),
    /// Printable.
    Text(String),
}

impl Look {
    /// A text of ours taken apart: whatever strayed into it is made printable, and no style goes on beyond its end.
    pub(super) fn parts(self, text: &str) -> Vec<Part<'_>> {
        let (mut parts, mut rest, mut is_plain) = (Vec::new(), text, true);
        while !rest.is_empty() {
            let found = rest.match_indices('\x1b').find_map(|(at, _)| Some((at, sequence(&rest[at..])?)));
            let (at, length) = found.unwrap_or((rest.len(), 0));
            let mut shown = String::with_capacity(at);
            Printable::default().push(&rest[..at], &mut shown);
            parts.push(Part::Text(shown));
            let sequence = &rest[at..at + length];
            if self.color && length > 0 {
                parts.push(Part::Sequence(sequence));
                is_plain = sequence == PLAIN;
            }
            rest = &rest[at + length..];
        }
        if !is_plain {
            parts.push(Part::Sequence(PLAIN));
        }
        parts
    }
}

/// The length of the sequence of ours that the text begins with.
fn sequence(text: &str) -> Option<usize> {
    let mut ours = Style::ALL.iter().map(|style| style.start()).chain([PLAIN]);
    ours.find(|sequence| text.starts_with(sequence)).map(str::len)
}
