//! `/resume`: another saved conversation.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Leave, Step};

pub const COMMAND: Command = Command {
    name: "resume",
    usage: "[ID|NUMBER]",
    about: "go on with another saved conversation",
    argument: Argument::Session,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "commands are of one kind")]
fn run(rest: &str) -> Result<Step, String> {
    let step =
        if rest.is_empty() { Step::Do(Op::Show(Topic::Sessions)) } else { Step::Leave(Leave::Resume(rest.to_owned())) };
    Ok(step)
}
