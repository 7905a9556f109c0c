//! The slash commands: one file each, one table behind parsing, `/help` and completion.
//!
//! A command makes sense of what was typed behind its name, and nothing else: what is to be done is core's or the
//! loop's to do.

use std::path::PathBuf;

use crate::core::op::Op;
pub use crate::core::view::Command as Added;

mod clear;
mod compact;
mod context;
mod copy;
mod diff;
mod edit;
mod export;
mod files;
mod fork;
mod help;
mod install;
mod model;
mod prompts;
mod quit;
mod redo;
mod rename;
mod restore;
mod resume;
mod retry;
mod run;
mod scripts;
mod sessions;
mod show;
mod stats;
mod undo;
mod versions;

/// In the order of `/help`.
pub const COMMANDS: [Command; 26] = [
    help::COMMAND,
    undo::COMMAND,
    redo::COMMAND,
    edit::COMMAND,
    retry::COMMAND,
    run::COMMAND,
    install::COMMAND,
    files::COMMAND,
    show::COMMAND,
    diff::COMMAND,
    versions::COMMAND,
    restore::COMMAND,
    model::COMMAND,
    context::COMMAND,
    compact::COMMAND,
    stats::COMMAND,
    scripts::COMMAND,
    prompts::COMMAND,
    sessions::COMMAND,
    resume::COMMAND,
    rename::COMMAND,
    fork::COMMAND,
    export::COMMAND,
    copy::COMMAND,
    clear::COMMAND,
    quit::COMMAND,
];

pub struct Command {
    /// Without the slash.
    pub name: &'static str,
    /// What may follow the name, as `/help` shows it.
    pub usage: &'static str,
    pub about: &'static str,
    pub argument: Argument,
    /// From what follows the name, trimmed, to what is to be done; the error is one line for the user.
    pub run: fn(&str) -> Result<Step, String>,
}

/// What follows a command's name, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    None,
    Free,
    Command,
    Model,
    Session,
    Version,
    /// A file of a reply, or of the workspace.
    Fold,
}

/// What a line at the prompt asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Do(Op),
    /// The last message is taken back, and comes to the prompt.
    EditLast,
    Print(String),
    /// The conversation as a document, into a new file; without a name one is made from the session's.
    Export {
        as_page: bool,
        file: Option<PathBuf>,
    },
    /// The last reply goes to the clipboard, or one of its code blocks, counted from 1.
    Copy(Option<usize>),
    /// What stands as one line, in full.
    Show(Which),
    Leave(Leave),
}

/// What is unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Last,
    /// Of the answers to the last message, counted from 1.
    Number(usize),
    Path(String),
    Thought,
}

impl Which {
    /// What stands in front of a folded thought.
    pub const THOUGHT: &str = "thought";
}

/// Why the conversation is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    Quit,
    /// For another session, by its id or the beginning of it.
    Resume(String),
    /// For a new session that goes on from this one, or from a version of it.
    Fork(Option<u32>),
    /// For a new conversation about the same files.
    Anew,
}

pub fn find(name: &str) -> Option<&'static Command> {
    static TABLE: [Command; COMMANDS.len()] = COMMANDS;
    // What many other programs call it.
    let name = if name == "exit" { quit::COMMAND.name } else { name };
    TABLE.iter().find(|command| command.name == name)
}

/// `line` without its slash; `added` are the commands of scripts.
pub fn parse(line: &str, added: &[Added]) -> Result<Step, String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match find(name) {
        Some(command) if command.name == help::COMMAND.name => help::of(rest, added),
        Some(command) => (command.run)(rest),
        None if added.iter().any(|command| command.name == name) => {
            Ok(Step::Do(Op::Command { name: name.to_owned(), text: rest.to_owned() }))
        }
        None => Err(unknown(name, added)),
    }
}

/// The names of all commands, in the order of `/help`.
pub fn names(added: &[Added]) -> Vec<String> {
    let own = COMMANDS.iter().map(|command| command.name);
    own.chain(added.iter().map(|command| command.name.as_str())).map(str::to_owned).collect()
}

fn unknown(name: &str, added: &[Added]) -> String {
    let ratio = |known: &String| (similar::TextDiff::from_chars(name, known.as_str()).ratio() * 1e6) as u64;
    let nearest = names(added).into_iter().max_by_key(ratio);
    match nearest.filter(|known| ratio(known) > 500_000) {
        Some(nearest) => format!("there is no `/{name}`; did you mean `/{nearest}`?"),
        None => format!("there is no `/{name}`; `/help` lists the commands"),
    }
}

/// For a command that takes nothing.
fn nothing(name: &str, rest: &str, step: Step) -> Result<Step, String> {
    if rest.is_empty() { Ok(step) } else { Err(format!("`/{name}` takes nothing behind it")) }
}

/// A version's number, with or without its `v`.
fn version(rest: &str) -> Result<u32, String> {
    rest.trim_start_matches('v').parse().map_err(|_| format!("`{rest}` is no version; `/versions` lists them"))
}

