//! The recorded conversations of `tests/replies`: what was said, what was answered, and what had to come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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
