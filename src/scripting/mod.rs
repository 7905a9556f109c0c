//! Rhai hooks: the program's policy in the user's hands. One engine on a thread of its own; every call has a deadline.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::base::report::RunReport;

/// Where scripts come from; built-in ones stand before all folders, and a later file of the same name replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub user: Option<PathBuf>,
    /// `None` where the project has none or they are not trusted.
    pub project: Option<PathBuf>,
    /// Script time of one call; host calls have their own limits.
    pub budget: Option<Duration>,
}

#[derive(Debug, Error)]
pub enum ScriptError {
    /// File, line and column, and what is wrong.
    #[error("{0}")]
    Load(String),
    #[error("the scripting thread is gone: {0}")]
    Gone(String),
}

/// What a script may do to the world. Core implements it; calls arrive on the engine's thread and may block.
pub trait Host: Send {
    fn read(&mut self, path: &str) -> Result<String, String>;
    fn write(&mut self, path: &str, content: &str) -> Result<(), String>;
    fn exists(&mut self, path: &str) -> bool;
    /// Versioned files that the glob matches, sorted.
    fn list(&mut self, glob: &str) -> Result<Vec<String>, String>;
    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String>;
    fn ask(&mut self, question: &str) -> bool;
    /// A line for the user.
    fn say(&mut self, level: Level, text: &str);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
    Notify,
}

/// A run that a script asks for. Limits only ever tighten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    pub cmd: String,
    #[serde(default)]
    pub stdin: String,
    /// Keys as in `[sandbox.limits]`.
    #[serde(default)]
    pub limits: Map<String, Value>,
}

/// What a script sees of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    pub cmd: String,
    #[serde(flatten)]
    pub report: RunReport,
    pub stdout: String,
    pub stderr: String,
}

/// What every event's `ev` holds beside its own fields; `event` and `time` are added by the engine.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    pub session: String,
    pub turn: u32,
    /// Model calls of this request so far.
    pub attempt: u32,
    pub workspace: String,
    pub model: String,
    pub headless: bool,
}

/// One handler's call, for the log and the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRun {
    pub script: String,
    pub event: String,
    /// `pass`, `changed`, `denied`, `failed` (the script itself broke) …: one word.
    pub outcome: String,
    pub ms: u64,
    /// The reason of a denial, or the error with file, line and column; may be empty.
    pub note: String,
}

/// A decision of the whole chain, and the calls that made it (handlers without an opinion are left out).
#[derive(Clone, Debug, PartialEq)]
pub struct Hooked<T> {
    pub decision: T,
    pub hooks: Vec<HookRun>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PromptDecision {
    /// The text may have been changed; `context` is added to what the model is sent, below it.
    Go {
        text: String,
        context: Vec<String>,
    },
    Denied {
        script: String,
        why: String,
    },
    /// Answered by a script: no model is asked.
    Handled {
        text: String,
    },
}

/// Actions cross as plain values: `{kind: "write", path, content}` and so on, as `reply::Action` serialises.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyEvent {
    pub text: String,
    pub reasoning: String,
    pub actions: Vec<Value>,
    pub unnamed: Vec<Value>,
    pub finish_reason: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ReplyDecision {
    Go { actions: Vec<Value> },
    Retry { script: String, feedback: String },
    Stop { script: String, why: String },
}

#[derive(Clone, Debug, PartialEq)]
pub struct FileWrite {
    pub path: String,
    /// By extension; empty where unknown.
    pub lang: String,
    pub old_text: Option<String>,
    pub content: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum WriteDecision {
    Go { content: String },
    Denied { script: String, why: String },
    Retry { script: String, feedback: String },
}

/// One validator's opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    pub script: String,
    pub outcome: Opinion,
    /// What the model is told of a failure, or why there is no opinion (`needs flask`).
    pub feedback: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    Passed,
    Failed,
    None,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RunEvent {
    pub command: String,
    /// `model`, `user` or `script`.
    pub source: String,
    pub cwd: String,
    pub limits: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RunDecision {
    Go { command: String, limits: Map<String, Value> },
    Denied { script: String, why: String },
}

#[derive(Clone, Debug, PartialEq)]
pub enum RunResultDecision {
    /// What the model is shown, where a script shaped it.
    Go {
        feedback: Option<String>,
    },
    Stop {
        script: String,
        why: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct TurnEnd {
    pub text: String,
    pub files_changed: Vec<Value>,
    pub runs: Vec<Value>,
    pub verdict: String,
    pub continues: u32,
    pub continues_left: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TurnEndDecision {
    /// The verdict, where a script changed it: `passed`, `failed` or `unchecked`.
    Go {
        verdict: Option<String>,
    },
    More {
        script: String,
        feedback: String,
    },
}

/// The loaded scripts. All calls go to one engine thread, one after the other.
pub struct Scripts {
    _p: (),
}

type Call<T> = Result<Hooked<T>, ScriptError>;

impl Scripts {
    /// Compiles every script; one that does not compile is an error that names file, line and column.
    pub fn load(options: &Options) -> Result<Self, ScriptError> {
        let _ = options;
        unimplemented!()
    }

    /// Compiles again what changed since; the old set stays where that fails.
    pub async fn reload(&self) -> Result<(), ScriptError> {
        unimplemented!()
    }

    /// Each script's `this`, to be kept in the session.
    pub async fn state(&self) -> Result<Vec<(String, Value)>, ScriptError> {
        unimplemented!()
    }

    pub async fn restore(&self, state: Vec<(String, Value)>) -> Result<(), ScriptError> {
        let _ = state;
        unimplemented!()
    }

    pub async fn on_prompt(
        &self,
        at: &Setting,
        text: &str,
        source: &str,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<PromptDecision> {
        let _ = (at, text, source, host, cancel);
        unimplemented!()
    }

    pub async fn on_reply(
        &self,
        at: &Setting,
        reply: ReplyEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<ReplyDecision> {
        let _ = (at, reply, host, cancel);
        unimplemented!()
    }

    pub async fn on_file_write(
        &self,
        at: &Setting,
        write: FileWrite,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<WriteDecision> {
        let _ = (at, write, host, cancel);
        unimplemented!()
    }

    /// Every validator is asked; runs that one asks for are made through the host, which is on the scratch copy.
    pub async fn on_validate(
        &self,
        at: &Setting,
        files_changed: Vec<Value>,
        files: Vec<String>,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<Vec<Validation>> {
        let _ = (at, files_changed, files, host, cancel);
        unimplemented!()
    }

    pub async fn on_run(
        &self,
        at: &Setting,
        run: RunEvent,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<RunDecision> {
        let _ = (at, run, host, cancel);
        unimplemented!()
    }

    pub async fn on_run_result(
        &self,
        at: &Setting,
        result: RunResult,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<RunResultDecision> {
        let _ = (at, result, host, cancel);
        unimplemented!()
    }

    pub async fn on_turn_end(
        &self,
        at: &Setting,
        end: TurnEnd,
        host: Box<dyn Host>,
        cancel: &CancellationToken,
    ) -> Call<TurnEndDecision> {
        let _ = (at, end, host, cancel);
        unimplemented!()
    }
}
