//! Scripts against a host of plain values: no program is started, no file is read but the scripts themselves.

mod around;
mod contract;
mod documents;
mod functions;
mod hostile;
mod loading;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    FileWrite, HookRun, Host, Level, Options, Params, PromptEvent, ReplyEvent, RequestEvent, RunEvent, RunRequest,
    RunResult, ScriptError, Scripts, Setting, TurnEnd,
};
use crate::base::fs;
use crate::base::message::{Message, Role};
use crate::base::report::RunReport;
use crate::base::usage::Usage;

/// A workspace in memory, and everything that was asked of it.
#[derive(Clone, Default)]
pub(super) struct World {
    pub files: Arc<Mutex<BTreeMap<String, String>>>,
    pub said: Arc<Mutex<Vec<(Level, String)>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    pub ran: Arc<Mutex<Vec<RunRequest>>>,
}

impl World {
    pub fn host(&self) -> Box<dyn Host> {
        Box::new(self.clone())
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic").iter().map(|(_, text)| text.clone()).collect()
    }
}

impl Host for World {
    fn read(&mut self, path: &str) -> Result<String, String> {
        let files = self.files.lock().expect("no panic");
        files.get(path).cloned().ok_or_else(|| format!("there is no file `{path}`"))
    }

    fn write(&mut self, path: &str, content: &str) -> Result<(), String> {
        self.files.lock().expect("no panic").insert(path.to_owned(), content.to_owned());
        Ok(())
    }

    fn exists(&mut self, path: &str) -> bool {
        self.files.lock().expect("no panic").contains_key(path)
    }

    fn list(&mut self, _glob: &str) -> Result<Vec<String>, String> {
        Ok(self.files.lock().expect("no panic").keys().cloned().collect())
    }

    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String> {
        self.ran.lock().expect("no panic").push(request.clone());
        Ok(result(&request.cmd, i32::from(request.cmd.contains("false")), "out\n"))
    }

    fn ask(&mut self, question: &str) -> bool {
        self.asked.lock().expect("no panic").push(question.to_owned());
        true
    }

    fn say(&mut self, level: Level, text: &str) {
        self.said.lock().expect("no panic").push((level, text.to_owned()));
    }
}

pub(super) fn setting() -> Setting {
    Setting {
        session: "20261122-200000-abcd".to_owned(),
        turn: 1,
        attempt: 1,
        workspace: "/home/x/shop".to_owned(),
        model: "some-model".to_owned(),
        headless: false,
    }
}

pub(super) fn result(cmd: &str, code: i32, stdout: &str) -> RunResult {
    let report = RunReport { wall_s: 0.2, user_s: 0.1, ..RunReport::made_up(cmd, "/home/x/shop", code) };
    RunResult { cmd: cmd.to_owned(), report, stdout: stdout.to_owned(), stderr: String::new() }
}

pub(super) fn reply(actions: Vec<Value>, unnamed: Vec<Value>) -> ReplyEvent {
    ReplyEvent {
        text: "Here it is.".to_owned(),
        reasoning: String::new(),
        actions,
        unnamed,
        finish_reason: "stop".to_owned(),
        usage: Usage { requests: 1, prompt_tokens: 900, completion_tokens: 100, ..Usage::default() },
    }
}

/// A message without files.
pub(super) fn prompted(text: &str, source: &str) -> PromptEvent {
    PromptEvent { text: text.to_owned(), source: source.to_owned(), files: Vec::new() }
}

pub(super) fn write(path: &str, content: &str) -> FileWrite {
    FileWrite { path: path.to_owned(), lang: String::new(), old_text: None, content: content.to_owned() }
}

/// A request of the user's messages.
pub(super) fn request_event(messages: &[&str]) -> RequestEvent {
    RequestEvent {
        messages: messages.iter().map(|text| Message::new(Role::User, *text)).collect(),
        params: Params { temperature: Some(0.5), ..Params::default() },
        est_tokens: 7,
        context_limit: Some(4096),
        goes_on: false,
    }
}

pub(super) fn run_event(command: &str) -> RunEvent {
    let limits: Map<String, Value> =
        [("wall_s".to_owned(), json!(60)), ("cpu_s".to_owned(), json!(60))].into_iter().collect();
    RunEvent { command: command.to_owned(), source: "model".to_owned(), cwd: "/home/x/shop".to_owned(), limits }
}

pub(super) fn turn_end(verdict: &str, continues_left: u32) -> TurnEnd {
    TurnEnd {
        text: "Done.".to_owned(),
        files_changed: Vec::new(),
        runs: Vec::new(),
        verdict: verdict.to_owned(),
        continues: 0,
        continues_left,
    }
}

/// A user's and a project's folder with scripts in them.
pub(super) struct Folders {
    pub root: TempDir,
    pub options: Options,
}

impl Folders {
    /// Files by `user/NAME` and `project/NAME`.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let options = Options {
            user: Some(root.path().join("user")),
            project: Some(root.path().join("project")),
            trusted: None,
            // Tests are not optimised, and share a machine.
            budget: Some(Duration::from_secs(5)),
        };
        let folders = Self { root, options };
        files.iter().for_each(|(name, text)| folders.put(name, text));
        folders
    }

    /// As many handlers as there are texts, in the user's folder, with a budget that runs out soon.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.root.path().join(name);
        fs::make_folders(path.parent().expect("a folder")).expect("made");
        fs::replace(&path, text.as_bytes()).expect("written");
    }

    pub fn load(&self) -> Result<Scripts, ScriptError> {
        Scripts::load(&self.options)
    }
}

pub(super) fn load(files: &[(&str, &str)]) -> (Folders, Scripts) {
    let folders = Folders::with(files);
    let scripts = folders.load().expect("the scripts compile");
    (folders, scripts)
}

pub(super) fn load_error(name: &str, text: &str) -> String {
    let folders = Folders::with(&[(name, text)]);
    let Err(error) = folders.load() else { panic!("`{text}` was loaded") };
    error.to_string().replace(&format!("{}/", folders.root.path().display()), "")
}

pub(super) fn never() -> CancellationToken {
    CancellationToken::new()
}

/// Runs a test's async part, as the program does: on one thread.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

/// The records of this one script.
pub(super) fn of<'a>(hooks: &'a [HookRun], script: &str) -> Vec<&'a HookRun> {
    hooks.iter().filter(|hook| hook.script == script).collect()
}

/// Name and text of each file in that folder of the repository.
pub(super) fn texts_in(folder: &str) -> Vec<(String, String)> {
    let files = walkdir::WalkDir::new(repository(folder)).min_depth(1).sort_by_file_name();
    let text = |entry: walkdir::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read_text(entry.path()).expect("read"))
    };
    files.into_iter().map(|entry| text(entry.expect("listed"))).collect()
}

pub(super) fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
