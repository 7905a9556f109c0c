//! `/diff`: what differs from a version, by default the one before the last message.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, version};

pub const COMMAND: Command = Command {
    name: "diff",
    usage: "[N[..M]] [PATH]",
    about: "what changed since the last message, since a version, or between two",
    argument: Argument::Version,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    let (first, path) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    // A path alone has no number in front.
    let is_number = first.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let (numbers, path) = if is_number { (first, path.trim()) } else { ("", rest) };
    let (from, to) = match numbers.split_once("..") {
        Some((from, to)) => (from, Some(version(to)?)),
        None => (numbers, None),
    };
    let from = if from.is_empty() { None } else { Some(version(from)?) };
    let only = Some(path.to_owned()).filter(|path| !path.is_empty());
    Ok(Step::Do(Op::Show(Topic::Diff { version: from, to, only })))
}
