//! What is faos's own: its scripts and prompts, its folders, and the terminal it talks through.

use std::io::{self, IsTerminal};
use std::path::Path;

use rustix::termios::tcgetwinsize;

use super::checkup::Checkup;
use crate::base::fs;
use crate::command::failure::Failure;
use crate::frontend::render::Look;
use crate::prompting::{self, Origin};
use crate::scripting;
use crate::settings::{Folders, TerminalWishes};

pub fn scripts(checkup: &mut Checkup, options: &scripting::Options, switched_off: bool) {
    checkup.section("SCRIPTS (they decide and validate)");
    if switched_off {
        return checkup.note(
            "scripts",
            "switched off by `--no-scripts`: nothing is validated",
            "without that option they are",
        );
    }
    let (loaded, faults) = match scripting::check(options) {
        Ok(checked) => checked,
        Err(error) => return checkup.problem("scripts", &error.into()),
    };
    let own: Vec<&str> =
        loaded.iter().filter(|script| script.path.is_some()).map(|script| script.label.as_str()).collect();
    let own = if own.is_empty() { "all built-in".to_owned() } else { format!("of files: {}", own.join(", ")) };
    checkup.fine("scripts", format!("{} in use, {own} (`faos scripts list`)", loaded.len()));
    for fault in faults {
        checkup.problem("fault", &Failure::usage(fault, "repair or remove it; `--no-scripts` goes on without scripts"));
    }
}

pub fn prompts(checkup: &mut Checkup, options: &prompting::Options) {
    checkup.section("PROMPTS (what faos itself says to the model)");
    let in_use = match prompting::in_use(options) {
        Ok(in_use) => in_use,
        Err(error) => {
            let hints = vec!["a prompt is a file of UTF-8 text that you may read".to_owned()];
            return checkup.problem("prompts", &Failure { hints, ..error.into() });
        }
    };
    let replaced: Vec<&str> =
        in_use.iter().filter(|used| used.origin != Origin::BuiltIn).map(|used| used.name).collect();
    let replaced = if replaced.is_empty() {
        "all built-in".to_owned()
    } else {
        format!("of files: {} (`faos prompts diff`)", replaced.join(", "))
    };
    checkup.fine("prompts", format!("{} in use, {replaced}", in_use.len()));
    if let Err(fault) = prompting::Prompts::load(options) {
        let hints = vec!["repair the file, or remove it to go back to the built-in one".to_owned()];
        checkup.problem("fault", &Failure { hints, ..fault.into() });
    }
}

pub fn folders(checkup: &mut Checkup, folders: &Folders, config: Option<&Path>) {
    checkup.section("FOLDERS");
    let usual = folders.settings.join("config.toml");
    let config = config.unwrap_or(&usual);
    let there =
        if fs::exists(config) { "" } else { " (not there: everything is as built in; `faos config edit` makes it)" };
    checkup.fine("settings", format!("{}{there}", config.display()));
    for (name, folder) in [("sessions", &folders.sessions), ("state", &folders.state)] {
        match fs::check_writable(folder) {
            Ok(()) if fs::exists(folder) => checkup.fine(name, format!("{} (writable)", folder.display())),
            Ok(()) => checkup.fine(name, format!("{} (made when it is needed)", folder.display())),
            Err(error) => {
                let hints = vec!["name another folder: `--session-dir DIR`, or FAOS_HOME for all".to_owned()];
                checkup.problem(name, &Failure { hints, ..error.into() });
            }
        }
    }
}

pub fn terminal(checkup: &mut Checkup, look: Look) {
    checkup.section("TERMINAL");
    let wishes = TerminalWishes::find();
    if io::stdout().is_terminal() {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
        let size = size.map_or_else(
            || "does not say its size".to_owned(),
            |size| format!("{} columns, {} lines", size.ws_col, size.ws_row),
        );
        checkup.fine("size", size);
    } else {
        checkup.fine("size", "stdout is no terminal here: it goes to a file or a program");
    }
    let why = match (wishes.no_color, wishes.dumb) {
        _ if look.color => "yes",
        (true, _) => "no, by NO_COLOR",
        (false, true) => "no: TERM is `dumb`, or not set",
        (false, false) => "no, by `--color never`",
    };
    checkup.fine("colour", why);
    if wishes.utf8 {
        checkup.fine("unicode", "yes");
    } else {
        let hint = "set `LANG` to a UTF-8 locale, such as C.UTF-8".to_owned();
        checkup.note("unicode", "the locale is not UTF-8: other than English letters may look wrong", hint);
    }
}
