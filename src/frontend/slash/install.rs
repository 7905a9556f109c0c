//! `/install`: a command with the network, this once; what it fetches is there for later runs.

use crate::base::report::Network;
use crate::core::op::{Op, Told};
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "install",
    usage: "COMMAND",
    about: "run a command once with the network, after a yes: `/install pip install rich`",
    argument: Argument::Free,
    run,
};

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        return Err("which command? `/install pip install rich`".to_owned());
    }
    Ok(Step::Do(Op::Run { command: rest.to_owned(), told: Told::Model, network: Some(Network::Full) }))
}
