//! `faos prompts`: which text is in use for each prompt, whose it is, and how it differs from the built-in one.

use crate::cli::{Options, Prompts, PromptsCommand};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::command::replaceable::{self, Replaceable};
use crate::prompting::{self, InUse, Origin};

const KIND: &str = "prompt";

pub fn run(prompts: &Prompts, options: &Options) -> Result<Plan, Failure> {
    let settings = chat::settings_here(options)?;
    let in_use = prompting::in_use(&settings.prompting)?;
    match &prompts.command {
        None | Some(PromptsCommand::List) => {
            let rows: Vec<_> = in_use.iter().map(row).collect();
            let text = output::table(&[vec![["PROMPT", "VARIABLES", "FROM"].map(str::to_owned)], rows].concat());
            match prompting::Prompts::load(&settings.prompting) {
                Ok(_) => output::print(&text),
                Err(fault) => output::print_then(&text, fault.into()),
            }
        }
        Some(PromptsCommand::Show { name }) => replaceable::show(&replaceables(in_use), KIND, name),
        Some(PromptsCommand::Diff { name }) => replaceable::diff(&replaceables(in_use), KIND, name.as_deref()),
    }
}

fn row(used: &InUse) -> [String; 3] {
    let from = match &used.origin {
        Origin::BuiltIn => "built-in".to_owned(),
        Origin::User(path) => format!("user: {}", one_line(&path.display().to_string())),
        Origin::Project(path) => format!("project: {}", one_line(&path.display().to_string())),
    };
    [format!("{}.md", used.name), used.variables.join(", "), from]
}

fn replaceables(in_use: Vec<InUse>) -> Vec<Replaceable> {
    let built_in = |name: &str| prompting::built_in().iter().find(|template| template.name == name).map(|t| t.text);
    let of = |used: InUse| Replaceable {
        name: format!("{}.md", used.name),
        built_in: built_in(used.name),
        path: match used.origin {
            Origin::BuiltIn => None,
            Origin::User(path) | Origin::Project(path) => Some(path),
        },
        text: used.text,
    };
    in_use.into_iter().map(of).collect()
}
