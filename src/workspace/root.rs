//! Folders that no program should be let into.

use std::path::{Path, PathBuf};

/// Folders below HOME that hold keys.
const KEYS: [&str; 4] = [".ssh", ".gnupg", ".aws", ".kube"];

/// Where the program's own files live.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    pub sessions: &'a Path,
    pub settings: &'a Path,
    pub state: &'a Path,
}

/// Why the folder (absolute, without links) cannot be a workspace; `None` where it can.
pub fn refuse_as_root(root: &Path, home: Option<&Path>, own: Own<'_>) -> Option<String> {
    if root.parent().is_none() {
        return Some("it is the whole file system".to_owned());
    }
    if let Some(home) = home {
        let home = canonical(home);
        if home.starts_with(root) {
            return Some(if home == root { "it is the home folder" } else { "it holds the home folder" }.to_owned());
        }
        if let Some(keys) = KEYS.iter().find(|keys| root.starts_with(home.join(keys))) {
            return Some(format!("`~/{keys}` holds keys"));
        }
    }
    for folder in [own.sessions, own.settings, own.state] {
        if canonical(folder).starts_with(root) {
            return Some(format!("it holds `{}`, where sessions and settings are kept", folder.display()));
        }
    }
    // What decides over a conversation must not be the conversation's to write.
    let closed = [own.settings.join("prompts"), own.settings.join("scripts"), own.state.to_owned()];
    if let Some(folder) = closed.iter().find(|folder| root.starts_with(canonical(folder))) {
        return Some(format!("it is part of `{}`, which decides over what models may do", folder.display()));
    }
    let inside = root.strip_prefix(canonical(own.sessions)).ok()?;
    let in_a_workspace = inside.components().nth(1).is_some_and(|name| name.as_os_str() == "workspace");
    (!in_a_workspace).then(|| "it is part of a session's own folder".to_owned())
}

/// A folder that does not exist yet counts as it is named.
fn canonical(path: &Path) -> PathBuf {
    crate::base::fs::canonical(path).unwrap_or_else(|_| path.to_owned())
}
