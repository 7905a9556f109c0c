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
        text: include_str!("../../prompts/system.md"),
        variables: &["map", "agents", "wall_s", "network", "run_blocks"],
    },
    Template {
        name: "attachment",
        text: include_str!("../../prompts/attachment.md"),
        variables: &["prompt", "attachment"],
    },
    Template {
        name: "continue",
        text: include_str!("../../prompts/continue.md"),
        variables: &["open", "applied", "last_line"],
    },
    Template { name: "repair", text: include_str!("../../prompts/repair.md"), variables: &["feedback"] },
];

/// Every instruction costs one, and so do 64 bytes of text; a rendered system prompt costs some hundreds.
const FUEL: u64 = 200_000;

#[derive(Debug, Error)]
#[error("{message}")]
pub struct PromptError {
    /// Names the template's file, the line and the variable.
    pub message: String,
}

/// Where templates come from, nearest first; built-in ones stand behind all folders.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub folders: Vec<PathBuf>,
}

/// A template that is compiled in from the repository's `prompts/`.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Without `.md`.
    pub name: &'static str,
    pub text: &'static str,
    pub variables: &'static [&'static str],
}

pub fn built_in() -> &'static [Template] {
    BUILT_IN
}

pub struct Prompts {
    environment: Environment<'static>,
    /// Template name to the file it came from, for errors.
    files: Vec<(&'static str, String)>,
}

impl Prompts {
    /// Looks up and compiles every template; a syntax error or an unknown variable is found here, not in mid-turn.
    pub fn load(options: &Options) -> Result<Self, PromptError> {
        let mut prompts = Self { environment: environment(), files: Vec::new() };
        for template in BUILT_IN {
            let (file, text) = look_up(template, options)?;
            prompts
                .environment
                .add_template_owned(template.name, text)
                .map_err(|error| explain::error(&error, &file))?;
            prompts.files.push((template.name, file));
        }
        for template in BUILT_IN {
            prompts.check_variables(template)?;
        }
        Ok(prompts)
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

/// The nearest file of that name, else the built-in text; each with the name that errors give it.
fn look_up(template: &Template, options: &Options) -> Result<(String, String), PromptError> {
    for folder in &options.folders {
        let path = folder.join(format!("{}.md", template.name));
        let found = fs::read_text_if_present(&path).map_err(|error| PromptError { message: error.to_string() })?;
        if let Some(text) = found {
            return Ok((path.display().to_string(), text));
        }
    }
    Ok((format!("{}.md (built in)", template.name), template.text.to_owned()))
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
