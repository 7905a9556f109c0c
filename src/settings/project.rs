//! A project's own `.faos/config.toml`: it may tighten what holds, and nothing else.
//!
//! No endpoint, no key, no model, no folder, no backend: whoever wrote the project has no say in where the user's words go.
//! What the user said for this one start, by an option or a variable, stays as it is.

use std::path::Path;

use super::SettingsError;
use super::file::{self, Fault};
use super::keys::{self, KEYS, Key, Project};
use super::value::Value;
use super::values::{Origin, Values};
use crate::base::fs;
use crate::sandbox::Limits;

pub fn tighten(values: &mut Values, path: &Path) -> Result<(), SettingsError> {
    let Some(text) = fs::read_text_if_present(path)? else { return Ok(()) };
    let faulty = |faults| SettingsError::Project { path: path.to_owned(), faults };
    for typed in read(&text).map_err(faulty)? {
        let (own, origin) = values.in_force(typed.key);
        if origin.is_for_now() {
            continue;
        }
        if let Some(tighter) = tighter(typed.key, own.or_else(|| unsaid(values, typed.key)), typed.value) {
            values.put(typed.key, tighter, Origin::Project(path.to_owned()));
        }
    }
    Ok(())
}

/// The file as typed; what a project must not set is a fault as well.
pub fn read(text: &str) -> Result<Vec<file::Typed>, Vec<Fault>> {
    let typed = file::read(text)?;
    let refused = typed.iter().filter(|typed| typed.key.project == Project::Nothing);
    let refused: Vec<Fault> = refused.map(|typed| Fault { line: typed.line, problem: refusal(typed.key) }).collect();
    if refused.is_empty() { Ok(typed) } else { Err(refused) }
}

fn refusal(key: &Key) -> String {
    let mut allowed: Vec<&str> = Vec::new();
    for key in KEYS.iter().filter(|key| key.project != Project::Nothing) {
        // A whole table is named by its name.
        let name = if key.parts().0.contains('.') { key.parts().0 } else { key.name };
        if !allowed.contains(&name) {
            allowed.push(name);
        }
    }
    format!("a project cannot set `{}`; it may set {}", key.name, allowed.join(", "))
}

/// What holds where nothing is set: for CPU time that follows from the wall time, and what is less for every run counts.
fn unsaid(values: &Values, key: &Key) -> Option<Value> {
    let limits = Limits::default();
    let wall_s = values.number(&keys::WALL_S).unwrap_or(limits.wall_s);
    let validation_wall_s = values.number(&keys::VALIDATION_WALL_S).unwrap_or(limits.validation_wall_s);
    (key.name == keys::CPU_S.name).then(|| Limits::usual_cpu_s(wall_s.min(validation_wall_s)).into())
}

