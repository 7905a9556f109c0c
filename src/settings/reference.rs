//! The table of keys, to be read: the template of a new settings file, and `docs/settings.md`.

use std::fmt::Write;

use super::keys::{KEYS, Key, Project, Usual};

/// What stands behind a key where it is shown as an example: the default, where there is one.
pub fn shown(key: &Key) -> String {
    match (&key.default, key.example) {
        (Usual::Value(value), "") => value().to_string(),
        (Usual::Value(_) | Usual::Unset(_), example) => example.to_owned(),
    }
}

/// A settings file that sets nothing: every key stands in it, as a comment.
pub fn template() -> String {
    let mut out = String::from(
        "# Settings of faos. Take the `#` away from the front of a key to set it.\n\
         # `faos config check` reads this file, `faos config` shows what is in force and why.\n",
    );
    for (at, key) in KEYS.iter().enumerate() {
        let (table, name) = key.parts();
        if at == 0 || KEYS[at - 1].parts().0 != table {
            let _ = writeln!(out, "\n[{table}]");
        }
        let more = match &key.default {
            Usual::Value(_) if key.example.is_empty() => String::new(),
            Usual::Value(value) => format!(" (default: {})", value()),
            Usual::Unset(meaning) => format!(" (default: {meaning})"),
        };
        // Links lead nowhere from there.
        let about = key.about.replace("[sandbox.md](sandbox.md)", "docs/sandbox.md");
        let _ = writeln!(out, "# {about}{more}\n#{name} = {}", shown(key));
    }
    out
}

/// The text of `docs/settings.md`, from its first words on.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    let mut table = "";
    for key in KEYS {
        let (of, name) = key.parts();
        if of != table {
            table = of;
            let _ = writeln!(
                out,
                "\n## `[{table}]`\n\n| key | takes | default | for | option, variable |\n| --- | --- | --- | --- | --- |"
            );
        }
        let default = match &key.default {
            Usual::Value(value) => format!("`{}`", value()),
            Usual::Unset(meaning) => (*meaning).to_owned(),
        };
        let said: Vec<String> = key.flag.into_iter().chain(key.variable).map(|name| format!("`{name}`")).collect();
        let project = match key.project {
            Project::Nothing => "",
            Project::Lower => ". A project may lower it",
            Project::SwitchOff => ". A project may switch it off",
            Project::Add => ". A project may add to it",
        };
        let _ = writeln!(out, "| `{name}` | {} | {default} | {}{project} | {} |", key.kind, key.about, said.join(", "));
    }
    out
}

const INTRODUCTION: &str = include_str!("introduction.md");

#[cfg(test)]
mod tests {
    use super::{reference, template};
    use crate::settings::file::read;
    use crate::settings::keys::KEYS;

    #[test]
    fn the_template_sets_nothing_and_shows_every_key() {
        assert!(read(&template()).expect("sound").is_empty());
        let is_prose = |line: &str| line.starts_with("# ");
        let all: String = template().lines().filter(|line| !is_prose(line)).map(|line| format!("{line}\n")).collect();
        let typed = read(&all.replace('#', "")).expect("every example can be used");
        let names: Vec<&str> = typed.iter().map(|typed| typed.key.name).collect();
        assert_eq!(names, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    }

    #[test]
    fn the_documentation_is_made_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            crate::base::fs::replace(std::path::Path::new(path), reference().as_bytes()).expect("written");
        }
        let text = crate::base::fs::read_text(std::path::Path::new(path)).expect("docs/settings.md");
        assert!(text == reference(), "docs/settings.md is not what the table says: INSTA_UPDATE=always makes it anew");
    }

    /// Wherever settings stand in the documentation.
    #[test]
    fn the_settings_in_the_documentation_are_settings() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"));
        let mut blocks = 0;
        for page in ["models.md", "settings.md", "sandbox.md", "guide.md"] {
            let text = crate::base::fs::read_text(&folder.join(page)).expect(page);
            for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
                let typed = read(block).unwrap_or_else(|faults| panic!("{page}: {}", faults[0]));
                assert!(!typed.is_empty(), "{page}");
                blocks += 1;
            }
        }
        assert!(blocks > 1, "{blocks}");
    }
}
