//! `/edit`: the last message is taken back and comes to the prompt, to be said better.

use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command = Command {
    name: "edit",
    usage: "",
    about: "change the last message and say it again",
    argument: Argument::None,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    nothing("edit", rest, Step::EditLast)
}
