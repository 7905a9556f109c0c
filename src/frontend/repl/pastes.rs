//! Long pastes: one mark in the line that is typed, all of it when the line is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A paste of more lines or bytes than these stands as a mark.
const LINES: usize = 8;
const BYTES: usize = 1_000;

/// Bytes of pastes that are kept from one message to the next.
const KEPT: usize = 16 << 20;

/// What the marks stand for, the newest last: a mark that was killed or sent may be yanked into a later line. Behind a
/// lock, held for a moment: the prompt's thread folds what the loop unfolds.
#[derive(Clone, Debug, Default)]
pub struct Pastes(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    pastes: Vec<Paste>,
    /// How many were called the same; no mark is given twice.
    numbers: HashMap<String, usize>,
}

#[derive(Debug)]
struct Paste {
    mark: String,
    text: String,
}

impl Pastes {
    /// What is put into the line for it.
    pub fn fold(&self, text: &str) -> String {
        self.fold_beyond((LINES, BYTES), text)
    }

    /// The same for what comes back to the prompt to be changed: only what no prompt has room for is a mark there.
    pub fn fold_to_edit(&self, text: &str) -> String {
        self.fold_beyond((5 * LINES, 5 * BYTES), text)
    }

    /// Of many bytes the oldest go. Not while a line is typed: it may hold them all.
    pub fn trim(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        let fits = |paste: &&Paste| {
            bytes += paste.text.len();
            bytes <= KEPT
        };
        let newest = kept.pastes.iter().rev().take_while(fits).count();
        let gone = kept.pastes.len() - newest;
        kept.pastes.drain(..gone);
    }

    fn fold_beyond(&self, (most, bytes): (usize, usize), text: &str) -> String {
        let lines = text.lines().count();
        if lines <= most && text.len() <= bytes {
            return text.to_owned();
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = if lines > 1 { format!("{lines} lines") } else { format!("{} characters", text.chars().count()) };
        // The same once more is the newest again.
        if let Some(at) = kept.pastes.iter().position(|paste| paste.text == text) {
            kept.pastes[at..].rotate_left(1);
            return kept.pastes[kept.pastes.len() - 1].mark.clone();
        }
        let number = kept.numbers.entry(what.clone()).or_default();
        *number += 1;
        let mark = if *number == 1 { format!("[pasted {what}]") } else { format!("[pasted {what}, {number}]") };
        kept.pastes.push(Paste { mark: mark.clone(), text: text.to_owned() });
        mark
    }

    /// The line as it was meant.
    pub fn unfold(&self, line: &str) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut out, mut rest) = (String::with_capacity(line.len()), line);
        // From left to right, so that a mark within a paste is what was pasted.
        while let Some((at, Paste { mark, text })) =
            kept.pastes.iter().filter_map(|paste| Some((rest.find(&paste.mark)?, paste))).min_by_key(|(at, _)| *at)
        {
            out.push_str(&rest[..at]);
            out.push_str(text);
            rest = &rest[at + mark.len()..];
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Pastes};

    #[test]
    fn what_is_long_is_a_mark_until_it_is_sent() {
        let pastes = Pastes::default();
        assert_eq!(pastes.fold("two\nlines"), "two\nlines");
        let long: String = (1..=1000).map(|n| format!("line {n}\n")).collect();
        let (first, second) = (pastes.fold(&long), pastes.fold(&long.replace("line", "row")));
        assert_eq!((first.as_str(), second.as_str()), ("[pasted 1000 lines]", "[pasted 1000 lines, 2]"));
        let sent = pastes.unfold(&format!("a {second} b {first}"));
        assert_eq!(sent, format!("a {} b {long}", long.replace("line", "row")));
        assert_eq!(pastes.fold(&"x".repeat(2000)), "[pasted 2000 characters]");
        assert_eq!(pastes.unfold("[pasted 7 lines]"), "[pasted 7 lines]", "whoever types it means it");
    }

    #[test]
    fn marks_of_earlier_lines_are_known_until_there_are_too_many_bytes() {
        let pastes = Pastes::default();
        let text = |sign: &str| sign.repeat(KEPT / 2);
        let marks = ["a", "b", "c"].map(|sign| pastes.fold(&text(sign)));
        assert_eq!(pastes.unfold(&marks[0]), text("a"), "one line may hold them all");
        assert_eq!(pastes.fold(&text("b")), marks[1], "the same has the same mark");
        pastes.trim();
        assert_eq!(pastes.unfold(&marks[0]), marks[0]);
        assert_eq!(pastes.unfold(&marks[1]), text("b"));
        assert_eq!(pastes.unfold(&marks[2]), text("c"));
        assert!(!marks.contains(&pastes.fold(&text("d"))), "a mark means one paste");
    }

    #[test]
    fn a_mark_within_a_paste_stays() {
        let pastes = Pastes::default();
        let one = pastes.fold(&"a\n".repeat(20));
        let two = pastes.fold(&format!("{one}\n").repeat(30));
        assert_eq!(pastes.unfold(&two), format!("{one}\n").repeat(30));
    }
}
