//! Why a request failed, in words for the user.
//!
//! Every message is one sentence without a final period; what a server said is in it only after [`sentence`] has made
//! it printable and short. Which failure deserves another try is `retry`'s to say.

use thiserror::Error;

use crate::base::printable::printable;

#[derive(Clone, Debug, PartialEq, Error)]
pub enum GatewayError {
    /// None of the known ports answered, or the named endpoint did not.
    #[error("{message}")]
    Unreachable { message: String, hints: Vec<String> },
    /// What was named is no address of a server: a matter of what was typed or configured.
    #[error("{message}")]
    Misnamed { message: String, hints: Vec<String> },
    #[error("{message}")]
    /// Several models or servers and no word which; the choices are in the hints.
    Ambiguous { message: String, hints: Vec<String> },
    /// The server refused the request, or failed beyond the retries.
    #[error("{message}")]
    Refused { message: String, hints: Vec<String> },
    /// The prompt is longer than the window; numbers where the server gave them.
    #[error("the conversation is longer than the model's context window")]
    Overflow { prompt_tokens: Option<u64>, window: Option<u64> },
    /// The stream ended without a finish reason: what came so far is a partial reply.
    #[error("the answer broke off: {0}")]
    BrokenOff(String),
    #[error("cancelled")]
    Cancelled,
}

impl GatewayError {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hints: Vec::new() }
    }
}

/// Foreign text as part of one sentence: printable, on one line, at most 300 characters, without a final period.
pub(super) fn sentence(text: &str) -> String {
    const LIMIT: usize = 300;
    let printable = printable(text);
    let mut line = String::new();
    for word in printable.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * LIMIT {
            break;
        }
    }
    match line.char_indices().nth(LIMIT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.trim_end_matches('.').to_owned(),
    }
}

/// What a transport error comes down to: its innermost cause, such as `Connection refused`.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    in_plain_words(&text).map_or_else(|| sentence(text.split(" (os error").next().unwrap_or(&text)), str::to_owned)
}

/// What answers speaks no HTTP.
pub(super) const NO_HTTP: &str = "what answers there speaks no HTTP";

/// For what the HTTP library says in its own.
fn in_plain_words(text: &str) -> Option<&'static str> {
    const PHRASES: [(&str, &str); 6] = [
        ("unexpected EOF", "the connection was closed in the middle of the answer"),
        ("end of file before message length", "the connection was closed in the middle of the answer"),
        ("connection closed before message completed", "the connection was closed before an answer"),
        ("message head is too large", "the head of the answer is too large"),
        ("invalid HTTP version parsed", NO_HTTP),
        ("invalid HTTP status-code parsed", NO_HTTP),
    ];
    PHRASES.iter().find(|(theirs, _)| text.contains(theirs)).map(|(_, plain)| *plain)
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn foreign_text_becomes_one_short_printable_line() {
        assert_eq!(sentence("a\u{1b}[31m\n  b.\n"), "a b");
        assert_eq!(sentence(&"ä".repeat(400)).chars().count(), 301);
        assert_eq!(sentence(&"ä ".repeat(100_000)).chars().count(), 301);
    }
}
