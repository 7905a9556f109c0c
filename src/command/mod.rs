//! One file a subcommand: what was typed becomes work, and its end an exit code.

pub mod chat;
pub mod completions;
pub mod consent;
pub mod demo;
pub mod doctor;
pub mod eject;
pub mod failure;
pub mod fork;
pub mod input;
pub mod job;
pub mod keep_model;
pub mod key;
pub mod man;
pub mod models;
pub mod output;
pub mod panic_report;
pub mod prompts;
pub mod replaceable;
pub mod replay;
pub mod resume;
pub mod sandbox;
pub mod scripts;
pub mod sessions;
pub mod signals;
pub mod trust;
