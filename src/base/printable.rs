//! Foreign text made safe to show: what a model, a program, a file name or a server sends reaches
//! a terminal or a model only through here.

use std::borrow::Cow;

/// `text` without terminal control: escape sequences are dropped whole, a carriage return keeps only what was
/// written over the line last (progress bars), other control characters become `\u{fffd}`. Newlines and tabs stay.
pub fn printable(text: &str) -> String {
    let mut filter = Printable::default();
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body.strip_suffix('\r').unwrap_or(body), "\n"),
            None => (line, ""),
        };
        let shown = body.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
        filter.push(shown, &mut out);
        out.push_str(end);
    }
    out
}

/// The same for a line whose columns somebody else counts: each character that would take control is replaced for itself.
pub fn in_place(line: &str) -> Cow<'_, str> {
    let shown = |c: char| match c {
        '\n' | '\t' => Some(c),
        c if is_override(c) => None,
        c if c.is_control() => Some('\u{fffd}'),
        c => Some(c),
    };
    if line.chars().all(|c| shown(c) == Some(c)) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(line.chars().filter_map(shown).collect())
}

/// Bidirectional overrides can show a text in another order than it is. They take no column.
fn is_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for text that arrives in pieces: an escape sequence may be split anywhere. Carriage returns are dropped.
#[derive(Clone, Debug, Default)]
pub struct Printable {
    state: State,
    /// The first bytes of a character that the last piece cut.
    cut: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC [` … up to a final byte.
    Control,
    /// `ESC ]`, `ESC P`, `ESC X`, `ESC ^`, `ESC _` … up to BEL or `ESC \`.
    Text7,
    Text7Escape,
    /// `ESC (` and its like: one more character.
    Single,
}

impl Printable {
    pub fn push(&mut self, piece: &str, out: &mut String) {
        if self.state == State::Text && piece.bytes().all(|b| (b >= 0x20 && b != 0x7f && b < 0x80) || b == b'\n') {
            out.push_str(piece);
            return;
        }
        for c in piece.chars() {
            self.state = self.step(c, out);
        }
    }

    /// Bytes that should be UTF-8; what is not shows as `\u{fffd}`.
    pub fn push_bytes(&mut self, piece: &[u8], out: &mut String) {
        let mut bytes = std::mem::take(&mut self.cut);
        bytes.extend_from_slice(piece);
        let tail = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
        let cut = match str::from_utf8(tail) {
            Err(error) if error.error_len().is_none() => tail.len(),
            _ => 0,
        };
        self.cut = bytes.split_off(bytes.len() - cut);
        self.push(&String::from_utf8_lossy(&bytes), out);
    }

    fn step(&mut self, c: char, out: &mut String) -> State {
        match self.state {
            State::Text => plain(c, out),
            State::Escape => match c {
                '[' => State::Control,
                ']' | 'P' | 'X' | '^' | '_' => State::Text7,
                ' '..='/' => State::Single,
                _ => State::Text,
            },
            State::Control => match c {
                '\u{40}'..='\u{7e}' => State::Text,
                '\u{1b}' => State::Escape,
                '\n' => plain(c, out),
                _ => State::Control,
            },
            State::Text7 => match c {
                '\u{7}' | '\u{9c}' => State::Text,
                '\u{1b}' => State::Text7Escape,
                // An unterminated title must not swallow the rest of the output.
                '\n' => plain(c, out),
                _ => State::Text7,
            },
            State::Text7Escape => match c {
                '\\' => State::Text,
                _ => State::Text7,
            },
            State::Single => State::Text,
        }
    }
}

fn plain(c: char, out: &mut String) -> State {
    match c {
        '\n' | '\t' => out.push(c),
        '\u{1b}' => return State::Escape,
        '\u{9b}' => return State::Control,
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => return State::Text7,
        '\r' => {}
        c if is_override(c) || c.is_control() => out.push('\u{fffd}'),
        c => out.push(c),
    }
    State::Text
}

#[cfg(test)]
mod tests {
    use super::{Printable, in_place, printable};

    #[test]
    fn escapes_titles_and_controls_go() {
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(printable("a\u{1b}]0;title\u{7}b\u{1b}]52;c;aGk=\u{1b}\\c"), "abc");
        assert_eq!(printable("\u{9b}2Jx\u{7}"), "x\u{fffd}");
        assert_eq!(printable("Käse\tund 日本\n"), "Käse\tund 日本\n");
    }

    #[test]
    fn columns_stay_what_they_are() {
        assert_eq!(in_place("a\u{1b}[2J\u{9b}b\r\u{7}"), "a\u{fffd}[2J\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(in_place("\u{202e}Käse\u{2069}\n\t日本"), "Käse\n\t日本");
    }

    #[test]
    fn progress_keeps_its_last_state() {
        assert_eq!(printable(" 10 %\r 50 %\r100 %\r\ndone\r\n"), "100 %\ndone\n");
    }

    #[test]
    fn a_sequence_may_be_split_anywhere() {
        let text = "x\u{1b}[1;31mred\u{1b}]0;t\u{1b}\\y";
        for cut in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (mut filter, mut out) = (Printable::default(), String::new());
            filter.push(&text[..cut], &mut out);
            filter.push(&text[cut..], &mut out);
            assert_eq!(out, "xredy", "cut at {cut}");
        }
    }

    #[test]
    fn a_character_may_be_split_anywhere() {
        let bytes = "ä日\u{1f980}".as_bytes().iter().chain(b"\xff\xe6!").copied().collect::<Vec<u8>>();
        for cut in 0..=bytes.len() {
            let (mut filter, mut out) = (Printable::default(), String::new());
            filter.push_bytes(&bytes[..cut], &mut out);
            filter.push_bytes(&bytes[cut..], &mut out);
            assert_eq!(out, "ä日\u{1f980}\u{fffd}\u{fffd}!", "cut at {cut}");
        }
    }
}
