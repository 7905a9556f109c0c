//! The records of `conversation.jsonl`: public, append-only, told in `docs/session-format.md`.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::ids::SessionId;
use crate::base::report::{FileChange, RunReport};
use crate::base::usage::Usage;

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// One line of the log. Fields of a later program are passed over; [`Record::parse`] reads a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// A type that this program does not know: passed over, and kept, since no line is ever written again.
    #[serde(untagged, skip_deserializing)]
    Unknown(Map<String, Value>),
}

/// What every record has, whatever it says.
#[derive(Deserialize)]
struct Head<'a> {
    v: u32,
    seq: u64,
    #[serde(borrow)]
    time: Cow<'a, str>,
    turn: u32,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// The most frequent record, read without the detour over a generic value.
#[derive(Deserialize)]
struct DeltaFields {
    kind: DeltaKind,
    text: String,
}

impl Record {
    /// Reads one line; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let head: Head<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Head { v, seq, time, turn, kind } = head;
        let entry = Self::entry(line, &kind).map_err(|error| format!("`{kind}`: {error}"))?;
        Ok(Self { v, seq, time: time.into_owned(), turn, entry })
    }

    fn entry(line: &str, kind: &str) -> Result<Entry, serde_json::Error> {
        if kind == "reply_delta" {
            let DeltaFields { kind, text } = serde_json::from_str(line)?;
            return Ok(Entry::ReplyDelta { kind, text });
        }
        if KNOWN.contains(&kind) {
            return serde_json::from_str(line);
        }
        let mut fields: Map<String, Value> = serde_json::from_str(line)?;
        for known in ["v", "seq", "time", "turn"] {
            fields.remove(known);
        }
        Ok(Entry::Unknown(fields))
    }
}

/// The types that this program knows; a test holds the list against [`Entry`].
pub const KNOWN: [&str; 23] = [
    "session_started",
    "user_message",
    "file_attached",
    "request_sent",
    "reply_delta",
    "reply_finished",
    "action_applied",
    "action_refused",
    "version_kept",
    "run_started",
    "run_finished",
    "validated",
    "hook_ran",
    "script_state",
    "retry",
    "compacted",
    "head_moved",
    "setting_changed",
    "renamed",
    "note",
    "error",
    "turn_finished",
    "session_ended",
];

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
