//! What can be shown of a conversation, as plain values for whoever shows it; and the words of the log that events repeat.

use std::time::Duration;

use serde::Serialize;

use crate::base::report::{FileChange, RunReport};
use crate::base::usage::Usage;
pub use crate::session::record::{ActionKind, DeltaKind, RunSource, ValidationOutcome, Verdict};

/// The answer to a [`super::op::Topic`].
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    Recap(Recap),
    Context(Context),
    Files {
        /// Path and size in bytes.
        files: Vec<(String, u64)>,
        /// Names that are no text, escaped.
        unnamed: Vec<String>,
        /// There are more that were not looked at.
        truncated: bool,
    },
    /// A unified diff from that version to another, or to the files as they are.
    Diff {
        version: u32,
        to: Option<u32>,
        text: String,
    },
    Versions(Vec<KeptVersion>),
    Sessions(Vec<SavedSession>),
    Models(Vec<Model>),
    Scripts(Vec<Script>),
    Commands(Vec<Command>),
    Prompts(Vec<Prompt>),
    Stats(Stats),
    Transcript(Box<Transcript>),
}

/// Where a conversation that is gone on with stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recap {
    /// The last message of the user.
    pub message: Option<String>,
    /// The last reply, as far as it came.
    pub reply: String,
    /// What it asked for was not, or not all, done.
    pub open: bool,
    pub version: Option<u32>,
}

/// What takes how much of the context window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// What it is, and its estimated tokens; in the order in which the model reads it.
    pub parts: Vec<(String, u64)>,
    /// In tokens; `None` where the server does not say.
    pub window: Option<u64>,
    /// As the server counted them for the last request; 0 where it did not.
    pub counted: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct KeptVersion {
    pub version: u32,
    /// RFC 3339.
    pub time: String,
    pub why: String,
    pub files: Vec<FileChange>,
    /// What validation said of it last.
    pub outcome: Option<ValidationOutcome>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SavedSession {
    pub id: String,
    pub title: String,
    /// RFC 3339, of its newest record.
    pub changed: String,
    pub turns: u32,
    pub verdict: String,
    /// It is the open one.
    pub here: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: String,
    /// Kind and address.
    pub server: String,
    pub context_window: Option<u64>,
    pub in_use: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub name: String,
    pub origin: String,
    pub events: Vec<Handler>,
    /// Slash commands that it adds.
    pub commands: Vec<String>,
    /// It is not asked.
    pub off: bool,
}

/// What a script's handler of one event did since the session was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Handler {
    pub event: String,
    pub calls: u32,
    /// Of all calls together.
    pub time: Duration,
    /// What the last call came to; empty where it had no opinion.
    pub outcome: String,
}

/// A slash command that a script has added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub name: String,
    pub about: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub name: String,
    pub origin: String,
}

/// Of the whole session; scripts see it when it is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    pub messages: u32,
    #[serde(flatten)]
    pub usage: Usage,
    pub runs: u32,
    /// Of all runs together.
    pub run_s: f64,
    /// From requests to the first that came of them, and from there to their ends.
    #[serde(skip)]
    pub prefill_s: f64,
    #[serde(skip)]
    pub generation_s: f64,
    pub versions: u32,
    pub verdicts: Vec<(String, u32)>,
}

/// A conversation to be read outside of the program: printable, and without keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    pub title: String,
    pub session: String,
    pub workspace: String,
    pub model: String,
    /// RFC 3339.
    pub begun: String,
    pub usage: Usage,
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The user's.
    Message(String),
    /// The model's, as it came.
    Reply(String),
    /// What stands for all that is before it.
    Summary(String),
    /// What was done, a line.
    Remark(String),
    Version {
        number: u32,
        why: String,
        files: Vec<FileChange>,
        /// A unified diff from the version before.
        diff: String,
    },
    Run(Box<Run>),
    Check {
        version: u32,
        outcome: ValidationOutcome,
        script: String,
        feedback: String,
    },
    Verdict {
        verdict: Verdict,
        exit_code: u8,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub number: u32,
    pub command: String,
    pub report: RunReport,
    /// As the model was shown it.
    pub output: String,
}
