//! Every key of `config.toml`, in one table: reading the file, `faos config`, the template of a new file and
//! `docs/settings.md` are made from it.

use super::value::{Kind, MOST, Value};
use crate::{gateway, sandbox};

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// With its tables: `sandbox.limits.wall_s`.
    pub name: &'static str,
    pub kind: Kind,
    /// What it is for, in a line.
    pub about: &'static str,
    /// What holds where nobody says anything.
    pub default: Usual,
    /// A value as one would type it, where there is no default.
    pub example: &'static str,
    pub flag: Option<&'static str>,
    pub variable: Option<&'static str>,
    pub project: Project,
}

#[derive(Debug)]
pub enum Usual {
    Value(fn() -> Value),
    /// Nothing is set, which has a meaning of its own.
    Unset(&'static str),
}

/// What a project's own settings may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    Nothing,
    /// To less than the user's.
    Lower,
    SwitchOff,
    /// More of them, beside the user's.
    Add,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Usual, about: &'static str) -> Self {
        Self { name, kind, about, default, example: "", flag: None, variable: None, project: Project::Nothing }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn project(self, project: Project) -> Self {
        Self { project, ..self }
    }

    /// The table that it stands in, and its name there.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name).copied()
    }
}

/// Whoever is declared here is in the table.
macro_rules! keys {
    ($($name:ident = $key:expr;)*) => {
        $(pub static $name: Key = $key;)*
        pub static KEYS: &[&Key] = &[$(&$name),*];
    };
}

use Kind::{Flag, Number, OneOf, Seconds, SomeOf, Text, Texts, Whole};
use Project::{Add, Lower, SwitchOff};
use Usual::{Unset, Value as Is};

/// Of a run.
const fn limit(name: &'static str, default: fn() -> Value, about: &'static str) -> Key {
    Key::new(name, Whole(1, MOST), Is(default), about).project(Lower)
}

fn limits() -> sandbox::Limits {
    sandbox::Limits::default()
}

fn waits() -> gateway::Limits {
    gateway::Limits::default()
}

pub const MAX_TURNS_DEFAULT: u32 = 20;
pub const MAX_REPAIRS_DEFAULT: u32 = 3;

