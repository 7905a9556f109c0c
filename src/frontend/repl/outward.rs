//! What leaves the conversation for elsewhere: a document in a file, a reply on the clipboard.

use std::path::PathBuf;

use super::Repl;
use crate::base::{fences, fs};
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

/// A conversation on its way into a file.
pub(super) struct Document {
    pub transcript: Transcript,
    pub as_page: bool,
    pub file: Option<PathBuf>,
}

impl Document {
    /// What came of it, in a line.
    fn write(self) -> String {
        let Self { transcript, as_page, file } = self;
        if transcript.pieces.is_empty() {
            return "nothing was said yet, so there is nothing to write\n".to_owned();
        }
        let (text, end) = if as_page { (html(&transcript), "html") } else { (markdown(&transcript), "md") };
        let file = file.unwrap_or_else(|| PathBuf::from(format!("{}.{end}", transcript.session)));
        match fs::write_new(&file, text.as_bytes()) {
            Ok(()) => format!("the conversation is in `{}`\n", file.display()),
            Err(error) => format!("error: {error}\n"),
        }
    }
}

impl Repl {
    /// Made on a thread of its own: the colours of a long conversation take seconds, and the program may have to end.
    pub(super) async fn write_document(&mut self, document: Document) {
        let made = tokio::task::spawn_blocking(move || document.write());
        let text = tokio::select! {
            made = made => made.unwrap_or_else(|error| format!("error: {error}\n")),
            () = self.ends.interrupt.ended() => return,
        };
        self.say(&text);
    }

    /// By a sequence that the terminal takes for its own: it works through ssh too.
    pub(super) fn copy(&mut self, recap: &Recap, block: Option<usize>) -> String {
        if self.editor.is_plain() {
            return "this terminal has no clipboard that can be reached\n".to_owned();
        }
        let text = match block {
            None => Some(recap.reply.clone()),
            Some(number) => fences::blocks(&recap.reply).get(number - 1).map(|block| block.text.to_owned()),
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
    use super::base64;

    #[test]
    fn bytes_are_digits() {
        for (bytes, digits) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), digits);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
