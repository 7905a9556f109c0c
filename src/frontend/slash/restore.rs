//! `/restore`: the files of a version come back; the conversation stays.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step, version};

pub const COMMAND: Command = Command {
    name: "restore",
    usage: "VERSION [PATH]",
    about: "bring back the files of a version, or some of them",
    argument: Argument::Version,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        return Err("which version? `/versions` lists them".to_owned());
    }
    let (number, paths) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let only = paths.split_whitespace().map(str::to_owned).collect();
    Ok(Step::Do(Op::Restore { version: version(number)?, only }))
}
