//! Where a conversation lives: its session and its workspace, opened and locked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::temporary::TemporaryFolder;
use crate::base::{fs, shell};
use crate::command::failure::Failure;
use crate::command::job::Place;
use crate::core::conversation::Mode;
use crate::session::{self, Opened, Session};
use crate::settings::{Folders, Settings};
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
    _passing: Option<TemporaryFolder>,
}

impl Home {
    pub fn open(settings: &Settings, place: &Place) -> Result<Self, Failure> {
        let mut passing = None;
        // A folder that is in use is told before a session is made for it.
        let lock = match place {
            Place::New { workspace: Some(workspace) }
            | Place::Passing { workspace: Some(workspace) }
            | Place::Saved { workspace: Some(workspace), .. } => {
                Some(session::lock_workspace(&settings.folders.state, workspace)?)
            }
            Place::New { workspace: None }
            | Place::Passing { workspace: None }
            | Place::Saved { workspace: None, .. } => None,
        };
        let is_missing =
            matches!(place, Place::Saved { folder, workspace: None } if !fs::exists(&folder.join("workspace")));
        let Opened { mut session, records, mut repaired } = match place {
            Place::Saved { folder, .. } => Session::open(folder)?,
            Place::New { workspace } => new(&settings.folders.sessions, workspace.as_deref())?,
            Place::Passing { workspace } => {
                let made = passing.insert(TemporaryFolder::make("faos-passing-")?);
                new(made.path(), workspace.as_deref())?
            }
        };
        let mut versions = Versions::open(&session.folder().join("versions"))?;
        if let Place::Saved { workspace: Some(to), .. } = place {
            let turn = records.last().map_or(0, |record| record.turn);
            repaired.extend(moved(&mut session, turn, &mut versions, to)?);
        }
        let lock = match lock {
            Some(lock) => lock,
            None => session::lock_workspace(&settings.folders.state, session.workspace())?,
        };
        let workspace = Workspace::open(session.workspace())?;
        let is_own = session.workspace().starts_with(session.folder());
        if let (true, true, Some(newest)) = (is_own, is_missing, versions.newest()) {
            versions.restore(&workspace, newest)?;
            repaired.push(restored(newest));
        }
        let inside = Inside { session: Arc::new(session), records, repaired, workspace, versions };
        Ok(Self { inside, held: Held { _lock: lock, _passing: passing } })
    }
}

/// Has the session go on in another folder, or in its own that is there again. Only when the files are there is it said in
/// the session, so that a failure on the way leaves it where it was.
fn moved(session: &mut Session, turn: u32, versions: &mut Versions, to: &Path) -> Result<Option<String>, Failure> {
    let from = session.workspace().to_owned();
    if from != to && fs::is_folder(&from) {
        versions.keep(&Workspace::open(&from)?, "before the session moved")?;
    }
    let workspace = Workspace::open(to)?;
    let mut said = None;
    if let (true, Some(newest)) = (workspace.files()?.files.is_empty(), versions.newest()) {
        versions.restore(&workspace, newest)?;
        said = Some(restored(newest));
    }
    session.move_to(to, turn)?;
    Ok(said)
}

fn restored(version: u32) -> String {
    format!("its files are those of version {version} again")
}

fn new(sessions: &Path, workspace: Option<&Path>) -> Result<Opened, Failure> {
    let session = Session::create(sessions, workspace)?;
    Ok(Opened { session, records: Vec::new(), repaired: Vec::new() })
}

/// Where a new conversation about the same files is held. The files of a session's own workspace are copied from its
/// newest version: two sessions never share one.
pub fn anew(sessions: &Path, place: &Place) -> Result<Place, Failure> {
    let Place::Saved { folder, .. } = place else { return Ok(place.clone()) };
    let workspace = session::workspace_of(folder).unwrap_or_else(|| folder.join("workspace"));
    if !workspace.starts_with(folder) {
        return Ok(Place::New { workspace: Some(workspace) });
    }
    let old = Workspace::open(&workspace)?;
    let session = Session::create(sessions, None)?;
    let new = Workspace::open(session.workspace())?;
    let mut versions = Versions::open(&folder.join("versions"))?;
    versions.keep(&old, "before a new conversation")?;
    if let Some(newest) = versions.newest() {
        versions.restore(&new, newest)?;
    }
    let folder = session.folder().to_owned();
    session.close()?;
    Ok(Place::saved(folder))
}

/// The same place, with a workspace that may be worked in. Asked before anything else is.
pub fn checked(place: &Place, settings: &Settings, mode: Mode) -> Result<Place, Failure> {
    Ok(match place {
        Place::New { workspace: Some(workspace) } => {
            Place::New { workspace: Some(allowed(workspace, settings, mode)?) }
        }
        Place::Passing { workspace: Some(workspace) } => {
            Place::Passing { workspace: Some(allowed(workspace, settings, mode)?) }
        }
        Place::Saved { folder, workspace: Some(workspace) } => {
            Place::Saved { folder: folder.clone(), workspace: Some(allowed(workspace, settings, mode)?) }
        }
        Place::Saved { folder, workspace: None } => {
            // Its own workspace is made again where it is missing.
            let elsewhere = session::workspace_of(folder).filter(|named| !named.starts_with(folder));
            if let Some(named) = elsewhere {
                let root = fs::canonical(&named).map_err(|error| gone(folder, &named, &error))?;
                // A session may come from somebody else: the workspace that it names is no word of this user.
                refuse(&named, &root, settings, mode)?;
            }
            place.clone()
        }
        Place::New { workspace: None } | Place::Passing { workspace: None } => place.clone(),
    })
}

/// A session outlives its workspace, and holds its files.
fn gone(session: &Path, workspace: &Path, error: &fs::FsError) -> Failure {
    let id = session.file_name().unwrap_or_default().to_string_lossy();
    Failure {
        message: format!("the session's workspace `{}` is not there: {error}", workspace.display()),
        hints: vec![
            format!(
                "its files as they were in the last version: faos resume {id} -w {}",
                shell::word(&workspace.display().to_string())
            ),
            format!("where it was moved to: faos resume {id} -w FOLDER"),
        ],
        exit_code: 2,
    }
}

/// The folder, made where it is missing, unless it is one that no program should be let into.
fn allowed(folder: &Path, settings: &Settings, mode: Mode) -> Result<PathBuf, Failure> {
    if !fs::exists(folder) {
        fs::make_folders(folder)?;
    }
    let root = fs::canonical(folder)?;
    refuse(folder, &root, settings, mode)?;
    Ok(root)
}

/// `root` is the folder as the kernel knows it, `named` as the user does.
fn refuse(named: &Path, root: &Path, settings: &Settings, mode: Mode) -> Result<(), Failure> {
    let Folders { sessions, settings, state, home } = &settings.folders;
    let own = workspace::Own { sessions, settings, state };
    let no_folder = (!fs::is_folder(root)).then(|| "it is no folder".to_owned());
    let why = no_folder.or_else(|| workspace::refuse_as_root(root, home.as_deref(), own));
    let read_only = || mode != Mode::DryRun && !fs::is_writable(root);
    match why.or_else(|| read_only().then(|| "it cannot be written to".to_owned())) {
        None => Ok(()),
        Some(why) => Err(Failure::usage(
            format!("`{}` cannot be a workspace: {why}", named.display()),
            "name a folder for the project with -w, or leave -w away",
        )),
    }
}
