//! `/rename`: another title for this session.

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "rename",
    usage: "TITLE",
    about: "give this conversation another title",
    argument: Argument::Free,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        return Err("which title? `/rename TITLE`".to_owned());
    }
    Ok(Step::Do(Op::Rename { title: rest.to_owned() }))
}
