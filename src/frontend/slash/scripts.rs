//! `/scripts`: the hooks in force, in their order.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "scripts",
    usage: "",
    about: "list the scripts in force and their events",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("scripts", rest, Step::Do(Op::Show(Topic::Scripts)))
}