keys! {
    ENDPOINT = Key::new("model.endpoint", Text, Unset("the known ports of this machine are asked"), "Any URL of the model server; its API is found by probing")
        .example("\"http://127.0.0.1:8080\"").flag("--endpoint").variable("FAOS_ENDPOINT");
    MODEL = Key::new("model.name", Text, Unset("the only model of the server"), "The model, where the server offers several; `/model NAME --save` writes it here")
        .example("\"qwen3-coder\"").flag("--model").variable("FAOS_MODEL");
    TEMPERATURE = Key::new("model.temperature", Number, Unset("the server's own"), "Sent to the model as given")
        .example("0.7").flag("--temperature");
    SEED = Key::new("model.seed", Whole(i64::MIN, i64::MAX), Unset("the server's own"), "Sent to the model as given")
        .example("1").flag("--seed");
    MAX_TOKENS = Key::new("model.max_tokens", Whole(1, i64::MAX), Unset("the server's own"), "Tokens of one reply; sent to the model as given")
        .example("4096").flag("--max-tokens");
    CONTEXT = Key::new("model.context", Whole(1, i64::MAX), Unset("what the server says"), "The context window in tokens, in place of what the server says")
        .example("32768").flag("--context");
    API_KEY_ENV = Key::new("model.api_key_env", Text, Unset("none"), "The environment variable that holds the API key of `endpoint`")
        .example("\"GPU_KEY\"");
    API_KEY_FILE = Key::new("model.api_key_file", Text, Unset("none"), "The file that holds it; a relative one is beside this file")
        .example("\"~/.config/faos/gpu.key\"");
    API_KEY_COMMAND = Key::new("model.api_key_command", Text, Unset("none"), "A command of your own that prints it, such as a password store")
        .example("\"pass show gpu\"");
    CONNECT_S = Key::new("model.limits.connect_s", Seconds, Is(|| waits().connect.as_secs_f64().into()), "Seconds for the server to take a connection");
    FIRST_TOKEN_S = Key::new("model.limits.first_token_s", Seconds, Is(|| waits().first_token.as_secs_f64().into()), "Seconds of silence before the first token of a reply; comments of the server are no silence");
    BETWEEN_S = Key::new("model.limits.between_s", Seconds, Is(|| waits().between.as_secs_f64().into()), "Seconds of silence after that");
    LOADING_S = Key::new("model.limits.loading_s", Seconds, Is(|| waits().loading.as_secs_f64().into()), "Seconds for the server to load its model");
    MAX_TURNS = Key::new("loop.max_turns", Whole(1, MOST), Is(|| MAX_TURNS_DEFAULT.into()), "Model calls for one request")
        .flag("--max-turns").project(Lower);
    MAX_REPAIRS = Key::new("loop.max_repairs", Whole(0, MOST), Is(|| MAX_REPAIRS_DEFAULT.into()), "Failed validations that are fed back to the model")
        .flag("--max-repairs").project(Lower);
    BACKEND = Key::new("sandbox.backend", OneOf(&["auto", "ns", "bwrap", "landlock", "off"]), Is(|| "auto".into()), "How runs are isolated; see [sandbox.md](sandbox.md)")
        .flag("--sandbox");
    NETWORK = Key::new("sandbox.network", OneOf(&["off", "full"]), Is(|| "off".into()), "The network of runs")
        .flag("--net").project(SwitchOff);
    REQUIRE = Key::new("sandbox.require", SomeOf(&["fs-write", "fs-read", "network", "kill", "limits"]), Is(required), "Guarantees without which nothing is run")
        .project(Add);
    ENVIRONMENT = Key::new("sandbox.environment", Texts, Is(|| Value::Texts(Vec::new())), "Environment variables of yours that runs see, by name")
        .example("[\"JAVA_HOME\"]");
    WALL_S = Key::new("sandbox.limits.wall_s", Seconds, Is(|| limits().wall_s.into()), "Seconds that a run may take").project(Lower);
    VALIDATION_WALL_S = Key::new("sandbox.limits.validation_wall_s", Seconds, Is(|| limits().validation_wall_s.into()), "The same for a validation").project(Lower);
    CPU_S = Key::new("sandbox.limits.cpu_s", Seconds, Unset("wall time on two cores at most"), "Seconds of CPU time of all its processes")
        .example("120").project(Lower);
    MEMORY_MIB = limit("sandbox.limits.memory_mib", || limits().memory_mib.into(), "Memory of all its processes, in MiB");
    PROCESSES = limit("sandbox.limits.processes", || limits().processes.into(), "Processes and threads at once");
    FILE_MIB = limit("sandbox.limits.file_mib", || limits().file_mib.into(), "The largest file that it may write, in MiB");
    GROWTH_MIB = limit("sandbox.limits.growth_mib", || limits().growth_mib.into(), "What the workspace may grow by, in MiB");
    GROWTH_FILES = limit("sandbox.limits.growth_files", || limits().growth_files.into(), "The same in files");
    OUTPUT_MIB = limit("sandbox.limits.output_mib", || limits().output_mib.into(), "What it may print, in MiB");
    SESSIONS = Key::new("session.dir", Text, Unset("`sessions` in the data folder"), "Where sessions live")
        .example("\"~/faos-sessions\"").flag("--session-dir");
    COLOR = Key::new("frontend.color", OneOf(&["auto", "always", "never"]), Is(|| "auto".into()), "Colours; `auto` leaves them away for TERM=dumb. NO_COLOR in the environment is `never`, and only `--color always` comes before it")
        .flag("--color");
    THEME = Key::new("frontend.theme", OneOf(&["auto", "dark", "light"]), Is(|| "auto".into()), "What the terminal's text stands on; `auto` asks the terminal")
        .flag("--theme");
    FOLD = Key::new("frontend.fold", Flag, Is(|| Value::Flag(true)), "Files and thoughts of a reply are a line each; `/show` unfolds them");
    NOTIFY_S = Key::new("frontend.notify_s", Whole(0, MOST), Unset("never"), "The terminal rings after a turn of so many seconds or more")
        .example("60");
}

fn required() -> Value {
    Value::Texts(sandbox::Options::default().require.iter().map(|guarantee| guarantee.as_str().to_owned()).collect())
}

/// A table that holds keys, or tables that do.
pub fn is_table(name: &str) -> bool {
    let below = format!("{name}.");
    KEYS.iter().any(|key| key.name.starts_with(&below))
}

/// The key or the table that was most likely meant.
pub fn nearest(name: &str) -> &'static str {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let mut elsewhere = KEYS.iter().filter(|key| last(key.name) == last(name));
    if let (Some(key), None) = (elsewhere.next(), elsewhere.next()) {
        return key.name;
    }
    let tables = KEYS.iter().map(|key| key.parts().0);
    let known = KEYS.iter().map(|key| key.name).chain(tables);
    let ratio = |known: &&str| (similar::TextDiff::from_chars(name, *known).ratio() * 1e6) as u64;
    known.max_by_key(ratio).unwrap_or(ENDPOINT.name)
}
