//! A project's own `.faos/config.toml`: it may tighten what holds, and nothing else.
//!
//! No endpoint, no key, no model, no folder, no backend: whoever wrote the project has no say in where the user's words go.

use std::path::Path;

use super::{File, Settings, SettingsError, parse};
use crate::base::fs;
use crate::base::report::Network;

/// The keys that a project may set, as far as they tighten.
const ALLOWED: [&str; 5] =
    ["loop.max_turns", "loop.max_repairs", "sandbox.network", "sandbox.require", "sandbox.limits"];

pub(super) fn tighten(settings: &mut Settings, path: &Path) -> Result<(), SettingsError> {
    let Some(text) = fs::read_text_if_present(path)? else { return Ok(()) };
    let told = |problem| SettingsError::File { path: path.to_owned(), problem };
    let file = parse(&text).map_err(told)?;
    let table: toml::Table = text.parse().unwrap_or_default();
    if let Some(key) = forbidden(&table) {
        return Err(told(format!("a project cannot set `{key}`; it may set {}", ALLOWED.join(", "))));
    }
    lower(settings, file);
    Ok(())
}

/// The first key that is not a project's to set.
fn forbidden(table: &toml::Table) -> Option<String> {
    let below = |(name, value): (&String, &toml::Value)| match value {
        toml::Value::Table(inner) => inner.keys().map(|key| format!("{name}.{key}")).collect(),
        _ => vec![name.clone()],
    };
    table.iter().flat_map(below).find(|key| !ALLOWED.contains(&key.as_str()))
}

fn lower(settings: &mut Settings, file: File) {
    fn lower<T: PartialOrd>(own: &mut T, wanted: Option<T>) {
        if let Some(wanted) = wanted.filter(|wanted| *wanted < *own) {
            *own = wanted;
        }
    }
    lower(&mut settings.max_turns, file.r#loop.max_turns);
    lower(&mut settings.max_repairs, file.r#loop.max_repairs);
    if file.sandbox.network == Some(Network::Off) {
        settings.sandbox.network = Network::Off;
    }
    for guarantee in file.sandbox.require.unwrap_or_default() {
        if !settings.sandbox.require.contains(&guarantee) {
            settings.sandbox.require.push(guarantee);
        }
    }
    let (own, wanted) = (&mut settings.sandbox.limits, file.sandbox.limits);
    lower(&mut own.wall_s, wanted.wall_s);
    lower(&mut own.validation_wall_s, wanted.validation_wall_s);
    own.cpu_s = match (own.cpu_s, wanted.cpu_s) {
        (Some(own), Some(wanted)) => Some(own.min(wanted)),
        (own, wanted) => own.or(wanted),
    };
    lower(&mut own.memory_mib, wanted.memory_mib);
    lower(&mut own.processes, wanted.processes);
    lower(&mut own.file_mib, wanted.file_mib);
    lower(&mut own.growth_mib, wanted.growth_mib);
    lower(&mut own.growth_files, wanted.growth_files);
    lower(&mut own.output_mib, wanted.output_mib);
}

#[cfg(test)]
mod tests {
    use super::super::{Flags, Settings};
    use super::tighten;
    use crate::base::fs;
    use crate::base::report::Network;

    fn tightened(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, project) = (folder.path().join("own.toml"), folder.path().join("project.toml"));
        let mine = "[loop]\nmax_turns = 10\n[sandbox]\nnetwork = \"full\"\n[sandbox.limits]\nwall_s = 30\n";
        fs::replace(&own, mine.as_bytes()).expect("written");
        fs::replace(&project, text.as_bytes()).expect("written");
        let mut settings = Settings::resolve(&Flags { config: Some(own), ..Flags::default() }).expect("settings");
        tighten(&mut settings, &project).map_err(|error| error.to_string()).map(|()| settings)
    }

    #[test]
    fn a_project_tightens_and_never_loosens() {
        let text =
            "[loop]\nmax_turns = 5\n[sandbox]\nnetwork = \"off\"\n[sandbox.limits]\nwall_s = 300\nmemory_mib = 64\n";
        let settings = tightened(text).expect("allowed");
        assert_eq!((settings.max_turns, settings.sandbox.network), (5, Network::Off));
        assert_eq!((settings.sandbox.limits.wall_s, settings.sandbox.limits.memory_mib), (30.0, 64));
        let settings = tightened("[loop]\nmax_turns = 500\n[sandbox]\nnetwork = \"full\"\n").expect("allowed");
        assert_eq!(settings.max_turns, 10);
    }

    #[test]
    fn a_project_names_no_server_no_key_and_no_folder() {
        for (text, key) in [
            ("[model]\nendpoint = \"http://evil\"\n", "model.endpoint"),
            ("[model]\napi_key_command = \"x\"\n", "model.api_key_command"),
            ("[session]\ndir = \"/tmp\"\n", "session.dir"),
            ("[sandbox]\nbackend = \"off\"\n", "sandbox.backend"),
            ("[sandbox]\nenvironment = [\"SECRET\"]\n", "sandbox.environment"),
        ] {
            let problem = tightened(text).map(|_| ()).expect_err(key);
            assert!(problem.contains(&format!("a project cannot set `{key}`")), "{problem}");
        }
    }
}
