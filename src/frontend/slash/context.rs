//! `/context`: what takes how much of the context window.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "context",
    usage: "",
    about: "what fills the context window, and how much is left",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("context", rest, Step::Do(Op::Show(Topic::Context)))
}
