//! A unified difference for the eye: its lines in colours, or old and new side by side where there is room for both.

use unicode_width::UnicodeWidthChar;

use super::style::{Look, Signs, Style};

/// Columns from which on old and new stand side by side.
pub const WIDE: usize = 160;

/// Columns of a line's number.
const NUMBER: usize = 5;

/// The lines of a unified difference, made printable.
pub fn diff(text: &str, look: Look, columns: usize) -> Vec<String> {
    if columns < WIDE {
        return text.lines().map(|line| painted(look, line)).collect();
    }
    let mut sides =
        Sides { look, width: (columns - 3) / 2, out: Vec::new(), at: (0, 0), gone: Vec::new(), come: Vec::new() };
    // Within a hunk only, lines begin with a sign; how many are left of it is told at its head.
    let mut left = (0, 0);
    for line in text.lines() {
        match line.as_bytes().first() {
            Some(b'-') if left.0 > 0 => {
                left.0 -= 1;
                sides.gone.push(line[1..].to_owned());
            }
            Some(b'+') if left.1 > 0 => {
                left.1 -= 1;
                sides.come.push(line[1..].to_owned());
            }
            Some(b' ') | None if left.0 > 0 && left.1 > 0 => {
                left = (left.0 - 1, left.1 - 1);
                sides.same(line.get(1..).unwrap_or_default());
            }
            _ => {
                sides.pairs();
                // What is all new or all gone has no other side, and takes the whole width.
                let both = hunk(line).filter(|(old, new)| old.1 > 0 && new.1 > 0);
                if let Some((old, new)) = both {
                    sides.at = (old.0, new.0);
                    left = (old.1, new.1);
                }
                sides.out.push(painted(look, line));
            }
        }
    }
    sides.pairs();
    sides.out
}

fn painted(look: Look, line: &str) -> String {
    let style = match line.as_bytes() {
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] | [b'd', b'i', b'f', b'f', b' ', ..] => Style::Bold,
        [b'@', b'@', ..] => Style::Path,
        [b'-', ..] => Style::Bad,
        [b'+', ..] => Style::Good,
        _ => return look.plain(line),
    };
    look.paint(style, line)
}

/// Where a hunk begins and how long it is, in the old file and in the new one.
pub fn hunk(line: &str) -> Option<((usize, usize), (usize, usize))> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| {
        let (start, length) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, length.parse().ok()?))
    };
    Some((range(old)?, range(new)?))
}

struct Sides {
    look: Look,
    /// Of each side.
    width: usize,
    out: Vec<String>,
    /// The numbers of the lines that come next.
    at: (usize, usize),
    gone: Vec<String>,
    come: Vec<String>,
}

impl Sides {
    fn same(&mut self, line: &str) {
        self.pairs();
        let (old, new) = self.at;
        self.at = (old + 1, new + 1);
        self.row((Some((old, line)), None), (Some((new, line)), None));
    }

    fn pairs(&mut self) {
        let (gone, come) = (std::mem::take(&mut self.gone), std::mem::take(&mut self.come));
        let (old, new) = self.at;
        for number in 0..gone.len().max(come.len()) {
            let side = |lines: &[String], first: usize| lines.get(number).map(|line| (first + number, line.clone()));
            let (left, right) = (side(&gone, old), side(&come, new));
            let left = left.as_ref().map(|(number, line)| (*number, line.as_str()));
            let right = right.as_ref().map(|(number, line)| (*number, line.as_str()));
            self.row((left, Some(Style::Bad)), (right, Some(Style::Good)));
        }
        self.at = (old + gone.len(), new + come.len());
    }

    /// A line of each side, in as many rows as the longer one takes.
    fn row(
        &mut self,
        (left, old): (Option<(usize, &str)>, Option<Style>),
        (right, new): (Option<(usize, &str)>, Option<Style>),
    ) {
        let bar = if self.look.signs == Signs::Unicode { "│" } else { "|" };
        let (left, right) = (self.side(left, old), self.side(right, new));
        let empty = " ".repeat(self.width);
        for number in 0..left.len().max(right.len()) {
            let left = left.get(number).unwrap_or(&empty);
            let right = right.get(number).map_or("", String::as_str);
            self.out.push(format!("{left} {bar} {right}").trim_end().to_owned());
        }
    }

