//! A reply's lines as a reader sees them: prose, fences and code. For display only: what a reply does is decided elsewhere.

use unicode_width::UnicodeWidthStr;

use super::style::{Ground, Painter, Style};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Prose,
    /// What may name the language of the lines that follow, likeliest first.
    Opens(Vec<String>),
    Code,
    Closes,
}

/// Takes a reply line by line.
#[derive(Default)]
pub(super) struct Markdown {
    open: Option<Fence>,
    /// Fences that opened within the open block and are not closed.
    inner: usize,
    /// The nearest line of prose above that is not empty.
    above: String,
}

struct Fence {
    sign: char,
    length: usize,
    info: String,
}

/// First words after a fence that stand for actions without a program's text.
const WORDLESS: [&str; 3] = ["read", "delete", "move"];

impl Markdown {
    pub fn take(&mut self, line: &str) -> Line {
        let fence = Fence::at_start_of(line);
        match (&self.open, fence) {
            (None, None) => {
                if !line.trim().is_empty() {
                    self.above.clear();
                    self.above.push_str(line);
                }
                Line::Prose
            }
            (None, Some(fence)) => {
                let hints = hints(&fence.info, &self.above);
                self.open = Some(fence);
                self.above.clear();
                Line::Opens(hints)
            }
            (Some(open), Some(fence)) if fence.sign == open.sign && fence.length >= open.length => self.fence(&fence),
            (Some(_), _) => Line::Code,
        }
    }

    /// A fenced block is open.
    pub fn is_inside(&self) -> bool {
        self.open.is_some()
    }

    /// A fence that the open block must heed.
    fn fence(&mut self, fence: &Fence) -> Line {
        match (fence.info.is_empty(), self.inner) {
            (true, 0) => {
                self.open = None;
                return Line::Closes;
            }
            (true, _) => self.inner -= 1,
            (false, _) => self.inner += 1,
        }
        Line::Code
    }
}

impl Fence {
    fn at_start_of(line: &str) -> Option<Self> {
        let text = line.trim_start();
        let sign = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let length = text.len() - info.len();
        // Back quotes after back quotes are code within a line.
        let opens = length >= 3 && !(sign == '`' && info.contains('`'));
        opens.then(|| Self { sign, length, info: info.trim().to_owned() })
    }
}

/// The info string's words, and the names and extensions of paths there and in the line above.
fn hints(info: &str, above: &str) -> Vec<String> {
    let mut words = info.split(|c: char| c.is_whitespace() || "{}[]()=:,;\"'".contains(c)).filter(|w| !w.is_empty());
    let mut hints = Vec::new();
    if let Some(first) = words.next().map(|first| first.trim_start_matches('.')) {
        if WORDLESS.contains(&first) {
            return hints;
        }
        hints.push(first.to_owned());
        paths([first].into_iter().chain(words), &mut hints);
    }
    paths(above.split_whitespace().map(|word| word.trim_matches(|c: char| "`*_\"'()[]<>#:,.".contains(c))), &mut hints);
    hints
}

fn paths<'a>(words: impl Iterator<Item = &'a str>, hints: &mut Vec<String>) {
    for word in words {
        let name = word.rsplit('/').next().unwrap_or(word);
        match name.rsplit_once('.') {
            Some((_, extension)) if !extension.is_empty() => {
                hints.extend([name.to_owned(), extension.to_owned()]);
            }
            // A name like `Makefile`, which is told from a word by its capital and its company.
            None if name.len() < word.len() || word.starts_with(char::is_uppercase) => hints.push(name.to_owned()),
            Some(_) | None => {}
        }
    }
}

/// What may name the language of a file or a block by this name.
pub(super) fn names_in(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    paths([name].into_iter(), &mut names);
    names
}

/// Whether a line that begins so may yet become a fence or a row of a table. Not more than [`UNDECIDED`] bytes are looked at.
pub(super) fn waits(beginning: &str) -> bool {
    let text = beginning.trim_start_matches(' ');
    let Some(sign) = text.chars().next() else { return beginning.len() < UNDECIDED };
    if beginning.len() > UNDECIDED && sign != '|' {
        return false;
    }
    let run = text.len() - text.trim_start_matches(sign).len();
    match sign {
        '|' => true,
        '`' => run == text.len() || run >= 3 && !text[run..].contains('`'),
        '~' => run == text.len() || run >= 3,
        _ => false,
    }
}

