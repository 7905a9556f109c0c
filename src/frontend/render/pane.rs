//! The pane: everything the program writes while it has the terminal, composed here and written by the caller.
//!
//! The terminal's cursor rests at the end of the text. The live line is drawn below it and erased before text follows;
//! a finished line of the reply is written over in place once its colours are known, while it is still on the screen.

use std::fmt::Write as _;

use super::cursor::{Cursor, Place, Size, fit};
use super::highlight::{Highlighter, LONGEST_LINE};
use super::markdown::{self, Line, Markdown};
use super::style::{Look, Part, Signs, Style};
use crate::base::printable::Printable;

/// Terminals that know it show what is between in one step; others ignore it.
const BATCH: [&str; 2] = ["\x1b[?2026h", "\x1b[?2026l"];

/// What is between is cut at the window's edge: a window that became narrower, and has not said so yet, must not make two
/// rows of the live line.
const ONE_ROW: [&str; 2] = ["\x1b[?7l", "\x1b[?7h"];

/// Needs a terminal that turns a newline into the beginning of the next row, as they all do unless told otherwise.
pub struct Pane {
    look: Look,
    cursor: Cursor,
    filter: Printable,
    markdown: Markdown,
    highlighter: Highlighter,
    line: Unfinished,
    held: Held,
    /// The last line of prose with text, where nothing but empty lines came since.
    above: Option<(Place, String)>,
    /// What is to be written, without the live line.
    out: String,
    /// `out` goes back over what was written.
    moves: bool,
    live: Option<String>,
    drawn: Option<Drawn>,
}

/// The reply's last line while it grows.
#[derive(Default)]
struct Unfinished {
    text: String,
    /// The row where it began; `None` after other lines came between.
    row: Option<u64>,
    is_too_long: bool,
}

/// What has come and is not shown yet, since it depends on what follows how.
#[derive(Default)]
struct Held {
    /// The beginning of a line that may become a fence or a row.
    line: String,
    /// Rows of a table that goes on.
    rows: Vec<String>,
    /// The first line of a block, whole.
    fence: Option<String>,
}

/// Rows of a table that are waited for.
const LONGEST_TABLE: usize = 100;

/// The live line as it is on the screen.
struct Drawn {
    line: String,
    /// Takes it away and leaves the cursor at the text's end.
    erase: String,
}

impl Pane {
    /// The cursor must be at the beginning of an empty row.
    pub fn new(look: Look, size: Size) -> Self {
        Self {
            look,
            cursor: Cursor::new(size),
            filter: Printable::default(),
            markdown: Markdown::default(),
            highlighter: Highlighter::default(),
            line: Unfinished::default(),
            held: Held::default(),
            above: None,
            out: String::new(),
            moves: false,
            live: None,
            drawn: None,
        }
    }

    /// The next piece of the model's text, which may end anywhere.
    pub fn reply(&mut self, text: &str) {
        let mut shown = String::with_capacity(text.len());
        self.filter.push(text, &mut shown);
        for piece in shown.split_inclusive('\n') {
            let (text, is_whole) = piece.strip_suffix('\n').map_or((piece, false), |text| (text, true));
            if let Some(fence) = self.held.fence.take() {
                self.show(&fence, true);
            }
            if self.holds(text, is_whole) {
                continue;
            }
            self.release_rows();
            let held = std::mem::take(&mut self.held.line);
            self.show(if held.is_empty() { text } else { &held }, is_whole);
        }
    }

    /// The block that has just begun is shown as a line of ours, by whoever calls this: its first line goes, and so does a
    /// line above that only names the path. `false` where it is on the screen already.
    pub fn fold(&mut self, path: &str) -> bool {
        if self.held.fence.take().is_none() {
            return false;
        }
        let named = self.above.take().filter(|(_, line)| markdown::names_only(line, path));
        if let Some((place, up)) = named.and_then(|(place, _)| Some((place, self.cursor.up_to(place)?))) {
            let _ = write!(self.out, "\x1b[{up}A\r\x1b[J");
            self.cursor.back_to(place.row);
            self.moves = true;
        }
        true
    }

    /// A piece of what the model thinks, in a voice of its own. The next piece of the reply begins below it.
    pub fn aside(&mut self, text: &str) {
        let mut shown = String::with_capacity(text.len());
        self.filter.push(text, &mut shown);
        self.above = None;
        for piece in shown.split_inclusive('\n') {
            let (text, is_whole) = piece.strip_suffix('\n').map_or((piece, false), |text| (text, true));
            let painted = self.look.paint(Style::Dim, text);
            self.out.push_str(&painted);
            self.cursor.advance(text);
            if is_whole {
                self.newline();
            }
        }
    }

