//! A whole-file block over an existing file: what it leaves out is the file's own, where that is plain, and its line
//! ends and byte order mark stay.

use super::MARK;
use super::pattern::Pattern;

static PLACEHOLDER: Pattern = Pattern::new(concat!(
    r"(?i)^\s*(?:#+|//+|--+|;+|%+|\{?/\*+|<!--|\*)?\s*[(\[]?\s*(?:",
    r"(?:\.\.\.|…).*\b(?:existing|rest|remain\w*|unchanged|same|other|previous|keep|code|here|omitted|above|before)\b.*",
    r"|.*\b(?:existing|rest|remain\w*|unchanged|same|previous|omitted)\b.*(?:\.\.\.|…)\s*",
    r"|.*\b(?:rest|remainder) of (?:the |this |your )?(?:file|code|class|function|module|program|script|content|component)\b",
    r".*\b(?:unchanged|same|remains?|stays?|here|before|goes)\b.*",
    r"|(?:the |all |all the )?(?:other|previous|existing|remaining|rest)\b.*\b(?:remains?|stays?|is|are|kept) ",
    r"(?:the same|unchanged|as (?:is|before))",
    r"|(?:todo:?\s*)?keep the (?:rest|remaining|other)\b.*",
    r"|existing (?:code|content|functions?|methods?)(?: (?:here|stays|unchanged|remains.*|above|below))?",
    r"|unchanged",
    r")[\s.)\]]*(?:\*/\}?|-->)?\s*$"
));

/// A line that stands for code which is not written out.
pub fn is_placeholder(line: &str) -> bool {
    is_comment(line) && PLACEHOLDER.is_match(line)
}

/// `Err` says why it was refused: something is left out, and where the file's own lines go is not plain.
pub fn apply_write(old: Option<&str>, content: &str) -> Result<String, String> {
    let Some(old) = old else { return Ok(content.to_owned()) };
    let plain = old.strip_prefix(MARK).unwrap_or(old).replace("\r\n", "\n");
    let filled = filled(&plain, content)?;
    Ok(dressed(old, &filled))
}

/// The new text with the old file's line ends and byte order mark.
fn dressed(old: &str, new: &str) -> String {
    let new = new.strip_prefix(MARK).unwrap_or(new);
    // The reply's own line ends may be either.
    let text = if is_crlf(old) { new.replace("\r\n", "\n").replace('\n', "\r\n") } else { new.to_owned() };
    if old.starts_with(MARK) { format!("{MARK}{text}") } else { text }
}

/// Whether most lines end so.
pub fn is_crlf(text: &str) -> bool {
    text.matches("\r\n").count() * 2 > text.matches('\n').count()
}

fn filled(old: &str, content: &str) -> Result<String, String> {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = content.lines().collect();
    let leaves_out = |line: &str| is_placeholder(line) && !old.iter().any(|own| own.trim() == line.trim());
    let places: Vec<usize> = (0..new.len()).filter(|at| leaves_out(new[*at])).collect();
    if places.is_empty() || old.is_empty() {
        return Ok(content.to_owned());
    }
    let refused = |at: usize| {
        format!(
            "line {} (`{}`) leaves code out: send the whole file, or an edit with SEARCH and REPLACE",
            at + 1,
            new[at].trim()
        )
    };
    if let Some(at) = fragment(&old, &new, &places) {
        return Err(refused(at));
    }
    let mut out: Vec<&str> = Vec::new();
    let (mut taken, mut reached) = (0, 0);
    for at in places {
        let before = new[..at].iter().rposition(|line| !line.trim().is_empty());
        let after = new[at + 1..].iter().position(|line| !line.trim().is_empty()).map(|more| at + 1 + more);
        let from = match before {
            Some(line) => once(&old, new[line]).ok_or_else(|| refused(at))? + 1,
            None => 0,
        };
        let to = match after {
            Some(line) => once(&old, new[line]).ok_or_else(|| refused(at))?,
            None => old.len(),
        };
        if from < reached || to < from {
            return Err(refused(at));
        }
        // Up to the line before the placeholder, then the file's own run, then on from the line behind it.
        out.extend(&new[taken..before.map_or(taken, |line| line + 1)]);
        out.extend(&old[from..to]);
        taken = after.unwrap_or(new.len());
        reached = to;
    }
    out.extend(&new[taken..]);
    Ok(out.iter().flat_map(|line| [*line, "\n"]).collect())
}

