//! `/model`: which models there are, or another one from now on.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "model",
    usage: "[NAME [--save]]",
    about: "list the models, or switch to one; --save keeps it for later sessions",
    argument: Argument::Model,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let (name, save) = match rest.strip_suffix("--save") {
        Some(name) if name.is_empty() || name.ends_with(char::is_whitespace) => (name.trim(), true),
        _ => (rest, false),
    };
    Ok(Step::Do(match (name, save) {
        ("", true) => return Err("`/model NAME --save` keeps NAME for later sessions".to_owned()),
        ("", false) => Op::Show(Topic::Models),
        (name, save) => Op::UseModel { name: name.to_owned(), save },
    }))
}
