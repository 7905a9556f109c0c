//! A line that was typed: whether it goes on, what was meant, and what it asks for.

use crate::core::op::{Ask, Op, Source, Told};
use crate::frontend::repl::pastes::Pastes;
use crate::frontend::slash::{self, Added, Leave, Step};

/// Words that alone are no message: whoever types them wants to be out.
const WAYS_OUT: [&str; 2] = ["exit", "quit"];

/// Enter takes another line after a backslash at the end and inside `"""`.
pub fn goes_on(line: &str) -> bool {
    line.ends_with('\\') || line.matches("\"\"\"").count() % 2 == 1
}

/// What was typed as it was meant: without the backslashes that took another line, and without the `"""` around it.
fn meant(line: &str) -> String {
    let line = line.replace("\\\n", "\n");
    let trimmed = line.trim();
    let inner = trimmed.strip_prefix("\"\"\"").and_then(|rest| rest.strip_suffix("\"\"\""));
    inner.unwrap_or(trimmed).trim_matches('\n').to_owned()
}

/// Whether it is for the program, and no message.
pub fn is_command(line: &str) -> bool {
    let line = meant(line);
    line.starts_with(['/', '!']) || WAYS_OUT.contains(&line.as_str())
}

/// What a line asks for; `None` for an empty one. What was pasted is taken as it is, and makes no command of a message.
pub fn step(line: &str, added: &[Added], pastes: &Pastes) -> Result<Option<Step>, String> {
    let line = meant(line);
    let whole = pastes.unfold(&line);
    let line = if line.starts_with(['/', '!']) { whole.as_str() } else { line.as_str() };
    let run = |command: &str, told| {
        if command.trim().is_empty() {
            return Err("which command? `!ls` runs `ls` in the sandbox".to_owned());
        }
        Ok(Some(Step::Do(Op::Run { command: command.trim().to_owned(), told, network: None })))
    };
    if line.is_empty() {
        Ok(None)
    } else if let Some(command) = line.strip_prefix("!!") {
        run(command, Told::UserAlone)
    } else if let Some(command) = line.strip_prefix('!') {
        run(command, Told::Model)
    } else if let Some(command) = line.strip_prefix('/') {
        slash::parse(command, added).map(Some)
    } else if WAYS_OUT.contains(&line) {
        Ok(Some(Step::Leave(Leave::Quit)))
    } else {
        Ok(Some(Step::Do(Op::Ask(Ask::Say { text: whole, source: Source::Keyboard }))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Pastes, meant};
    use crate::core::op::{Ask, Op, Source, Told};
    use crate::frontend::slash::{Leave, Step};

    fn step(line: &str) -> Result<Option<Step>, String> {
        super::step(line, &[], &Pastes::default())
    }

    #[test]
    fn lines_are_messages_commands_or_runs() {
        let say = Op::Ask(Ask::Say { text: "write it".to_owned(), source: Source::Keyboard });
        assert_eq!(step("write it"), Ok(Some(Step::Do(say))));
        assert_eq!(step(""), Ok(None));
        let run = |told| Ok(Some(Step::Do(Op::Run { command: "ls -l".to_owned(), told, network: None })));
        assert_eq!(step("!ls -l"), run(Told::Model));
        assert_eq!(step("!! ls -l"), run(Told::UserAlone));
        assert!(step("!").is_err());
        assert_eq!(step(" exit "), Ok(Some(Step::Leave(Leave::Quit))));
        assert!(matches!(step("quit smoking"), Ok(Some(Step::Do(Op::Ask(Ask::Say { .. }))))));
    }

    #[test]
    fn what_holds_lines_together_is_no_part_of_them() {
        assert_eq!(meant("one \\\ntwo"), "one \ntwo");
        assert_eq!(meant("\"\"\"\none\n\ntwo\n\"\"\""), "one\n\ntwo");
        assert_eq!(meant("say \"\"\"x\"\"\" twice"), "say \"\"\"x\"\"\" twice");
    }
}
