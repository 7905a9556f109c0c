//! Names that are given once and never change.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::clock;

/// A session's name: `YYYYMMDD-HHMMSS-xxxx` (UTC, then four lower-case letters or digits).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// A name for a session that begins now. Two of the same second differ by chance; whoever makes
    /// the folder asks again where it is taken.
    pub fn generate() -> Self {
        Self(format!("{}-{}", clock::stamp(), random_suffix()))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 20
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 15 => byte == b'-',
                0..15 => byte.is_ascii_digit(),
                _ => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            });
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SessionId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no session id (YYYYMMDD-HHMMSS-xxxx)"))
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

fn random_suffix() -> String {
    use std::hash::{BuildHasher, RandomState};
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The standard library's hasher is seeded by the kernel; no crate is needed for four characters.
    let mut rest = RandomState::new().hash_one(std::process::id());
    (0..4)
        .map(|_| {
            let digit = DIGITS[(rest % 36) as usize];
            rest /= 36;
            char::from(digit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn generated_ids_parse() {
        let id = SessionId::generate();
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in ["", "20261122-200000", "20261122-200000-ABCD", "20261122_200000-abcd", "../../../../etc/pass"] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }
}
