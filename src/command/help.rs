//! `faos help`: what `--help` says, of faos or of one of its commands.

use clap::CommandFactory;

use crate::cli::{Cli, Help};
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;

pub fn run(help: &Help) -> Result<Plan, Failure> {
    let mut command = Cli::command();
    // Below it, a command knows the options that all have, and by which name it is called.
    command.build();
    let mut found = &mut command;
    for (at, name) in help.command.iter().enumerate() {
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            let above = help.command[..at].iter().map(|name| format!(" {name}")).collect::<String>();
            Failure::usage(
                format!("faos{above} has no command `{name}`"),
                format!("`faos help{above}` lists those that there are"),
            )
        })?;
    }
    output::print(&found.render_long_help().to_string())
}
