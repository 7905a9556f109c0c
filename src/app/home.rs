//! Where a conversation lives: its session and its workspace, opened and locked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::fs;
use crate::command::failure::Failure;
use crate::command::job::Place;
use crate::session::{self, Opened, Session};
use crate::settings::Settings;
use crate::workspace::{self, Versions, Workspace};

/// An open session with its workspace, both locked.
pub struct Home {
    pub inside: Inside,
    pub held: Held,
}

/// What the conversation takes over.
pub struct Inside {
    pub session: Arc<Session>,
    pub records: Vec<session::record::Record>,
    /// What had to be mended, a sentence each.
    pub repaired: Vec<String>,
    pub workspace: Workspace,
    pub versions: Versions,
}

/// Held until the conversation has ended.
pub struct Held {
    _lock: session::WorkspaceLock,
    _passing: Option<Passing>,
}

/// A folder that goes with the program.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder; there is nobody left to tell.
        let _ = fs::remove_folder(&self.0);
    }
}

impl Home {
    pub fn open(settings: &Settings, place: &Place) -> Result<Self, Failure> {
        let mut passing = None;
        let Opened { session, records, repaired } = match place {
            Place::Saved { folder } => Session::open(folder)?,
            Place::New { workspace } => new(&settings.folders.sessions, workspace.as_deref())?,
            Place::Passing { workspace } => {
                let folder = std::env::temp_dir().join(format!("faos-{}", std::process::id()));
                passing = Some(Passing(folder.clone()));
                fs::make_folders(&folder)?;
                new(&folder, workspace.as_deref())?
            }
        };
        let lock = session::lock_workspace(&settings.folders.state, session.workspace())?;
        let workspace = Workspace::open(session.workspace())?;
        let versions = Versions::open(&session.folder().join("versions"))?;
        let inside = Inside { session: Arc::new(session), records, repaired, workspace, versions };
        Ok(Self { inside, held: Held { _lock: lock, _passing: passing } })
    }
}

fn new(sessions: &Path, workspace: Option<&Path>) -> Result<Opened, Failure> {
    let session = Session::create(sessions, workspace)?;
    Ok(Opened { session, records: Vec::new(), repaired: Vec::new() })
}

/// The same place, with a workspace that may be worked in. Asked before anything else is.
pub fn checked(place: &Place, settings: &Settings) -> Result<Place, Failure> {
    Ok(match place {
        Place::New { workspace: Some(workspace) } => Place::New { workspace: Some(allowed(workspace, settings)?) },
        Place::Passing { workspace: Some(workspace) } => {
            Place::Passing { workspace: Some(allowed(workspace, settings)?) }
        }
        Place::New { workspace: None } | Place::Passing { workspace: None } | Place::Saved { .. } => place.clone(),
    })
}

/// The folder, made where it is missing, unless it is one that no program should be let into.
fn allowed(folder: &Path, settings: &Settings) -> Result<PathBuf, Failure> {
    if !fs::exists(folder) {
        fs::make_folders(folder)?;
    }
    let root = fs::canonical(folder)?;
    let folders = &settings.folders;
    let ours = [folders.sessions.clone(), folders.settings.clone(), folders.state.clone()];
    match workspace::refuse_as_root(&root, folders.home.as_deref(), &ours) {
        None => Ok(root),
        Some(why) => Err(Failure::usage(
            format!("`{}` cannot be a workspace: {why}", folder.display()),
            "name a folder for the project with -w, or leave -w away",
        )),
    }
}
