//! `faos config`: every setting with its value and who says so, the file in the user's editor, and what is wrong with it.

mod edit;

use std::path::Path;

use crate::base::fs;
use crate::base::secrets::masked;
use crate::cli::{Config, ConfigCommand, Options};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::settings::file::{self, Fault};
use crate::settings::keys::{KEYS, Key, Usual};
use crate::settings::{Folders, KeySource, Settings, project};

pub fn run(config: &Config, options: &Options) -> Result<Plan, Failure> {
    let file = || Ok::<_, Failure>(chat::flags(options).file(&Folders::find()?));
    match &config.command {
        None | Some(ConfigCommand::Show) => output::print(&shown(&chat::settings_here(options)?)),
        Some(ConfigCommand::Edit) => edit::run(&file()?),
        Some(ConfigCommand::Check { file: Some(named) }) => check(named, whose(named, file().ok().as_deref())),
        Some(ConfigCommand::Check { file: None }) => check(&file()?, Whose::Users),
        Some(ConfigCommand::Path) => output::print(&format!("{}\n", file()?.display())),
    }
}

/// A project's own file may say less than the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Users,
    Projects,
}

/// The user's own file is the user's wherever it is; another one is a project's where a project has its own.
fn whose(path: &Path, own: Option<&Path>) -> Whose {
    let is_own = own.is_some_and(|own| match (fs::canonical(path), fs::canonical(own)) {
        (Ok(path), Ok(own)) => path == own,
        (Ok(_) | Err(_), _) => false,
    });
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let is_in_projects = path.parent().and_then(Path::file_name).is_some_and(|folder| folder == ".faos");
    if is_in_projects && !is_own { Whose::Projects } else { Whose::Users }
}

fn shown(settings: &Settings) -> String {
    let mut rows = vec![["KEY", "VALUE", "FROM"].map(str::to_owned)];
    rows.extend(KEYS.iter().map(|key| row(key, settings)));
    let there = if fs::exists(&settings.file) { "" } else { ", which is not there: `faos config edit` makes it" };
    format!(
        "{}\nthe API key  {}\nyour file    {}{there}\n",
        output::table(&rows),
        one_line(&key(&settings.api_key)),
        one_line(&settings.file.display().to_string())
    )
}

fn row(key: &Key, settings: &Settings) -> [String; 3] {
    let (value, origin) = settings.values.in_force(key);
    let value = match (value, &key.default) {
        // What was meant to be a secret's place may hold the secret.
        (Some(value), _) => one_line(&hidden(&value.to_string())),
        (None, Usual::Unset(meaning)) => format!("- ({meaning})"),
        (None, Usual::Value(_)) => "-".to_owned(),
    };
    [key.name.to_owned(), value, one_line(&origin.to_string())]
}

/// Without what looks like a key, and without a password in a URL.
fn hidden(value: &str) -> String {
    let value = masked(value);
    let Some((scheme, rest)) = value.split_once("://") else { return value.into_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // A password may hold an `@` itself: the last one ends it.
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://[masked]@{host}{path}"),
        None => value.into_owned(),
    }
}

fn key(source: &KeySource) -> String {
    match source {
        KeySource::Nowhere => "none is sent".to_owned(),
        KeySource::Variable(name) => format!("from {name} (environment); never shown"),
        // The key itself may have been put there for the file's name.
        KeySource::File(path) => {
            format!("from the file {}, when a server is asked; never shown", masked(&path.to_string_lossy()))
        }
        KeySource::Command(_) => "from `api_key_command`, when a server is asked; never shown".to_owned(),
    }
}

fn check(path: &Path, whose: Whose) -> Result<Plan, Failure> {
    let text = fs::read_text(path).map_err(|error| Failure {
        hints: vec!["`faos config edit` makes it; without one all defaults hold".to_owned()],
        exit_code: 2,
        ..error.into()
    })?;
    match faults(whose, &text) {
        Ok(count) => {
            let count = if count == 1 { "1 key is set".to_owned() } else { format!("{count} keys are set") };
            output::print(&format!("{}: sound, {count}\n", one_line(&path.display().to_string())))
        }
        Err(faults) => output::print_then(&told(path, &faults), faulty(path, &faults)),
    }
}

/// How much is set, or what is wrong: in a project's own file also what is no project's to set.
fn faults(whose: Whose, text: &str) -> Result<usize, Vec<Fault>> {
    let typed = match whose {
        Whose::Users => file::read(text)?,
        Whose::Projects => project::read(text)?,
    };
    Ok(typed.len())
}

/// A line each, in the form in which compilers and editors name a place.
fn told(path: &Path, faults: &[Fault]) -> String {
    let path = path.display();
    faults.iter().map(|fault| format!("{}\n", one_line(&format!("{path}:{}: {}", fault.line, fault.problem)))).collect()
}

fn faulty(path: &Path, faults: &[Fault]) -> Failure {
    let count = if faults.len() == 1 { "a fault".to_owned() } else { format!("{} faults", faults.len()) };
    Failure {
        message: format!("{count} in `{}`, and nothing begins until that is mended", path.display()),
        hints: vec!["`faos config edit` opens your settings, docs/settings.md lists every key".to_owned()],
        exit_code: 2,
    }
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn no_secret_is_shown_where_one_was_put() {
        for (value, wanted) in [
            ("\"http://a:8080/v1\"", "\"http://a:8080/v1\""),
            ("\"https://you:pass@a\"", "\"https://[masked]@a\""),
            ("\"https://you:pa@ss@host\"", "\"https://[masked]@host\""),
            ("\"https://you:pa@ss@host/v1/x@y\"", "\"https://[masked]@host/v1/x@y\""),
            ("\"http://a/x@y\"", "\"http://a/x@y\""),
            ("\"sk-0123456789abcdef\"", "\"[masked]\""),
            ("\"echo sk-0123456789abcdef\"", "\"echo [masked]\""),
        ] {
            assert_eq!(hidden(value), wanted);
        }
    }
}
