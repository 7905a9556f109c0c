//! What the program needs, resolved once: flags over environment over the project's settings (which only tighten) over
//! the user's over defaults.
//!
//! The only reader of the environment and of `config.toml`. What was typed becomes [`Values`], by key and with its origin;
//! of them each part gets its own options and nothing else.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::{BaseDirs, ProjectDirs};
use serde::de::DeserializeOwned;
use thiserror::Error;

use self::file::Fault;
use self::values::{Origin, Values};

use crate::base::fs;
use crate::base::report::Network;
use crate::{gateway, prompting, sandbox, scripting};

pub mod file;
mod frontend;
pub mod keys;
pub mod project;
pub mod reference;
mod value;
pub mod values;

pub use frontend::{Frontend, TerminalWishes, Theme, When};

/// What was typed, by flag; `None` where it was not.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub endpoint: Option<String>,
    pub model: Option<String>,
    pub temperature: Option<f64>,
    pub seed: Option<i64>,
    pub max_tokens: Option<u64>,
    pub context: Option<u64>,
    pub max_turns: Option<u32>,
    pub max_repairs: Option<u32>,
    pub session_dir: Option<PathBuf>,
    pub backend: Option<sandbox::Choice>,
    pub network: Option<Network>,
    pub color: Option<When>,
    pub theme: Option<Theme>,
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub gateway: gateway::Options,
    pub sandbox: sandbox::Options,
    pub prompting: prompting::Options,
    pub scripting: scripting::Options,
    pub max_turns: u32,
    pub max_repairs: u32,
    pub folders: Folders,
    /// The user's own settings file, whether it is there or not.
    pub file: PathBuf,
    /// Who tells the API key, where no variable holds it.
    pub api_key: KeySource,
    pub frontend: Frontend,
    /// All of it by key, with its origins.
    pub values: Values,
}

/// Where the API key of the endpoint comes from. The settings never hold one, so that they can be shown and shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    Nowhere,
    /// It has been read.
    Variable(String),
    /// It is read when a server is asked.
    File(PathBuf),
    /// The user's own command, run when a server is asked.
    Command(String),
}

