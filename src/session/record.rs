//! The records of `conversation.jsonl`: public, append-only, told in `docs/session-format.md`.
//!
//! Unknown fields of known types are dropped when a record is read. That loses nothing, since no line is ever
//! rewritten. Unknown types are kept whole.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::base::ids::SessionId;
use crate::base::message::Message;
use crate::base::report::{FileChange, RunReport};
use crate::base::usage::Usage;

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// The types that this program knows, in the order of [`Entry`].
pub const TYPES: [&str; 25] = [
    "session_started",
    "user_message",
    "file_attached",
    "request_changed",
    "request_sent",
    "reply_delta",
    "reply_finished",
    "files_changing",
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

/// One line of the log. To read a line that somebody else may have written, use [`Record::parse`].
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

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("it is no JSON")]
    NotJson,
    /// JSON, but not what a record is. `seq` is its number where that can be told.
    #[error("{reason}")]
    NoRecord { seq: Option<u64>, reason: String },
}

impl Record {
    /// Reads one line. A known type with wrong fields is damage, never an unknown type: passing it over in silence
    /// would change what the conversation was. A newer version may have changed the fields, so there it is unknown.
    pub fn parse(line: &[u8]) -> Result<Self, Damage> {
        let record: Self = serde_json::from_slice(line).map_err(|error| damage(line, &error))?;
        let Entry::Unknown(fields) = &record.entry else { return Ok(record) };
        let reason = match fields.get("type") {
            Some(Value::String(name)) if record.v <= VERSION && TYPES.contains(&name.as_str()) => {
                format!("its fields are not those of `{name}`")
            }
            Some(Value::String(_)) => return Ok(record),
            Some(_) | None => "it has no `type`".to_owned(),
        };
        Err(Damage::NoRecord { seq: Some(record.seq), reason })
    }
}

fn damage(line: &[u8], error: &serde_json::Error) -> Damage {
    let text = str::from_utf8(line).unwrap_or_default();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
            Damage::NoRecord { seq: value.get("seq").and_then(Value::as_u64), reason }
        }
        Err(_) => Damage::NotJson,
    }
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
    /// What scripts made of the request that follows; the conversation stays as it is. Between its `first` and its
    /// `last` messages stand these.
    RequestChanged {
        scripts: Vec<String>,
        first: u32,
        messages: Vec<Message>,
        last: u32,
        params: Value,
    },
    /// `feedback` answers the reply before, byte for byte as sent; `messages` counts what was sent with it.
    RequestSent {
        request: u32,
        messages: u32,
        feedback: Option<String>,
        model: String,
        /// Present where the rest of a reply that was cut is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        continues: Option<Continues>,
        /// Present where one change of this file is asked for by line numbers: the reply is JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lines_of: Option<String>,
    },
    ReplyDelta {
        kind: DeltaKind,
        text: String,
    },
    ReplyFinished {
        reason: Finish,
        usage: Usage,
    },
    /// What the files of a reply are about to be, before the first of them is renamed into place.
    FilesChanging {
        files: Vec<FileChanging>,
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
        /// It was begun, and came to nothing: a read of what is not there.
        #[serde(default)]
        begun: bool,
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
        /// Boxed, since most records are small and there are many.
        report: Box<RunReport>,
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
    /// `summary`, as it is sent, stands for the records up to `up_to`, but for the last `keeps` messages.
    Compacted {
        summary: String,
        up_to: u64,
        keeps: u32,
        system_prompt: String,
        usage: Usage,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChanging {
    /// Behind every link.
    pub path: String,
    /// A file stood there.
    #[serde(default)]
    pub was: bool,
    /// Of its new content, in hexadecimal digits; `None` where it goes.
    pub sha256: Option<String>,
}

/// Where a reply that was cut goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continues {
    pub by: GoesOn,
    /// Bytes of the reply's text: what stands between waits for its rest. What is before was whole and is done.
    pub from: usize,
    pub to: usize,
    /// The file that was edited last, for an edit without a path of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_edited: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GoesOn {
    /// The server writes on: the reply's pieces belong to the message before.
    Prefill,
    /// The model was told where it stopped: its reply is a message of its own.
    Instruction,
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

impl ActionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Run => "run",
            Self::Read => "read",
        }
    }
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unchecked => "unchecked",
            Self::Error => "error",
            Self::Interrupted => "interrupted",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Damage, Entry, Record, TYPES};

    fn line(fields: &str) -> String {
        format!(r#"{{"v":1,"seq":7,"time":"2026-11-22T20:00:00.000Z","turn":1{fields}}}"#)
    }

    fn fault(line: &str) -> String {
        Record::parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_type_is_kept_whole() {
        let text = line(r#","type":"dreamt","of":{"sheep":[1,2.5]},"turns":9"#);
        let record = Record::parse(text.as_bytes()).unwrap();
        let Entry::Unknown(fields) = &record.entry else { panic!("{record:?}") };
        assert_eq!(json!(fields), json!({"type": "dreamt", "of": {"sheep": [1, 2.5]}, "turns": 9}));
        assert_eq!(Record::parse(serde_json::to_string(&record).unwrap().as_bytes()), Ok(record));
    }

    #[test]
    fn a_field_more_is_passed_over_wherever_it_stands() {
        let text = r#"{"later":null,"text":"hi","turn":1,"type":"user_message","time":"t","seq":7,"v":1,"x":{}}"#;
        let entry = Entry::UserMessage { text: "hi".into() };
        assert_eq!(Record::parse(text.as_bytes()), Ok(Record { v: 1, seq: 7, time: "t".into(), turn: 1, entry }));
    }

    #[test]
    fn a_known_type_with_wrong_fields_is_damage() {
        for name in TYPES {
            let wrong = line(&format!(r#","type":"{name}","text":1,"kind":2"#));
            assert_eq!(fault(&wrong), format!("its fields are not those of `{name}`"));
            let newer = wrong.replace(r#""v":1"#, r#""v":2"#);
            assert!(matches!(Record::parse(newer.as_bytes()), Ok(Record { v: 2, entry: Entry::Unknown(_), .. })));
        }
    }

    #[test]
    fn damage_says_what_it_is_and_which_record_it_was() {
        let no_record = |seq, reason: &str| Err(Damage::NoRecord { seq, reason: reason.into() });
        assert_eq!(Record::parse(line("").as_bytes()), no_record(Some(7), "it has no `type`"));
        assert_eq!(Record::parse(line(r#","type":3"#).as_bytes()), no_record(Some(7), "it has no `type`"));
        assert_eq!(Record::parse(br#"{"seq":3,"turn":1,"time":"t"}"#), no_record(Some(3), "missing field `v`"));
        assert!(fault("[1]").contains("invalid"), "{}", fault("[1]"));
        for torn in ["", "{", r#"{"v":1,"seq":0"#, "\0\0", "{}\0", r#"{"v":1} x"#] {
            assert_eq!(Record::parse(torn.as_bytes()), Err(Damage::NotJson), "{torn:?}");
        }
        let mut not_utf8 = line(r#","type":"user_message","text":"X""#).into_bytes();
        let at = not_utf8.iter().position(|byte| *byte == b'X').unwrap();
        not_utf8[at] = 0xff;
        assert_eq!(Record::parse(&not_utf8), Err(Damage::NotJson));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let _ = Record::parse(&bytes);
        }

        #[test]
        fn any_text_comes_back(text: String) {
            let record = Record { v: 1, seq: 0, time: "t".into(), turn: 1, entry: Entry::UserMessage { text } };
            let line = serde_json::to_string(&record).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(Record::parse(line.as_bytes()), Ok(record));
        }
    }
}
