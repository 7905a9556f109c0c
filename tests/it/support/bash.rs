//! A workspace on disk and plain bash in it, in the sandbox's place: what scripts that run things are tried on.
#![expect(clippy::expect_used, reason = "a test that cannot go on ends")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use faos::base::fs;
use faos::base::report::{Backend, RunReport};
use faos::scripting::{Host, Level, Options, RunRequest, RunResult, Scripts, Setting};
use tempfile::TempDir;

/// A workspace on disk, and bash in it.
#[derive(Clone)]
pub struct Bash {
    folder: Arc<TempDir>,
    /// For what a run leaves behind in the folder of temporary files.
    aside: Arc<TempDir>,
    environment: Vec<(String, PathBuf)>,
    /// The only folder of PATH, where there is one.
    path: Option<Arc<TempDir>>,
    /// Stand-ins for programs, which come first.
    programs: Option<Arc<TempDir>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Bash {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let bash = Self {
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            aside: Arc::new(tempfile::tempdir().expect("a folder")),
            environment: Vec::new(),
            path: None,
            programs: None,
            said: Arc::default(),
        };
        files.iter().for_each(|(path, text)| bash.put(path, text));
        bash
    }

    /// The same, on a machine that has no other programs than these.
    pub fn with_only(programs: &[&str], files: &[(&str, &str)]) -> Self {
        let path = tempfile::tempdir().expect("a folder");
        for program in programs {
            let found = std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))
                .map(|folder| folder.join(program))
                .find(|file| file.exists())
                .expect("a program");
            std::os::unix::fs::symlink(found, path.path().join(program)).expect("a link");
        }
        Self { path: Some(Arc::new(path)), ..Self::with(files) }
    }

    /// Puts a program into the place of a real one: what it prints was printed by that.
    pub fn add_program(&mut self, name: &str, script: &str) {
        let programs = self.programs.get_or_insert_with(|| Arc::new(tempfile::tempdir().expect("a folder")));
        let program = programs.path().join(name);
        fs::replace(&program, format!("#!/bin/bash\n{script}\n").as_bytes()).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("a program");
    }

    /// What the machine has, without what a test decides on.
    fn search_path(&self) -> String {
        let usual = self.path.as_ref().map_or_else(|| usual_programs(), |path| path.path());
        let own = self.programs.iter().map(|programs| programs.path());
        let folders: Vec<String> = own.chain([usual]).map(|folder| folder.display().to_string()).collect();
        folders.join(":")
    }

    pub fn copy_of(folder: &Path) -> Self {
        let bash = Self::with(&[]);
        for path in files_below(folder) {
            bash.put(&path, &fs::read_text(&folder.join(&path)).expect("text"));
        }
        bash
    }

    /// Sets a variable for every run.
    pub fn set(&mut self, name: &str, value: PathBuf) {
        self.environment.push((name.to_owned(), value));
    }

    pub fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::make_folders(path.parent().expect("a folder")).expect("made");
        fs::replace(&path, text.as_bytes()).expect("written");
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn root(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub fn files(&self) -> Vec<String> {
        files_below(self.folder.path())
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic").clone()
    }

    pub fn setting(&self) -> Setting {
        Setting {
            session: "20261122-200000-abcd".to_owned(),
            turn: 1,
            attempt: 1,
            workspace: self.root(),
            model: "some-model".to_owned(),
            headless: true,
        }
    }

    pub fn host(&self) -> Box<dyn Host> {
        Box::new(self.clone())
    }
}

impl Host for Bash {
    fn read(&mut self, path: &str) -> Result<String, String> {
        fs::read_text(&self.path(path)).map_err(|error| error.to_string())
    }

    fn write(&mut self, path: &str, content: &str) -> Result<(), String> {
        self.put(path, content);
        Ok(())
    }

    fn exists(&mut self, path: &str) -> bool {
        self.path(path).exists()
    }

    fn list(&mut self, _glob: &str) -> Result<Vec<String>, String> {
        Ok(self.files())
    }

    #[expect(clippy::disallowed_methods, reason = "the test's own stand-in for the sandbox")]
    fn run(&mut self, request: &RunRequest) -> Result<RunResult, String> {
        let stdin = self.aside.path().join("stdin");
        fs::replace(&stdin, request.stdin.as_bytes()).map_err(|error| error.to_string())?;
        let mut bash = Command::new("/bin/bash");
        bash.envs(self.environment.iter().map(|(name, value)| (name, value)));
        bash.env("PATH", self.search_path());
        let output = bash
            .args(["-eo", "pipefail", "-c", &request.cmd])
            .current_dir(self.folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", self.aside.path())
            .stdin(Stdio::from(fs::open_to_read(&stdin).map_err(|error| error.to_string())?))
            .output()
            .map_err(|error| error.to_string())?;
        fs::remove_file(&stdin).map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ok(report(&request.cmd, &self.root(), code, (&text(&output.stdout), &text(&output.stderr))))
    }

    fn ask(&mut self, _question: &str) -> bool {
        false
    }

    fn say(&mut self, _level: Level, text: &str) {
        self.said.lock().expect("no panic").push(text.to_owned());
    }
}

/// A machine may have these or not: where they are wanted, the test brings its own.
const LEFT_OUT: [&str; 6] = ["go", "gofmt", "just", "ruff", "shellcheck", "tsc"];

/// A folder with links to all other programs.
fn usual_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        fs::make_folders(&folder).expect("a folder");
        for from in std::env::split_paths(&std::env::var_os("PATH").expect("a PATH")) {
            for entry in walkdir::WalkDir::new(from).min_depth(1).max_depth(1).into_iter().filter_map(Result::ok) {
                let name = entry.file_name();
                if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
                    // The first of a name is the one that is found; another process may be at it, too.
                    let _ = std::os::unix::fs::symlink(entry.path(), folder.join(name));
                }
            }
        }
        folder
    })
}

fn files_below(folder: &Path) -> Vec<String> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("listed"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(folder).expect("below").to_string_lossy().into_owned())
        .collect()
}

/// The report of a run that ended with this code.
pub fn report(cmd: &str, cwd: &str, code: i32, (stdout, stderr): (&str, &str)) -> RunResult {
    let report =
        RunReport { backend: Backend::Off, user_s: 0.1, peak_memory_bytes: 0, ..RunReport::made_up(cmd, cwd, code) };
    RunResult { cmd: cmd.to_owned(), report, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// The scripts of the program alone.
pub fn built_in() -> Scripts {
    // Tests are not optimised, and share a machine.
    Scripts::load(&Options { budget: Some(Duration::from_secs(10)), ..Options::default() }).expect("they compile")
}

pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}
