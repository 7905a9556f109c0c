//! The user's word for a folder that FAOS did not make: asked once at a terminal, kept in `trust.json`.
//!
//! Without a terminal, `-w` is the word.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::fs;
use crate::command::failure::Failure;
use crate::command::job::Place;
use crate::frontend::question;
use crate::session;
use crate::settings::Folders;

/// The one store for consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Trust {
    /// Canonical paths.
    workspaces: Vec<PathBuf>,
    /// What later versions keep here is kept.
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

/// Asks about the place's workspace unless FAOS made it or was let in before. A no ends the program.
pub fn ask(place: &Place, folders: &Folders) -> Result<(), Failure> {
    let Some(workspace) = foreign(place) else { return Ok(()) };
    let file = folders.state.join("trust.json");
    let mut trust = load(&file)?;
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
    fs::make_folders(&folders.state)?;
    let text = serde_json::to_vec_pretty(&trust).unwrap_or_default();
    fs::replace(&file, &text)?;
    Ok(())
}

/// The workspace, where it is not a session's own folder.
fn foreign(place: &Place) -> Option<PathBuf> {
    match place {
        Place::New { workspace } | Place::Passing { workspace } => workspace.clone(),
        Place::Saved { folder } => session::workspace_of(folder).filter(|workspace| !workspace.starts_with(folder)),
    }
}

fn load(file: &Path) -> Result<Trust, Failure> {
    let Some(text) = fs::read_text_if_present(file)? else { return Ok(Trust::default()) };
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("`{}` cannot be read: {error}", file.display()),
            "mend it, or remove it: then you are asked again",
        )
    })
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

#[cfg(test)]
mod tests {
    use super::Trust;

    #[test]
    fn what_is_not_known_here_is_kept() {
        let text = r#"{"workspaces":["/a"],"scripts":{"x":"hash"}}"#;
        let trust: Trust = serde_json::from_str(text).expect("read");
        assert_eq!(serde_json::to_string(&trust).expect("written"), text);
    }
}
