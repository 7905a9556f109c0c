//! A home, a settings folder and a workspace of a test's own, and `faos` run in them with nothing else from outside.
//!
//! Whatever a test starts here ends with it: each process has a deadline and dies when its handle is dropped.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Output, Running};
use super::redact;
use super::terminal::Terminal;

/// Long enough for a loaded machine: only a test that fails ever waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct TestEnv {
    temp: TempDir,
    variables: Vec<(OsString, OsString)>,
    deadline: Duration,
}

impl TestEnv {
    pub fn new() -> Self {
        let temp = TempDir::with_prefix("faos-test-").unwrap();
        for folder in ["home", "faos", "workspace", "cwd"] {
            fs::create_dir(temp.path().join(folder)).unwrap();
        }
        Self { temp, variables: Vec::new(), deadline: DEADLINE }
    }

    /// Sets a variable for every process that is started from now on.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.variables.push((name.into(), value.into()));
    }

    /// Every `faos` started from now on talks to this server.
    pub fn set_endpoint(&mut self, url: &str) {
        self.set("FAOS_ENDPOINT", url);
    }

    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    pub fn root(&self) -> &Path {
        self.temp.path()
    }

    /// `HOME`.
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `FAOS_HOME`: settings, prompts, scripts, sessions, state.
    pub fn faos_home(&self) -> PathBuf {
        self.root().join("faos")
    }

    /// A folder to name with `-w`; the processes' own folder is another one, `cwd`.
    pub fn workspace(&self) -> PathBuf {
        self.root().join("workspace")
    }

    /// Writes a file below the root, with its folders: `workspace/src/app.py`, `faos/config.toml`.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let full = self.root().join(path);
        fs::read_to_string(&full).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"))
    }

    /// Runs `faos` to its end.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.start(self.faos(arguments).stdin(Stdio::null())).finish()
    }

    /// Runs `faos` to its end with a pipe that holds `stdin` and is then closed.
    #[track_caller]
    pub fn run_with_stdin<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, stdin: &str) -> Output {
        let mut running = self.spawn(arguments);
        running.feed(stdin);
        running.finish()
    }

    /// Starts `faos` with pipes at all three ends, to be spoken to, signalled or killed.
    #[track_caller]
    pub fn spawn<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        self.start(self.faos(arguments).stdin(Stdio::piped()))
    }

    /// Starts `faos` at a terminal of 80 columns and 24 rows.
    #[track_caller]
    pub fn at_terminal<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Terminal {
        self.at_terminal_of((80, 24), arguments)
    }

    #[track_caller]
    pub fn at_terminal_of<S: AsRef<OsStr>>(
        &self,
        size: (u16, u16),
        arguments: impl IntoIterator<Item = S>,
    ) -> Terminal {
        let mut command = self.faos(arguments);
        if !self.variables.iter().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        Terminal::start(command, size)
    }

    /// Starts any program in this environment, with the standard input that the command names.
    #[track_caller]
    pub fn start(&self, command: &mut Command) -> Running {
        Running::start(command, self.deadline)
    }

    /// `faos` in this environment, for what the methods above do not offer.
    pub fn faos<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_faos"));
        command.args(arguments);
        command
    }

    /// A program with an empty environment but for `PATH`, `LANG`, the folders of this one and what was set.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.root().join("cwd"));
        let kept = ["PATH", "LANG"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept).env("HOME", self.home()).env("FAOS_HOME", self.faos_home());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The sessions below `FAOS_HOME`, oldest name first.
    pub fn sessions(&self) -> Vec<SessionFolder> {
        let Ok(entries) = fs::read_dir(self.faos_home().join("sessions")) else { return Vec::new() };
        let mut folders: Vec<_> = entries.map(|entry| SessionFolder(entry.unwrap().path())).collect();
        folders.sort_by(|a, b| a.0.cmp(&b.0));
        folders
    }

    /// The one session there is.
    #[track_caller]
    pub fn session(&self) -> SessionFolder {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "one session was expected");
        sessions.remove(0)
    }

    /// Text without what differs from run to run: this environment's folder, ids, times, durations, ports.
    pub fn redact(&self, text: &str) -> String {
        redact::text(&text.replace(self.root().to_str().unwrap(), "[temp]"))
    }
}

/// A session as any program may read it: plain files.
pub struct SessionFolder(PathBuf);

impl SessionFolder {
    /// A session that is kept elsewhere than below `FAOS_HOME`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn id(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }

    /// `session.json`.
    pub fn identity(&self) -> Value {
        read_json(&self.0.join("session.json"))
    }

