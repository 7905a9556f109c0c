//! What the program needs, resolved once: flags over environment over the user's settings file over defaults.
//!
//! The only reader of the environment and of `config.toml`. Each part gets its own options and nothing else.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::{BaseDirs, ProjectDirs};
use serde::Deserialize;
use thiserror::Error;

use crate::base::fs;
use crate::base::report::{Guarantee, Network};
use crate::{gateway, prompting, sandbox, scripting};

mod frontend;
mod project;

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
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub gateway: gateway::Options,
    pub sandbox: sandbox::Options,
    pub prompting: prompting::Options,
    pub scripting: scripting::Options,
    pub frontend: Frontend,
    pub max_turns: u32,
    pub max_repairs: u32,
    pub folders: Folders,
    /// The user's own settings file, whether it is there or not.
    pub file: PathBuf,
    /// Tells the API key, where no other place does.
    pub api_key_command: Option<String>,
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
    #[error("`{}`: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("`{flag}` must be {what}")]
    Flag { flag: &'static str, what: &'static str },
    #[error("there is no home folder to keep settings and sessions in; set FAOS_HOME")]
    NoHome,
}

/// `config.toml`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    model: ModelTable,
    r#loop: LoopTable,
    sandbox: SandboxTable,
    session: SessionTable,
    frontend: frontend::Table,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ModelTable {
    endpoint: Option<String>,
    name: Option<String>,
    temperature: Option<f64>,
    seed: Option<i64>,
    max_tokens: Option<u64>,
    context: Option<u64>,
    api_key_env: Option<String>,
    api_key_file: Option<PathBuf>,
    api_key_command: Option<String>,
    limits: WaitsTable,
}

