//! `/stats`: what the session has cost so far.

use crate::core::op::{Op, Topic};
use crate::frontend::slash::{Argument, Command, Step, nothing};

pub const COMMAND: Command =
    Command { name: "stats", usage: "", about: "tokens, time and runs of this session", argument: Argument::None, run };

fn run(rest: &str) -> Result<Step, String> {
    nothing("stats", rest, Step::Do(Op::Show(Topic::Stats)))
}
