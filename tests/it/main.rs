//! The one binary of integration tests: a file for each part, and `support` for what they share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at its first surprise, and makes its files and processes itself"
)]

mod attacks;
mod broken_disk;
mod by_lines;
mod captures;
mod cgroups;
mod commands;
mod compacted;
mod compatibility;
mod config;
mod continued;
mod durability;
mod examples;
mod exit_codes;
mod faults;
mod gateway;
mod gateway_errors;
mod gateway_llama;
mod gateway_native;
mod gateway_probe;
mod hooks;
mod limits;
mod mishaps;
mod packaging;
mod piped;
mod playback;
mod recorded;
mod recorded_replies;
mod refusals;
mod repl;
mod replay;
mod reply_cases;
mod resumed;
mod sandbox;
mod scripting;
mod secrets;
mod session;
mod session_format;
mod sessions;
mod support;
mod telemetry;
mod tidy;
mod trust;
