//! What a terminal or a program sees of a conversation. It decides nothing.

pub mod export;
pub mod headless;
pub mod question;
pub mod render;
pub mod repl;
pub mod slash;

mod json;
mod lines;
mod views;
