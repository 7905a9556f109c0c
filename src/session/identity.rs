//! `session.json`: which session a folder is, and where its workspace is.
//!
//! All of it also stands in the log, so a missing or damaged file is made again from there.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SessionError;
use super::record::{Entry, Record, VERSION};
use crate::base::clock;
use crate::base::fs::{self, FsError};
use crate::base::ids::SessionId;

pub const FILE: &str = "session.json";
pub const OWN_WORKSPACE: &str = "workspace";
/// The setting that changes where a session goes on; its value is an absolute path, or null for its own.
pub const WORKSPACE: &str = "workspace";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub v: u32,
    pub id: SessionId,
    pub created: String,
    /// Absolute; `None` for the session's own, which moves with it.
    pub workspace: Option<PathBuf>,
    /// Given by the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What a later version added.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Identity {
    pub fn new(id: SessionId, workspace: Option<PathBuf>) -> Self {
        Self { v: VERSION, id, created: clock::now(), workspace, title: None, rest: Map::new() }
    }

    /// `None` where the file is missing or damaged. The folder's name counts where it is an ID: a copied session is
    /// found by it.
    pub fn load(folder: &Path) -> Result<Option<Self>, FsError> {
        let Some(text) = fs::if_present(fs::read(&folder.join(FILE)))? else { return Ok(None) };
        let identity = serde_json::from_slice::<Self>(&text).ok();
        Ok(identity.map(|identity| Self { id: id_of(folder).unwrap_or(identity.id), ..identity }))
    }

    /// From the log, and where that says nothing, from the folder.
    pub fn rebuild(folder: &Path, records: &[Record]) -> Self {
        let started = records.iter().find_map(|record| match &record.entry {
            Entry::SessionStarted(started) => Some(started),
            _ => None,
        });
        let id = id_of(folder).or_else(|| started.map(|started| started.session.clone()));
        let id = id.unwrap_or_else(SessionId::generate);
        let moved = records.iter().rev().find_map(|record| moved_to(&record.entry));
        let began = started.map(|started| started.workspace.clone()).filter(|path| {
            let own = Path::new(id.as_str()).join(OWN_WORKSPACE);
            !folder.join(OWN_WORKSPACE).is_dir() && !path.ends_with(own)
        });
        let identity = Self::new(id, moved.unwrap_or(began));
        let created = records.first().map(|first| first.time.clone()).unwrap_or(identity.created);
        Self { created, title: title_of(records), ..identity }
    }

    /// Takes in what a record changes of it, and tells whether that is something.
    pub fn follow(&mut self, entry: &Entry) -> bool {
        if let Entry::Renamed { title } = entry {
            return self.title.replace(title.clone()).as_ref() != Some(title);
        }
        let Some(workspace) = moved_to(entry).filter(|workspace| *workspace != self.workspace) else { return false };
        self.workspace = workspace;
        true
    }

    fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub fn store(&self, folder: &Path) -> Result<(), SessionError> {
        let text = self.text().map_err(|error| SessionError::Write(error.to_string()))?;
        Ok(fs::replace(&folder.join(FILE), text.as_bytes())?)
    }

    /// Without an fsync: after a power loss it can be made again.
    pub fn store_unsynced(&self, folder: &Path) -> Result<(), SessionError> {
        let text = self.text().map_err(|error| SessionError::Write(error.to_string()))?;
        Ok(fs::write_new(&folder.join(FILE), text.as_bytes())?)
    }

    pub fn workspace_in(&self, folder: &Path) -> PathBuf {
        self.workspace.clone().unwrap_or_else(|| folder.join(OWN_WORKSPACE))
    }
}

/// The record version that `session.json` names, whatever else is in it; 0 where there is none.
pub fn version_in(folder: &Path) -> Result<u32, FsError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let text = fs::read_text_if_present(&folder.join(FILE)).or_else(|error| match error.source.kind() {
        io::ErrorKind::InvalidData => Ok(None),
        _ => Err(error),
    })?;
    Ok(text.and_then(|text| serde_json::from_str::<Versioned>(&text).ok()).map_or(0, |versioned| versioned.v))
}

