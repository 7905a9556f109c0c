//! One file a subcommand: what was typed becomes work, and its end an exit code.

pub mod chat;
pub mod consent;
pub mod demo;
pub mod failure;
pub mod input;
pub mod job;
pub mod panic_report;
pub mod resume;
pub mod sessions;
