//! `/undo`: the last message, its replies and the files, together.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "undo",
    usage: "",
    about: "take back the last message, its replies and its files",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("undo", rest, Step::Do(Op::Undo))
}
