//! The same failure three times ends the turn: a model in a loop does not get out by being told once more.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

const ENOUGH: u32 = 3;

/// What a whole reply is called here.
pub const SAME_REPLY: &str = "the same reply";

/// What was seen in this turn.
#[derive(Default)]
pub struct Repeats {
    seen: HashMap<u64, u32>,
    tired_of: Option<&'static str>,
}

impl Repeats {
    /// `what` names it for the user; `of` is all that makes two of them the same (no timings).
    pub fn note(&mut self, what: &'static str, of: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (what, of).hash(&mut hasher);
        let count = self.seen.entry(hasher.finish()).or_default();
        *count += 1;
        if *count == ENOUGH {
            self.tired_of.get_or_insert(what);
        }
    }

    /// What came for the third time.
    pub fn tired_of(&self) -> Option<&'static str> {
        self.tired_of
    }
}

#[cfg(test)]
mod tests {
    use super::Repeats;

    #[test]
    fn three_equal_ones_are_enough() {
        let mut repeats = Repeats::default();
        for text in ["a", "b", "a", "b"] {
            repeats.note("the reply", text);
        }
        assert_eq!(repeats.tired_of(), None);
        repeats.note("the reply", "b");
        assert_eq!(repeats.tired_of(), Some("the reply"));
    }
}
