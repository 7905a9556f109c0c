//! FAOS Codex: the coding agent for people who run their own language models.
//!
//! The code map, in reading order. What may use what is in `docs/architecture.md` and held by `tests/it/tidy.rs`.
//!
//! - [`cli`], [`settings`], [`app`]: what was typed, what is needed, what is built of it
//! - [`command`]: one file a subcommand
//! - [`base`]: the small values that cross every border
//! - [`reply`]: a model's text becomes actions
//! - [`gateway`]: one chat request becomes a stream of deltas
//! - [`workspace`]: a folder that nothing escapes, and its versions
//! - [`sandbox`]: a script becomes a measured run
//! - [`session`]: everything that happened, on disk
//! - [`prompting`], [`scripting`]: the words and the policy, both in the user's hands
//! - [`playback`]: a recorded model on loopback, for the demo and the tests
//! - [`core`]: the conversation that joins them
//! - [`frontend`]: what a terminal or a program sees of it

#[cfg(not(target_os = "linux"))]
compile_error!("FAOS Codex runs on Linux (WSL2 is Linux): its sandbox is made of Linux namespaces");

pub mod app;
pub mod base;
pub mod cli;
pub mod command;
pub mod core;
pub mod frontend;
pub mod gateway;
pub mod playback;
pub mod prompting;
pub mod reply;
pub mod sandbox;
pub mod scripting;
pub mod session;
pub mod settings;
pub mod workspace;
