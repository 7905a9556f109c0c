//! The words that are sent to the model: templates looked up in the user's folders, then among the built-in ones.
//!
//! A template is as untrusted as a script: it reads nothing but its variables and other templates, an undefined
//! variable is an error, and rendering has a fuel limit. What a variable holds is for core to say; the table below
//! names the variables there are.

use std::path::PathBuf;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

use crate::base::fs;

mod explain;

/// The templates that the program renders, and the variables that it gives each.
const BUILT_IN: &[Template] = &[
    Template {
        name: "system",
        when: "the first message of a conversation",
        text: include_str!("../../prompts/system.md"),
        variables: &["map", "agents", "wall_s", "network", "run_blocks"],
    },
    Template {
        name: "attachment",
        when: "your words together with what was piped in",
        text: include_str!("../../prompts/attachment.md"),
        variables: &["prompt", "attachment"],
    },
    Template {
        name: "continue",
        when: "a reply was cut off",
        text: include_str!("../../prompts/continue.md"),
        variables: &["open", "is_file", "applied", "waits", "last_line"],
    },
    Template {
        name: "compact",
        when: "the context window is nearly full",
        text: include_str!("../../prompts/compact.md"),
        variables: &[],
    },
    Template {
        name: "summary",
        when: "what stands for the conversation after it was summed up",
        text: include_str!("../../prompts/summary.md"),
        variables: &["summary"],
    },
    Template {
        name: "lines",
        when: "an edit has failed twice, where the server can hold the model to JSON",
        text: include_str!("../../prompts/lines.md"),
        variables: &["path", "lines"],
    },
    Template {
        name: "repair",
        when: "a validation has failed",
        text: include_str!("../../prompts/repair.md"),
        variables: &["feedback"],
    },
];

/// Every instruction costs one, and so do 64 bytes of text; a rendered system prompt costs some hundreds.
const FUEL: u64 = 200_000;

#[derive(Debug, Error)]
#[error("{message}")]
pub struct PromptError {
    /// Names the template's file, the line and the variable.
    pub message: String,
}

/// Where templates come from: the project's stand before the user's, and built-in ones behind all.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub user: Option<PathBuf>,
    /// `None` where the project has none or they are not trusted.
    pub project: Option<PathBuf>,
    /// The folder below these two whose templates stand before theirs: one word.
    pub set: Option<String>,
}

/// A template that is compiled in from the repository's `prompts/`.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Without `.md`.
    pub name: &'static str,
    pub when: &'static str,
    pub text: &'static str,
    pub variables: &'static [&'static str],
}

pub fn built_in() -> &'static [Template] {
    BUILT_IN
}

/// The text that counts for a template, as `faos prompts` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    pub name: &'static str,
    pub variables: &'static [&'static str],
    pub origin: Origin,
    pub text: String,
}

/// Whose text it is; a file's path where it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    User(PathBuf),
    Project(PathBuf),
}

/// The nearest text of every template, whether it is sound or not.
pub fn in_use(options: &Options) -> Result<Vec<InUse>, PromptError> {
    BUILT_IN.iter().map(|template| look_up(template, options)).collect()
}

pub struct Prompts {
    options: Options,
    environment: Environment<'static>,
    /// Template name to the file it came from, for errors.
    files: Vec<(&'static str, String)>,
}

impl Prompts {
    /// Looks up and compiles every template; a syntax error or an unknown variable is found here, not in mid-turn.
    pub fn load(options: &Options) -> Result<Self, PromptError> {
        let mut prompts = Self { options: options.clone(), environment: environment(), files: Vec::new() };
        for template in BUILT_IN {
            let found = look_up(template, options)?;
            let file = found.file();
            prompts
                .environment
                .add_template_owned(template.name, found.text)
                .map_err(|error| explain::error(&error, &file))?;
            prompts.files.push((template.name, file));
        }
        for template in BUILT_IN {
            prompts.check_variables(template)?;
        }
        Ok(prompts)
    }

