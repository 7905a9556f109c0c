//! The SHA-256 of a content, as it stands in the log, in `trust.json` and in scripts.

use ring::digest::{SHA256, digest};

/// In hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