/// What holds from now on, where that is less than what held.
fn tighter(key: &Key, own: Option<Value>, wanted: Value) -> Option<Value> {
    match (key.project, own, wanted) {
        (Project::Lower, Some(Value::Whole(own)), Value::Whole(wanted)) => (wanted < own).then(|| wanted.into()),
        (Project::Lower, Some(Value::Number(own)), Value::Number(wanted)) => (wanted < own).then(|| wanted.into()),
        (Project::SwitchOff, own, Value::Text(wanted)) => {
            (wanted == "off" && own != Some(Value::from("off"))).then(|| wanted.into())
        }
        (Project::Add, Some(Value::Texts(mut all)), Value::Texts(wanted)) => {
            let before = all.len();
            for one in wanted {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            (all.len() > before).then_some(Value::Texts(all))
        }
        (Project::Nothing | Project::Lower | Project::SwitchOff | Project::Add, _, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Flags, Settings};
    use crate::base::fs;
    use crate::base::report::{Guarantee, Network};
    use crate::settings::keys::{MAX_TURNS, NETWORK, WALL_S};

    const MINE: &str = "[loop]\nmax_turns = 10\n[sandbox]\nnetwork = \"full\"\n[sandbox.limits]\nwall_s = 30\n";

    fn tightened(text: &str, flags: Flags) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("own.toml");
        fs::make_folders(&folder.path().join(".faos")).expect("made");
        fs::replace(&own, MINE.as_bytes()).expect("written");
        fs::replace(&folder.path().join(".faos/config.toml"), text.as_bytes()).expect("written");
        let mut settings = Settings::resolve(&Flags { config: Some(own), ..flags }).expect("settings");
        settings.trust_project(folder.path(), None).map_err(|error| error.to_string()).map(|()| settings)
    }

    fn origin(settings: &Settings, key: &super::Key) -> String {
        let origin = settings.values.in_force(key).1.to_string();
        origin.rsplit('/').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_project_tightens_and_never_loosens() {
        let text = "[loop]\nmax_turns = 5\n[sandbox]\nnetwork = \"off\"\nrequire = [\"limits\", \"kill\"]\n\
                    [sandbox.limits]\nwall_s = 300\nmemory_mib = 64\ncpu_s = 7\n";
        let settings = tightened(text, Flags::default()).expect("allowed");
        assert_eq!((settings.max_turns, settings.sandbox.network), (5, Network::Off));
        assert_eq!((settings.sandbox.limits.wall_s, settings.sandbox.limits.memory_mib), (30.0, 64));
        assert_eq!(settings.sandbox.limits.cpu_s, Some(7.0));
        let required = [Guarantee::FsWrite, Guarantee::Network, Guarantee::Kill, Guarantee::Limits];
        assert_eq!(settings.sandbox.require, required);
        assert_eq!(origin(&settings, &MAX_TURNS), "config.toml (the project's)");
        assert_eq!(origin(&settings, &WALL_S), "own.toml");

        let loose = "[loop]\nmax_turns = 500\n[sandbox]\nnetwork = \"full\"\nrequire = []\n";
        let settings = tightened(loose, Flags::default()).expect("allowed");
        assert_eq!((settings.max_turns, settings.sandbox.require.len()), (10, 3));
        assert_eq!(origin(&settings, &NETWORK), "own.toml");
    }

    /// Nothing is set for the CPU time, and yet something holds: thirty seconds on a core or two.
    #[test]
    fn a_project_does_not_loosen_what_nobody_set() {
        for (typed, holds) in [("1000000", None), ("61", None), ("29", Some(29.0))] {
            let text = format!("[sandbox.limits]\ncpu_s = {typed}\n");
            let settings = tightened(&text, Flags::default()).expect("allowed");
            assert_eq!(settings.sandbox.limits.cpu_s, holds, "{typed}");
        }
        // Each key that may be lowered has something that it is less than.
        let values = super::Values::default();
        for key in super::KEYS.iter().filter(|key| key.project == super::Project::Lower) {
            assert!(values.in_force(key).0.or_else(|| super::unsaid(&values, key)).is_some(), "{}", key.name);
        }
    }

    #[test]
    fn the_users_options_come_before_the_project() {
        let flags = Flags { max_turns: Some(9), network: Some(Network::Full), ..Flags::default() };
        let text = "[loop]\nmax_turns = 5\n[sandbox]\nnetwork = \"off\"\n";
        let settings = tightened(text, flags).expect("allowed");
        assert_eq!((settings.max_turns, settings.sandbox.network), (9, Network::Full));
    }

    #[test]
    fn a_project_names_no_server_no_key_and_no_folder() {
        for (text, key) in [
            ("[model]\nendpoint = \"http://evil\"\n", "model.endpoint"),
            ("[model]\napi_key_command = \"x\"\n", "model.api_key_command"),
            ("[model.limits]\nconnect_s = 1\n", "model.limits.connect_s"),
            ("[session]\ndir = \"/tmp\"\n", "session.dir"),
            ("[sandbox]\nbackend = \"off\"\n", "sandbox.backend"),
            ("[sandbox]\nenvironment = [\"SECRET\"]\n", "sandbox.environment"),
        ] {
            let problem = tightened(text, Flags::default()).map(|_| ()).expect_err(key);
            let wanted = format!(
                "line 2: a project cannot set `{key}`; it may set loop.max_turns, loop.max_repairs, sandbox.network, sandbox.require, sandbox.limits"
            );
            assert!(problem.ends_with(&wanted), "{problem}");
        }
    }
}