pub(super) fn is_fence(line: &str) -> bool {
    Fence::at_start_of(line).is_some()
}

pub(super) fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

/// Bytes of an info string; a longer line is shown as it comes.
const UNDECIDED: usize = 200;

/// Whether a line says this path and nothing else.
pub(super) fn names_only(line: &str, path: &str) -> bool {
    let marks = |c: char| c.is_whitespace() || "*_`#:\"'()[]<>-".contains(c);
    line.trim_matches(marks) == path
}

/// A table's rows with their columns aligned, plain; `None` where it is none, or wider than so many columns.
pub(super) fn aligned(rows: &[String], columns: usize) -> Option<Vec<String>> {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| cells(row)).collect();
    let rule = cells.get(1)?;
    let is_rule =
        |cell: &&str| !cell.is_empty() && cell.contains('-') && cell.bytes().all(|byte| b":-".contains(&byte));
    if !rule.iter().all(is_rule) {
        return None;
    }
    let count = cells[0].len();
    // A row of more or fewer cells is the writer's own affair.
    if cells.iter().any(|row| row.len() != count) {
        return None;
    }
    let wide =
        |at: usize| cells.iter().enumerate().filter(|(row, _)| *row != 1).map(move |(_, row)| row[at].width()).max();
    let widths: Vec<usize> = (0..count).map(|at| wide(at).unwrap_or(0).max(3)).collect();
    if widths.iter().map(|width| width + 3).sum::<usize>() + 1 >= columns {
        return None;
    }
    let sides: Vec<(bool, bool)> = rule.iter().map(|cell| sides(cell)).collect();
    let padded = |((cell, width), side): ((&&str, &usize), &(bool, bool))| {
        let gap = width - cell.width();
        let left = match side {
            (true, true) => gap / 2,
            (false, true) => gap,
            (_, false) => 0,
        };
        format!("| {}{cell}{} ", " ".repeat(left), " ".repeat(gap - left))
    };
    let line = |(number, row): (usize, &Vec<&str>)| {
        let row: String = match number {
            1 => row.iter().zip(&widths).map(|(cell, width)| rule_cell(cell, *width)).collect(),
            _ => row.iter().zip(&widths).zip(&sides).map(padded).collect(),
        };
        format!("{row}|")
    };
    Some(cells.iter().enumerate().map(line).collect())
}

fn rule_cell(cell: &str, width: usize) -> String {
    let (left, right) = sides(cell);
    let dashes = "-".repeat(width + 2 - usize::from(left) - usize::from(right));
    format!("|{}{dashes}{}", if left { ":" } else { "" }, if right { ":" } else { "" })
}

/// Whether the column keeps to the left, and to the right, by a colon on that side.
fn sides(cell: &str) -> (bool, bool) {
    (cell.starts_with(':'), cell.len() > 1 && cell.ends_with(':'))
}

/// Between unescaped bars that are not within code.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let inner = row.strip_prefix('|').unwrap_or(row);
    let (mut cells, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(next) = inner[at..].find(['|', '`', '\\']).map(|next| at + next) {
        at = next + 1;
        match inner.as_bytes()[next] {
            b'|' => {
                cells.push(inner[from..next].trim());
                from = at;
            }
            b'`' => at = next + code_span(&inner[next..]).unwrap_or(1),
            _ => at += inner[at..].chars().next().map_or(0, char::len_utf8),
        }
    }
    let rest = inner[from..].trim();
    if !rest.is_empty() {
        cells.push(rest);
    }
    cells
}

/// A line of prose with what Markdown means told apart; `None` where it has nothing. Not a character is lost.
pub(super) fn styled(line: &str, ground: Ground) -> Option<String> {
    let mut painter = Painter::on(ground);
    let text = line.trim_start();
    if is_heading(line) {
        painter.push(Some(Style::Bold), line);
    } else if text.starts_with('>') || is_ruler(text) {
        painter.push(Some(Style::Dim), line);
    } else {
        let (indent, mark) = (line.len() - text.len(), marker(text));
        let begins = indent + mark;
        painter.push(None, &line[..indent]);
        painter.push(Some(Style::Path), &line[indent..begins]);
        let bars = if is_row(line) { Some(Style::Dim) } else { None };
        words(&line[begins..], bars, &mut painter);
    }
    painter.finish()
}

