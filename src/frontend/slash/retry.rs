//! `/retry`: the last message is answered again, or what was interrupted is gone on with.

use crate::core::op::{Ask, Op};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "retry",
    usage: "",
    about: "answer the last message again, or go on with what was interrupted",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("retry", rest, Step::Do(Op::Ask(Ask::Retry)))
}