/// Where our own files live.
#[derive(Clone, Debug)]
pub struct Folders {
    pub sessions: PathBuf,
    pub settings: PathBuf,
    pub state: PathBuf,
    pub home: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub enum SettingsError {
    #[error(transparent)]
    Fs(#[from] fs::FsError),
    /// The user's own settings; at least one fault.
    #[error("`{}`: {}", path.display(), told(faults))]
    File { path: PathBuf, faults: Vec<Fault> },
    #[error("`{}`: {}", path.display(), told(faults))]
    Project { path: PathBuf, faults: Vec<Fault> },
    #[error("`{flag}` must be {what}")]
    Flag { flag: &'static str, what: &'static str },
    #[error("there is no home folder to keep settings and sessions in; set FAOS_HOME")]
    NoHome,
}

impl Settings {
    pub fn resolve(flags: &Flags) -> Result<Self, SettingsError> {
        if flags.temperature.is_some_and(|temperature| !temperature.is_finite()) {
            return Err(SettingsError::Flag { flag: "--temperature", what: "a number" });
        }
        let mut folders = Folders::find()?;
        let path = flags.file(&folders);
        let mut values = Values::default();
        let text = match flags.config {
            Some(_) => Some(fs::read_text(&path)?),
            None => fs::read_text_if_present(&path)?,
        };
        let typed = text.map_or(Ok(Vec::new()), |text| file::read(&text));
        for typed in typed.map_err(|faults| SettingsError::File { path: path.clone(), faults })? {
            values.put(typed.key, typed.value, Origin::User(path.clone()));
        }
        for key in keys::KEYS {
            let said = key.variable.and_then(|name| Some((name, variable(name)?)));
            said.into_iter().for_each(|(name, value)| values.put(key, value.into(), Origin::Variable(name)));
        }
        if frontend::TerminalWishes::find().no_color {
            values.put(&keys::COLOR, When::Never.as_str().into(), Origin::Variable("NO_COLOR"));
        }
        flags.lay_over(&mut values);
        let typed = values.text(&keys::SESSIONS).map(|path| folders.below_home(Path::new(&path)));
        // A path that is no text is shown as it can be, and used as it is.
        if let Some(sessions) = flags.session_dir.clone().or(typed) {
            folders.sessions = std::path::absolute(&sessions).unwrap_or(sessions);
        }
        let (key, api_key) = api_key(&values, &folders, &path);
        Ok(Self {
            gateway: gateway::Options { api_key: key.map(Into::into), ..gateway_options(&values) },
            api_key,
            sandbox: sandbox_options(&values),
            prompting: prompting::Options {
                user: Some(folders.settings.join("prompts")),
                ..prompting::Options::default()
            },
            scripting: scripting::Options {
                user: Some(folders.settings.join("scripts")),
                ..scripting::Options::default()
            },
            max_turns: max_turns(&values),
            max_repairs: max_repairs(&values),
            frontend: frontend::of(&values),
            folders,
            file: path,
            values,
        })
    }

    /// Lets the project's own scripts, prompts and settings in: by the user's word. `trusted` are the scripts
    /// that the user has seen, with their SHA-256; `None` is whatever they are, this once.
    pub fn trust_project(
        &mut self,
        workspace: &Path,
        trusted: Option<BTreeMap<String, String>>,
    ) -> Result<(), SettingsError> {
        let ours = workspace.join(".faos");
        self.scripting.project = Some(ours.join("scripts"));
        self.scripting.trusted = trusted;
        self.prompting.project = Some(ours.join("prompts"));
        project::tighten(&mut self.values, &ours.join("config.toml"))?;
        // Nothing else is a project's to set.
        self.max_turns = max_turns(&self.values);
        self.max_repairs = max_repairs(&self.values);
        self.sandbox = sandbox_options(&self.values);
        Ok(())
    }
}

impl Flags {
    /// The user's settings file, whether it is there or not.
    pub fn file(&self, folders: &Folders) -> PathBuf {
        self.config.clone().unwrap_or_else(|| folders.settings.join("config.toml"))
    }

    fn lay_over(&self, values: &mut Values) {
        let backend = self.backend.map(|backend| match backend {
            sandbox::Choice::Auto => "auto",
            sandbox::Choice::Only(backend) => backend.as_str(),
        });
        let network = self.network.map(Network::as_str);
        let sessions = self.session_dir.as_ref().map(|folder| folder.to_string_lossy().into_owned());
        let mut put = |key: &keys::Key, value: Option<value::Value>| {
            values.put_if(key, value, Origin::Flag(key.flag.unwrap_or_default()));
        };
        put(&keys::ENDPOINT, self.endpoint.clone().map(Into::into));
        put(&keys::MODEL, self.model.clone().map(Into::into));
        put(&keys::TEMPERATURE, self.temperature.map(Into::into));
        put(&keys::SEED, self.seed.map(Into::into));
        put(&keys::MAX_TOKENS, self.max_tokens.map(Into::into));
        put(&keys::CONTEXT, self.context.map(Into::into));
        put(&keys::MAX_TURNS, self.max_turns.map(Into::into));
        put(&keys::MAX_REPAIRS, self.max_repairs.map(Into::into));
        put(&keys::SESSIONS, sessions.map(Into::into));
        put(&keys::BACKEND, backend.map(Into::into));
        put(&keys::NETWORK, network.map(Into::into));
        put(&keys::COLOR, self.color.map(|color| color.as_str().into()));
        put(&keys::THEME, self.theme.map(|theme| theme.as_str().into()));
    }
}

fn told(faults: &[Fault]) -> String {
    match faults {
        [] => String::new(),
        [fault] => fault.to_string(),
        [fault, more @ ..] => format!("{fault} (and {} more)", more.len()),
    }
}

/// The user's editor, as the environment names it.
pub fn editor() -> Option<String> {
    ["VISUAL", "EDITOR"].into_iter().find_map(variable)
}

/// Whether the user's `PATH` leads to a program of this name.
pub fn is_on_path(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| fs::exists(&folder.join(name))))
}

impl Folders {
    pub fn find() -> Result<Self, SettingsError> {
        let home = BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        if let Some(base) = path("FAOS_HOME") {
            let base = std::path::absolute(&base).unwrap_or(base);
            let (sessions, state) = (base.join("sessions"), base.join("state"));
            return Ok(Self { sessions, state, settings: base, home });
        }
        let dirs = ProjectDirs::from("", "", "faos").ok_or(SettingsError::NoHome)?;
        Ok(Self {
            sessions: dirs.data_dir().join("sessions"),
            settings: dirs.config_dir().to_owned(),
            state: dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned(),
            home,
        })
    }