/// The length of the bullet or number that an item of a list begins with.
fn marker(text: &str) -> usize {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = match text[digits..].chars().next() {
        Some('-' | '*' | '+') if digits == 0 => 1,
        Some('.' | ')') if (1..=9).contains(&digits) => digits + 1,
        _ => return 0,
    };
    if text[length..].starts_with(' ') { length } else { 0 }
}

fn is_ruler(text: &str) -> bool {
    let sign = text.chars().next().filter(|sign| matches!(sign, '-' | '*' | '_'));
    let text = text.trim_end();
    sign.is_some_and(|sign| text.len() >= 3 && text.chars().all(|c| c == sign))
}

/// Code, bold and slanted words, links, and the bars of a table.
fn words(text: &str, bars: Option<Style>, painter: &mut Painter) {
    let (mut rest, mut bold, mut before) = (text, None, ' ');
    while let Some(at) = rest.find(['`', '*', '[', 'h', '|']) {
        let (plain, marked) = rest.split_at(at);
        painter.push(bold, plain);
        before = plain.chars().next_back().unwrap_or(before);
        let length = match marked.as_bytes()[0] {
            b'`' if let Some(length) = code_span(marked) => {
                painter.push(Some(Style::Value), &marked[..length]);
                length
            }
            b'*' if marked.starts_with("**") && (bold.is_some() || opens_bold(marked)) => {
                bold = if bold.is_some() { None } else { Some(Style::Bold) };
                painter.push(Some(Style::Bold), &marked[..2]);
                2
            }
            b'*' if bold.is_none()
                && !before.is_alphanumeric()
                && let Some(length) = slanted(marked) =>
            {
                painter.push(Some(Style::Italic), &marked[..length]);
                length
            }
            b'[' if let Some((text, whole)) = link(marked) => {
                painter.push(Some(Style::Link), &marked[..text]);
                painter.push(Some(Style::Dim), &marked[text..whole]);
                whole
            }
            b'h' if !before.is_alphanumeric()
                && let Some(length) = address(marked) =>
            {
                painter.push(Some(Style::Link), &marked[..length]);
                length
            }
            b'|' => {
                painter.push(bars.or(bold), &marked[..1]);
                1
            }
            sign => {
                // As many as there are, so that no run is read a second time.
                let run = if matches!(sign, b'`' | b'*') {
                    marked.bytes().take_while(|byte| *byte == sign).count()
                } else {
                    1
                };
                painter.push(bold, &marked[..run]);
                run
            }
        };
        before = marked[..length].chars().next_back().unwrap_or(before);
        rest = &marked[length..];
    }
    painter.push(bold, rest);
}

/// `*so*`, within a line: not what is multiplied, and not a star alone.
fn slanted(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('*')?;
    let end = inner.find('*')?;
    let is_tight = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
    let word = &inner[..end];
    let ends_there = inner[end + 1..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '*');
    (is_tight(word.chars().next()) && is_tight(word.chars().next_back()) && ends_there).then_some(end + 2)
}

/// `[text](target)`: the length of the first part, and of both.
fn link(text: &str) -> Option<(usize, usize)> {
    let end = text.find("](")?;
    let length = text[end..].find(')')?;
    let is_one = !text[1..end].contains('[') && !text[end + 2..end + length].contains(char::is_whitespace);
    is_one.then_some((end + 1, end + length + 1))
}

fn address(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let end = rest.find(|c: char| c.is_whitespace() || "<>\"'`|*".contains(c)).unwrap_or(rest.len());
    let length = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']).len();
    (length > 0).then_some(text.len() - rest.len() + length)
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - text.len())) && text.starts_with(' ')
}

/// The length of the code span that the text begins with, its quotes included.
fn code_span(text: &str) -> Option<usize> {
    let quotes = run_of_quotes(text);
    let mut at = quotes;
    loop {
        at += text[at..].find('`').filter(|_| quotes > 0)?;
        let closing = run_of_quotes(&text[at..]);
        at += closing;
        if closing == quotes {
            return Some(at);
        }
    }
}

fn run_of_quotes(text: &str) -> usize {
    text.len() - text.trim_start_matches('`').len()
}

fn opens_bold(text: &str) -> bool {
    text[2..].starts_with(|c: char| !c.is_whitespace() && c != '*') && text[2..].contains("**")
}

#[cfg(test)]
mod tests {
    use super::{Line, Markdown, aligned, hints, names_only, styled, waits};
    use crate::frontend::render::Ground;

