//! Where the text ends on the screen, in display columns and rows, as every terminal counts them.
//!
//! Where terminals disagree (joined emoji, tabs at the right edge, a window that has just changed), the column is not
//! guessed: it counts as unknown until the line's end, and nothing above is touched again.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::style::{Look, Part};

/// Of the terminal's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The row is counted from the pane's beginning.
pub(super) struct Cursor {
    size: Size,
    /// Equal to the width after the last column was filled: terminals go to the next row only with the next character.
    column: Option<usize>,
    row: u64,
    /// The first row whose place on the screen is certain.
    certain: u64,
    /// The character written last with the marks on it.
    last: String,
}

/// The rows of one whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub row: u64,
    pub rows: u64,
}

const TAB: usize = 8;

/// Bytes of one character with its marks, in any real text.
const CHARACTER: usize = 32;

impl Cursor {
    /// At the beginning of an empty row.
    pub fn new(size: Size) -> Self {
        Self { size: at_least(size), column: Some(0), row: 0, certain: 0, last: String::new() }
    }

    pub fn size(&self) -> Size {
        self.size
    }

    pub fn column(&self) -> Option<usize> {
        self.column
    }

    pub fn row(&self) -> u64 {
        self.row
    }

    /// The last column is filled and the next character has not come.
    pub fn is_at_edge(&self) -> bool {
        self.column == Some(self.size.columns)
    }

    pub fn is_resized(&self, size: Size) -> bool {
        self.size != at_least(size)
    }

    /// Everything from this row on was taken away.
    pub fn back_to(&mut self, row: u64) {
        self.row = row;
        self.column = Some(0);
    }

    /// The window has another size. Some terminals flow the text anew and some do not.
    pub fn resize(&mut self, size: Size) {
        self.size = at_least(size);
        if self.column != Some(0) {
            self.column = None;
        }
        self.certain = self.row + u64::from(self.column.is_none());
    }

    /// At the beginning of an empty row again, after somebody else used the screen.
    pub fn restart(&mut self) {
        self.column = Some(0);
        self.certain = self.row;
    }

    /// Printable text without a newline was written.
    pub fn advance(&mut self, text: &str) {
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            self.advance_ascii(text);
        } else {
            text.chars().for_each(|c| self.step(c));
        }
    }

    pub fn newline(&mut self) {
        self.row += 1;
        if self.column.is_none() {
            self.certain = self.row;
        }
        self.column = Some(0);
    }

    /// How many rows above the cursor a place begins, if it is certain and still on the screen.
    pub fn up_to(&self, place: Place) -> Option<u64> {
        let up = self.row.checked_sub(place.row)?;
        // The live line below may have taken a row of the screen.
        let reachable = place.row >= self.certain && up + 1 < self.size.rows as u64;
        (self.column.is_some() && reachable).then_some(up)
    }

    /// Brings the terminal's cursor from anywhere in this row to the text's end.
    pub fn go_home(&self, out: &mut String) {
        out.push('\r');
        let column = self.column.unwrap_or(0);
        // No sequence goes beyond the last column: its character is written once more.
        let again = if self.is_at_edge() { self.last.as_str() } else { "" };
        let right = column - again.chars().next().and_then(width).unwrap_or(0).min(column);
        if right > 0 {
            let _ = write!(out, "\x1b[{right}C");
        }
        out.push_str(again);
    }

    fn advance_ascii(&mut self, text: &str) {
        let (Some(column), Some(last)) = (self.column, text.chars().last()) else { return };
        let (end, columns) = (column + text.len(), self.size.columns);
        self.row += ((end - 1) / columns) as u64;
        self.column = Some((end - 1) % columns + 1);
        self.last.clear();
        self.last.push(last);
    }

    fn step(&mut self, c: char) {
        let Some(column) = self.column else { return };
        self.column = match width(c) {
            _ if c == '\t' => Some((column / TAB + 1) * TAB).filter(|stop| *stop < self.size.columns),
            Some(0) => {
                self.last.push(c);
                (self.last.len() <= CHARACTER).then_some(column)
            }
            Some(width) => {
                self.last.clear();
                self.last.push(c);
                let fits = column + width <= self.size.columns;
                self.row += u64::from(!fits);
                Some(if fits { column + width } else { width })
            }
            None => None,
        };
    }
}

/// Smaller ones cannot hold every character.
fn at_least(size: Size) -> Size {
    Size { columns: size.columns.max(2), rows: size.rows.max(1) }
}

/// In columns; `None` where terminals disagree.
pub(super) fn width(c: char) -> Option<usize> {
    match c {
        // Invisible marks, and what joins or varies its neighbours.
        '\u{ad}' | '\u{115f}'..='\u{11ff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => None,
        '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}' => None,
        // Scripts that build clusters of several characters with a width of their own.
        '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => None,
        c => c.width(),
    }
}

/// As much of a line of ours as certainly takes fewer columns than these, in one row.
pub(super) fn fit(look: Look, line: &str, columns: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let mut left = columns.saturating_sub(1);
    for part in look.parts(line) {
        let text = match part {
            Part::Sequence(sequence) => {
                out.push_str(sequence);
                continue;
            }
            Part::Text(text) => text,
        };
        for c in text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }) {
            match left.checked_sub(width(c).unwrap_or(2)) {
                Some(rest) => left = rest,
                // A style that is open now still has its end to come.
                None => {
                    left = 0;
                    break;
                }
            }
            out.push(c);
        }
    }
    out
}
