//! `/prompts`: the templates in use, or another set of them for this session.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "prompts",
    usage: "[use [NAME]]",
    about: "list the templates in use; `use NAME` takes a set for this session, `use` alone none",
    argument: Argument::Free,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let (word, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let name = name.trim();
    Ok(Step::Do(match (word, name) {
        ("", _) => Op::Show(Topic::Prompts),
        ("use", "") => Op::UsePrompts(None),
        ("use", name) => Op::UsePrompts(Some(name.to_owned())),
        _ => return Err("`/prompts` alone, or `/prompts use NAME`".to_owned()),
    }))
}
