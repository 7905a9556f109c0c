//! `/copy`: the last reply, or one of its code blocks, to the clipboard.

use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "copy",
    usage: "[NUMBER]",
    about: "copy the last reply, or its code block of that number, to the clipboard",
    argument: Argument::Free,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        return Ok(Step::Copy(None));
    }
    let number = rest.parse().ok().filter(|number| *number > 0);
    number.map(|number| Step::Copy(Some(number))).ok_or_else(|| format!("`{rest}` is no number of a code block"))
}
