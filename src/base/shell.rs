//! Words for a shell.

/// The text as one word, whatever it holds; in quotes only where it needs them.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// The same, in quotes in any case.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_word_stays_one() {
        for (text, wanted) in [("/a/b-1.txt", "/a/b-1.txt"), ("my ws", "'my ws'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(word(text), wanted);
        }
    }
}
