//! The records of `conversation.jsonl`: public, append-only, told in `docs/session-format.md`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::ids::SessionId;
use crate::base::report::{FileChange, RunReport};
use crate::base::usage::Usage;

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub v: u32,
    /// From 0, without gaps.
    pub seq: u64,
    pub time: String,
    /// The user message it belongs to, from 1; 0 before the first.
    pub turn: u32,
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a record says. `feedback` is always the text that the model is shown for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    SessionStarted(Started),
    UserMessage {
        text: String,
    },
    /// A file's text that goes to the model: read by it, or named by the user.
    FileAttached {
        path: String,
        source: AttachedBy,
        text: String,
    },
    /// `feedback` answers the reply before, byte for byte as sent; `messages` counts what was sent with it.
    RequestSent {
        request: u32,
        messages: u32,
        feedback: Option<String>,
        model: String,
    },
    ReplyDelta {
        kind: DeltaKind,
        text: String,
    },
    ReplyFinished {
        reason: Finish,
        usage: Usage,
    },
    ActionApplied {
        kind: ActionKind,
        path: String,
        outcome: Applied,
        note: Option<String>,
    },
    ActionRefused {
        kind: ActionKind,
        path: String,
        reason: String,
        feedback: String,
    },
    VersionKept {
        version: u32,
        commit: String,
        why: String,
        files: Vec<FileChange>,
    },
    RunStarted {
        run: u32,
        source: RunSource,
        command: String,
    },
    RunFinished {
        run: u32,
        report: RunReport,
        feedback: String,
    },
    Validated {
        version: u32,
        outcome: ValidationOutcome,
        script: String,
        feedback: String,
    },
    HookRan {
        script: String,
        event: String,
        outcome: String,
        ms: u64,
        note: String,
    },
    ScriptState {
        script: String,
        state: Value,
    },
    Retry {
        attempt: u32,
        wait_s: f64,
        reason: String,
    },
    Compacted {
        summary: String,
        up_to: u64,
    },
    HeadMoved {
        to: u64,
        version: u32,
        why: String,
    },
    SettingChanged {
        key: String,
        value: Value,
    },
    Renamed {
        title: String,
    },
    /// Said to the model beside the user's own words, or to the user alone where `feedback` is absent.
    Note {
        text: String,
        feedback: Option<String>,
    },
    Error {
        message: String,
        hints: Vec<String>,
    },
    TurnFinished {
        verdict: Verdict,
        exit_code: u8,
    },
    SessionEnded {
        reason: String,
    },
    /// A type that this program does not know: kept and passed over.
    #[serde(untagged)]
    Unknown(Map<String, Value>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub session: SessionId,
    pub workspace: PathBuf,
    pub program: String,
    pub system_prompt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<SessionId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachedBy {
    Model,
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeltaKind {
    Text,
    Reasoning,
    Tool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Stop,
    Length,
    ToolCalls,
    /// Stopped by the user, or found unfinished when the session was opened again.
    Interrupted,
    BrokenOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    Write,
    Edit,
    Delete,
    Move,
    Run,
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    Applied,
    Noop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunSource {
    Model,
    User,
    Script,
    Validation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidationOutcome {
    Passed,
    Failed,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    Failed,
    Unchecked,
    Error,
    Interrupted,
}
