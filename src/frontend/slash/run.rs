//! `/run`: a command in the sandbox, or the project as its scripts say.

use crate::core::op::{Op, Told};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "run",
    usage: "[COMMAND]",
    about: "run the project, or a command, in the sandbox",
    argument: Argument::Free,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "commands are of one kind")]
fn run(rest: &str) -> Result<Step, String> {
    Ok(Step::Do(Op::Run { command: rest.to_owned(), told: Told::Model, network: None }))
}
