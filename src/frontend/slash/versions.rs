//! `/versions`: every version of the files that was kept.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "versions", usage: "", about: "list the versions of the files", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("versions", rest, Step::Do(Op::Show(Topic::Versions)))
}
