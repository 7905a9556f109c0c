//! `/export`: the conversation as a document or an archive, in a new file.

use std::path::{Path, PathBuf};

use crate::core::op::Op;
use crate::frontend::slash::{Argument, Command, Step};

pub const COMMAND: Command = Command {
    name: "export",
    usage: "[FILE]",
    about: "write the conversation to a file: .md, .html, or .tar for all of the session",
    argument: Argument::Free,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "commands are of one kind")]
fn run(rest: &str) -> Result<Step, String> {
    let file = match rest {
        "" | "md" | "html" => None,
        name => Some(PathBuf::from(name)),
    };
    let ends = |extension: &str| Path::new(rest).extension().is_some_and(|end| end == extension);
    Ok(match file {
        Some(file) if ends("tar") => Step::Do(Op::Archive { file }),
        file => Step::Export { as_page: rest == "html" || ends("html") || ends("htm"), file },
    })
}