    /// Every whole line of `conversation.jsonl`.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("conversation.jsonl")).unwrap();
        json_lines(&text)
    }

    #[track_caller]
    pub fn records_of(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// Waits until the log holds this text, as JSON writes it.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let (text, file) = (serde_json::to_string(text).unwrap(), self.0.join("conversation.jsonl"));
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&changes, &file, inotify::WatchFlags::MODIFY).unwrap();
        while !fs::read_to_string(&file).unwrap().contains(text.trim_matches('"')) {
            let patience = Timespec::try_from(DEADLINE).unwrap();
            let changed = poll(&mut [PollFd::new(&changes, PollFlags::IN)], Some(&patience)).unwrap();
            assert_eq!(changed, 1, "the log never held {text}");
            rustix::io::read(&changes, &mut [0; 4096]).unwrap();
        }
    }

    /// `runs/NNNN/report.json`.
    #[track_caller]
    pub fn report(&self, run: u32) -> Value {
        read_json(&self.0.join(format!("runs/{run:04}/report.json")))
    }
}

#[track_caller]
fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// One JSON value a line.
#[track_caller]
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::Stdio;
    use std::time::Duration;

    use rustix::process::Signal;

    use super::{SessionFolder, TestEnv};

    fn shell(env: &TestEnv, script: &str) -> std::process::Command {
        let mut command = env.command("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        command
    }

    #[test]
    fn nothing_comes_in_from_outside() {
        let mut env = TestEnv::new();
        env.set("EXTRA", "1");
        env.set_endpoint("http://127.0.0.1:1");
        let output = env.start(&mut shell(&env, "env | cut -d= -f1 | sort; pwd")).finish();
        output.assert_code(0);
        let mut names: Vec<&str> =
            output.stdout.lines().filter(|name| !matches!(*name, "LANG" | "_" | "PWD" | "SHLVL" | "OLDPWD")).collect();
        let folder = names.pop().unwrap();
        assert_eq!(names, ["EXTRA", "FAOS_ENDPOINT", "FAOS_HOME", "HOME", "PATH"]);
        assert_eq!(env.redact(folder), "[temp]/cwd");
    }

    #[test]
    fn the_program_itself_is_found() {
        let env = TestEnv::new();
        env.run(["--version"]).assert_code(0);
        env.run_with_stdin(["--version"], "not read").assert_code(0);
        let mut running = env.spawn(["-w", env.workspace().to_str().unwrap(), "--version"]);
        assert!(running.pid() > 1);
        running.send("not read either");
        running.finish().assert_code(0);
    }

    #[test]
    fn lines_of_json_are_read() {
        let env = TestEnv::new();
        let print = |text: &str| env.start(&mut shell(&env, &format!("printf '{text}'"))).finish();
        assert_eq!(print("{\"a\": 1}\n").json()["a"], 1);
        assert_eq!(print("1\n2\n").stream_json(), [1, 2]);
    }

    #[test]
    fn both_outputs_and_the_exit_code_are_kept() {
        let env = TestEnv::new();
        let mut running = env.start(&mut shell(&env, "read line; echo \"got $line\"; echo oops >&2; exit 3"));
        running.feed("hello\n");
        let output = running.finish();
        output.assert_code(3);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("got hello\n", "oops\n"));
    }

    #[test]
    fn a_running_program_can_be_waited_for_and_signalled() {
        let env = TestEnv::new();
        let mut running =
            env.start(&mut shell(&env, "trap 'echo caught; exit 7' TERM; echo ready; read line; echo no"));
        running.wait_for_stdout("ready\n");
        running.signal(Signal::TERM);
        let output = running.finish();
        output.assert_code(7);
        assert_eq!(output.stdout, "ready\ncaught\n");
    }

    #[test]
    fn a_killed_program_has_no_code() {
        let env = TestEnv::new();
        let mut running = env.start(&mut shell(&env, "echo ready >&2; read line"));
        running.wait_for_stderr("ready");
        running.signal(Signal::KILL);
        let output = running.finish();
        assert_eq!((output.code, output.signal), (None, Some(9)));
    }

    #[test]
    fn a_deadline_kills_and_says_what_was_printed() {
        let mut env = TestEnv::new();
        env.set_deadline(Duration::from_millis(300));
        let running = env.start(&mut shell(&env, "echo last words; exec tail -f /dev/null"));
        let panic = catch_unwind(AssertUnwindSafe(|| running.finish().code)).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains("did not end within 300ms") && message.contains("last words"), "{message}");
    }

    #[test]
    fn sessions_are_read_as_plain_files() {
        let env = TestEnv::new();
        assert!(env.sessions().is_empty());
        let folder = "faos/sessions/20261122-200000-ab12";
        env.write(&format!("{folder}/session.json"), r#"{"id":"x"}"#);
        env.write(&format!("{folder}/conversation.jsonl"), "{\"type\":\"note\"}\n{\"type\":\"error\"}\n");
        env.write(&format!("{folder}/runs/0001/report.json"), r#"{"command":"true"}"#);
        let session = env.session();
        assert_eq!(session.id(), "20261122-200000-ab12");
        assert_eq!(session.identity()["id"], "x");
        assert_eq!((session.records().len(), session.records_of("error").len()), (2, 1));
        assert_eq!(session.report(1)["command"], "true");
        assert_eq!(SessionFolder::at(session.path()).id(), session.id());
        assert_eq!(env.read(&format!("{folder}/session.json")), r#"{"id":"x"}"#);
    }
}
