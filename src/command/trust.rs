//! What a project brings of its own: scripts, prompts and settings below `.faos/`. It counts only as the user has seen it.
//!
//! Consent is kept by the project's path and the SHA-256 of each file, in `trust.json`; the texts that were trusted are
//! kept beside it, so that a change can be shown. Nothing that stands in the project can grant it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use similar::TextDiff;
use walkdir::WalkDir;

use crate::base::digest::sha256;
use crate::base::fs;
use crate::command::failure::Failure;
use crate::settings::Folders;

/// The one store for consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// Canonical paths.
    pub workspaces: Vec<PathBuf>,
    /// By a project's canonical path: the SHA-256 of each file, by its path below `.faos/`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    projects: BTreeMap<PathBuf, BTreeMap<String, String>>,
    /// What later versions keep here is kept.
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

impl Trust {
    pub fn load(folders: &Folders) -> Result<Self, Failure> {
        let file = file(folders);
        let Some(text) = fs::read_text_if_present(&file)? else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|error| {
            Failure::usage(
                format!("`{}` cannot be read: {error}", file.display()),
                "mend it, or remove it: then you are asked again",
            )
        })
    }

    pub fn save(&self, folders: &Folders) -> Result<(), Failure> {
        fs::make_folders(&folders.state)?;
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(fs::replace(&file(folders), &text)?)
    }

    /// The project as it is now is what counts from now on.
    pub fn add(&mut self, project: &Project, folders: &Folders) -> Result<(), Failure> {
        let texts = texts(folders);
        fs::make_folders(&texts)?;
        for text in project.files.values() {
            fs::replace(&texts.join(sha256(text.as_bytes())), text.as_bytes())?;
        }
        self.projects.insert(project.root.clone(), project.hashes());
        self.save(folders)
    }

    /// Whether it was trusted before; false where there was nothing to take back.
    pub fn forget(&mut self, root: &Path, folders: &Folders) -> Result<bool, Failure> {
        let known = self.projects.remove(root).is_some();
        if known {
            self.save(folders)?;
        }
        Ok(known)
    }

    pub fn standing(&self, project: &Project) -> Standing {
        match self.projects.get(&project.root) {
            None => Standing::New,
            Some(seen) if *seen == project.hashes() => Standing::Trusted,
            Some(seen) => Standing::Changed(seen.clone()),
        }
    }
}

fn file(folders: &Folders) -> PathBuf {
    folders.state.join("trust.json")
}

fn texts(folders: &Folders) -> PathBuf {
    folders.state.join("trusted")
}

/// How a project stands with the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    New,
    Trusted,
    /// With what was trusted.
    Changed(BTreeMap<String, String>),
}

/// What a project brings of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
    /// Texts by path below `.faos/`.
    files: BTreeMap<String, String>,
}

impl Project {
    /// `None` where it brings nothing. A link is an error: it could name any file of the host.
    pub fn read(workspace: &Path) -> Result<Option<Self>, Failure> {
        let ours = workspace.join(".faos");
        if !fs::exists(&ours) {
            return Ok(None);
        }
        let root = fs::canonical(workspace)?;
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(root.join(".faos")).max_depth(3).follow_links(false).follow_root_links(false) {
            let entry = entry.map_err(|error| unusable(&ours, &error.to_string()))?;
            let below = entry.path().strip_prefix(root.join(".faos")).unwrap_or(entry.path());
            let name = below.to_string_lossy().into_owned();
            if entry.path_is_symlink() && (name.is_empty() || counts(&name) || is_folder(&name)) {
                return Err(unusable(&ours, &format!("`{name}` is a link")));
            }
            if entry.file_type().is_file() && counts(&name) {
                files.insert(name, fs::read_text(entry.path())?);
            }
        }
        Ok((!files.is_empty()).then_some(Self { root, files }))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What scripts are held against when they are loaded.
    pub fn trusted(&self) -> BTreeMap<String, String> {
        let script = |(name, hash): (String, String)| Some((name.strip_prefix("scripts/")?.to_owned(), hash));
        self.hashes().into_iter().filter_map(script).collect()
    }

    fn hashes(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|(name, text)| (name.clone(), sha256(text.as_bytes()))).collect()
    }

    /// Each file, and of those that have changed what.
    pub fn told(&self, standing: &Standing, folders: &Folders) -> String {
        let none = BTreeMap::new();
        let seen = match standing {
            Standing::Changed(seen) => seen,
            Standing::New | Standing::Trusted => &none,
        };
        let mut out = format!("`{}` brings its own:\n", self.root.join(".faos").display());
        for (name, text) in &self.files {
            let lines = match text.lines().count() {
                1 => "1 line".to_owned(),
                count => format!("{count} lines"),
            };
            match seen.get(name) {
                Some(hash) if *hash == sha256(text.as_bytes()) => out.push_str(&format!("  as before  {name}\n")),
                Some(hash) => {
                    out.push_str(&format!("  changed    {name}\n"));
                    out.push_str(&changes(name, hash, text, folders));
                }
                None => out.push_str(&format!("  new        {name}  ({lines})\n")),
            }
        }
        for name in seen.keys().filter(|name| !self.files.contains_key(*name)) {
            out.push_str(&format!("  gone       {name}\n"));
        }
        out
    }
}

/// Whether its files count, or those below it.
fn is_folder(name: &str) -> bool {
    ["scripts", "scripts/lib", "prompts"].contains(&name) || name.starts_with("prompts/")
}

fn counts(name: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    match folder {
        "" => file == "config.toml",
        "scripts" | "scripts/lib" => file.ends_with(".rhai") && !file.ends_with(".d.rhai"),
        // A set of prompts is a folder below.
        folder if folder == "prompts" || folder.starts_with("prompts/") => file.ends_with(".md"),
        _ => false,
    }
}

fn changes(name: &str, hash: &str, now: &str, folders: &Folders) -> String {
    let before = fs::read_text(&texts(folders).join(hash)).ok().filter(|text| sha256(text.as_bytes()) == hash);
    let Some(before) = before else { return "    (the text that you trusted is not there any more)\n".to_owned() };
    let diff = TextDiff::from_lines(before.as_str(), now);
    let diff = diff.unified_diff().header(&format!("trusted/{name}"), &format!("now/{name}")).to_string();
    diff.lines().map(|line| format!("    {line}\n")).collect()
}

fn unusable(ours: &Path, why: &str) -> Failure {
    Failure::usage(format!("`{}` cannot be used: {why}", ours.display()), "copy the files there instead")
}

#[cfg(test)]
mod tests {
    use super::Trust;

    #[test]
    fn what_is_not_known_here_is_kept() {
        let text = r#"{"workspaces":["/a"],"later":{"x":"hash"}}"#;
        let trust: Trust = serde_json::from_str(text).expect("read");
        assert_eq!(serde_json::to_string(&trust).expect("written"), text);
    }
}
