//! `/files`: what is in the workspace.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "files", usage: "", about: "list the files of the workspace", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("files", rest, Step::Do(Op::Show(Topic::Files)))
}
