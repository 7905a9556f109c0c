//! What has the shape of a path. Safety is another matter: a text that is plainly meant as a path and is unsafe is
//! still one here, and refused later with its reason.

use crate::base::path::{PathRefusal, RelPath, is_reserved};

use super::{FileState, Files};

/// A path as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    Path(RelPath),
    Unsafe(String, PathRefusal),
}

/// How a text was set off from the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    None,
    /// Back quotes or quotation marks: a space may be part of the name.
    Quoted,
}

/// Names without an extension that are files, in their own case.
const WELL_KNOWN: [&str; 30] = [
    "AUTHORS",
    "BUILD",
    "Brewfile",
    "CHANGELOG",
    "CMakeLists.txt",
    "CODEOWNERS",
    "CONTRIBUTING",
    "COPYING",
    "Caddyfile",
    "Containerfile",
    "Dockerfile",
    "GNUmakefile",
    "Gemfile",
    "Guardfile",
    "INSTALL",
    "Jenkinsfile",
    "Justfile",
    "LICENCE",
    "LICENSE",
    "Makefile",
    "NOTICE",
    "Pipfile",
    "Procfile",
    "README",
    "Rakefile",
    "TODO",
    "VERSION",
    "Vagrantfile",
    "WORKSPACE",
    "justfile",
];

/// Things that are called like files.
const THINGS: [&str; 16] = [
    "node.js",
    "vue.js",
    "next.js",
    "nuxt.js",
    "react.js",
    "express.js",
    "three.js",
    "d3.js",
    "chart.js",
    "angular.js",
    "ember.js",
    "backbone.js",
    "p5.js",
    "asp.net",
    "ado.net",
    "socket.io",
];

/// First words that make a text with a space a command.
const COMMANDS: [&str; 36] = [
    "bash", "bun", "cargo", "cat", "cd", "chmod", "cmake", "cp", "curl", "deno", "docker", "dotnet", "gcc", "git",
    "go", "java", "javac", "ls", "make", "mkdir", "mv", "node", "npm", "npx", "php", "pip", "pip3", "pnpm", "pytest",
    "python", "python3", "rm", "ruby", "sh", "sudo", "yarn",
];

/// Whether the text is a path, by its shape or since such a file exists.
pub fn meant(text: &str, quoting: Quoting, files: &dyn Files) -> Option<Meant> {
    let text = text.trim();
    if text.is_empty() || text.len() > 1_000 || text.contains("://") || text.contains("$(") {
        return None;
    }
    if text.contains(['|', '&', ';', '<', '>', '*', '?', '!', '"', '\'', '{', '}', '`']) {
        return None;
    }
    if text.contains(char::is_whitespace) && !may_hold_spaces(text, quoting) {
        return None;
    }
    let normal = text.replace('\\', "/");
    match RelPath::parse(&normal) {
        Ok(path) => shaped(path, files).map(Meant::Path),
        Err(PathRefusal::Empty) => None,
        Err(refusal) => is_plainly_meant(&normal).then(|| Meant::Unsafe(text.to_owned(), refusal)),
    }
}

fn shaped(path: RelPath, files: &dyn Files) -> Option<RelPath> {
    let path = without_placeholder(path, files);
    let exists = matches!(files.state(&path), FileState::File | FileState::Empty);
    if exists {
        return Some(path);
    }
    let name = path.file_name();
    if THINGS.contains(&name.to_lowercase().as_str()) && path.parent().is_none() {
        return None;
    }
    (WELL_KNOWN.contains(&name) || has_extension(name) || is_dot_file(name)).then_some(path)
}

/// `path/to/x` is `x` where that is a file.
fn without_placeholder(path: RelPath, files: &dyn Files) -> RelPath {
    let rest = path.as_str().strip_prefix("path/to/").and_then(|rest| RelPath::parse(rest).ok());
    match rest {
        Some(rest) if matches!(files.state(&rest), FileState::File | FileState::Empty) => rest,
        Some(_) | None => path,
    }
}

fn has_extension(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| {
        let letters = extension.chars().all(|c| c.is_alphanumeric() || "_-+~".contains(c));
        !stem.is_empty() && extension.starts_with(|c: char| c.is_alphabetic()) && letters && extension.len() <= 20
    })
}

fn is_dot_file(name: &str) -> bool {
    name.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()))
}

/// Unsafe paths that nobody writes by chance.
fn is_plainly_meant(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text);
    let looks = has_extension(name) || WELL_KNOWN.contains(&name) || is_dot_file(name);
    let inside_reserved = text.split('/').any(|part| is_reserved(part.as_ref()));
    let leaves = text.starts_with('/')
        || text.starts_with("~/")
        || text.contains("../")
        || text.as_bytes().get(1) == Some(&b':');
    inside_reserved || looks || (leaves && text.matches('/').count() > 1)
}

fn may_hold_spaces(text: &str, quoting: Quoting) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    let named = has_extension(name) || WELL_KNOWN.contains(&name);
    // The part before a space in a file's name is a word, not a program that is called.
    quoting == Quoting::Quoted
        && named
        && !COMMANDS.contains(&first)
        && !first.starts_with("./")
        && !first.starts_with('-')
}