/// The placeholder beside an end of the block that is not the file's: a function alone, where the file's head or tail
/// would be lost without a word.
fn fragment(old: &[&str], new: &[&str], places: &[usize]) -> Option<usize> {
    let (first, last) = (*places.first()?, *places.last()?);
    let is_text = |line: &&&str| !line.trim().is_empty();
    let holds = |segment: &[&str], own: Option<&&str>| {
        !segment.iter().any(|line| is_text(&line))
            || own.is_none_or(|own| segment.iter().any(|line| line.trim_end() == own.trim_end()))
    };
    if !holds(&new[..first], old.iter().find(is_text)) {
        return Some(first);
    }
    (!holds(&new[last + 1..], old.iter().rfind(is_text))).then_some(last)
}

/// A comment of any language, or dots or brackets around words. Dots before a word are code (`...rest, last`).
fn is_comment(line: &str) -> bool {
    let text = line.trim();
    let signs = ["#", "//", "--", ";", "%", "/*", "<!--", "* ", "{/*"];
    let bracketed = |open: char, close: char| text.starts_with(open) && text.ends_with(close);
    let has_words = text.contains(' ') && (!text.contains("...") || text.contains("... "));
    signs.iter().any(|sign| text.starts_with(sign))
        || has_words && (text.starts_with("...") || text.starts_with('…') || bracketed('(', ')') || bracketed('[', ']'))
}

/// Where the line stands, if in exactly one place.
fn once(old: &[&str], line: &str) -> Option<usize> {
    let mut found = old.iter().enumerate().filter(|(_, own)| own.trim_end() == line.trim_end()).map(|(at, _)| at);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::{apply_write, is_placeholder};

    #[test]
    fn placeholders_are_told_from_comments() {
        for line in [
            "# ... existing code ...",
            "    // ... rest of the component ...",
            "{/* ... existing JSX ... */}",
            "/* rest of the file unchanged */",
            "<!-- ... the rest stays the same ... -->",
            "-- existing code",
            "... existing code ...",
            "… rest unchanged …",
            "[... rest of the code ...]",
            "(rest of the file remains unchanged)",
            "# (existing code)",
            "# Rest of your code here",
            "# rest of the file unchanged",
            "# TODO: keep the rest",
            "# Other methods remain unchanged.",
            "// The remaining functions stay the same",
            "# previous imports ...",
            "# unchanged",
            "## existing functions remain the same",
        ] {
            assert!(is_placeholder(line), "{line}");
        }
        for line in [
            "# the rest of the arguments",
            "# keep it short",
            "// same for the others",
            "# existing users keep their old names",
            "...",
            "[...rest, 1]",
            "...existing, name: 1",
            "const [first, ...rest] = all;",
            "f(...args)",
            "(a, b)",
            "# see the other module",
            "raise ValueError(\"unchanged\")",
            "# returns the previous value",
        ] {
            assert!(!is_placeholder(line), "{line}");
        }
    }

    #[test]
    fn what_is_left_out_is_the_files_own_where_that_is_plain() {
        let old = "a\nb\nc\nd\n";
        for (new, wanted) in [
            ("a\n# ... existing code ...\nd\ne\n", Some("a\nb\nc\nd\ne\n")),
            ("x\na\n# ... existing code ...\n", Some("x\na\nb\nc\nd\n")),
            ("x\nb\n# ... existing code ...\n", None),
            ("a\nx\n# ... existing code ...\nd\n", None),
            ("# ... existing code ...\nd\nx\n", Some("a\nb\nc\nd\nx\n")),
            ("a\nx\nb\n# ... existing code ...\n", Some("a\nx\nb\nc\nd\n")),
            ("d\n# ... existing code ...\na\n", None),
            ("a\n...\nd\n", Some("a\n...\nd\n")),
        ] {
            let found = apply_write(Some(old), new);
            assert_eq!(found.as_deref().ok(), wanted, "{new}: {found:?}");
        }
        assert_eq!(apply_write(None, "# ... existing code ...\n").as_deref(), Ok("# ... existing code ...\n"));
        let crlf = apply_write(Some("\u{feff}a\r\nb\r\n"), "a\n# ... existing code ...\n");
        assert_eq!(crlf.as_deref(), Ok("\u{feff}a\r\nb\r\n"));
        assert_eq!(apply_write(Some("a\r\n"), "b\r\nc\r\n").as_deref(), Ok("b\r\nc\r\n"));
    }
}
