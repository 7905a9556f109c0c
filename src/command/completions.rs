//! `faos completions`: what a shell needs to complete commands, options and names, made from the table that parses them.
//!
//! `clap_complete` writes what never changes. What does (sessions, prompts, scripts) is asked of this program while
//! somebody types, with `--values`: a few lines for each shell, added here.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::{Cli, Completions, Names, Options};
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::command::{chat, demo};
use crate::settings::Settings;
use crate::{prompting, scripting, session};

/// Which argument, by its id, is completed with which names.
const ARGUMENTS: [(&str, Names); 6] = [
    ("session", Names::Sessions),
    ("sessions", Names::Sessions),
    ("template", Names::Templates),
    ("script", Names::Scripts),
    ("piece", Names::Pieces),
    ("recording", Names::Recordings),
];

pub fn run(completions: &Completions, options: &Options) -> Result<Plan, Failure> {
    match (completions.shell, completions.values) {
        (_, Some(names)) => output::print(&values(names, options)?),
        (Some(shell), None) => output::print(&script(shell)),
        (None, None) => Ok(Plan::Done(2)),
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "faos", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => bash(&script),
        Shell::Zsh => zsh(&script),
        Shell::Fish => format!("{script}{}", fish()),
        // These two, and what may come, know what never changes.
        _ => script,
    }
}

/// A name and what it is, a line each.
fn values(names: Names, options: &Options) -> Result<String, Failure> {
    let settings = Settings::resolve(&chat::flags(options))?;
    let line = |name: &str, about: &str| format!("{}\t{}\n", one_line(name), one_line(about));
    let templates = || prompting::built_in().iter().map(|template| line(template.name, template.when));
    Ok(match names {
        Names::Sessions => {
            let (summaries, _) = session::list(&settings.folders.sessions)?;
            summaries.iter().map(|summary| line(summary.id.as_str(), &summary.title)).collect()
        }
        Names::Templates => templates().collect(),
        Names::Scripts => {
            let in_use = scripting::in_use(&settings.scripting)?;
            in_use.iter().map(|source| line(&source.name, &source.label)).collect()
        }
        Names::Pieces => {
            templates().chain(scripting::built_in().iter().map(|(name, _)| line(name, "script"))).collect()
        }
        Names::Recordings => demo::recordings().map(|(name, about)| line(name, about)).collect(),
    })
}

/// A command that takes such a name.
struct Place {
    /// As it is typed behind `faos`.
    path: String,
    names: Names,
    /// More than one.
    several: bool,
}

fn places() -> Vec<Place> {
    fn below(command: &Command, path: &str, places: &mut Vec<Place>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
            places.extend(sub.get_positionals().next().and_then(|argument| {
                let (_, names) = ARGUMENTS.iter().find(|(known, _)| *known == argument.get_id().as_str())?;
                let several = matches!(argument.get_action(), ArgAction::Append);
                Some(Place { path: path.clone(), names: *names, several })
            }));
            below(sub, &path, places);
        }
    }
    let mut places = Vec::new();
    below(&Cli::command(), "", &mut places);
    places
}

fn kind(names: Names) -> String {
    names.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Options that take the next word.
fn with_values() -> Vec<String> {
    fn below(command: &Command, options: &mut Vec<String>) {
        let takes = |argument: &&Arg| argument.get_action().takes_values() && !argument.is_require_equals_set();
        for argument in command.get_opts().filter(takes) {
            options.extend(argument.get_short().map(|short| format!("-{short}")));
            options.extend(argument.get_long().map(|long| format!("--{long}")));
        }
        command.get_subcommands().for_each(|sub| below(sub, options));
    }
    let mut options = Vec::new();
    below(&Cli::command(), &mut options);
    options.sort();
    options.dedup();
    options
}

fn bash(script: &str) -> String {
    let (places, options) = (places(), with_values().join("|"));
    let mut steps = String::new();
    let mut kinds = String::new();
    for Place { path, names, several } in &places {
        let words: Vec<&str> = path.split(' ').collect();
        for at in 0..words.len() {
            let step =
                format!("            \" {}\") path=\" {}\" ;;\n", words[..=at].join(" "), words[..=at].join(" "));
            if !steps.contains(&step) {
                steps += &step;
            }
        }
        // Writing to a text cannot fail.
        let several = if *several { " several=yes" } else { "" };
        let _ = writeln!(kinds, "        \" {path}\") kind={}{several} ;;", kind(*names));
    }
    let own = format!(
        r#"
# Names that there are now come from faos itself.
_faos_with_names() {{
    _faos "$@"
    local word path="" kind="" several="" skip="" given=0 cur="$2"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if [[ -n $skip ]]; then skip=""; continue; fi
        case "$word" in {options}) skip=yes; continue ;; -*) continue ;; esac
        case "$path $word" in
{steps}            *) given=$((given + 1)) ;;
        esac
    done
    case "$path" in
{kinds}        *) return 0 ;;
    esac
    [[ -n $skip || $cur == -* ]] && return 0
    [[ $given -gt 0 && -z $several ]] && return 0
    # Whoever wrote a file of that name has no say here: nothing is expanded, and what is offered is quoted.
    local name
    COMPREPLY=()
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] || continue
        printf -v name %q "$name"
        COMPREPLY+=("$name")
    done < <(faos completions --values "$kind" 2>/dev/null | cut -f1)
}}
"#
    );
    // The last lines bind the function to the command.
    let at = script.rfind("\nif [[ \"${BASH_VERSINFO[0]}\"").unwrap_or(script.len());
    format!("{}{own}{}", &script[..at], script[at..].replace("complete -F _faos ", "complete -F _faos_with_names "))
}

/// A positional argument is a line `'ID -- HELP:_default' \`. PROMPT is left out: zsh would take the command for it, and
/// look for commands in the next word.
fn zsh(script: &str) -> String {
    let own = r#"
# Names that there are now come from faos itself.
_faos_names() {
    local -a names
    names=("${(@f)$(_call_program names faos completions --values $1 2>/dev/null | sed -e 's/:/\\:/g' -e $'s/\t/:/')}")
    _describe -t names "$1" names
}
"#;
    let mut prompts = 0;
    let line = |line: &str| {
        // The program's own comes first, that of `faos resume` later.
        if line.starts_with("'::prompt -- ") {
            prompts += 1;
            if prompts == 1 {
                return String::new();
            }
        }
        let id = line.trim_start_matches(['\'', '*', ':']).split(" -- ").next().unwrap_or_default();
        let names = ARGUMENTS.iter().find(|(known, _)| *known == id && line.starts_with('\''));
        match names {
            Some((_, names)) => line.replace(":_default' \\", &format!(": _faos_names {}' \\", kind(*names))) + "\n",
            None => format!("{line}\n"),
        }
    };
    let all = script.lines().map(line).collect::<String>().replace("$line[2]", "$line[1]");
    let at = all.find("\n_faos() {").unwrap_or(0);
    format!("{}{own}{}", &all[..at], &all[at..])
}

fn fish() -> String {
    let mut out = "\n# Names that there are now come from faos itself.\n".to_owned();
    for Place { path, names, .. } in places() {
        let (first, second) = path.split_once(' ').unwrap_or((&path, ""));
        let mut condition = format!("__fish_faos_using_subcommand {first}");
        if !second.is_empty() {
            condition += &format!("; and __fish_seen_subcommand_from {second}");
        }
        let _ = writeln!(
            out,
            "complete -c faos -n \"{condition}\" -k -f -a \"(faos completions --values {} 2>/dev/null)\"",
            kind(names)
        );
    }
    out
}
