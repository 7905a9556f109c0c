//! `/scripts`: the hooks in force and what they did so far; switches them, and loads what has changed.

use crate::core::op::{Op, Switch, Topic};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "scripts",
    usage: "[on|off NAME | reload]",
    about: "list the scripts and what they did; switch one; load what has changed",
    argument: Argument::Free,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let (word, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let name = name.trim();
    Ok(Step::Do(match (word, name) {
        ("", _) => Op::Show(Topic::Scripts),
        ("reload", "") => Op::Scripts(Switch::Reload),
        ("on" | "off", "") => return Err(format!("which script? `/scripts {word} 30-guard`")),
        ("on", name) => Op::Scripts(Switch::On(name.to_owned())),
        ("off", name) => Op::Scripts(Switch::Off(name.to_owned())),
        _ => return Err("`/scripts` alone, `/scripts on NAME`, `/scripts off NAME` or `/scripts reload`".to_owned()),
    }))
}
