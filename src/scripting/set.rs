//! The scripts that are loaded: where they come from, in which order they are asked, and that their handlers exist.
//!
//! Order: built-in, user, project; by file name inside each. A file of the same name takes the place of the one before
//! it. Where it is the project that replaces, the gates of what it replaces are asked after its own: a project may
//! tighten, never loosen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{AST, Engine};
use walkdir::WalkDir;

use super::commands::{self, Command};
use super::handler::Event;
use super::location;
use super::worker::Bench;
use super::{Options, ScriptError};
use crate::base::digest::sha256;
use crate::base::fs;

const BUILT_IN: &[(&str, &str)] = &[
    ("10-name-unnamed.rhai", include_str!("../../scripts/10-name-unnamed.rhai")),
    ("20-tidy.rhai", include_str!("../../scripts/20-tidy.rhai")),
    ("30-guard.rhai", include_str!("../../scripts/30-guard.rhai")),
    ("50-validate-c.rhai", include_str!("../../scripts/50-validate-c.rhai")),
    ("50-validate-data.rhai", include_str!("../../scripts/50-validate-data.rhai")),
    ("50-validate-go.rhai", include_str!("../../scripts/50-validate-go.rhai")),
    ("50-validate-java.rhai", include_str!("../../scripts/50-validate-java.rhai")),
    ("50-validate-javascript.rhai", include_str!("../../scripts/50-validate-javascript.rhai")),
    ("50-validate-python.rhai", include_str!("../../scripts/50-validate-python.rhai")),
    ("50-validate-rust.rhai", include_str!("../../scripts/50-validate-rust.rhai")),
    ("50-validate-shell.rhai", include_str!("../../scripts/50-validate-shell.rhai")),
    ("50-validate-sql.rhai", include_str!("../../scripts/50-validate-sql.rhai")),
    ("50-validate-web.rhai", include_str!("../../scripts/50-validate-web.rhai")),
    ("60-run.rhai", include_str!("../../scripts/60-run.rhai")),
    ("80-feedback.rhai", include_str!("../../scripts/80-feedback.rhai")),
    ("lib/opinion.rhai", include_str!("../../scripts/lib/opinion.rhai")),
    ("lib/output.rhai", include_str!("../../scripts/lib/output.rhai")),
    ("lib/project.rhai", include_str!("../../scripts/lib/project.rhai")),
];

/// Name and text of every script that is compiled in from the repository's `scripts/`; modules stand under `lib/`.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    BuiltIn,
    User,
    Project,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

/// A script as it is listed for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// `built-in/20-tidy.rhai`: origin and file name, as in every message about it.
    pub label: String,
    pub path: Option<PathBuf>,
    pub events: Vec<&'static str>,
    /// The slash commands that it adds.
    pub commands: Vec<String>,
}

/// A script or a module as it was read, as `faos scripts show` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `20-tidy.rhai`, `lib/output.rhai`: what it replaces and is replaced by.
    pub name: String,
    pub label: String,
    /// `None` for a built-in one.
    pub path: Option<PathBuf>,
    pub text: String,
}

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    origin: Origin,
    name: String,
    is_module: bool,
    /// `None` for a built-in one.
    path: Option<PathBuf>,
    text: String,
}

impl File {
    fn below(&self) -> String {
        format!("{}{}", if self.is_module { "lib/" } else { "" }, self.name)
    }

    fn label(&self) -> String {
        format!("{}/{}", self.origin.name(), self.below())
    }

    /// What errors of loading call it: a user must find the file.
    fn shown(&self) -> String {
        self.path.as_ref().map_or_else(|| self.label(), |path| path.display().to_string())
    }
}

pub(super) struct Script {
    pub origin: Origin,
    pub label: String,
    pub ast: AST,
    handlers: Vec<Event>,
    commands: Vec<Command>,
    path: Option<PathBuf>,
}

struct Place {
    script: Arc<Script>,
    /// Replaced by a project's file: it is asked only as a gate.
    gates_only: bool,
}

