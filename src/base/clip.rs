//! Long text made short: its head and its tail, with one line that says what is missing.

/// At most `head` characters of the beginning and `tail` of the end, both cut at line borders where there are any,
/// with `[… N characters left out …]` between them.
pub fn clip(text: &str, head: usize, tail: usize) -> String {
    let total = text.chars().count();
    if total <= head + tail {
        return text.to_owned();
    }
    let start = head_of(text, head);
    let end = tail_of(text, tail);
    let left_out = total - start.chars().count() - end.chars().count();
    let break_before = if start.is_empty() || start.ends_with('\n') { "" } else { "\n" };
    format!("{start}{break_before}[… {left_out} characters left out …]\n{end}")
}

/// At most that many characters of the beginning, up to the last line end among them.
pub fn head_of(text: &str, characters: usize) -> &str {
    let Some((cut, _)) = text.char_indices().nth(characters) else { return text };
    let part = &text[..cut];
    part.rfind('\n').map_or(part, |at| &part[..=at])
}

/// At most that many characters of the end, from the first line begin among them.
pub fn tail_of(text: &str, characters: usize) -> &str {
    let skip = text.chars().count().saturating_sub(characters);
    if skip == 0 {
        return text;
    }
    let cut = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    let part = &text[cut..];
    match part.find('\n') {
        Some(at) if at + 1 < part.len() => &part[at + 1..],
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn short_text_stays() {
        assert_eq!(clip("abc\n", 2, 2), "abc\n");
    }

    #[test]
    fn long_text_keeps_whole_lines_of_both_ends() {
        let text: String = (1..=9).map(|n| format!("line {n}\n")).collect();
        assert_eq!(clip(&text, 15, 15), "line 1\nline 2\n[… 35 characters left out …]\nline 8\nline 9\n");
    }

    #[test]
    fn one_long_line_is_cut_between_characters() {
        assert_eq!(clip(&"ä".repeat(10), 2, 3), "ää\n[… 5 characters left out …]\näää");
    }
}
