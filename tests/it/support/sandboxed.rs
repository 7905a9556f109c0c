//! `faos sandbox` as root and as an ordinary user, in a workspace that either can reach.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Output, Running};

pub const BACKENDS: [&str; 3] = ["ns", "bwrap", "landlock"];
/// A user that no machine has.
pub const USER: u32 = 61_717;
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Who {
    Root,
    User,
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whoever this process can be.
pub fn everybody() -> Vec<Who> {
    if is_root() { vec![Who::Root, Who::User] } else { vec![Who::User] }
}

/// Said where people read it, whatever the harness does with a test's output.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "sandbox: {line}");
}

/// A program with an empty environment but for the system's own PATH: the tools of root are out of a user's reach.
pub fn as_who(who: Who, program: impl AsRef<Path>) -> Command {
    let mut command = if who == Who::User && is_root() {
        let mut command = Command::new("setpriv");
        let user = USER.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--inh-caps=-all", "--"]);
        command.arg(program.as_ref());
        command
    } else {
        Command::new(program.as_ref())
    };
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8");
    command
}

/// Gives a folder with all that is in it to the user who is not root.
pub fn give(path: &Path) {
    chown(path, Some(USER), Some(USER)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

/// This program where everybody can start it: where it was built may be somebody's own.
pub fn program_in(folder: &Path) -> PathBuf {
    let program = folder.join("faos");
    let built = env!("CARGO_BIN_EXE_faos");
    if fs::hard_link(built, &program).is_err() {
        copy_program(Path::new(built), &program);
    }
    program
}

/// By another process: a file that this one has open for writing while another test starts something cannot be started.
pub fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

pub struct Sandboxed {
    temp: TempDir,
    pub who: Who,
    pub backend: &'static str,
}

/// A run's output and its report.
pub struct Ran {
    pub output: Output,
    pub report: Value,
}

impl Ran {
    pub fn kind(&self) -> &str {
        self.report["exit"]["kind"].as_str().unwrap()
    }

    pub fn number(&self, name: &str) -> f64 {
        self.report[name].as_f64().unwrap()
    }
}

impl Sandboxed {
    pub fn new(backend: &'static str, who: Who) -> Self {
        let temp = TempDir::with_prefix("faos-sandboxed-").unwrap();
        for folder in ["ws", "home", "tmp"] {
            fs::create_dir(temp.path().join(folder)).unwrap();
        }
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if who == Who::User && is_root() {
            give(temp.path());
        }
        program_in(temp.path());
        Self { temp, who, backend }
    }

    /// Where this backend can run; where it cannot, that is said.
    pub fn here(backend: &'static str, who: Who) -> Option<Self> {
        let sandboxed = Self::new(backend, who);
        let output = Running::start(&mut sandboxed.command(&["--", "true"]), PATIENCE).finish();
        let works = output.code == Some(0);
        if !works {
            say(&format!("{backend} as {who:?}: not run: {}", output.stderr.lines().next().unwrap_or_default()));
        }
        works.then_some(sandboxed)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Writes a file that whoever it is owns.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        if self.who == Who::User && is_root() {
            give(self.temp.path());
        }
    }

    pub fn faos(&self, arguments: &[&str]) -> Command {
        let mut faos = as_who(self.who, self.path("faos"));
        faos.env("HOME", self.path("home")).env("FAOS_HOME", self.path("home/faos")).env("TMPDIR", self.path("tmp"));
        faos.args(arguments).current_dir(self.temp.path()).stdin(Stdio::null());
        faos
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut faos = self.faos(&["sandbox", "--sandbox", self.backend, "-w"]);
        faos.arg(self.path("ws")).args(arguments);
        faos
    }

    pub fn start(&self, limits: &[&str], script: &str) -> Running {
        let mut arguments = vec!["--report"];
        limits.iter().for_each(|limit| arguments.extend(["--limit", limit]));
        arguments.extend(["--", "bash", "-c", script]);
        Running::start(&mut self.command(&arguments), PATIENCE)
    }

    #[track_caller]
    pub fn run(&self, limits: &[&str], script: &str) -> Ran {
        self.ended(self.start(limits, script))
    }

    #[track_caller]
    pub fn ended(&self, running: Running) -> Ran {
        let output = running.finish();
        let report = output.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back();
        let report = report.unwrap_or_else(|| panic!("{} as {:?}: {}", self.backend, self.who, output.stderr));
        Ran { output, report }
    }
}