    /// Lines of code as [`Coloring::lines`](super::Coloring::lines) made them.
    pub fn painted(&mut self, lines: &[String]) {
        self.above = None;
        for line in lines {
            self.put(line);
            self.newline();
        }
    }

    /// What the text stands on became known.
    pub fn look(&mut self, look: Look) {
        self.look = look;
    }

    /// Whether the line waits for more, with this piece of it.
    fn holds(&mut self, text: &str, is_whole: bool) -> bool {
        let begins = self.line.text.is_empty() && !self.line.is_too_long && self.cursor.column() == Some(0);
        if !self.look.folds || !begins || self.markdown.is_inside() {
            return false;
        }
        self.held.line.push_str(text);
        if !is_whole {
            let may_grow = self.held.line.len() <= LONGEST_LINE;
            return may_grow && markdown::waits(&self.held.line);
        }
        if markdown::is_fence(&self.held.line) {
            self.release_rows();
            self.held.fence = Some(std::mem::take(&mut self.held.line));
            return true;
        }
        // Of what is longer nobody sees the columns, and to find them would take its time.
        let has_room = self.held.line.len() <= LONGEST_LINE && self.held.rows.len() < LONGEST_TABLE;
        let is_row = has_room && markdown::is_row(&self.held.line);
        if is_row {
            self.held.rows.push(std::mem::take(&mut self.held.line));
        }
        is_row
    }