#[cfg(test)]
mod tests {
    use super::{Added, COMMANDS, Leave, Step};

    fn parse(line: &str) -> Result<Step, String> {
        super::parse(line, &[])
    }

    #[test]
    fn commands_of_scripts_stand_behind_our_own() {
        let added = [Added { name: "todo".to_owned(), about: "what is left".to_owned() }];
        let todo = |text: &str| Ok(Step::Do(Op::Command { name: "todo".to_owned(), text: text.to_owned() }));
        assert_eq!(super::parse("todo", &added), todo(""));
        assert_eq!(super::parse("todo buy milk ", &added), todo("buy milk"));
        assert_eq!(super::parse("tod", &added), Err("there is no `/tod`; did you mean `/todo`?".to_owned()));
        assert!(parse("todo").is_err());
        for line in ["help", "help todo", "help /todo"] {
            let Ok(Step::Print(help)) = super::parse(line, &added) else { panic!("`{line}` is not printed") };
            assert!(help.contains("/todo") && help.contains("what is left"), "{help}");
        }
    }

    use crate::base::report::Network;
    use crate::core::op::{Op, Switch, Told, Topic};

    #[test]
    fn lines_become_steps() {
        assert_eq!(parse("undo"), Ok(Step::Do(Op::Undo)));
        assert_eq!(parse("restore v3"), Ok(Step::Do(Op::Restore { version: 3, only: Vec::new() })));
        let only = vec!["a.py".to_owned(), "src".to_owned()];
        assert_eq!(parse("restore 3 a.py  src"), Ok(Step::Do(Op::Restore { version: 3, only })));
        let diff = |version, to, only: Option<&str>| {
            Ok(Step::Do(Op::Show(Topic::Diff { version, to, only: only.map(str::to_owned) })))
        };
        assert_eq!(parse("diff"), diff(None, None, None));
        assert_eq!(parse("diff 2"), diff(Some(2), None, None));
        assert_eq!(parse("diff v2..4 src/a b.py"), diff(Some(2), Some(4), Some("src/a b.py")));
        assert_eq!(parse("diff src/a.py"), diff(None, None, Some("src/a.py")));
        let run = Op::Run { command: "make test".to_owned(), told: Told::Model, network: None };
        assert_eq!(parse("run  make test "), Ok(Step::Do(run)));
        let command = "pip install rich".to_owned();
        let install = Op::Run { command, told: Told::Model, network: Some(Network::Full) };
        assert_eq!(parse("install pip install rich"), Ok(Step::Do(install)));
        assert_eq!(parse("resume 2026"), Ok(Step::Leave(Leave::Resume("2026".to_owned()))));
        let off = Op::Scripts(Switch::Off("30-guard".to_owned()));
        assert_eq!(parse("scripts off 30-guard"), Ok(Step::Do(off)));
        assert!(parse("scripts off").is_err() && parse("scripts x").is_err());
        assert_eq!(parse("fork v2"), Ok(Step::Leave(Leave::Fork(Some(2)))));
        assert_eq!(parse("clear"), Ok(Step::Leave(Leave::Anew)));
        assert_eq!(parse("copy 2"), Ok(Step::Copy(Some(2))));
        assert_eq!(parse("rename a  title "), Ok(Step::Do(Op::Rename { title: "a  title".to_owned() })));
        let page = Step::Export { as_page: true, file: Some("a b.html".into()) };
        assert_eq!(parse("export a b.html"), Ok(page));
        assert_eq!(parse("export html"), Ok(Step::Export { as_page: true, file: None }));
        assert_eq!(parse("export x.tar"), Ok(Step::Do(Op::Archive { file: "x.tar".into() })));
        assert_eq!(parse("exit"), Ok(Step::Leave(Leave::Quit)));
        assert_eq!(parse("resume"), Ok(Step::Do(Op::Show(Topic::Sessions))));
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        assert_eq!(parse("undoo"), Err("there is no `/undoo`; did you mean `/undo`?".to_owned()));
        assert_eq!(parse("xyzzy"), Err("there is no `/xyzzy`; `/help` lists the commands".to_owned()));
        assert_eq!(parse("undo 3"), Err("`/undo` takes nothing behind it".to_owned()));
        assert_eq!(parse("restore last"), Err("`last` is no version; `/versions` lists them".to_owned()));
    }

    #[test]
    fn help_names_every_command_and_each_name_stands_once() {
        let Ok(Step::Print(help)) = parse("help") else { panic!("help is printed") };
        for (at, command) in COMMANDS.iter().enumerate() {
            assert!(help.contains(&format!("/{} ", command.name)), "{}", command.name);
            assert!(COMMANDS[at + 1..].iter().all(|other| other.name != command.name));
            assert!(parse(&format!("help {}", command.name)).is_ok());
        }
    }
}