pub(super) type Modules = BTreeMap<String, AST>;

pub(super) struct Set {
    places: Vec<Place>,
    /// By label without the extension (`user/lib/names`).
    pub modules: Arc<Modules>,
    files: Vec<File>,
}

impl Set {
    pub fn compile(bench: &Bench, files: Vec<File>) -> Result<Self, ScriptError> {
        let (set, faults) = Self::compile_sound(bench, files);
        faults.into_iter().next().map_or(Ok(set), |fault| Err(ScriptError::Load(fault)))
    }

    /// What compiles, and a line for each file that does not.
    pub fn compile_sound(bench: &Bench, files: Vec<File>) -> (Self, Vec<String>) {
        let mut places: Vec<(String, Vec<Place>)> = Vec::new();
        let mut faults = Vec::new();
        let modules = Arc::new(modules(bench.engine(), &files, &mut faults));
        // A script's `commands` is called, and may import.
        bench.desk().lay_out(&modules, true);
        for file in files.iter().filter(|file| !file.is_module) {
            match compiled(bench, file) {
                Ok(script) => match places.iter_mut().find(|(name, _)| *name == file.name) {
                    Some((_, place)) => replace(place, script),
                    None => places.push((file.name.clone(), vec![Place { script, gates_only: false }])),
                },
                Err(fault) => faults.push(fault),
            }
        }
        let set = Self { places: places.into_iter().flat_map(|(_, place)| place).collect(), modules, files };
        faults.extend(set.twice());
        (set, faults)
    }

    /// The slash commands, by name.
    pub fn commands(&self) -> Vec<Command> {
        let asked = self.asked(Event::Command);
        let mut commands: Vec<Command> = asked.flat_map(|script| script.commands.iter().cloned()).collect();
        commands.sort_by(|one, other| one.name.cmp(&other.name));
        commands
    }

    /// A fault for each command that two scripts have.
    fn twice(&self) -> Vec<String> {
        let pairs = self.commands();
        let pairs = pairs.windows(2).filter(|pair| pair[0].name == pair[1].name);
        pairs
            .map(|pair| format!("{}: `/{}` is a command of {} too", pair[1].script, pair[1].name, pair[0].script))
            .collect()
    }

    pub fn is_of(&self, files: &[File]) -> bool {
        self.files == files
    }

    pub fn handles(&self, event: Event) -> bool {
        self.asked(event).next().is_some()
    }

    /// The scripts to ask, in order.
    pub fn asked(&self, event: Event) -> impl Iterator<Item = &Arc<Script>> {
        self.places
            .iter()
            .filter(move |place| place.script.handlers.contains(&event) && (event.is_gate() || !place.gates_only))
            .map(|place| &place.script)
    }

    pub fn list(&self) -> Vec<Loaded> {
        self.places
            .iter()
            .map(|Place { script, gates_only }| Loaded {
                label: script.label.clone(),
                path: script.path.clone(),
                events: script.handlers.iter().filter(|e| e.is_gate() || !gates_only).map(|e| e.name()).collect(),
                commands: script.commands.iter().map(|command| command.name.clone()).collect(),
            })
            .collect()
    }
}

/// The new script stands first; of what a project replaces the gates stay behind it.
fn replace(place: &mut Vec<Place>, script: Arc<Script>) {
    if script.origin == Origin::Project {
        place.iter_mut().for_each(|place| place.gates_only = true);
    } else {
        place.clear();
    }
    place.insert(0, Place { script, gates_only: false });
}

/// What scripts import.
fn modules(engine: &Engine, files: &[File], faults: &mut Vec<String>) -> Modules {
    let mut modules = Modules::new();
    for file in files.iter().filter(|file| file.is_module) {
        match parsed(engine, file) {
            Ok(ast) => drop(modules.insert(file.label().trim_end_matches(".rhai").to_owned(), ast)),
            Err(fault) => faults.push(fault),
        }
    }
    modules
}

