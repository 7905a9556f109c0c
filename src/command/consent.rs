//! The user's word for a folder that FAOS did not make, and for what a project brings of its own: asked at a terminal,
//! kept in `trust.json`.
//!
//! Without a terminal, `-w` is the word for the folder; for scripts, prompts and settings there is none.

use std::path::{Path, PathBuf};

use crate::base::fs;
use crate::command::failure::Failure;
use crate::command::job::{Asking, Place};
use crate::command::trust::{Project, Standing, Trust};
use crate::frontend::question;
use crate::session;
use crate::settings::{Folders, Settings};

/// Asks about the place's workspace unless FAOS made it or was let in before. A no ends the program.
pub fn ask(place: &Place, folders: &Folders) -> Result<(), Failure> {
    let Some(workspace) = foreign(place) else { return Ok(()) };
    let mut trust = Trust::load(folders)?;
    if trust.workspaces.contains(&workspace) {
        return Ok(());
    }
    // An empty folder holds nothing that could be read or lost.
    let empty = fs::is_empty(&workspace)?;
    if !empty && !question::yes(&text(&workspace)) {
        return Err(Failure {
            message: format!("`{}` was not let in", workspace.display()),
            hints: vec!["without -w, faos works in a folder of its own".to_owned()],
            exit_code: 6,
        });
    }
    trust.workspaces.push(workspace);
    trust.save(folders)
}

/// The settings with the project's own let in where the user has seen them as they are, and what is to be said of it.
pub fn project(workspace: &Path, settings: &Settings, asking: Asking) -> Result<(Settings, Vec<String>), Failure> {
    let mut settings = settings.clone();
    if asking == Asking::Needless {
        settings.trust_project(workspace, None)?;
        return Ok((settings, Vec::new()));
    }
    let seen = Project::read(workspace).and_then(|project| match project {
        Some(project) => Ok(Some((Trust::load(&settings.folders)?, project))),
        None => Ok(None),
    });
    let (mut trust, project) = match seen {
        Ok(Some(both)) => both,
        Ok(None) => return Ok((settings, Vec::new())),
        Err(failure) if asking == Asking::Nobody => return Ok((settings, vec![left_out(&failure.message)])),
        Err(failure) => return Err(failure),
    };
    let standing = trust.standing(&project);
    let ours = project.root().join(".faos");
    if standing != Standing::Trusted {
        let why = match standing {
            Standing::Changed(_) => "has changed since you trusted it",
            Standing::New | Standing::Trusted => "holds scripts, prompts or settings that you have not trusted",
        };
        if asking == Asking::Nobody {
            return Ok((settings, vec![left_out(&format!("`{}` {why}", ours.display()))]));
        }
        let told = project.told(&standing, &settings.folders);
        let text =
            format!("{told}They can change what is asked of the model and what is done with its answers.\nUse them?");
        if !question::yes(&text) {
            return Ok((settings, vec![left_out(&format!("`{}` {why}", ours.display()))]));
        }
        trust.add(&project, &settings.folders)?;
    }
    settings.trust_project(workspace, Some(project.trusted()))?;
    Ok((settings, Vec::new()))
}

fn left_out(why: &str) -> String {
    format!("warning: {why}; it is left out (`faos scripts trust` shows it, --trust-scripts uses it this once)")
}

/// The folder that the place's project is in.
pub fn workspace_of(place: &Place) -> Option<PathBuf> {
    match place {
        Place::New { workspace } | Place::Passing { workspace } => workspace.clone(),
        Place::Saved { workspace: Some(workspace), .. } => Some(workspace.clone()),
        Place::Saved { folder, workspace: None } => session::workspace_of(folder),
    }
}

/// The workspace, where it is not a session's own folder.
fn foreign(place: &Place) -> Option<PathBuf> {
    match place {
        Place::New { workspace } | Place::Passing { workspace } => workspace.clone(),
        Place::Saved { workspace: Some(workspace), .. } => Some(workspace.clone()),
        Place::Saved { folder, workspace: None } => {
            session::workspace_of(folder).filter(|workspace| !workspace.starts_with(folder))
        }
    }
}

fn text(workspace: &Path) -> String {
    format!(
        "faos was not in `{}` before.\n\
         The model can read the files there, and write and delete them; every state is kept first, and /undo brings it back.\n\
         What it runs is in a sandbox that sees this folder, and neither your home folder nor the network.\n\
         Work there?",
        workspace.display()
    )
}
