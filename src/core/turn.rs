//! What one request has done so far, beside the log.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use crate::base::path::RelPath;
use crate::base::report::RunReport;
use crate::base::usage::Usage;
use crate::core::repeats::Repeats;
use crate::core::verdict::Evidence;
use crate::core::view::Verdict;
use crate::gateway::GatewayError;
use crate::workspace::{Version, WorkspaceError};

/// Replies in a row that may be cut without bringing anything new.
pub const MOST_CUTS: u32 = 3;

/// What is done after the files are written.
#[derive(Clone, Debug)]
pub enum Task {
    Run(String),
    Read(String),
}

/// What one request has done so far.
#[derive(Default)]
pub struct Turn {
    /// Model calls.
    pub calls: u32,
    /// Failed validations that were fed back.
    pub repairs: u32,
    /// Replies in a row that were cut and brought nothing new.
    pub cuts: u32,
    /// Why the last of them was, where the connection broke.
    pub broken: Option<GatewayError>,
    /// The next request asks for the rest of the reply before.
    pub goes_on: bool,
    /// Runs and reads of each piece of the reply that was done before its rest came: they wait for the end.
    pub waiting: Vec<Vec<Task>>,
    /// The conversation was summed up for the request that comes next.
    pub compacted: bool,
    /// The server does not go on with this conversation.
    pub prefill_refused: bool,
    pub continues: u32,
    pub usage: Usage,
    pub runs: Vec<RunReport>,
    /// A reply came.
    pub replied: bool,
    /// What a script has answered in the model's place.
    pub answer: String,
    pub evidence: Evidence,
    /// A script's word on the verdict.
    pub verdict: Option<Verdict>,
    pub repeats: Repeats,
    /// How often an edit of each file has failed.
    pub failed_edits: HashMap<RelPath, u32>,
    /// The file whose edit has failed too often to be asked for in the same way.
    pub failing: Option<RelPath>,
    /// The server does not answer in JSON of a schema.
    pub shape_refused: bool,
    /// The version before the message, where another process has begun with it.
    pub since: Option<u32>,
    /// The newest version when the request began.
    pub first_version: Option<u32>,
    /// The version that was validated last.
    pub validated: Option<u32>,
    pub keeping: Option<Keeping>,
}

/// Failed edits of one file in one request after which it is asked for in another way.
const FAILURES: u32 = 2;

impl Turn {
    pub fn note_failed_edit(&mut self, path: &RelPath) {
        let failures = self.failed_edits.entry(path.clone()).or_default();
        *failures += 1;
        if *failures == FAILURES {
            self.failing = Some(path.clone());
        }
    }
}

/// A version that is being made on another thread.
pub type Keeping = JoinHandle<Result<(Option<Version>, Option<u32>), WorkspaceError>>;

/// As scripts see it.
pub fn values<T: serde::Serialize>(items: &[T]) -> Vec<serde_json::Value> {
    items.iter().filter_map(|item| serde_json::to_value(item).ok()).collect()
}