/// The error names file, line and column.
fn parsed(engine: &Engine, file: &File) -> Result<AST, String> {
    let mut ast = engine.compile(&file.text).map_err(|error| location::of_parse(&error, &file.shown()))?;
    ast.set_source(file.label());
    Ok(ast)
}

fn compiled(bench: &Bench, file: &File) -> Result<Arc<Script>, String> {
    let ast = parsed(bench.engine(), file)?;
    let mut handlers = Vec::new();
    for function in ast.iter_functions() {
        let known = Event::named(function.name, function.params.len())
            .map_err(|what| location::of_function(&file.shown(), &file.text, function.name, &what))?;
        handlers.extend(known);
    }
    handlers.sort();
    let (origin, label, path) = (file.origin, file.label(), file.path.clone());
    let commands = commands::of(bench, &ast, &label, &handlers)?;
    Ok(Arc::new(Script { origin, label, ast, handlers, commands, path }))
}

/// Everything there is, in order: origin by origin, by name.
pub(super) fn read(options: &Options) -> Result<Vec<File>, ScriptError> {
    let built_in = BUILT_IN.iter().map(|(name, text)| File {
        origin: Origin::BuiltIn,
        name: name.trim_start_matches("lib/").to_owned(),
        is_module: name.starts_with("lib/"),
        path: None,
        text: (*text).to_owned(),
    });
    let mut files: Vec<File> = built_in.collect();
    for (origin, folder) in [(Origin::User, &options.user), (Origin::Project, &options.project)] {
        let Some(folder) = folder else { continue };
        files.extend(read_folder(origin, folder, false)?);
        files.extend(read_folder(origin, &folder.join("lib"), true)?);
    }
    untrusted(&files, options).map_or(Ok(files), Err)
}

/// A project's file that is not what the user has seen, or is gone. Going on without it could leave out a gate: nothing is
/// loaded then.
fn untrusted(files: &[File], options: &Options) -> Option<ScriptError> {
    let trusted = options.trusted.as_ref()?;
    let projects = files.iter().filter(|file| file.origin == Origin::Project);
    let now: BTreeMap<String, String> = projects.map(|file| (file.below(), sha256(file.text.as_bytes()))).collect();
    let changed = now.iter().find(|(name, hash)| trusted.get(*name) != Some(*hash)).map(|(name, _)| name);
    let gone = || trusted.keys().find(|name| !now.contains_key(*name));
    let path = options.project.as_ref()?.join(changed.or_else(gone)?);
    let told = "is not what you trusted; `faos scripts trust` shows what has changed";
    Some(ScriptError::Load(format!("{}: {told}", path.display())))
}

/// The nearest file of every name, sorted by it.
pub fn in_use(options: &Options) -> Result<Vec<Source>, ScriptError> {
    let by_name = |file: File| {
        let (name, label) = (file.below(), file.label());
        (name.clone(), Source { name, label, path: file.path, text: file.text })
    };
    let nearest: BTreeMap<String, Source> = read(options)?.into_iter().map(by_name).collect();
    Ok(nearest.into_values().collect())
}

/// A link in a project's folder could name any file of the host; in the user's own it is the user's choice.
fn read_folder(origin: Origin, folder: &Path, is_module: bool) -> Result<Vec<File>, ScriptError> {
    if !fs::exists(folder) {
        return Ok(Vec::new());
    }
    let follow = origin == Origin::User;
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1).max_depth(1).follow_links(follow).sort_by_file_name() {
        let entry = entry.map_err(|error| ScriptError::Load(format!("cannot list `{}`: {error}", folder.display())))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_file() && name.ends_with(".rhai") && !name.ends_with(".d.rhai") {
            let path = entry.into_path();
            let text = fs::read_text(&path).map_err(|error| ScriptError::Load(error.to_string()))?;
            files.push(File { origin, name, is_module, path: Some(path), text });
        }
    }
    Ok(files)
}
