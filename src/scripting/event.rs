//! The plain values that cross the border: what an event tells its handlers, and what they may decide.
//!
//! Core fills these in and acts on the decisions; nothing here knows of Rhai.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::message::Message;
use crate::base::report::RunReport;
use crate::base::usage::Usage;

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
    /// One word: `changed allowed denied handled retry stopped more ignored`, of validators `pass rejected none`, and
    /// `failed` where the script itself broke.
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

/// A conversation begins, or is gone on with.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionStart {
    pub resumed: bool,
    /// The session that it goes on from.
    pub forked_from: Option<String>,
}

/// A text that goes to the model with the next message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub script: String,
    pub text: String,
}

/// What is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestEvent {
    pub messages: Vec<Message>,
    pub params: Params,
    pub est_tokens: u64,
    /// `None` where the server does not say.
    pub context_limit: Option<u64>,
    /// The last message is a reply that the server goes on with: it has to stay as it is.
    pub goes_on: bool,
}

/// What is sent beside the messages; `None` is the server's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    pub temperature: Option<f64>,
    pub seed: Option<i64>,
    pub max_tokens: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RequestDecision {
    /// `None` where nothing is changed.
    Go(Option<Changed>),
    Denied {
        script: String,
        why: String,
    },
}

/// A request as scripts want it, this once.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub scripts: Vec<String>,
    pub messages: Vec<Message>,
    pub params: Params,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CommandDecision {
    /// It had nothing to say, or broke.
    Nothing,
    /// For the user.
    Handled { text: String },
    /// As if the user had said it.
    Say { text: String },
}

#[derive(Clone, Debug, PartialEq)]
pub struct SessionEnd {
    pub reason: String,
    /// What the session cost, as plain values.
    pub totals: Value,
}

/// A message of the user's, before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptEvent {
    pub text: String,
    pub source: String,
    /// Files that go with it, as the user named them.
    pub files: Vec<String>,
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
    /// Of all requests that it took, as the server counted them.
    pub usage: Usage,
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
