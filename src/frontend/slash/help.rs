//! `/help`: the table of commands, and the keys.

use crate::base::printable::printable;
use crate::frontend::slash::{Added, Argument, COMMANDS, Command, Step, find};

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
  \\ at the end, \"\"\" or Ctrl-J
                     a message of several lines
  Ctrl-R             search what was typed before
  Ctrl-X Ctrl-E      the line goes to $VISUAL or $EDITOR, and comes back
  Ctrl-C, Esc        stop the reply; what came is kept, and /retry goes on from it
  Enter meanwhile    your next message waits its turn
";

fn run(rest: &str) -> Result<Step, String> {
    of(rest, &[])
}

/// With the commands that scripts have added.
pub fn of(rest: &str, added: &[Added]) -> Result<Step, String> {
    if rest.is_empty() {
        let lines: String = COMMANDS.iter().map(own).chain(added.iter().map(of_a_script)).collect();
        return Ok(Step::Print(format!("{lines}{KEYS}")));
    }
    let name = rest.trim_start_matches('/');
    let of_scripts = || added.iter().find(|command| command.name == name).map(of_a_script);
    let text = find(name).map(own).or_else(of_scripts).ok_or_else(|| format!("there is no `/{name}`"))?;
    Ok(Step::Print(text))
}

fn own(command: &Command) -> String {
    line(&format!("/{} {}", command.name, command.usage), command.about)
}

fn of_a_script(command: &Added) -> String {
    line(&format!("/{}", command.name), &printable(&format!("{} (a script's)", command.about)))
}

fn line(call: &str, about: &str) -> String {
    const CALL: usize = 18;
    let call = call.trim_end();
    match call.len() {
        // A second column that begins elsewhere is none.
        length if length > CALL => format!("  {call}\n  {:CALL$} {about}\n", ""),
        _ => format!("  {call:CALL$} {about}\n"),
    }
}
