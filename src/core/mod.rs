//! The conversation: [`op::Op`] in, [`event::Event`] out, the log as the one truth between them.
//!
//! Core joins the seven leaves, which do not know each other. It never prints and never asks a terminal.

pub mod conversation;
pub mod event;
pub mod op;
pub mod verdict;

mod actions;
mod check;
mod converse;
mod feedback;
mod history;
mod hooks;
mod host;
mod limits;
mod reading;
mod repeats;
mod reply;
mod request;
mod run;
mod tree;
mod turn;

/// The words of the log that events repeat, for whoever shows them.
pub mod view {
    pub use crate::session::record::{ActionKind, DeltaKind, RunSource, ValidationOutcome, Verdict};
}
