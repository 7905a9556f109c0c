//! FAOS Codex: the coding agent for people who run their own language models.
//!
//! The code map, in reading order. What may use what is in `docs/architecture.md` and held by `tests/it/tidy.rs`.
//!
//! - [`base`]: the small values that cross every border
//! - [`reply`]: a model's text becomes actions
//! - [`gateway`]: one chat request becomes a stream of deltas
//! - [`workspace`]: a folder that nothing escapes, and its versions
//! - [`sandbox`]: a script becomes a measured run
//! - [`session`]: everything that happened, on disk
//! - [`prompting`], [`scripting`]: the words and the policy, both in the user's hands
//! - [`playback`]: a recorded model behind a loopback port, for the demo and the tests
//! - [`core`]: the conversation that joins them
//! - [`frontend`]: what a terminal or a program sees of it

pub mod base;
pub mod gateway;
pub mod playback;
pub mod prompting;
pub mod reply;
pub mod sandbox;
pub mod scripting;
pub mod session;
pub mod workspace;