    /// The table has ended: aligned where it is one, and as it came where it is none.
    fn release_rows(&mut self) {
        if self.held.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.held.rows);
        let table = if self.look.motion { markdown::aligned(&rows, self.cursor.size().columns) } else { None };
        let is_table = table.is_some();
        for (number, row) in table.unwrap_or(rows).iter().enumerate() {
            let styled = if is_table && number == 0 && self.look.color {
                Some(Style::Bold.wrap(self.look.ground, row))
            } else {
                markdown::styled(row, self.look.ground).filter(|_| self.look.color && self.look.motion)
            };
            // The reader of the text has to know of the line what it would have known.
            self.markdown.take(row);
            self.put(styled.as_deref().unwrap_or(row));
            self.newline();
        }
        self.above = None;
    }

    fn release(&mut self) {
        self.release_rows();
        let fence = self.held.fence.take();
        if let Some(fence) = fence {
            self.show(&fence, true);
        }
        let line = std::mem::take(&mut self.held.line);
        if !line.is_empty() {
            self.show(&line, false);
        }
    }

    /// A piece of a line, on the screen.
    fn show(&mut self, text: &str, is_whole: bool) {
        if self.line.text.is_empty() && !self.line.is_too_long && self.cursor.column() == Some(0) {
            self.line.row = Some(self.cursor.row());
        }
        self.write(text);
        self.line.push(text);
        if is_whole {
            self.finish_line();
        }
    }

    /// The reply is complete, or cut: its last line ends here, and so does an open block.
    pub fn finish_reply(&mut self) {
        self.release();
        if self.cursor.column() != Some(0) {
            self.finish_line();
        }
        self.highlighter.end();
        self.filter = Printable::default();
        self.markdown = Markdown::default();
        self.line = Unfinished::default();
        self.above = None;
    }

    /// Whole lines of ours, with a newline at the end or without. They may hold what [`Look::paint`] made; other control
    /// characters do not pass. A reply's line that they interrupt goes on below them.
    pub fn lines(&mut self, text: &str) {
        if self.cursor.column() != Some(0) {
            self.newline();
        }
        self.line.row = None;
        self.above = None;
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            for part in self.look.parts(line) {
                match part {
                    Part::Sequence(sequence) => self.out.push_str(sequence),
                    Part::Text(text) => self.write(&text),
                }
            }
            self.newline();
        }
    }

    /// One line below the text: what goes on, what is being typed. It is cut to the window's width, and `None` takes it away.
    pub fn live(&mut self, line: Option<String>) {
        self.live = line;
    }

    /// As the terminal says before something is written: the signal of another size comes later than the size.
    pub fn fit(&mut self, size: Size) {
        if self.cursor.is_resized(size) {
            self.resize(size);
        }
    }

    /// The terminal's window has another size, or had one for a moment.
    pub fn resize(&mut self, size: Size) {
        self.cursor.resize(size);
        if let Some(drawn) = &mut self.drawn {
            *drawn = Drawn { line: String::new(), erase: "\x1b[J".to_owned() };
        }
    }

    /// Somebody else has used the terminal (a prompt, an editor); its cursor is at the beginning of an empty row. Before
    /// it is handed over, the live line must be away and [`Pane::take`] written.
    pub fn restart(&mut self) {
        self.cursor.restart();
        self.line.row = None;
        self.above = None;
        self.drawn = None;
    }

    /// Everything to be written since the last time, in one piece.
    pub fn take(&mut self) -> String {
        while let Some(coloured) = self.highlighter.next() {
            self.repaint(Some(coloured.place), &coloured.line);
        }
        let live = self.shown_live();
        let stays = self.out.is_empty() && live.as_deref() == self.drawn.as_ref().map(|drawn| drawn.line.as_str());
        if stays {
            return String::new();
        }
        let text = std::mem::take(&mut self.out);
        let erased = self.drawn.take();
        if !std::mem::take(&mut self.moves) && erased.is_none() && live.is_none() {
            return text;
        }
        let mut out = String::with_capacity(text.len() + 128);
        out.push_str(BATCH[0]);
        out.push_str(erased.as_ref().map_or("", |drawn| drawn.erase.as_str()));
        out.push_str(&text);
        if let Some(line) = live {
            self.drawn = Some(self.draw(line, &mut out));
        }
        out.push_str(BATCH[1]);
        out
    }

    /// Of the window.
    pub fn columns(&self) -> usize {
        self.cursor.size().columns
    }

    /// Waits until [`Pane::take`] has colours to write. Safe to drop at any time.
    pub async fn recoloured(&self) {
        self.highlighter.ready().await;
    }

    /// No line of code is on its way to get colours.
    pub fn is_settled(&self) -> bool {
        self.highlighter.is_settled()
    }

    fn shown_live(&self) -> Option<String> {
        let Size { columns, rows } = self.cursor.size();
        let has_place = self.look.motion && self.cursor.column().is_some() && rows > 1;
        self.live.as_deref().filter(|_| has_place).map(|line| fit(self.look, line, columns))
    }

    fn draw(&self, line: String, out: &mut String) -> Drawn {
        let mut erase = String::new();
        if self.cursor.column() == Some(0) {
            let _ = write!(out, "{}{line}{}\r", ONE_ROW[0], ONE_ROW[1]);
        } else {
            let _ = write!(out, "\n\r{}{line}{}\x1b[A", ONE_ROW[0], ONE_ROW[1]);
            self.cursor.go_home(out);
        }
        if self.cursor.is_at_edge() {
            // Erasing from the filled column would take its character along.
            erase.push_str("\n\r\x1b[J\x1b[A");
            self.cursor.go_home(&mut erase);
        } else {
            erase.push_str("\x1b[J");
        }
        Drawn { line, erase }
    }

    /// A line that holds nothing but printable text and our styles.
    fn put(&mut self, styled: &str) {
        for part in (Look { signs: Signs::Unicode, ..self.look }).parts(styled) {
            match part {
                Part::Sequence(sequence) => self.out.push_str(sequence),
                Part::Text(text) => self.write(&text),
            }
        }
    }

    /// Printable text without a newline.
    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.cursor.advance(text);
    }

    fn newline(&mut self) {
        self.out.push('\n');
        self.cursor.newline();
    }

    /// The reply's line is complete: it may be told what it is, and shown so.
    fn finish_line(&mut self) {
        let Unfinished { text, row, is_too_long } = std::mem::take(&mut self.line);
        let place = row.map(|row| Place { row, rows: self.cursor.row() - row + 1 });
        self.newline();
        if is_too_long {
            // What follows in its block would be read without it.
            self.above = None;
            return self.highlighter.end();
        }
        let (is_painted, ground) = (self.look.color && self.look.motion, self.look.ground);
        match self.markdown.take(&text) {
            Line::Prose => {
                if let Some(styled) = markdown::styled(&text, ground).filter(|_| is_painted) {
                    self.repaint(place, &styled);
                }
                if !text.trim().is_empty() {
                    self.above = place.map(|place| (place, text));
                }
                return;
            }
            Line::Opens(hints) if is_painted => {
                self.highlighter.begin(hints, ground);
                self.repaint(place, &Style::Dim.wrap(ground, &text));
            }
            Line::Code if is_painted => self.highlighter.line(&text, place),
            Line::Closes if is_painted => {
                self.highlighter.end();
                self.repaint(place, &Style::Dim.wrap(ground, &text));
            }
            Line::Opens(_) | Line::Code | Line::Closes => {}
        }
        self.above = None;
    }

    /// Writes over a line that is still on the screen, with the same characters.
    fn repaint(&mut self, place: Option<Place>, styled: &str) {
        let Some((place, up)) = place.and_then(|place| Some((place, self.cursor.up_to(place)?))) else { return };
        let _ = write!(self.out, "\x1b[{up}A\r{styled}\x1b[{}B", up + 1 - place.rows);
        self.cursor.go_home(&mut self.out);
        self.moves = true;
    }
}

impl Unfinished {
    fn push(&mut self, text: &str) {
        self.is_too_long |= self.text.len() + text.len() > LONGEST_LINE;
        if self.is_too_long {
            self.text.clear();
        } else {
            self.text.push_str(text);
        }
    }
}
