//! The recorded conversations of `tests/replies`: what was said, what was answered, and what had to come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::recorded_replies::in_order;

pub struct Recorded {
    folder: PathBuf,
}

impl Recorded {
    pub fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replies").join(name);
        assert!(folder.is_dir(), "there is no recorded conversation `{name}`");
        Self { folder }
    }

    /// The user's messages, each with the number of the reply that answers it.
    pub fn messages(&self) -> Vec<(usize, String)> {
        let first = (1, self.read("description.md"));
        let later = (2..=self.replies().len()).filter_map(|number| {
            Some((number, fs::read_to_string(self.folder.join(format!("{number:02}.user.md"))).ok()?))
        });
        std::iter::once(first).chain(later).collect()
    }

    pub fn replies(&self) -> Vec<String> {
        let files = (1..).map(|number| self.folder.join(format!("{number:02}.reply.md")));
        files.map_while(|file| fs::read_to_string(file).ok()).collect()
    }

    /// What is to be read in a reply, as `write PATH OUTCOME`, `edit …`, `move …`, `delete …`, `run` or `read WHAT`.
    pub fn actions(&self, reply: usize) -> Vec<String> {
        let told = self.read(&format!("{reply:02}.actions.tsv"));
        let lines = told.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let actions = lines.filter_map(|fields| {
            let refused = fields.iter().any(|field| field.starts_with("refused"));
            let outcome = if refused { "refused" } else { "applied" };
            match fields[0] {
                "create" | "replace" => Some(format!("write {} {outcome}", fields[1])),
                "edit" | "delete" => Some(format!("{} {} {outcome}", fields[0], fields[1])),
                "move" => Some(format!("move {} -> {} {outcome}", fields[1], fields[2])),
                "run" => Some("run".to_owned()),
                "read" => Some(format!("read {}", fields[1])),
                _ => None,
            }
        });
        in_order(actions.collect())
    }

    /// The SHA-256 of every file after a reply, by path.
    pub fn tree_after(&self, reply: usize) -> BTreeMap<String, String> {
        let told = self.read(&format!("{reply:02}.tree"));
        let lines = told.lines().map(|line| line.split_once("  ").unwrap());
        lines.map(|(sum, path)| (path.to_owned(), sum.to_owned())).collect()
    }

    /// The number of requests that it takes, by `meta.toml`.
    pub fn requests(&self) -> usize {
        usize::try_from(self.meta()["requests"].as_integer().unwrap()).unwrap()
    }

    pub fn verdict(&self) -> String {
        self.meta()["verdict"].as_str().unwrap().to_owned()
    }

    /// A command in the final workspace, and what it must print.
    pub fn check(&self) -> (String, String) {
        let meta = self.meta();
        (meta["run_command"].as_str().unwrap().to_owned(), meta["expected_stdout"].as_str().unwrap().to_owned())
    }

    pub fn before(&self) -> BTreeMap<String, Vec<u8>> {
        tree(&self.folder.join("before"))
    }

    pub fn after(&self) -> BTreeMap<String, Vec<u8>> {
        tree(&self.folder.join("final"))
    }

    fn meta(&self) -> toml::Table {
        self.read("meta.toml").parse().unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

/// Every file below the folder by its path, without what programs leave behind for themselves.
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let walk = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_name() != "__pycache__");
    let files = walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            (path, fs::read(entry.path()).unwrap())
        })
        .collect()
}
