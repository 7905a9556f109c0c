//! `/show`: a file of the reply that stands as one line, or what was thought, in full.

use crate::frontend::slash::{Argument, Command, Step, Which};

pub const COMMAND: Command = Command {
    name: "show",
    usage: "[N|PATH]",
    about: "unfold a file of the reply: the last one, the Nth, one by its path, or `thought`",
    argument: Argument::Fold,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "commands are of one kind")]
fn run(rest: &str) -> Result<Step, String> {
    Ok(Step::Show(match rest {
        "" => Which::Last,
        "thought" | "thinking" => Which::Thought,
        text => match text.parse() {
            Ok(number @ 1..) => Which::Number(number),
            Ok(0) | Err(_) => Which::Path(text.trim_start_matches('@').trim_matches('"').to_owned()),
        },
    }))
}
