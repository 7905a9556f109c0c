//! `/compact`: a summary takes the place of what was said so far.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "compact",
    usage: "",
    about: "sum up what was said, to make room in the context window",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("compact", rest, Step::Do(Op::Compact))
}
