//! The conversation: [`op::Op`] in, [`event::Event`] out, the log as the one truth between them.
//!
//! Core joins the seven leaves, which do not know each other. It never prints and never asks a terminal.

pub mod conversation;
pub mod event;
pub mod op;
pub mod transcript;
pub mod verdict;
pub mod view;

mod actions;
mod around;
mod attach;
mod by_lines;
mod check;
mod compact;
mod converse;
mod feedback;
mod head;
mod history;
mod hooks;
mod host;
mod joined;
mod limits;
mod mend;
mod outside;
mod reading;
mod repeats;
mod reply;
mod request;
mod rest;
mod run;
mod seen;
mod sending;
mod server;
mod show;
mod tree;
mod turn;
mod words;

pub use history::path as counting;
