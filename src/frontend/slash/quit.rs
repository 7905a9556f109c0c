//! `/quit`: the end; the session is kept.

use crate::frontend::slash::{Argument, Command, Leave, Step, nothing};

pub const COMMAND: Command = Command {
    name: "quit",
    usage: "",
    about: "leave; the session is kept (also `exit`, Ctrl-D)",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("quit", rest, Step::Leave(Leave::Quit))
}