    /// The path, with the home folder for a `~` in front.
    fn below_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(below), Some(home)) => home.join(below),
            (Ok(_) | Err(_), _) => path.to_owned(),
        }
    }
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// One that is no text is not passed over: it is taken as it can be shown, and refused by whoever reads it.
fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// The key that a variable holds, and else who tells it.
fn api_key(values: &Values, folders: &Folders, settings: &Path) -> (Option<String>, KeySource) {
    const OURS: &str = "FAOS_API_KEY";
    if let Some(key) = variable(OURS) {
        return (Some(key), KeySource::Variable(OURS.to_owned()));
    }
    // The file's key is the file's endpoint's: it goes nowhere else.
    if !matches!(values.in_force(&keys::ENDPOINT), (Some(_), Origin::User(_))) {
        return (None, KeySource::Nowhere);
    }
    if let Some(name) = values.text(&keys::API_KEY_ENV)
        && let Some(key) = variable(&name)
    {
        return (Some(key), KeySource::Variable(name));
    }
    let file = values.text(&keys::API_KEY_FILE).map(|path| {
        // Beside the settings file, wherever that is, unless it is absolute.
        let settings = std::path::absolute(settings).unwrap_or_else(|_| settings.to_owned());
        KeySource::File(settings.with_file_name(folders.below_home(Path::new(&path))))
    });
    let command = || values.text(&keys::API_KEY_COMMAND).map(KeySource::Command);
    (None, file.or_else(command).unwrap_or(KeySource::Nowhere))
}

fn gateway_options(values: &Values) -> gateway::Options {
    let base = gateway::Limits::default();
    let seconds = |key, default| values.number(key).map_or(default, Duration::from_secs_f64);
    gateway::Options {
        endpoint: values.text(&keys::ENDPOINT),
        model: values.text(&keys::MODEL),
        sampling: gateway::Sampling {
            temperature: values.number(&keys::TEMPERATURE),
            seed: values.whole(&keys::SEED),
            max_tokens: values.whole(&keys::MAX_TOKENS),
        },
        context: values.whole(&keys::CONTEXT),
        limits: gateway::Limits {
            connect: seconds(&keys::CONNECT_S, base.connect),
            first_token: seconds(&keys::FIRST_TOKEN_S, base.first_token),
            between: seconds(&keys::BETWEEN_S, base.between),
            loading: seconds(&keys::LOADING_S, base.loading),
            ..base
        },
        ..gateway::Options::default()
    }
}

fn sandbox_options(values: &Values) -> sandbox::Options {
    let base = sandbox::Options::default();
    let limits = base.limits.clone();
    let backend = values.text(&keys::BACKEND).and_then(|name| sandbox::Choice::parse(&name).ok());
    let required = values.texts(&keys::REQUIRE).map(|names| names.iter().filter_map(|name| named(name)).collect());
    sandbox::Options {
        backend: backend.unwrap_or(base.backend),
        network: values.text(&keys::NETWORK).and_then(|name| named(&name)).unwrap_or(base.network),
        require: required.unwrap_or_else(|| base.require.clone()),
        environment: values.texts(&keys::ENVIRONMENT).unwrap_or_default().to_vec(),
        limits: sandbox::Limits {
            wall_s: values.number(&keys::WALL_S).unwrap_or(limits.wall_s),
            validation_wall_s: values.number(&keys::VALIDATION_WALL_S).unwrap_or(limits.validation_wall_s),
            cpu_s: values.number(&keys::CPU_S).or(limits.cpu_s),
            memory_mib: values.whole(&keys::MEMORY_MIB).unwrap_or(limits.memory_mib),
            processes: values.whole(&keys::PROCESSES).unwrap_or(limits.processes),
            file_mib: values.whole(&keys::FILE_MIB).unwrap_or(limits.file_mib),
            growth_mib: values.whole(&keys::GROWTH_MIB).unwrap_or(limits.growth_mib),
            growth_files: values.whole(&keys::GROWTH_FILES).unwrap_or(limits.growth_files),
            output_mib: values.whole(&keys::OUTPUT_MIB).unwrap_or(limits.output_mib),
        },
        ..base
    }
}

fn max_turns(values: &Values) -> u32 {
    values.whole(&keys::MAX_TURNS).unwrap_or(keys::MAX_TURNS_DEFAULT)
}

fn max_repairs(values: &Values) -> u32 {
    values.whole(&keys::MAX_REPAIRS).unwrap_or(keys::MAX_REPAIRS_DEFAULT)
}