    fn side(&self, line: Option<(usize, &str)>, style: Option<Style>) -> Vec<String> {
        let Some((number, line)) = line else { return Vec::new() };
        let room = self.width - NUMBER - 1;
        let mut rows = Vec::new();
        for (at, (piece, width)) in pieces(&self.look.plain(line), room).into_iter().enumerate() {
            let number = if at == 0 { format!("{number:>NUMBER$} ") } else { " ".repeat(NUMBER + 1) };
            let piece = style.map_or_else(|| piece.clone(), |style| self.look.paint(style, &piece));
            rows.push(format!("{}{piece}{}", self.look.paint(Style::Dim, &number), " ".repeat(room - width)));
        }
        rows
    }
}

/// The line in pieces of so many columns, each with its own; tabs are spaces.
fn pieces(line: &str, columns: usize) -> Vec<(String, usize)> {
    const TAB: usize = 4;
    let mut pieces = vec![(String::new(), 0)];
    for c in line.chars() {
        let at = pieces.last().map_or(0, |(_, width)| *width);
        let (text, width) = match c {
            '\t' => (" ".repeat(TAB - at % TAB), TAB - at % TAB),
            c => (c.to_string(), c.width().unwrap_or(0)),
        };
        if at + width > columns {
            pieces.push((String::new(), 0));
        }
        if let Some((piece, at)) = pieces.last_mut() {
            piece.push_str(&text);
            *at += width;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::diff;
    use crate::frontend::render::Look;

    const CHANGE: &str =
        "--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,4 @@\n import sys\n-print(1)\n+print(2)\n+print(3)\n end\n";

    #[test]
    fn narrow_it_is_as_it_is() {
        assert_eq!(diff(CHANGE, Look::default(), 80).join("\n") + "\n", CHANGE);
        let colours = diff(CHANGE, Look { color: true, ..Look::default() }, 80);
        assert_eq!(colours[4], "\x1b[31m-print(1)\x1b[m");
        assert_eq!(colours[5], "\x1b[32m+print(2)\x1b[m");
    }

    #[test]
    fn wide_old_and_new_stand_side_by_side() {
        let shown = diff(CHANGE, Look::default(), 160);
        let row = |left: &str, right: &str| format!("{left:<78} │ {right}").trim_end().to_owned();
        let wanted = [
            "--- a/x.py".to_owned(),
            "+++ b/x.py".to_owned(),
            "@@ -1,3 +1,4 @@".to_owned(),
            row("    1 import sys", "    1 import sys"),
            row("    2 print(1)", "    2 print(2)"),
            row("", "    3 print(3)"),
            row("    3 end", "    4 end"),
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_long_line_goes_on_in_its_own_half() {
        let long = "日本 ".repeat(30);
        let shown = diff(&format!("@@ -1 +1 @@\n-{long}\n+x\n"), Look::default(), 160);
        assert_eq!(shown.len(), 4, "{shown:#?}");
        let left: String =
            shown[1..].iter().map(|row| row.split('│').next().unwrap()[6..].trim_end().to_owned() + " ").collect();
        assert_eq!(left.split_whitespace().collect::<String>(), long.split_whitespace().collect::<String>());
    }

    #[test]
    fn a_line_that_looks_like_a_head_is_what_it_is() {
        let text = "@@ -1,1 +1,1 @@\n--- a\n+++ b\n";
        assert_eq!(diff(text, Look::default(), 160)[1], format!("{:<78} │ {}", "    1 -- a", "    1 ++ b"));
    }

    #[test]
    fn a_new_file_has_no_other_side() {
        let text = "--- /dev/null\n+++ b/x.py\n@@ -0,0 +1,2 @@\n+a\n+b\n";
        assert_eq!(diff(text, Look::default(), 200).join("\n") + "\n", text);
    }
}
