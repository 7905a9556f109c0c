//! `faos completions`: what a shell needs to complete commands and options, made from the same table that parses them.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;

pub fn run(completions: &Completions) -> Result<Plan, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "faos", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
