//! The few styles of the program, by meaning, and the one place that knows their escape sequences.
//!
//! Colours of the terminal's own palette, which can be read on dark and on light ground, or softer ones where the ground
//! is known; and none that says anything which the text does not say too.

use std::borrow::Cow;

use crate::base::printable::Printable;

/// What the terminal and its user can bear; whoever reads the settings decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub color: bool,
    /// Whether what is on the screen may be written over. Screen readers and plain terminals want it only to grow.
    pub motion: bool,
    /// Whether files and thoughts stand as one line each, and tables wait for their end to be aligned.
    pub folds: bool,
    pub ground: Ground,
    pub signs: Signs,
}

/// What the text stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// Not known, or a terminal of few colours: those of its own palette.
    #[default]
    Unknown,
    Dark,
    Light,
}

/// What our own lines are drawn with; foreign text is shown as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    #[default]
    Unicode,
    Ascii,
}

impl Signs {
    /// A line of ours with signs that the terminal has, each as wide as it was.
    pub fn of(self, line: &str) -> Cow<'_, str> {
        match self {
            Self::Unicode => Cow::Borrowed(line),
            Self::Ascii if line.is_ascii() => Cow::Borrowed(line),
            Self::Ascii => Cow::Owned(line.chars().map(ascii).collect()),
        }
    }
}

fn ascii(sign: char) -> char {
    match sign {
        '›' | '▸' => '>',
        '·' => '-',
        '…' => '~',
        '⏎' => '/',
        '│' => '|',
        other => other,
    }
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
    Italic,
    Link,
}

impl Look {
    /// The text in this style, made printable.
    pub fn paint(self, style: Style, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        Printable::default().push(text, &mut shown);
        if self.color && !shown.is_empty() { style.wrap(self.ground, &shown) } else { shown }
    }
}

impl Look {
    /// The text made printable.
    pub fn plain(self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        Printable::default().push(text, &mut shown);
        shown
    }
}

/// Ends every style.
const PLAIN: &str = "\x1b[m";

impl Style {
    const ALL: [Self; 12] = [
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
        Self::Italic,
        Self::Link,
    ];

    fn start(self, ground: Ground) -> &'static str {
        match (self, ground) {
            (Self::Bold | Self::User, _) => "\x1b[1m",
            (Self::Italic, _) => "\x1b[3m",
            (Self::Link, _) => "\x1b[4m",
            (Self::Dim, Ground::Unknown) => "\x1b[2m",
            (Self::Dim, Ground::Dark) => "\x1b[38;5;246m",
            (Self::Dim, Ground::Light) => "\x1b[38;5;242m",
            (Self::Bad, Ground::Unknown) => "\x1b[31m",
            (Self::Bad, Ground::Dark) => "\x1b[38;5;210m",
            (Self::Bad, Ground::Light) => "\x1b[38;5;124m",
            (Self::Good | Self::Text, Ground::Unknown) => "\x1b[32m",
            (Self::Good | Self::Text, Ground::Dark) => "\x1b[38;5;114m",
            (Self::Good | Self::Text, Ground::Light) => "\x1b[38;5;28m",
            (Self::Warn | Self::Keyword, Ground::Unknown) => "\x1b[35m",
            (Self::Warn | Self::Keyword, Ground::Dark) => "\x1b[38;5;182m",
            (Self::Warn | Self::Keyword, Ground::Light) => "\x1b[38;5;90m",
            (Self::Path | Self::Value, Ground::Unknown) => "\x1b[36m",
            (Self::Path | Self::Value, Ground::Dark) => "\x1b[38;5;116m",
            (Self::Path | Self::Value, Ground::Light) => "\x1b[38;5;24m",
        }
    }

    /// For text that is printable already.
    pub(super) fn wrap(self, ground: Ground, text: &str) -> String {
        format!("{}{text}{PLAIN}", self.start(ground))
    }
}

/// Joins runs of text, each with its style, and changes styles only where they differ.
pub(super) struct Painter {
    ground: Ground,
    out: String,
    style: Option<Style>,
}

impl Painter {
    pub fn on(ground: Ground) -> Self {
        Self { ground, out: String::new(), style: None }
    }

    pub fn push(&mut self, style: Option<Style>, text: &str) {
        if text.is_empty() {
            return;
        }
        if style != self.style {
            if self.style.is_some() {
                self.out.push_str(PLAIN);
            }
            self.out.push_str(style.map_or("", |style| style.start(self.ground)));
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
            Printable::default().push(&self.signs.of(&rest[..at]), &mut shown);
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
    let grounds = [Ground::Unknown, Ground::Dark, Ground::Light];
    let styles = grounds.iter().flat_map(|ground| Style::ALL.iter().map(|style| style.start(*ground)));
    let mut ours = styles.chain([PLAIN]);
    ours.find(|sequence| text.starts_with(sequence)).map(str::len)
}
