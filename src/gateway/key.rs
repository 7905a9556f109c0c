//! A server's API key, which is sent and never shown.
//!
//! It has no `Display`, its `Debug` hides it, and errors are cleared of it: some servers repeat a wrong key.

use std::fmt;

use super::error::GatewayError;

/// Sent to the named endpoint only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// For the one header that it belongs in.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the key.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[the API key]") }
    }

    /// The error without the key.
    pub(super) fn hidden(key: Option<&Self>, error: GatewayError) -> GatewayError {
        use GatewayError::{Ambiguous, BrokenOff, Cancelled, Misnamed, Overflow, Refused, Unreachable};
        let Some(key) = key else { return error };
        let clear = |text: String| key.hidden_in(&text);
        let all = |texts: Vec<String>| texts.into_iter().map(clear).collect();
        match error {
            Unreachable { message, hints } => Unreachable { message: clear(message), hints: all(hints) },
            Misnamed { message, hints } => Misnamed { message: clear(message), hints: all(hints) },
            Ambiguous { message, hints } => Ambiguous { message: clear(message), hints: all(hints) },
            Refused { message, hints } => Refused { message: clear(message), hints: all(hints) },
            BrokenOff(message) => BrokenOff(clear(message)),
            error @ (Overflow { .. } | Cancelled) => error,
        }
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiKey, GatewayError};

    #[test]
    fn a_key_is_never_shown() {
        let key = ApiKey::from("sk-123");
        assert_eq!(format!("{key:?}"), "ApiKey(hidden)");
        let error = GatewayError::refused("Incorrect API key provided: sk-123");
        assert_eq!(
            ApiKey::hidden(Some(&key), error),
            GatewayError::refused("Incorrect API key provided: [the API key]")
        );
        assert_eq!(ApiKey::from("").hidden_in("text"), "text");
    }
}
