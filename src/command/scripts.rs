//! `faos scripts`: which scripts are asked, in which order, and whether they are sound.

use std::path::Path;

use crate::base::fs;
use crate::cli::{Options, Scripts, ScriptsCommand};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::input;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::command::replaceable::{self, Replaceable};
use crate::command::trust::{Project, Standing, Trust};
use crate::frontend::question;
use crate::scripting::{self, Loaded, Source};
use crate::settings::Folders;

const KIND: &str = "script";

pub fn run(scripts: &Scripts, options: &Options) -> Result<Plan, Failure> {
    let settings = || chat::settings_here(options);
    match &scripts.command {
        None | Some(ScriptsCommand::List) => listed(&settings()?.scripting),
        Some(ScriptsCommand::Check) => checked(&settings()?.scripting),
        Some(ScriptsCommand::Trust { revoke: false }) => trust(options),
        Some(ScriptsCommand::Trust { revoke: true }) => forget(options),
        Some(ScriptsCommand::Show { name }) => {
            replaceable::show(&replaceables(scripting::in_use(&settings()?.scripting)?), KIND, name)
        }
        Some(ScriptsCommand::Diff { name }) => {
            replaceable::diff(&replaceables(scripting::in_use(&settings()?.scripting)?), KIND, name.as_deref())
        }
    }
}

fn listed(options: &scripting::Options) -> Result<Plan, Failure> {
    let (loaded, faults) = scripting::check(options)?;
    let text = list(&loaded, &scripting::in_use(options)?);
    if faults.is_empty() {
        return output::print(&text);
    }
    let hint = "`faos scripts check` names file, line and column";
    let failure = faulty(&faults);
    output::print_then(&text, Failure { hints: [vec![hint.to_owned()], failure.hints].concat(), ..failure })
}

fn checked(options: &scripting::Options) -> Result<Plan, Failure> {
    let (_, faults) = scripting::try_out(options)?;
    if faults.is_empty() {
        let count = scripting::in_use(options)?.len();
        return output::print(&format!("{count} scripts, all sound\n"));
    }
    let lines: String = faults.iter().map(|fault| format!("{}\n", one_line(fault))).collect();
    if scripting::check(options)?.1.is_empty() {
        return output::print_then(&lines, failing(&faults));
    }
    output::print_then(&lines, faulty(&faults))
}

/// Shown, and asked at a terminal. Without one the command itself is the user's word: a run of the model's cannot give it.
fn trust(options: &Options) -> Result<Plan, Failure> {
    let folders = Folders::find()?;
    let workspace = chat::project_here(options);
    let Some(project) = Project::read(&workspace)? else {
        return Err(Failure::usage(
            format!("`{}` brings no scripts, prompts or settings of its own", workspace.join(".faos").display()),
            "a project's own stand in `.faos/scripts`, `.faos/prompts` and `.faos/config.toml`",
        ));
    };
    let mut trust = Trust::load(&folders)?;
    let standing = trust.standing(&project);
    if standing == Standing::Trusted {
        return output::print("it is trusted as it is\n");
    }
    let told = project.told(&standing, &folders);
    output::print(&told)?;
    if input::is_terminal() && !question::yes("Use them from now on?") {
        return Err(Failure {
            message: "nothing is trusted".to_owned(),
            hints: vec!["conversations go on without them".to_owned()],
            exit_code: 6,
        });
    }
    trust.add(&project, &folders)?;
    output::print("trusted as it is now; when it changes you are asked again\n")
}

fn forget(options: &Options) -> Result<Plan, Failure> {
    let folders = Folders::find()?;
    let root = fs::canonical(&chat::project_here(options))?;
    let known = Trust::load(&folders)?.forget(&root, &folders)?;
    output::print(if known { "it is left out from now on\n" } else { "it was not trusted\n" })
}

/// They are loaded, and fail when they are asked.
fn failing(faults: &[String]) -> Failure {
    let count =
        if faults.len() == 1 { "a handler fails".to_owned() } else { format!("{} handlers fail", faults.len()) };
    let hints =
        vec!["a gate that fails denies what it is asked about, anything else that fails is passed over".to_owned()];
    Failure { message: format!("{count} with a made-up event"), hints, exit_code: 2 }
}

/// A conversation would not begin with these.
fn faulty(faults: &[String]) -> Failure {
    let count = if faults.len() == 1 { "a script is".to_owned() } else { format!("{} scripts are", faults.len()) };
    Failure {
        message: format!("{count} faulty, and no conversation begins until that is repaired"),
        hints: vec!["`--no-scripts` goes on without scripts".to_owned()],
        exit_code: 2,
    }
}

/// The scripts in the order in which they are asked, then what they import.
fn list(loaded: &[Loaded], in_use: &[Source]) -> String {
    let mut rows = vec![["", "SCRIPT", "EVENTS", "FROM"].map(str::to_owned)];
    rows.extend(loaded.iter().enumerate().map(|(at, script)| {
        let events = if script.events.is_empty() { "none".to_owned() } else { script.events.join(", ") };
        let mut from = from(&script.label, script.path.as_deref());
        if loaded[..at].iter().any(|earlier| bare(&earlier.label) == bare(&script.label)) {
            from.push_str(" (replaced by the project's, but its gates are still asked)");
        }
        [(at + 1).to_string(), one_line(bare(&script.label)), events, from]
    }));
    rows.extend(in_use.iter().filter(|source| source.name.starts_with("lib/")).map(|source| {
        let events = "none: for imports".to_owned();
        [String::new(), one_line(&source.name), events, from(&source.label, source.path.as_deref())]
    }));
    output::table(&rows)
}

/// Without the origin.
fn bare(label: &str) -> &str {
    label.split_once('/').map_or(label, |(_, name)| name)
}

fn from(label: &str, path: Option<&Path>) -> String {
    let Some(path) = path else { return "built-in".to_owned() };
    let (origin, name) = label.split_once('/').unwrap_or(("", label));
    let replaces = if built_in(name).is_some() { " (in place of the built-in one)" } else { "" };
    format!("{origin}: {}{replaces}", one_line(&path.display().to_string()))
}

fn built_in(name: &str) -> Option<&'static str> {
    scripting::built_in().iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn replaceables(in_use: Vec<Source>) -> Vec<Replaceable> {
    let of = |source: Source| Replaceable {
        built_in: built_in(&source.name),
        name: source.name,
        path: source.path,
        text: source.text,
    };
    in_use.into_iter().map(of).collect()
}
