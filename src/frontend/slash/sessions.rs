//! `/sessions`: the saved conversations.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "sessions", usage: "", about: "list the saved conversations", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("sessions", rest, Step::Do(Op::Show(Topic::Sessions)))
}
