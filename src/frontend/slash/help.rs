//! `/help`: the table of commands, and the keys.

use std::fmt::Write as _;

use crate::frontend::slash::{Argument, COMMANDS, Command, Step, find};

pub const COMMAND: Command = Command {
    name: "help",
    usage: "[COMMAND]",
    about: "list the commands, or explain one",
    argument: Argument::Command,
    run,
};

const KEYS: &str = "
  @PATH              send a file with the message (Tab completes; @\"a b.txt\" with spaces)
  !COMMAND           run it in the sandbox; the model sees the outcome with your next message
  !!COMMAND          the same, for you alone
  \\ at the end, \"\"\" or Ctrl-J   a message of several lines
  Ctrl-C, Esc        stop the reply; what came is kept, and /retry goes on from it
  Enter while it writes          your next message waits its turn
";

fn run(rest: &str) -> Result<Step, String> {
    if rest.is_empty() {
        let lines: String = COMMANDS.iter().map(line).collect();
        return Ok(Step::Print(format!("{lines}{KEYS}")));
    }
    let name = rest.trim_start_matches('/');
    let command = find(name).ok_or_else(|| format!("there is no `/{name}`"))?;
    Ok(Step::Print(line(command)))
}

fn line(command: &Command) -> String {
    let mut out = String::new();
    let call = format!("/{} {}", command.name, command.usage);
    // A string takes any text.
    let _ = writeln!(out, "  {call:<18} {}", command.about);
    out
}
