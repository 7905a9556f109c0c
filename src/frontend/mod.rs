//! What a terminal or a program sees of a conversation. It decides nothing.

pub mod headless;
pub mod render;

mod json;
mod lines;
