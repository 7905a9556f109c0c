//! `/redo`: what `/undo` took back.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "redo", usage: "", about: "bring back what /undo took back", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("redo", rest, Step::Do(Op::Redo))
}
