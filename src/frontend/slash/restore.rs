//! `/restore`: the files of a version come back; the conversation stays.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step, version};

pub const COMMAND: Command = Command {
    name: "restore",
    usage: "VERSION",
    about: "bring back the files of a version",
    argument: Argument::Version,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        return Err("which version? `/versions` lists them".to_owned());
    }
    Ok(Step::Do(Op::Restore { version: version(rest)? }))
}
