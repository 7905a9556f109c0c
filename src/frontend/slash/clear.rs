//! `/clear`: a new conversation about the same files; this one stays saved.

use crate::frontend::slash::{Argument, Command, Leave, Step, nothing};

pub const COMMAND: Command = Command {
    name: "clear",
    usage: "",
    about: "begin a new conversation about the same files; this one stays saved",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("clear", rest, Step::Leave(Leave::Anew))
}
