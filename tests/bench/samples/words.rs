//! Counts words, the most frequent first.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Write};

/// How a word is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word(String);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}", self.0)
    }
}

impl Word {
    pub fn new(text: &str) -> Option<Self> {
        let trimmed = text.trim_matches(|c: char| !c.is_alphanumeric());
        (!trimmed.is_empty()).then(|| Self(trimmed.to_lowercase()))
    }
}

#[derive(Debug)]
struct Counts<'a, const N: usize> {
    words: HashMap<Word, u64>,
    stop: &'a [&'static str; N],
}

impl<'a, const N: usize> Counts<'a, N> {
    fn new(stop: &'a [&'static str; N]) -> Self {
        Self { words: HashMap::with_capacity(1 << 10), stop }
    }

    fn take(&mut self, line: &str) {
        for word in line.split_whitespace().filter_map(Word::new) {
            if !self.stop.contains(&word.0.as_str()) {
                *self.words.entry(word).or_insert(0) += 1;
            }
        }
    }

    fn sorted(self) -> Vec<(Word, u64)> {
        let mut all: Vec<_> = self.words.into_iter().collect();
        all.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.0.cmp(&b.0)));
        all
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let stop = ["the", "a", "of", "and"];
    let mut counts = Counts::new(&stop);
    for line in io::stdin().lock().lines() {
        counts.take(&line?);
    }
    let mut out = io::stdout().lock();
    for (word, count) in counts.sorted().iter().take(20) {
        match count {
            0 => unreachable!("a word is counted once at least"),
            1 => writeln!(out, "{word} once")?,
            n => writeln!(out, "{word} {n:>6} times // {:.2}", *n as f64 / 1e3)?,
        }
    }
    Ok(())
}
