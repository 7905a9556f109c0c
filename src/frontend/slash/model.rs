//! `/model`: which models there are, or another one from now on.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "model",
    usage: "[NAME]",
    about: "list the models, or switch to one",
    argument: Argument::Model,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "commands are of one kind")]
fn run(rest: &str) -> Result<Step, String> {
    let op = if rest.is_empty() { Op::Show(Topic::Models) } else { Op::UseModel { name: rest.to_owned() } };
    Ok(Step::Do(op))
}
