//! Folders that no program should be let into.

use std::path::{Path, PathBuf};

/// Folders below HOME that hold keys.
const KEYS: [&str; 4] = [".ssh", ".gnupg", ".aws", ".kube"];

/// Why the folder (absolute, without links) cannot be a workspace; `None` where it can. `ours` are the folders of
/// sessions and settings.
pub fn refuse_as_root(root: &Path, home: Option<&Path>, ours: &[PathBuf]) -> Option<String> {
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
    for folder in ours {
        if canonical(folder).starts_with(root) {
            return Some(format!("it holds `{}`, where sessions and settings are kept", folder.display()));
        }
    }
    None
}

/// A folder that does not exist yet counts as it is named.
fn canonical(path: &Path) -> PathBuf {
    crate::base::fs::canonical(path).unwrap_or_else(|_| path.to_owned())
}
