//! How like two lines are: twice the longest common subsequence over both lengths, as difflib and diff tools count it.

use std::collections::HashMap;

/// Characters of a line that are compared; of longer ones only equality counts.
const LONGEST: usize = 2_000;

/// What a comparison may cost, in steps of 64 characters against one. About half a second.
pub const PATIENCE: u64 = 150_000_000;

/// One line, made ready to be compared with many: for each character the places where it stands, as bits.
pub struct Pattern<'a> {
    line: &'a str,
    length: usize,
    words: usize,
    ascii: Vec<u64>,
    others: HashMap<char, Vec<u64>>,
}

impl<'a> Pattern<'a> {
    pub fn new(line: &'a str) -> Self {
        let length = line.chars().count();
        let words = if length > LONGEST { 0 } else { length.div_ceil(64) };
        let mut pattern = Self { line, length, words, ascii: vec![0; 128 * words], others: HashMap::new() };
        for (at, c) in line.chars().enumerate().take(64 * words) {
            let bit = 1 << (at % 64);
            match c.is_ascii() {
                true => pattern.ascii[c as usize * words + at / 64] |= bit,
                false => pattern.others.entry(c).or_insert_with(|| vec![0; words])[at / 64] |= bit,
            }
        }
        pattern
    }

    /// The most that the ratio with a line can be, from its length alone where it is ASCII.
    pub fn bound(&self, length: Option<usize>) -> f32 {
        match length {
            Some(0) if self.length == 0 => 1.0,
            Some(other) if self.length == self.line.len() => {
                2.0 * self.length.min(other) as f32 / (self.length + other).max(1) as f32
            }
            _ => 1.0,
        }
    }

    /// What [`Self::ratio`] costs with lines of so many bytes.
    pub fn cost(&self, bytes: usize) -> u64 {
        1 + (self.words.max(1) * bytes) as u64
    }

    pub fn ratio(&self, other: &str) -> f32 {
        if self.line == other {
            return 1.0;
        }
        let length = other.chars().count();
        if self.words == 0 || length > LONGEST {
            return 0.0;
        }
        2.0 * self.common(other) as f32 / (self.length + length) as f32
    }

    /// The length of the longest common subsequence, by Hyyrö's bit-vector algorithm (2004).
    fn common(&self, other: &str) -> u32 {
        let mut rows = vec![u64::MAX; self.words];
        for c in other.chars() {
            let places = match c.is_ascii() {
                true => Some(&self.ascii[c as usize * self.words..][..self.words]),
                false => self.others.get(&c).map(Vec::as_slice),
            };
            let Some(places) = places else { continue };
            let mut carry = false;
            for (row, places) in rows.iter_mut().zip(places) {
                let matched = *row & places;
                let (sum, first) = row.overflowing_add(matched);
                let (sum, second) = sum.overflowing_add(u64::from(carry));
                carry = first || second;
                *row = sum | (*row & !places);
            }
        }
        let spare = 64 * self.words - self.length;
        let zeros: u32 = rows.iter().map(|row| row.count_zeros()).sum();
        // Bits past the pattern's end can only have become zero by a carry that ran over it.
        let past =
            if spare == 0 { 0 } else { (rows[self.words - 1] >> (64 - spare)).count_zeros() - (64 - spare as u32) };
        zeros - past
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    /// The textbook's table.
    fn common(a: &str, b: &str) -> usize {
        let b: Vec<char> = b.chars().collect();
        let mut row = vec![0; b.len() + 1];
        for x in a.chars() {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == *y { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    fn ratio(a: &str, b: &str) -> f32 {
        2.0 * common(a, b) as f32 / (a.chars().count() + b.chars().count()) as f32
    }

    #[test]
    fn known_ratios() {
        for (a, b, wanted) in [("abc", "abc", 1.0), ("abcd", "abed", 0.75), ("", "x", 0.0), ("äöü", "äxü", 2.0 / 3.0)]
        {
            assert!((Pattern::new(a).ratio(b) - wanted).abs() < 0.001, "{a} {b}");
        }
        assert!(Pattern::new(&"x".repeat(5_000)).ratio(&"x".repeat(4_999)) < 0.1);
    }

    proptest! {
        #[test]
        fn the_ratio_is_the_textbooks(a in "[abcä –]{1,200}", b in "[abcä –]{1,200}") {
            let pattern = Pattern::new(&a);
            prop_assert!((pattern.ratio(&b) - ratio(&a, &b)).abs() < 0.000_1);
            prop_assert!(pattern.bound(b.is_ascii().then_some(b.len())) >= pattern.ratio(&b) - 0.000_1);
        }
    }
}
