//! `/fork`: a new session that goes on from here, or from an earlier version.

use crate::frontend::slash::{Argument, Command, Leave, Step, version};

pub const COMMAND: Command = Command {
    name: "fork",
    usage: "[VERSION]",
    about: "go on in a new session with files of its own; this one stays as it is",
    argument: Argument::Version,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let at = if rest.is_empty() { None } else { Some(version(rest)?) };
    Ok(Step::Leave(Leave::Fork(at)))
}
