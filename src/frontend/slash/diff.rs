//! `/diff`: what differs from a version, by default the one before the last message.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, version};

pub const COMMAND: Command = Command {
    name: "diff",
    usage: "[VERSION]",
    about: "what changed since the last message, or since a version",
    argument: Argument::Version,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let version = if rest.is_empty() { None } else { Some(version(rest)?) };
    Ok(Step::Do(Op::Show(Topic::Diff { version })))
}
