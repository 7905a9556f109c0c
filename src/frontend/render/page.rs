//! Lines that are longer than a screen, in the rows of a window: what a pager shows.

use super::cursor::{Size, width};
use super::style::{Look, Part};

/// Lines of ours and where in them the reader is. The last row of the window says so.
pub struct Page {
    look: Look,
    lines: Vec<String>,
    size: Size,
    rows: Vec<String>,
    top: usize,
}

/// How the reader goes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Row,
    RowBack,
    Page,
    PageBack,
    Top,
    Bottom,
}

impl Page {
    /// They may hold what [`Look::paint`] made; other control characters do not pass.
    pub fn new(look: Look, lines: Vec<String>, size: Size) -> Self {
        let mut page = Self { look, lines, size, rows: Vec::new(), top: 0 };
        page.fit(size);
        page
    }

    /// Whether it needs no turning, with so many rows for what else there is.
    pub fn fits(&self, others: usize) -> bool {
        self.rows.len() + others <= self.size.rows
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// In a window of another size.
    pub fn fit(&mut self, size: Size) {
        let read = self.top as f64 / self.rows.len().max(1) as f64;
        self.size = size;
        self.rows = self.lines.iter().flat_map(|line| rows(self.look, line, size.columns.max(2))).collect();
        self.top = ((self.rows.len() as f64 * read) as usize).min(self.last_top());
    }

    pub fn turn(&mut self, turn: Turn) {
        let screen = self.body();
        let top = match turn {
            Turn::Row => self.top + 1,
            Turn::RowBack => self.top.saturating_sub(1),
            Turn::Page => self.top + screen,
            Turn::PageBack => self.top.saturating_sub(screen),
            Turn::Top => 0,
            Turn::Bottom => self.rows.len(),
        };
        self.top = top.min(self.last_top());
    }

    /// The whole window, from its first row on.
    pub fn draw(&self) -> String {
        let mut out = String::from("\x1b[?2026h\x1b[H");
        let end = (self.top + self.body()).min(self.rows.len());
        for number in 0..self.body() {
            // Behind a row that fills the window many terminals are still on its last character, which would go along.
            out.push_str("\x1b[K");
            out.push_str(self.rows.get(self.top + number).map_or("", String::as_str));
            out.push_str("\r\n");
        }
        let place = format!("{}-{end} of {}", self.top + 1, self.rows.len());
        let line = format!("{place} · space and b turn, arrows move, g and G are the ends, q leaves");
        let line = self.look.paint(super::Style::Dim, &self.look.signs.of(&line));
        out.push_str("\x1b[K");
        out.push_str(&super::cursor::fit(self.look, &line, self.size.columns));
        out.push_str("\x1b[?2026l");
        out
    }

    fn body(&self) -> usize {
        self.size.rows.saturating_sub(1).max(1)
    }

    fn last_top(&self) -> usize {
        self.rows.len().saturating_sub(self.body())
    }
}

/// One line in rows of so many columns; a style that goes over a row's end begins anew in the next one.
fn rows(look: Look, line: &str, columns: usize) -> Vec<String> {
    const TAB: usize = 8;
    let (mut rows, mut row, mut column, mut style) = (Vec::new(), String::new(), 0, "");
    for part in look.parts(line) {
        let text = match part {
            Part::Sequence(sequence) => {
                row.push_str(sequence);
                style = if sequence == "\x1b[m" { "" } else { sequence };
                continue;
            }
            Part::Text(text) => text,
        };
        for c in text.chars() {
            // Where terminals do not agree, the wider one counts.
            let taken = if c == '\t' { TAB - column % TAB } else { width(c).unwrap_or(2) };
            if column + taken > columns {
                row.push_str(if style.is_empty() { "" } else { "\x1b[m" });
                rows.push(std::mem::replace(&mut row, style.to_owned()));
                column = 0;
            }
            if c == '\t' {
                row.push_str(&" ".repeat(taken.min(columns)));
            } else {
                row.push(c);
            }
            column += taken;
        }
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::{Page, Turn, rows};
    use crate::frontend::render::{Look, Size, Style};

    #[test]
    fn a_style_goes_on_in_the_next_row() {
        let look = Look { color: true, ..Look::default() };
        let line = format!("ab{}", look.paint(Style::Bad, "日本c"));
        assert_eq!(rows(look, &line, 5), ["ab\x1b[31m日\x1b[m", "\x1b[31m本c\x1b[m"]);
        assert_eq!(rows(Look::default(), "", 5), [""]);
        assert_eq!(rows(Look::default(), "a\x1b[2Jb\tc", 10), ["ab      c"]);
    }

    #[test]
    fn nothing_is_erased_behind_a_row_that_fills_the_window() {
        let page = Page::new(Look::default(), vec!["a".repeat(30)], Size { columns: 10, rows: 3 });
        let rows = ["\x1b[?2026h\x1b[H\x1b[Kaaaaaaaaaa", "\x1b[Kaaaaaaaaaa"];
        assert!(page.draw().lines().zip(rows).all(|(drawn, row)| drawn == row), "{:?}", page.draw());
    }

    #[test]
    fn the_reader_goes_from_end_to_end_and_no_further() {
        let lines = (1..=20).map(|n| n.to_string()).collect();
        let mut page = Page::new(Look::default(), lines, Size { columns: 70, rows: 6 });
        let place = |page: &Page| {
            let drawn = page.draw();
            drawn.lines().last().unwrap().split(" ·").next().unwrap().trim_start_matches("\x1b[K").to_owned()
        };
        assert_eq!(place(&page), "1-5 of 20");
        page.turn(Turn::Page);
        page.turn(Turn::Row);
        assert_eq!(place(&page), "7-11 of 20");
        page.turn(Turn::Bottom);
        page.turn(Turn::Page);
        assert_eq!(place(&page), "16-20 of 20");
        page.turn(Turn::PageBack);
        assert_eq!(place(&page), "11-15 of 20");
        page.fit(Size { columns: 70, rows: 30 });
        assert_eq!(place(&page), "1-20 of 20");
        assert!(page.fits(2) && !page.fits(12));
    }
}