/// One of an enum, by the name that it has in settings and reports.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    toml::Value::from(name).try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::keys::{KEYS, Usual};
    use super::{Flags, Folders, KeySource, Settings, TerminalWishes, Values, api_key, file};
    use crate::base::fs;
    use crate::settings::values::Origin;
    use crate::{base::report::Backend, sandbox};

    fn of(text: &str) -> Settings {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("own.toml");
        fs::replace(&own, text.as_bytes()).expect("written");
        Settings::resolve(&Flags { config: Some(own), ..Flags::default() }).expect("settings")
    }

    fn shown(settings: &Settings) -> String {
        let Settings { gateway, sandbox, max_turns, max_repairs, frontend, .. } = settings;
        format!("{gateway:?} {sandbox:?} {max_turns} {max_repairs} {frontend:?} {:?}", settings.folders.sessions)
    }

    /// What the table calls the default is what holds without a word.
    #[test]
    fn a_default_that_is_typed_changes_nothing() {
        let nothing = shown(&of(""));
        for key in KEYS {
            let (table, name) = key.parts();
            if let Usual::Value(value) = &key.default {
                assert_eq!(shown(&of(&format!("[{table}]\n{name} = {}\n", value()))), nothing, "{}", key.name);
            }
        }
    }

    /// And what is typed counts: no key is read and forgotten.
    #[test]
    fn every_key_changes_something() {
        let nothing = shown(&of(""));
        for key in KEYS {
            let (table, name) = key.parts();
            let tries =
                ["1", "7", "\"off\"", "\"full\"", "\"never\"", "[\"kill\"]", "false", "\"dark\"", "\"/some/word\""];
            let texts = tries.map(|value| format!("[{table}]\n{name} = {value}\n"));
            let mut typed = texts.iter().filter(|text| file::read(text).is_ok());
            let changes = typed.any(|text| shown(&of(text)) != nothing);
            // Where a key comes from has a test of its own, and so has NO_COLOR, which comes before the file.
            let is_settled = key.name == "frontend.color" && TerminalWishes::find().no_color;
            assert!(changes || is_settled || key.name.starts_with("model.api_key_"), "{}", key.name);
        }
    }

    #[test]
    fn a_name_of_the_table_is_one_of_the_program() {
        for name in ["auto", "ns", "bwrap", "landlock", "off"] {
            let text = format!(
                "[sandbox]\nbackend = \"{name}\"\nrequire = [\"fs-write\", \"fs-read\", \"network\", \"kill\", \"limits\"]\n"
            );
            let settings = of(&text);
            assert_eq!(Ok(settings.sandbox.backend), sandbox::Choice::parse(name));
            assert_eq!(settings.sandbox.require.len(), 5);
        }
    }

    #[test]
    fn flags_come_last_and_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("own.toml");
        fs::replace(&own, b"[model]\nname = 'a'\n[loop]\nmax_turns = 3\n").expect("written");
        let flags = Flags {
            model: Some("b".to_owned()),
            backend: Some(sandbox::Choice::Only(Backend::Bwrap)),
            config: Some(own.clone()),
            ..Flags::default()
        };
        let settings = Settings::resolve(&flags).expect("settings");
        assert_eq!((settings.gateway.model.as_deref(), settings.max_turns), (Some("b"), 3));
        assert_eq!(settings.values.in_force(&super::keys::MODEL).1, Origin::Flag("--model"));
        assert_eq!(settings.values.in_force(&super::keys::MAX_TURNS).1, Origin::User(own));
        let backend = settings.values.in_force(&super::keys::BACKEND);
        assert_eq!((backend.0, backend.1), (Some("bwrap".into()), Origin::Flag("--sandbox")));
    }

    #[test]
    fn a_key_of_the_file_is_for_the_endpoint_of_the_file() {
        let folders = Folders {
            sessions: PathBuf::from("/x"),
            settings: PathBuf::from("/settings"),
            state: PathBuf::from("/x"),
            home: Some(PathBuf::from("/home/you")),
        };
        let source = |text: &str, endpoint: Option<&str>| {
            let mut values = Values::default();
            for typed in file::read(text).expect("sound") {
                values.put(typed.key, typed.value, Origin::User(PathBuf::new()));
            }
            values.put_if(&super::keys::ENDPOINT, endpoint, Origin::Flag("--endpoint"));
            api_key(&values, &folders, Path::new("/settings/config.toml")).1
        };
        let of_file = |path: &str| KeySource::File(Path::new(path).to_owned());
        let endpoint = "[model]\nendpoint = 'http://a'\n";
        assert_eq!(source(&format!("{endpoint}api_key_file = 'k'"), None), of_file("/settings/k"));
        assert_eq!(source(&format!("{endpoint}api_key_file = '~/k'"), None), of_file("/home/you/k"));
        assert_eq!(source(&format!("{endpoint}api_key_file = '/k'"), Some("http://b")), KeySource::Nowhere);
        assert_eq!(source("[model]\napi_key_file = '/k'", None), KeySource::Nowhere);
        let both = format!("{endpoint}api_key_env = 'NOBODY_SETS_THIS'\napi_key_command = 'tell'");
        assert_eq!(source(&both, None), KeySource::Command("tell".to_owned()));
    }
}
