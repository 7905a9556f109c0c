//! Multi-line string literals: a bare fence inside one is content.

/// Which literal is open at the end of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Literal {
    #[default]
    None,
    /// Ends with this text: `"""`, `'''`, `"##`, a back quote.
    Until(String),
    /// A here-document: ends with a line that is this word.
    Line(String),
}

impl Literal {
    /// The state after one more line of a block in that language (see `language::of_block`).
    pub fn after(self, line: &str, language: &str) -> Self {
        match self {
            Self::Line(word) => {
                if line.trim() == word {
                    Self::None
                } else {
                    Self::Line(word)
                }
            }
            Self::Until(end) => match find_unescaped(line, &end) {
                Some(at) => scan(&line[at + end.len()..], language),
                None => Self::Until(end),
            },
            Self::None => scan(line, language),
        }
    }
}

fn scan(line: &str, language: &str) -> Literal {
    match language {
        "python" => triple(line, &["\"\"\"", "'''"], Some('#')),
        "java" | "kotlin" | "scala" | "csharp" | "swift" | "elixir" | "toml" | "dart" => {
            triple(line, &["\"\"\"", "'''"], None)
        }
        "rust" => raw(line),
        "javascript" | "typescript" | "go" | "svelte" | "vue" => back_quote(line),
        "bash" | "ruby" | "perl" | "php" => here_document(line),
        _ => Literal::None,
    }
}

fn find_unescaped(line: &str, end: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = line[from..].find(end).map(|at| from + at) {
        let slashes = line[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if slashes % 2 == 0 || !end.starts_with('`') {
            return Some(at);
        }
        from = at + end.len();
    }
    None
}

/// Triple quotes; quotes of one line and comments are passed over.
fn triple(line: &str, quotes: &[&str], comment: Option<char>) -> Literal {
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'', '#']) {
        rest = &rest[at..];
        let sign = char::from(rest.as_bytes()[0]);
        if let Some(quote) = quotes.iter().find(|quote| rest.starts_with(**quote)) {
            match rest[quote.len()..].find(quote) {
                Some(at) => rest = &rest[quote.len() * 2 + at..],
                None => return Literal::Until((*quote).to_owned()),
            }
        } else if Some(sign) == comment {
            return Literal::None;
        } else if sign == '#' {
            rest = &rest[1..];
        } else {
            rest = after_string(&rest[1..], sign);
        }
    }
    Literal::None
}

/// What follows a string of one line.
fn after_string(rest: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return &rest[at + 1..],
            _ => {}
        }
    }
    ""
}

/// `r#"…"#`, with any number of signs.
fn raw(line: &str) -> Literal {
    let mut from = 0;
    while let Some(at) = line[from..].find(['r', '/', '\'', '"']).map(|at| from + at) {
        let rest = &line[at..];
        let signs = rest.bytes().skip(1).take_while(|byte| *byte == b'#').count();
        let opens = rest.starts_with('r') && rest.as_bytes().get(1 + signs) == Some(&b'"');
        from = at + 1;
        if opens && !is_in_word(&line[..at]) {
            let end = format!("\"{}", "#".repeat(signs));
            let begun = at + signs + 2;
            match line[begun..].find(&end) {
                Some(found) => from = begun + found + end.len(),
                None => return Literal::Until(end),
            }
        } else if rest.starts_with("//") {
            return Literal::None;
        } else if rest.starts_with("'\"'") {
            from = at + 3;
        } else if let Some(string) = rest.strip_prefix('"') {
            from = line.len() - after_string(string, '"').len();
        }
    }
    Literal::None
}

/// Whether a word goes on behind this text; `br"…"` and `cr"…"` are raw strings too.
fn is_in_word(before: &str) -> bool {
    let before = before.strip_suffix(['b', 'c']).unwrap_or(before);
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn back_quote(line: &str) -> Literal {
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'', '`', '/']) {
        rest = &rest[at..];
        match rest.as_bytes()[0] {
            b'/' if rest.starts_with("//") => return Literal::None,
            b'`' => match find_unescaped(&rest[1..], "`") {
                Some(at) => rest = &rest[at + 2..],
                None => return Literal::Until("`".to_owned()),
            },
            b'/' => rest = &rest[1..],
            quote => rest = after_string(&rest[1..], char::from(quote)),
        }
    }
    Literal::None
}

fn here_document(line: &str) -> Literal {
    let Some(at) = line.find("<<") else { return Literal::None };
    let after = line[at + 2..].trim_start_matches(['-', '~']).trim_start();
    let word: String =
        after.trim_start_matches(['"', '\'']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    // A shift of numbers is no document.
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || line[..at].ends_with('<') {
        return Literal::None;
    }
    Literal::Line(word)
}

#[cfg(test)]
mod tests {
    use super::Literal;

    fn open(language: &str, text: &str) -> bool {
        text.lines().fold(Literal::None, |state, line| state.after(line, language)) != Literal::None
    }

    #[test]
    fn literals_open_and_close() {
        for (language, text, is_open) in [
            ("python", "x = \"\"\"a", true),
            ("python", "x = \"\"\"a\nb\"\"\"", false),
            ("python", "x = '\"\"\"'", false),
            ("python", "# it's \"\"\"", false),
            ("rust", "const X: &str = r#\"", true),
            ("rust", "const X: &str = r#\"\n\"#;", false),
            ("rust", "const X: &[u8] = br\"", true),
            ("rust", "a(\"r\"); b(\"color\", 'r')", false),
            ("rust", "let q = ['\"', 'r']; // r\"", false),
            ("rust", "let bar = foo_r; c(\"\", \"\")", false),
            ("javascript", "const t = `a ${b}", true),
            ("javascript", "const FENCE = \"```\";", false),
            ("javascript", "return `${F}\\`x`;", false),
            ("bash", "cat <<'EOF'\nx", true),
            ("bash", "cat <<-EOF\nx\nEOF", false),
            ("bash", "echo $((1 << 2))", false),
        ] {
            assert_eq!(open(language, text), is_open, "{language}: {text}");
        }
    }
}
