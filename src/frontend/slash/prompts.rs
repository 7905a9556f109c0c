//! `/prompts`: the templates in use.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "prompts", usage: "", about: "list the templates in use", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("prompts", rest, Step::Do(Op::Show(Topic::Prompts)))
}
