//! What looks like a key, masked in what leaves the machine.
//!
//! Known beginnings of keys, blocks of private keys, and long values behind a name that says what they are. A text
//! without any is returned as it is.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands for a key.
const MASK: &str = "[masked]";

/// Each has the part that is replaced as group 1.
const PATTERNS: [&str; 4] = [
    // OpenAI, Anthropic, GitHub, GitLab, Slack, Hugging Face, AWS, Google, npm, Stripe.
    r"\b((?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|AKIA|ASIA|AIza|npm_|[rs]k_live_)[A-Za-z0-9_\-]{12,})",
    r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END",
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=\-]{16,})",
    r#"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)["']?\s*[:=]\s*["']?([^\s"'`<>{}()\[\],;$]{8,})"#,
];

static KEYS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PATTERNS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());

/// The text with [`MASK`] for each key.
pub fn masked(text: &str) -> Cow<'_, str> {
    replaced(text, |_| MASK.to_owned())
}

/// The text with a star for each byte of a key: nothing else changes its place.
pub fn blotted(text: &str) -> Cow<'_, str> {
    replaced(text, |key| "*".repeat(key.len()))
}

/// Whether there is something to mask.
pub fn holds_a_key(text: &str) -> bool {
    matches!(masked(text), Cow::Owned(_))
}

/// Borrowed where there is no key.
fn replaced(text: &str, instead: impl Fn(&str) -> String) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for pattern in KEYS.iter() {
        let with = |found: &Captures<'_>| {
            let whole = &found[0];
            let Some(key) = found.get(1).filter(|key| is_secret(key.as_str())) else { return whole.to_owned() };
            let start = key.start() - found.get(0).map_or(0, |whole| whole.start());
            format!("{}{}{}", &whole[..start], instead(key.as_str()), &whole[start + key.len()..])
        };
        if pattern.is_match(&text) {
            let new = pattern.replace_all(&text, with).into_owned();
            if new != text {
                text = Cow::Owned(new);
            }
        }
    }
    text
}

/// Code that reads a key is none: `token = next_token` and `password: String` stay.
fn is_secret(value: &str) -> bool {
    value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_ascii_alphabetic())
        || value.contains('\n')
        || value.len() >= 24 && !value.contains(['.', '_', ':'])
}

#[cfg(test)]
mod tests {
    use super::{PATTERNS, holds_a_key, masked};

    #[test]
    fn every_pattern_is_one() {
        assert_eq!(super::KEYS.len(), PATTERNS.len());
    }

    #[test]
    fn keys_are_masked_and_their_names_stay() {
        // Put together here, so that no tool takes this file for a leak.
        let openai = ["sk", "-proj-", "abcDEF123456ghiJKL7890"].concat();
        let github = ["gh", "p_", "0123456789abcdefABCDEF0123456789abcd"].concat();
        for (text, wanted) in [
            (format!("key {openai}."), "key [masked].".to_owned()),
            (format!("GITHUB_TOKEN={github}\n"), "GITHUB_TOKEN=[masked]\n".to_owned()),
            ("Authorization: Bearer abcdef0123456789.x-y".to_owned(), "Authorization: Bearer [masked]".to_owned()),
            ("\"api_key\": \"q7w8e9r0t1y2\"".to_owned(), "\"api_key\": \"[masked]\"".to_owned()),
            ("password = 'hunter2hunter2'".to_owned(), "password = '[masked]'".to_owned()),
            (
                format!("-----BEGIN {} KEY-----\nMIIE\nabc\n-----END x", "RSA PRIVATE"),
                format!("-----BEGIN {} KEY-----[masked]-----END x", "RSA PRIVATE"),
            ),
        ] {
            assert_eq!(masked(&text), wanted);
            assert!(holds_a_key(&text));
        }
    }

    #[test]
    fn code_about_keys_is_none() {
        for text in [
            "let token = next_token();",
            "password: String,",
            "api_key = os.environ[\"API_KEY\"]",
            "the secret: keep it short",
            "token = tokens.pop_front",
            "if password == other.password_hash:",
        ] {
            assert_eq!(masked(text), text);
            assert!(!holds_a_key(text), "{text}");
        }
    }
}
