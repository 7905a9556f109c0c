//! What a conversation tells whoever listens: a program, a terminal, a test.

use std::path::PathBuf;

use crate::base::ids::SessionId;
use crate::base::report::{FileChange, RunReport};
use crate::base::streams::Stream;
use crate::base::usage::Usage;
use crate::core::view::{ActionKind, DeltaKind, RunSource, ValidationOutcome, Verdict, View};

/// In the order of things happening. What is told as done is already on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Session(SessionInfo),
    /// How many tokens of the prompt the server has read, of how many; for display only.
    Reading {
        processed: u64,
        total: u64,
    },
    Delta {
        kind: DeltaKind,
        text: String,
    },
    /// The open block of the reply, while it is written; for display only. Its first and its last line end the delta
    /// before it, so that what stands between can be shown otherwise.
    Block {
        kind: BlockKind,
        label: String,
        lines: usize,
        closed: bool,
    },
    /// One reply is complete, or stopped.
    /// `goes_on`: its rest follows from the very next byte.
    ReplyFinished {
        goes_on: bool,
    },
    Action(ActionEvent),
    RunStarted {
        run: u32,
        source: RunSource,
        command: String,
    },
    RunOutput {
        run: u32,
        stream: Stream,
        /// Of all chunks of this run, from 1.
        seq: u64,
        /// Seconds since the run began.
        at_s: f64,
        text: String,
    },
    RunFinished {
        run: u32,
        source: RunSource,
        report: Box<RunReport>,
    },
    /// A validation runs this, on a scratch copy; for display only.
    Checking(String),
    Validation {
        outcome: ValidationOutcome,
        script: String,
        feedback: String,
        /// Wall time of the script with its runs, where it is known.
        ms: Option<u64>,
    },
    Hook {
        script: String,
        event: String,
        outcome: String,
        ms: u64,
        note: String,
    },
    Retry {
        attempt: u32,
        wait_s: f64,
        reason: String,
    },
    Version {
        version: u32,
        commit: String,
        files: Vec<FileChange>,
    },
    /// Of one model call.
    Usage(Usage),
    Notice(String),
    Error {
        message: String,
        hints: Vec<String>,
    },
    /// A script asks, or a command that needs a yes; what it waits for comes through `op::Answers`.
    Question(String),
    /// A message from the keyboard that did not become part of the conversation; the error before it says why.
    GivenBack(String),
    /// The conversation goes on from elsewhere, with other files.
    HeadMoved(Moved),
    Shown(View),
    /// Always the last event of a request.
    Finished(Box<Finished>),
    /// At the keyboard: the next thing can be asked for.
    Ready,
}

/// What a block is for those who watch it grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A file's text, or what is to be changed in it. The label is its path.
    File,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub why: Move,
    /// The message that was taken back, brought back or is answered again.
    pub message: Option<String>,
    /// Whose files are in the workspace now.
    pub version: u32,
    pub files: Vec<FileChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Undo,
    Redo,
    Restore,
    Retry,
}

impl Move {
    /// As the log spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Restore => "restore",
            Self::Retry => "retry",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct SessionInfo {
    pub id: SessionId,
    pub folder: PathBuf,
    pub workspace: PathBuf,
    pub resumed: bool,
    /// The number of the message that comes next.
    pub turn: u32,
    /// Empty where no server was found yet, as is `server`.
    pub model: String,
    /// Kind and address, as in `llama.cpp at http://127.0.0.1:8080`.
    pub server: String,
    pub context_window: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ActionEvent {
    pub kind: ActionKind,
    /// A path; of a move `old -> new`; of a run its first line.
    pub path: String,
    pub outcome: ActionOutcome,
    /// Why it was refused, or a note on how it was applied.
    pub reason: Option<String>,
    /// What changes, where it was asked for (`--dry-run`).
    pub diff: Option<String>,
    /// Of a file that was written or edited; of an edit of several sections the last one tells for all.
    pub lines: Option<LineCount>,
}

/// Lines that came and lines that went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCount {
    pub added: usize,
    pub removed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    Applied,
    Refused,
    Noop,
}

/// How a request ended: the `result` object of the contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub verdict: Verdict,
    pub exit_code: u8,
    pub session: SessionId,
    pub workspace: PathBuf,
    /// Against the workspace before the request.
    pub files: Vec<FileChange>,
    /// Runs that the model or the user asked for, in order.
    pub runs: Vec<RunReport>,
    pub usage: Usage,
    /// The last reply.
    pub text: String,
}