/// How long a server may take, in seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WaitsTable {
    connect_s: Option<f64>,
    first_token_s: Option<f64>,
    between_s: Option<f64>,
    loading_s: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LoopTable {
    max_turns: Option<u32>,
    max_repairs: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SandboxTable {
    backend: Option<String>,
    network: Option<Network>,
    require: Option<Vec<Guarantee>>,
    environment: Vec<String>,
    limits: LimitsTable,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    wall_s: Option<f64>,
    validation_wall_s: Option<f64>,
    cpu_s: Option<f64>,
    memory_mib: Option<u64>,
    processes: Option<u64>,
    file_mib: Option<u64>,
    growth_mib: Option<u64>,
    growth_files: Option<u64>,
    output_mib: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionTable {
    dir: Option<PathBuf>,
}

/// Every key of `config.toml`, for the nearest one to an unknown key; a test holds it against the tables above.
const KEYS: [&str; 33] = [
    "model.endpoint",
    "model.name",
    "model.temperature",
    "model.seed",
    "model.max_tokens",
    "model.context",
    "model.api_key_env",
    "model.api_key_file",
    "model.api_key_command",
    "model.limits.connect_s",
    "model.limits.first_token_s",
    "model.limits.between_s",
    "model.limits.loading_s",
    "loop.max_turns",
    "loop.max_repairs",
    "sandbox.backend",
    "sandbox.network",
    "sandbox.require",
    "sandbox.environment",
    "sandbox.limits.wall_s",
    "sandbox.limits.validation_wall_s",
    "sandbox.limits.cpu_s",
    "sandbox.limits.memory_mib",
    "sandbox.limits.processes",
    "sandbox.limits.file_mib",
    "sandbox.limits.growth_mib",
    "sandbox.limits.growth_files",
    "sandbox.limits.output_mib",
    "session.dir",
    "frontend.theme",
    "frontend.color",
    "frontend.fold",
    "frontend.notify_s",
];

impl Settings {
    pub fn resolve(flags: &Flags) -> Result<Self, SettingsError> {
        if flags.temperature.is_some_and(|temperature| !temperature.is_finite()) {
            return Err(SettingsError::Flag { flag: "--temperature", what: "a number" });
        }
        let folders = Folders::find()?;
        let path = flags.config.clone().unwrap_or_else(|| folders.settings.join("config.toml"));
        let file = match fs::read_text_if_present(&path)? {
            Some(text) => parse(&text).map_err(|problem| SettingsError::File { path: path.clone(), problem })?,
            None if flags.config.is_some() => fs::read_text(&path).map(|_| File::default())?,
            None => File::default(),
        };
        let backend = match &file.sandbox.backend {
            Some(name) => {
                sandbox::Choice::parse(name).map_err(|problem| SettingsError::File { path: path.clone(), problem })?
            }
            None => sandbox::Choice::default(),
        };
        let mut folders = folders;
        if let Some(sessions) = flags.session_dir.clone().or(file.session.dir) {
            folders.sessions = std::path::absolute(&sessions).unwrap_or(sessions);
        }
        let command = file.model.api_key_command.clone();
        let (gateway, of_file) = gateway_options(flags, file.model, &folders)?;
        Ok(Self {
            api_key_command: command.filter(|_| of_file && gateway.api_key.is_none()),
            gateway,
            file: path,
            sandbox: sandbox_options(flags, backend, file.sandbox),
            prompting: prompting::Options {
                user: Some(folders.settings.join("prompts")),
                ..prompting::Options::default()
            },
            scripting: scripting::Options {
                user: Some(folders.settings.join("scripts")),
                ..scripting::Options::default()
            },
            frontend: frontend::of(&file.frontend),
            max_turns: flags.max_turns.or(file.r#loop.max_turns).unwrap_or(20),
            max_repairs: flags.max_repairs.or(file.r#loop.max_repairs).unwrap_or(3),
            folders,
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
        project::tighten(self, &ours.join("config.toml"))
    }

    /// Without the last project's own, before another one is gone to.
    pub fn without_project(&self) -> Self {
        let mut settings = self.clone();
        settings.scripting.project = None;
        settings.scripting.trusted = None;
        settings.prompting.project = None;
        settings
    }
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
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// One that is no text is not passed over: it is taken as it can be shown, and refused by whoever reads it.
fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// And whether the endpoint is the file's.
fn gateway_options(
    flags: &Flags,
    file: ModelTable,
    folders: &Folders,
) -> Result<(gateway::Options, bool), SettingsError> {
    let elsewhere = flags.endpoint.clone().or_else(|| variable("FAOS_ENDPOINT"));
    // The file's key is the file's endpoint's: it goes nowhere else.
    let of_file = elsewhere.is_none() && file.endpoint.is_some();
    let api_key = match variable("FAOS_API_KEY") {
        Some(key) => Some(key),
        None if of_file => api_key(&file, folders)?,
        None => None,
    };
    let (base, waits) = (gateway::Limits::default(), file.limits);
    let seconds = |set: Option<f64>, default| set.map_or(default, Duration::from_secs_f64);
    let options = gateway::Options {
        endpoint: elsewhere.or(file.endpoint),
        model: flags.model.clone().or_else(|| variable("FAOS_MODEL")).or(file.name),
        api_key: api_key.map(Into::into),
        sampling: gateway::Sampling {
            temperature: flags.temperature.or(file.temperature),
            seed: flags.seed.or(file.seed),
            max_tokens: flags.max_tokens.or(file.max_tokens),
        },
        context: flags.context.or(file.context),
        limits: gateway::Limits {
            connect: seconds(waits.connect_s, base.connect),
            first_token: seconds(waits.first_token_s, base.first_token),
            between: seconds(waits.between_s, base.between),
            loading: seconds(waits.loading_s, base.loading),
            ..base
        },
    };
    Ok((options, of_file))
}

/// The key that the settings file points at; it never holds one itself, so that it can be shown and shared.
fn api_key(file: &ModelTable, folders: &Folders) -> Result<Option<String>, SettingsError> {
    if let Some(name) = &file.api_key_env {
        return Ok(variable(name));
    }
    let Some(path) = &file.api_key_file else { return Ok(None) };
    let path = match (path.strip_prefix("~"), &folders.home) {
        (Ok(below), Some(home)) => home.join(below),
        // Beside the settings file, unless it is absolute.
        _ => folders.settings.join(path),
    };
    let key = fs::read_text(&path)?.trim().to_owned();
    if key.is_empty() {
        return Err(SettingsError::File { path, problem: "there is no API key in it".to_owned() });
    }
    Ok(Some(key))
}

fn sandbox_options(flags: &Flags, backend: sandbox::Choice, file: SandboxTable) -> sandbox::Options {
    let defaults = sandbox::Limits::default();
    let limits = file.limits;
    let base = sandbox::Options::default();
    sandbox::Options {
        backend: flags.backend.unwrap_or(backend),
        network: flags.network.or(file.network).unwrap_or_default(),
        require: file.require.unwrap_or_else(|| base.require.clone()),
        environment: file.environment,
        limits: sandbox::Limits {
            wall_s: limits.wall_s.unwrap_or(defaults.wall_s),
            validation_wall_s: limits.validation_wall_s.unwrap_or(defaults.validation_wall_s),
            cpu_s: limits.cpu_s.or(defaults.cpu_s),
            memory_mib: limits.memory_mib.unwrap_or(defaults.memory_mib),
            processes: limits.processes.unwrap_or(defaults.processes),
            file_mib: limits.file_mib.unwrap_or(defaults.file_mib),
            growth_mib: limits.growth_mib.unwrap_or(defaults.growth_mib),
            growth_files: limits.growth_files.unwrap_or(defaults.growth_files),
            output_mib: limits.output_mib.unwrap_or(defaults.output_mib),
        },
        ..base
    }
}

fn parse(text: &str) -> Result<File, String> {
    let told = |error: toml::de::Error| {
        let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
        let what: Vec<&str> = error.message().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        format!("line {}: {}", before.matches('\n').count() + 1, what.join(", "))
    };
    let table: toml::Table = text.parse().map_err(told)?;
    unknown_key(&table, "")?;
    let file = toml::from_str(text).map_err(told)?;
    out_of_range(&file)?;
    Ok(file)
}

/// Numbers that would make every run or every request fail.
fn out_of_range(file: &File) -> Result<(), String> {
    // More than any machine has, and far from where a count of bytes would not fit.
    const MOST: u64 = 1 << 30;
    let LimitsTable {
        wall_s,
        validation_wall_s,
        cpu_s,
        memory_mib,
        processes,
        file_mib,
        growth_mib,
        growth_files,
        output_mib,
    } = file.sandbox.limits.clone();
    for (key, seconds) in [("wall_s", wall_s), ("validation_wall_s", validation_wall_s), ("cpu_s", cpu_s)] {
        if seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= MOST as f64)) {
            return Err(format!("`sandbox.limits.{key}` must be a number of seconds above 0"));
        }
    }
    let WaitsTable { connect_s, first_token_s, between_s, loading_s } = file.model.limits.clone();
    for (key, seconds) in
        [("connect_s", connect_s), ("first_token_s", first_token_s), ("between_s", between_s), ("loading_s", loading_s)]
    {
        if seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= MOST as f64)) {
            return Err(format!("`model.limits.{key}` must be a number of seconds above 0"));
        }
    }
    for (key, count) in [
        ("memory_mib", memory_mib),
        ("processes", processes),
        ("file_mib", file_mib),
        ("growth_mib", growth_mib),
        ("growth_files", growth_files),
        ("output_mib", output_mib),
    ] {
        if count.is_some_and(|count| !(1..=MOST).contains(&count)) {
            return Err(format!("`sandbox.limits.{key}` must be from 1 to {MOST}"));
        }
    }
    if file.r#loop.max_turns == Some(0) {
        return Err("`loop.max_turns` must be 1 or more".to_owned());
    }
    if file.model.temperature.is_some_and(|temperature| !temperature.is_finite()) {
        return Err("`model.temperature` must be a number".to_owned());
    }
    Ok(())
}

fn unknown_key(table: &toml::Table, prefix: &str) -> Result<(), String> {
    for (key, value) in table {
        let full = format!("{prefix}{key}");
        let below = format!("{full}.");
        if !KEYS.iter().any(|known| *known == full || known.starts_with(&below)) {
            return Err(format!("unknown key `{full}`; the nearest known one is `{}`", nearest(&full)));
        }
        if let toml::Value::Table(inner) = value {
            unknown_key(inner, &below)?;
        }
    }
    Ok(())
}

fn nearest(key: &str) -> &'static str {
    let ratio = |known: &&&str| (similar::TextDiff::from_chars(key, **known).ratio() * 1e6) as u64;
    KEYS.iter().max_by_key(ratio).copied().unwrap_or(KEYS[0])
}

#[cfg(test)]
mod tests {
    use super::{KEYS, parse};

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let problem = parse("[loop]\nmax_turn = 3\n").map(|_| ()).expect_err("unknown");
        assert_eq!(problem, "unknown key `loop.max_turn`; the nearest known one is `loop.max_turns`");
        let problem = parse("[sandbox.limit]\nwall_s = 3\n").map(|_| ()).expect_err("unknown");
        assert!(problem.contains("`sandbox.limit`"), "{problem}");
    }

    #[test]
    fn the_settings_in_the_documentation_are_settings() {
        let text = include_str!("../docs/models.md");
        let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
        assert_eq!(parse(block).expect("settings").model.context, Some(32768));
    }

    #[test]
    fn every_known_key_is_accepted_by_the_tables() {
        for key in KEYS {
            let (table, name) = key.rsplit_once('.').expect("a dot");
            let accepted = ["1", "true", "\"off\"", "\"auto\"", "[]"]
                .iter()
                .any(|value| parse(&format!("[{table}]\n{name} = {value}\n")).is_ok());
            assert!(accepted, "{key}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_with_its_line() {
        let problem = parse("[model]\nseed = \"x\"\n").map(|_| ()).expect_err("a string");
        assert_eq!(problem, "line 2: invalid type: string \"x\", expected i64");
        let problem = parse("[model\n").map(|_| ()).expect_err("no table");
        assert_eq!(problem, "line 1: unclosed table, expected `]`");
    }

    #[test]
    fn a_number_that_cannot_work_is_named() {
        for (table, line) in [
            ("sandbox.limits", "wall_s = 0"),
            ("sandbox.limits", "validation_wall_s = -1"),
            ("sandbox.limits", "cpu_s = nan"),
            ("sandbox.limits", "memory_mib = 0"),
            ("sandbox.limits", "output_mib = 9000000000000000"),
            ("loop", "max_turns = 0"),
            ("model", "temperature = inf"),
            ("model.limits", "first_token_s = 0"),
        ] {
            let problem = parse(&format!("[{table}]\n{line}\n")).map(|_| ()).expect_err(line);
            let key = line.split(' ').next().unwrap_or_default();
            assert!(problem.starts_with(&format!("`{table}.{key}` must be ")), "{problem}");
        }
    }
}