/// The last name that the user gave.
pub fn title_of(records: &[Record]) -> Option<String> {
    records.iter().rev().find_map(|record| match &record.entry {
        Entry::Renamed { title } => Some(title.clone()),
        _ => None,
    })
}

/// The record of a session that goes on elsewhere, or with `None` in its own workspace.
pub fn moved(workspace: Option<&Path>) -> Entry {
    let value = workspace.map_or(Value::Null, |path| path.to_string_lossy().into_owned().into());
    Entry::SettingChanged { key: WORKSPACE.to_owned(), value }
}

/// Where a record says that it goes on: `Some(None)` is its own workspace.
fn moved_to(entry: &Entry) -> Option<Option<PathBuf>> {
    match entry {
        Entry::SettingChanged { key, value } if key == WORKSPACE => Some(value.as_str().map(PathBuf::from)),
        _ => None,
    }
}

/// Whether a session with these records goes on elsewhere by its user's word.
pub fn has_moved(records: &[Record]) -> bool {
    records.iter().rev().find_map(|record| moved_to(&record.entry)).is_some_and(|to| to.is_some())
}

pub fn id_of(folder: &Path) -> Option<SessionId> {
    SessionId::parse(folder.file_name()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{FILE, Identity, OWN_WORKSPACE};
    use crate::base::{fs, ids::SessionId};
    use crate::session::record::{Entry, Record, Started};

    const ID: &str = "20261122-200000-ab12";

    fn started(workspace: &str) -> Vec<Record> {
        let session = SessionId::parse(ID).unwrap();
        let started = Started {
            session,
            workspace: workspace.into(),
            program: "faos 0.1.0".into(),
            system_prompt: String::new(),
            forked_from: None,
        };
        let record = |seq, entry| Record { v: 1, seq, time: "2026-11-22T20:00:00.000Z".into(), turn: 0, entry };
        vec![record(0, Entry::SessionStarted(started)), record(1, Entry::Renamed { title: "a name".into() })]
    }

    #[test]
    fn a_rebuilt_identity_is_the_one_that_was_lost() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(ID);
        fs::make_folders(&folder).unwrap();
        assert_eq!(Identity::load(&folder).unwrap(), None);
        let identity = Identity::rebuild(&folder, &started("/elsewhere"));
        assert_eq!((identity.id.as_str(), identity.created.as_str()), (ID, "2026-11-22T20:00:00.000Z"));
        assert_eq!(
            (identity.title.as_deref(), identity.workspace.as_deref()),
            (Some("a name"), Some(Path::new("/elsewhere")))
        );
        identity.store(&folder).unwrap();
        assert_eq!(Identity::load(&folder).unwrap(), Some(identity));
    }

    #[test]
    fn an_own_workspace_is_known_by_its_folder_or_its_path() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(ID);
        fs::make_folders(&folder).unwrap();
        let own_elsewhere = format!("/old/sessions/{ID}/workspace");
        assert_eq!(Identity::rebuild(&folder, &started(&own_elsewhere)).workspace, None);
        fs::make_folders(&folder.join(OWN_WORKSPACE)).unwrap();
        assert_eq!(Identity::rebuild(&folder, &started("/elsewhere")).workspace, None);
        assert_eq!(Identity::rebuild(&folder, &[]).workspace_in(&folder), folder.join(OWN_WORKSPACE));
    }

    #[test]
    fn a_copy_goes_by_its_own_folder_and_keeps_what_it_does_not_know() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("20270101-000000-zz99");
        fs::make_folders(&folder).unwrap();
        let text = json!({"v": 1, "id": ID, "created": "2026-11-22T20:00:00.000Z", "workspace": null, "later": [1]});
        fs::replace(&folder.join(FILE), text.to_string().as_bytes()).unwrap();
        let identity = Identity::load(&folder).unwrap().unwrap();
        assert_eq!(identity.id.as_str(), "20270101-000000-zz99");
        assert!(identity.text().unwrap().contains("\"later\""));
        for damaged in ["", "{", "[]", "{\"v\":1}", "\0\0\0\0"] {
            fs::replace(&folder.join(FILE), damaged.as_bytes()).unwrap();
            assert_eq!(Identity::load(&folder).unwrap(), None, "{damaged:?}");
        }
    }
}
