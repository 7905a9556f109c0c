use std::collections::HashMap;

/// What counts as a word and how it is counted.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub ignore_case: bool,
    pub min_len: usize,
}

/// Splits a text into words: letters and digits, with inner apostrophes and hyphens.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-'))
        .map(|w| w.trim_matches(|c| c == '\'' || c == '-'))
        .filter(|w| !w.is_empty())
}

/// Adds the words of `text` to `counts`.
pub fn count(text: &str, options: &Options, counts: &mut HashMap<String, u64>) {
    for word in words(text) {
        if word.chars().count() < options.min_len {
            continue;
        }
        let key = if options.ignore_case { word.to_lowercase() } else { word };
        *counts.entry(key).or_insert(0) += 1;
    }
}

/// The `n` most frequent words; equal counts are in alphabetical order.
pub fn top(counts: &HashMap<String, u64>, n: usize) -> Vec<(&String, u64)> {
    let mut all: Vec<_> = counts.iter().map(|(w, c)| (w, *c)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all.truncate(n);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str, options: Options) -> HashMap<String, u64> {
        let mut counts = HashMap::new();
        count(text, &options, &mut counts);
        counts
    }

    #[test]
    fn splits_words() {
        let got: Vec<_> = words("Don't stop -- well-known 'quoted' words, 42!").collect();
        assert_eq!(got, ["Don't", "stop", "well-known", "quoted", "words", "42"]);
    }

    #[test]
    fn counts_with_case() {
        let c = counted("The the THE", Options::default());
        assert_eq!(c.len(), 3);
    }

    #[test]
    fn counts_without_case() {
        let c = counted("Über über ÜBER", Options { ignore_case: true, ..Default::default() });
        assert_eq!(c["über"], 3);
    }

    #[test]
    fn leaves_short_words_out() {
        let c = counted("a bb ccc äöü", Options { min_len: 3, ..Default::default() });
        assert_eq!(c.len(), 2);
    }

    #[test]
    fn sorts_by_count_then_word() {
        let c = counted("b a c b a d", Options::default());
        assert_eq!(top(&c, 3), [("a", 2), ("b", 2), ("c", 1)]);
    }
}
