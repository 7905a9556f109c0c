//! The one binary of integration tests: a file for each part, and `support` for what they share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at its first surprise, and makes its files and processes itself"
)]

mod session;
mod session_format;
