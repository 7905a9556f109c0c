//! What leaves the conversation for elsewhere: a document in a file, a reply on the clipboard.

use std::path::PathBuf;

use super::Repl;
use crate::base::fs;
use crate::core::view::{Recap, Transcript};
use crate::frontend::export::{html, markdown};

/// More is dropped by many terminals without a word.
const LARGEST_COPY: usize = 100_000;

/// What is waited for, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outward {
    Document { as_page: bool, file: Option<PathBuf> },
    Clipboard(Option<usize>),
}

impl Repl {
    pub(super) fn document(&mut self, transcript: &Transcript, as_page: bool, file: Option<PathBuf>) -> String {
        if transcript.pieces.is_empty() {
            return "nothing was said yet, so there is nothing to write\n".to_owned();
        }
        let (text, end) = if as_page { (html(transcript), "html") } else { (markdown(transcript), "md") };
        let file = file.unwrap_or_else(|| PathBuf::from(format!("{}.{end}", transcript.session)));
        match fs::write_new(&file, text.as_bytes()) {
            Ok(()) => format!("the conversation is in `{}`\n", file.display()),
            Err(error) => format!("error: {error}\n"),
        }
    }

    /// By a sequence that the terminal takes for its own: it works through ssh too.
    pub(super) fn copy(&mut self, recap: &Recap, block: Option<usize>) -> String {
        if self.editor.is_plain() {
            return "this terminal has no clipboard that can be reached\n".to_owned();
        }
        let text = match block {
            None => Some(recap.reply.clone()),
            Some(number) => blocks(&recap.reply).into_iter().nth(number - 1),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return "there is nothing like that in the last reply\n".to_owned();
        };
        if text.len() > LARGEST_COPY {
            return format!("{} bytes are too many for the clipboard; `/export` writes a file\n", text.len());
        }
        self.write(&format!("\x1b]52;c;{}\x07", base64(text.as_bytes())));
        format!("{} lines were given to the terminal for its clipboard\n", text.lines().count())
    }
}

/// The insides of the fenced blocks.
fn blocks(reply: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in reply.split_inclusive('\n') {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        match &mut open {
            Some((with, _)) if ticks >= *with && line.trim().len() == ticks => {
                blocks.extend(open.take().map(|(_, text)| text));
            }
            Some((_, text)) => text.push_str(line),
            None if ticks >= 3 => open = Some((ticks, String::new())),
            None => {}
        }
    }
    blocks.extend(open.map(|(_, text)| text));
    blocks
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = chunk.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(three >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{base64, blocks};

    #[test]
    fn bytes_are_digits() {
        for (bytes, digits) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), digits);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn code_blocks_are_counted_as_they_stand() {
        let reply = "a\n```py\nx\n```\nb\n````\n```\n````\n```\nopen\n";
        assert_eq!(blocks(reply), ["x\n", "```\n", "open\n"]);
    }
}
