//! A reply's lines as a reader sees them: prose, fences and code. For display only: what a reply does is decided elsewhere.

use super::style::{Painter, Style};

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

/// A line of prose with its headings, bold words and code told apart; `None` where it has none. Not a character is lost.
pub(super) fn styled(line: &str) -> Option<String> {
    let mut painter = Painter::default();
    if is_heading(line) {
        painter.push(Some(Style::Bold), line);
        return painter.finish();
    }
    let (mut rest, mut bold) = (line, None);
    while let Some(at) = rest.find(['`', '*']) {
        let (plain, marked) = rest.split_at(at);
        painter.push(bold, plain);
        let code = code_span(marked);
        let (style, length) = match code {
            Some(length) => (Some(Style::Value), length),
            None if marked.starts_with("**") && (bold.is_some() || opens_bold(marked)) => {
                bold = if bold.is_some() { None } else { Some(Style::Bold) };
                (Some(Style::Bold), 2)
            }
            None => (bold, marked.len() - marked.trim_start_matches(&marked[..1]).len()),
        };
        painter.push(style, &marked[..length]);
        rest = &marked[length..];
    }
    painter.push(bold, rest);
    painter.finish()
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
    use super::{Line, Markdown, hints, styled};

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
            let shown = styled(line).unwrap_or_default().replace("\x1b[1m", "<b>").replace("\x1b[36m", "<c>");
            assert_eq!(shown.replace("\x1b[m", "<>"), expected);
        };
        check("## A `heading`", "<b>## A `heading`<>");
        check("run `cargo test` now", "run <c>`cargo test`<> now");
        check("a **bold `x` word** and more", "a <b>**bold <><c>`x`<><b> word**<> and more");
        check("``a ` b`` and `open", "<c>``a ` b``<> and `open");
        check("2 ** 3 * 4 **", "");
        check("#include", "");
        check("**", "");
        check("**ä**", "<b>**ä**<>");
    }
}
