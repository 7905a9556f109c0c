//! What a script may do to the world: workspace files, runs in the sandbox, a line for the user. Nothing else.
//!
//! Calls arrive on the engine's thread and block it alone.

use tokio::sync::mpsc;

use crate::base::path::RelPath;
use crate::core::event::Event;
use crate::core::limits::tightened;
use crate::core::op::Answers;
use crate::core::reading;
use crate::core::run::{Order, Runner};
use crate::core::tree::LARGEST_FILE;
use crate::core::view::RunSource;
use crate::scripting::{Host, Level, RunRequest, RunResult};
use crate::workspace::{Entry, FileOp, Workspace};

/// What the runs of a script see, and whether it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    Workspace,
    /// Validation: runs are on a scratch copy, and the workspace stays as it is.
    ScratchCopy,
}

pub struct ScriptHost {
    workspace: Workspace,
    runner: Option<Runner>,
    person: Person,
    sees: Sees,
}

/// Whoever sees what a script says and can be asked.
pub struct Person {
    pub events: mpsc::Sender<Event>,
    pub answers: Option<Answers>,
}

impl ScriptHost {
    pub fn new(workspace: Workspace, runner: Option<Runner>, person: Person, sees: Sees) -> Self {
        Self { workspace, runner, person, sees }
    }
}

impl Host for ScriptHost {
    fn read(&mut self, path: &str) -> Result<String, String> {
        let path = RelPath::parse(path).map_err(|why| format!("`{path}`: {why}"))?;
        let bytes = self.workspace.read(&path, LARGEST_FILE).map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("`{path}`: no such file"))?;
        String::from_utf8(bytes).map_err(|_| format!("`{path}` is no UTF-8 text"))
    }

    fn write(&mut self, path: &str, content: &str) -> Result<(), String> {
        if self.sees == Sees::ScratchCopy {
            return Err("a validation does not change the workspace".to_owned());
        }
        let path = RelPath::parse(path).map_err(|why| format!("`{path}`: {why}"))?;
        let step = FileOp::Write { path, content: content.as_bytes().to_vec() };
        self.workspace.apply(&[step]).map_err(|error| error.to_string())
    }

    fn exists(&mut self, path: &str) -> bool {
        RelPath::parse(path).is_ok_and(|path| !matches!(self.workspace.entry(&path), Entry::Absent))
    }

    fn list(&mut self, glob: &str) -> Result<Vec<String>, String> {
        reading::matching(&self.workspace, glob)
    }

    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String> {
        let runner = self.runner.as_ref().ok_or("runs are switched off")?;
        let scratch = self.sees == Sees::ScratchCopy;
        let mut base = runner.limits.clone();
        if scratch {
            base.wall_s = base.validation_wall_s;
        }
        let order = Order {
            source: if scratch { RunSource::Validation } else { RunSource::Script },
            command: &request.cmd,
            stdin: request.stdin.as_bytes(),
            limits: tightened(&base, &request.limits)?,
        };
        let ran = runner.run_for_script(&order).map_err(|error| error.to_string())?;
        Ok(RunResult { cmd: request.cmd.clone(), report: ran.report, stdout: ran.stdout, stderr: ran.stderr })
    }

    fn ask(&mut self, question: &str) -> bool {
        // Where nobody can be asked the answer is no.
        let Some(answers) = &self.person.answers else { return false };
        self.person.events.blocking_send(Event::Question(format!("a script asks: {question}"))).is_ok()
            && answers.wait()
    }

    fn say(&mut self, level: Level, text: &str) {
        let text = match level {
            Level::Info | Level::Notify => text.to_owned(),
            Level::Warning => format!("warning: {text}"),
            Level::Error => format!("error: {text}"),
        };
        // A front end that is gone is noticed by the conversation itself.
        let _ = self.person.events.blocking_send(Event::Notice(text));
    }
}
