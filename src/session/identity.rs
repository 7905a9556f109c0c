//! `session.json`: what a session is, small, replaced by rename, and rebuilt from the log where it is lost.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::ids::SessionId;
use crate::base::{clock, fs};
use crate::session::SessionError;
use crate::session::record::{Entry, Record, VERSION};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub v: u32,
    pub id: SessionId,
    pub created: String,
    /// Absolute; `None`: the session's own `workspace/`, wherever the session's folder is.
    pub workspace: Option<PathBuf>,
}

impl Identity {
    pub fn new(id: SessionId, workspace: Option<PathBuf>) -> Self {
        Self { v: VERSION, id, created: clock::now(), workspace }
    }

    pub fn write(&self, folder: &Path) -> Result<(), SessionError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|error| SessionError::Write(error.to_string()))?;
        text.push('\n');
        Ok(fs::replace(&file(folder), text.as_bytes())?)
    }

    /// `None` where the file is missing or damaged.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_text(&file(folder)).ok()?).ok()
    }

    /// What the log's first record says.
    pub fn from_log(folder: &Path, records: &[Record]) -> Option<Self> {
        let (created, started) = records.iter().find_map(|record| match &record.entry {
            Entry::SessionStarted(started) => Some((record.time.clone(), started)),
            _ => None,
        })?;
        // Its own workspace lies below the folder that it had then, which may have been moved since.
        let own = started.workspace.ends_with(format!("{}/workspace", started.session))
            || started.workspace == folder.join("workspace");
        let workspace = (!own).then(|| started.workspace.clone());
        Some(Self { v: VERSION, id: started.session.clone(), created, workspace })
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("session.json")
}