    #[test]
    fn fences_of_both_signs_and_their_insides() {
        let mut markdown = Markdown::default();
        let text = "say\n````md\n```python\n```\n````\n~~~\n```\n~~~~\n`a` b";
        let lines: Vec<Line> = text.lines().map(|line| markdown.take(line)).collect();
        let code = || Line::Code;
        let opens = |hints: &[&str]| Line::Opens(hints.iter().map(|hint| (*hint).to_owned()).collect());
        let expected =
            [Line::Prose, opens(&["md"]), code(), code(), Line::Closes, opens(&[]), code(), Line::Closes, Line::Prose];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_block_of_its_own_within_a_block() {
        let mut markdown = Markdown::default();
        let lines: Vec<Line> = "```\n```js\n```\n```\nend".lines().map(|line| markdown.take(line)).collect();
        assert_eq!(lines, [Line::Opens(Vec::new()), Line::Code, Line::Code, Line::Closes, Line::Prose]);
    }

    #[test]
    fn a_language_is_named_by_the_info_string_or_a_path() {
        assert_eq!(hints("python", ""), ["python"]);
        assert_eq!(hints("{.rust file=\"src/main.rs\"}", ""), ["rust", "main.rs", "rs"]);
        assert_eq!(hints("", "**`src/todo.py`**:"), ["todo.py", "py"]);
        assert_eq!(hints("", "Makefile"), ["Makefile"]);
        assert_eq!(hints("read", "todo.py"), [""; 0]);
    }

    #[test]
    fn prose_keeps_every_character() {
        let check = |line: &str, expected: &str| {
            let shown =
                styled(line, Ground::Unknown).unwrap_or_default().replace("\x1b[1m", "<b>").replace("\x1b[36m", "<c>");
            let shown = shown.replace("\x1b[3m", "<i>").replace("\x1b[4m", "<u>").replace("\x1b[2m", "<d>");
            let expected = expected.replace("<p>", "<c>");
            assert_eq!(shown.replace("\x1b[m", "<>"), expected);
        };
        check("## A `heading`", "<b>## A `heading`<>");
        check("run `cargo test` now", "run <c>`cargo test`<> now");
        check("a **bold `x` word** and more", "a <b>**bold <><c>`x`<><b> word**<> and more");
        check("``a ` b`` and `open", "<c>``a ` b``<> and `open");
        check("2 ** 3 * 4 **", "");
        check("#include", "");
        check("**", "");
        check(
            "- a [page](http://x/y) or https://z.org/a.",
            "<p>-<> a <u>[page]<><d>(http://x/y)<> or <u>https://z.org/a<>.",
        );
        check("  2. *so* and 2*3*4", "  <p>2.<> <i>*so*<> and 2*3*4");
        check("> said", "<d>> said<>");
        check("---", "<d>---<>");
        check("| a | `b|c` |", "<d>|<> a <d>|<> <p>`b|c`<> <d>|<>");
        check("the [[x] (y) https:// *", "");
        check("**ä**", "<b>**ä**<>");
    }

    #[test]
    fn a_table_is_aligned_where_it_is_one_and_has_room() {
        let rows = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
        let table = rows("| name | about |\n|--|:-:|\n| a | `x|y` |\n|日本語|b\\|c|");
        let shown = aligned(&table, 80).unwrap().join("\n");
        assert_eq!(shown, "| name   | about |\n|--------|:-----:|\n| a      | `x|y` |\n| 日本語 | b\\|c  |");
        assert_eq!(aligned(&table, 18), None);
        assert_eq!(aligned(&rows("| a |\n| b |"), 80), None);
        assert_eq!(aligned(&rows("| a | b |\n|---|---|\n| c |"), 80), None);
        assert_eq!(aligned(&rows("|"), 80), None);
    }

    #[test]
    fn lines_wait_while_they_may_become_a_fence_or_a_row() {
        for begins in ["", "  ", "`", "``", "```py", "~~~", "| a"] {
            assert!(waits(begins), "{begins:?}");
        }
        for begins in ["a", "`a", "```a```", "~a", "- |"] {
            assert!(!waits(begins), "{begins:?}");
        }
        assert!(!waits(&format!("```{}", "x".repeat(300))));
    }

    #[test]
    fn a_line_may_name_the_path_alone() {
        for line in ["src/a.py", "**`src/a.py`**:", "### src/a.py"] {
            assert!(names_only(line, "src/a.py"), "{line}");
        }
        assert!(!names_only("Now src/a.py:", "src/a.py"));
    }
}
