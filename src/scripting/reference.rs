//! `docs/scripting-reference.md`: the same tables as the types file, for reading.

use std::fmt::Write;

use super::answer::HELPERS;
use super::chains::LIMITS;
use super::definitions::{COMMON, FUNCTIONS, Line, answers, fields};
use super::handler::Event;

/// The text of `docs/scripting-reference.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Scripting reference\n\n\
         Made by the program from its own code; a test keeps it true. [The guide](scripting.md) says how it is used.\n\n\
         ## Every event\n\nA handler takes the event, `ev`. Every `ev` has:\n\n",
    );
    out += &table("field", COMMON);
    for event in Event::ALL {
        let gate = if event.is_gate() { "A gate: a script that breaks here denies. " } else { "" };
        let _ = writeln!(out, "\n## {}\n\n{gate}`ev` also has:\n", event.name());
        out += &table("field", &fields(event));
        if answers(event).is_empty() {
            out += "\nIt returns nothing.\n";
        } else {
            out += "\nIt may return a map with:\n\n";
            out += &table("answer", answers(event));
        }
    }
    out += "\n## Slash commands\n\n`fn commands()` returns `#{NAME: \"what it does\"}`. It is called once, when the script is loaded; \
            `on_command` is asked when one of them is typed.\n";
    out += "\n## Helpers\n\nEach builds an answer; `modify(#{…})` is any of the answers above together.\n\n| helper | means |\n| --- | --- |\n";
    for helper in HELPERS {
        let _ = writeln!(out, "| `{}({})` | {} |", helper.name, helper.takes, cell(helper.says));
    }
    out += "\n## Functions\n\n| function | does |\n| --- | --- |\n";
    for (signature, says) in FUNCTIONS {
        let _ = writeln!(out, "| `{}` | {} |", cell(signature), cell(says));
    }
    let limits: Vec<String> = LIMITS.iter().map(|limit| format!("`{limit}`")).collect();
    let _ = writeln!(out, "\nLimits, in `ev.limits` and in `run`'s request: {}.", limits.join(", "));
    out
}

fn table(what: &str, lines: &[Line]) -> String {
    let mut out = format!("| {what} | type | meaning |\n| --- | --- | --- |\n");
    for (name, of, says) in lines {
        let _ = writeln!(out, "| `{name}` | {} | {} |", cell(of), cell(says));
    }
    out
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