    /// The same with another set; `None` is without one. A name that no folder has is an error that lists those there are.
    pub fn with_set(&self, set: Option<&str>) -> Result<Self, PromptError> {
        let options = Options { set: set.map(str::to_owned), ..self.options.clone() };
        let known = sets(&options);
        match set.filter(|set| !known.iter().any(|known| known == set)) {
            None => Self::load(&options),
            Some(set) => {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(PromptError { message: format!("there is no set of prompts `{set}` (there are: {known})") })
            }
        }
    }

    pub fn set(&self) -> Option<&str> {
        self.options.set.as_deref()
    }

    /// `name` without `.md`. Undefined variables and spent fuel are errors.
    pub fn render(&self, name: &str, values: impl Serialize) -> Result<String, PromptError> {
        let template = self
            .environment
            .get_template(name)
            .map_err(|_| PromptError { message: format!("there is no template `{name}.md`") })?;
        template
            .render(minijinja::value::Serde(&values))
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| explain::error(&error, self.file(error.name().unwrap_or(name))))
    }

    /// Each template's name, and the file that it came from.
    pub fn sources(&self) -> &[(&'static str, String)] {
        &self.files
    }

    fn check_variables(&self, template: &Template) -> Result<(), PromptError> {
        let file = self.file(template.name);
        let compiled = self.environment.get_template(template.name).map_err(|error| explain::error(&error, file))?;
        let known = |name: &str| {
            template.variables.contains(&name) || self.environment.globals().any(|(global, _)| global == name)
        };
        match compiled.undeclared_variables(false).iter().filter(|name| !known(name)).min() {
            Some(name) => Err(explain::unknown_variable(name, compiled.source(), file, template.variables)),
            None => Ok(()),
        }
    }

    fn file<'a>(&'a self, name: &'a str) -> &'a str {
        self.files.iter().find(|(known, _)| *known == name).map_or(name, |(_, file)| file)
    }
}

impl InUse {
    /// What errors call it: a user must find the file.
    fn file(&self) -> String {
        match &self.origin {
            Origin::BuiltIn => format!("{}.md (built in)", self.name),
            Origin::User(path) | Origin::Project(path) => path.display().to_string(),
        }
    }
}

/// The nearest file of that name, else the built-in text.
fn look_up(template: &Template, options: &Options) -> Result<InUse, PromptError> {
    let Template { name, text, variables, .. } = *template;
    let path = |folder: &PathBuf| folder.join(format!("{name}.md"));
    let of = |set: Option<&String>| {
        let folder = |folder: &PathBuf| set.map_or_else(|| folder.clone(), |set| folder.join(set));
        let project = options.project.as_ref().map(|project| Origin::Project(path(&folder(project))));
        let user = options.user.as_ref().map(|user| Origin::User(path(&folder(user))));
        project.into_iter().chain(user).collect::<Vec<_>>()
    };
    let of_the_set = options.set.as_ref().map(|set| of(Some(set))).unwrap_or_default();
    for origin in of_the_set.into_iter().chain(of(None)) {
        let text = match &origin {
            Origin::Project(path) | Origin::User(path) => fs::read_text_if_present(path),
            Origin::BuiltIn => Ok(None),
        };
        if let Some(text) = text.map_err(|error| PromptError { message: error.to_string() })? {
            return Ok(InUse { name, variables, origin, text });
        }
    }
    Ok(InUse { name, variables, origin: Origin::BuiltIn, text: text.to_owned() })
}

/// The names of the folders with templates.
fn sets(options: &Options) -> Vec<String> {
    let folders = options.project.iter().chain(&options.user).filter_map(|folder| fs::folders(folder).ok()).flatten();
    let names = folders.filter_map(|folder| folder.file_name().map(|name| name.to_string_lossy().into_owned()));
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.add_filter("fenced", fenced);
    environment
}

/// `text` as a fenced block whose fence is longer than any run of backticks in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{end}{fence}")
}

#[cfg(test)]
mod tests;
