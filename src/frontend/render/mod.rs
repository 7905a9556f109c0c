//! What a REPL writes its screen with: text as it streams, colours that catch up, one live line below.
//!
//! A [`Pane`] composes the bytes and never writes; the caller does, in one piece. Whatever goes through it, the only
//! control sequences that come out are this module's own.

mod cursor;
mod diff;
mod highlight;
mod markdown;
mod page;
mod pane;
mod style;
mod wrap;

#[cfg(test)]
mod tests;

pub use cursor::Size;
pub use diff::{diff, hunk};
pub use highlight::Coloring;
pub use page::{Page, Turn};
pub use pane::Pane;
pub use style::{Ground, Look, Signs, Style};
pub use wrap::wrapped;
