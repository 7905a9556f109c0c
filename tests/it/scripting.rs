//! The built-in scripts on real files: what a validator says of a workspace, what a guard refuses, what a model is shown.
//!
//! Runs are plain bash in a temporary copy; the programs are those of the recorded conversations.
#![expect(clippy::expect_used, reason = "a test that cannot go on ends")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faos::base::fs;
use faos::base::report::{Backend, ChangeKind, Exit, ExitKind, FileChange, MemoryMethod, Network, RunReport};
use faos::scripting::{
    FileWrite, Host, Level, Opinion, Options, ReplyDecision, ReplyEvent, RunDecision, RunEvent, RunRequest, RunResult,
    RunResultDecision, Scripts, Setting, Validation, WriteDecision,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A workspace on disk, and bash in it.
#[derive(Clone)]
struct Bash {
    folder: Arc<TempDir>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Bash {
    fn with(files: &[(&str, &str)]) -> Self {
        let bash =
            Self { folder: Arc::new(tempfile::tempdir().expect("a folder")), said: Arc::new(Mutex::new(Vec::new())) };
        files.iter().for_each(|(path, text)| bash.put(path, text));
        bash
    }

    fn copy_of(folder: &Path) -> Self {
        let bash = Self::with(&[]);
        for path in files_below(folder) {
            bash.put(&path, &fs::read_text(&folder.join(&path)).expect("text"));
        }
        bash
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::make_folders(path.parent().expect("a folder")).expect("made");
        fs::replace(&path, text.as_bytes()).expect("written");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn root(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn files(&self) -> Vec<String> {
        files_below(self.folder.path())
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic").clone()
    }

    fn setting(&self) -> Setting {
        Setting {
            session: "20261122-200000-abcd".to_owned(),
            turn: 1,
            attempt: 1,
            workspace: self.root(),
            model: "some-model".to_owned(),
            headless: true,
        }
    }

    fn host(&self) -> Box<dyn Host> {
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
        let stdin = self
            .folder
            .path()
            .parent()
            .expect("a folder")
            .join(format!("{}.stdin", self.folder.path().file_name().expect("a name").to_string_lossy()));
        fs::replace(&stdin, request.stdin.as_bytes()).map_err(|error| error.to_string())?;
        let output = Command::new("bash")
            .args(["-eo", "pipefail", "-c", &request.cmd])
            .current_dir(self.folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
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

fn files_below(folder: &Path) -> Vec<String> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("listed"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(folder).expect("below").to_string_lossy().into_owned())
        .collect()
}

fn report(cmd: &str, cwd: &str, code: i32, (stdout, stderr): (&str, &str)) -> RunResult {
    let report = RunReport {
        command: cmd.to_owned(),
        cwd: cwd.to_owned(),
        backend: Backend::Off,
        guarantees: Vec::new(),
        missing: Vec::new(),
        network: Network::Off,
        wall_s: 0.1,
        setup_s: 0.0,
        user_s: 0.1,
        system_s: 0.0,
        peak_memory_bytes: 0,
        peak_memory_method: MemoryMethod::Sampled,
        processes_left_killed: 0,
        written_bytes: 0,
        stdout_bytes: 0,
        stderr_bytes: 0,
        truncated: false,
        files_changed: Vec::new(),
        exit: Exit { kind: ExitKind::Exited, code: Some(code), signal: None },
    };
    RunResult { cmd: cmd.to_owned(), report, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

fn built_in() -> Scripts {
    // Tests are not optimised, and share a machine.
    Scripts::load(&Options { budget: Some(Duration::from_secs(10)), ..Options::default() }).expect("they compile")
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

fn validate(bash: &Bash) -> Vec<Validation> {
    let scripts = built_in();
    let (at, cancel) = (bash.setting(), CancellationToken::new());
    let hooked =
        wait(scripts.on_validate(&at, Vec::new(), bash.files(), bash.host(), &cancel)).expect("the thread lives");
    let broken: Vec<_> = hooked.hooks.iter().filter(|hook| hook.outcome == "failed").collect();
    assert!(broken.is_empty(), "{broken:?}");
    hooked.decision
}

/// The one opinion there is.
fn opinion(bash: &Bash) -> (Opinion, String) {
    let opinions = validate(bash);
    let [opinion] = opinions.as_slice() else { panic!("{opinions:?}") };
    (opinion.outcome, opinion.feedback.clone())
}

fn recorded(slug: &str, state: &str) -> Bash {
    Bash::copy_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validation").join(slug).join(state))
}

#[test]
fn finished_programs_pass() {
    for slug in [
        "01-todo",
        "02-csv-json",
        "06-backup-rotate",
        "07-snake",
        "09-notes-api",
        "10-shop-generator",
        "11-todo-followup",
        "12-bugfix",
    ] {
        let bash = recorded(slug, "passing");
        let before = bash.files();
        assert_eq!(opinion(&bash), (Opinion::Passed, String::new()), "{slug}");
        assert!(!bash.files().iter().any(|path| path.contains("__pycache__")), "{slug}");
        assert!(bash.files().len() >= before.len(), "{slug}");
    }
}

#[test]
fn first_replies_fail_with_what_a_model_needs() {
    for (slug, command, told) in [
        (
            "01-todo",
            "python3 -B -m unittest discover -p 'test*.py'",
            &["FAIL: ", "test_todo.py", "FAILED (failures=2)"][..],
        ),
        ("02-csv-json", "unittest discover", &["ERROR: ", "JSONDecodeError", "FAILED (errors=1)"]),
        ("07-snake", "unittest discover -s 'tests'", &["FAIL: ", "AssertionError", "FAILED (failures=1)"]),
        (
            "09-notes-api",
            "unittest discover",
            &["SQLite objects created in a thread can only be used in that same thread"],
        ),
    ] {
        let bash = recorded(slug, "failing");
        let (outcome, feedback) = opinion(&bash);
        assert_eq!(outcome, Opinion::Failed, "{slug}: {feedback}");
        assert!(feedback.starts_with('`') && feedback.contains(command), "{slug}: {feedback}");
        for part in told {
            assert!(feedback.contains(part), "{slug}: `{part}` is not in\n{feedback}");
        }
        assert!(!feedback.contains(&bash.root()), "{slug}: {feedback}");
        assert!(!feedback.contains("/unittest/"), "{slug}: {feedback}");
        assert!(feedback.chars().count() <= 6_500, "{slug}: {} characters", feedback.chars().count());
    }
}

#[test]
fn files_that_do_not_compile_fail_before_any_test() {
    let bash = Bash::with(&[
        ("good.py", "x = 1\n"),
        ("bad file.py", "def f(:\n    pass\n"),
        ("test_x.py", "import nothing\n"),
    ]);
    let (outcome, feedback) = opinion(&bash);
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("compiling the Python files failed"), "{feedback}");
    assert!(feedback.contains("File \"bad file.py\", line 1") && feedback.contains("SyntaxError"), "{feedback}");
}

#[test]
fn what_is_missing_from_the_sandbox_is_no_fault() {
    for (files, needs) in [
        (
            &[("app.py", "import no_such_package\n"), ("test_app.py", "import unittest\nimport app\n")][..],
            "needs no_such_package",
        ),
        (
            &[
                ("test_app.py", "import pytest\n\ndef test_it():\n    assert True\n"),
                ("pytest.py", "raise ImportError\n"),
            ],
            "needs pytest",
        ),
        (&[("a.py", "x = 1\n"), ("Makefile", "test:\n\tno-such-program a.py\n")], "needs no-such-program"),
    ] {
        let (outcome, feedback) = opinion(&Bash::with(files));
        assert_eq!((outcome, feedback.as_str()), (Opinion::None, needs));
    }
}

#[test]
fn a_module_that_the_project_should_have_is_a_fault() {
    let test = "import unittest\nimport shop\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        pass\n";
    let (outcome, feedback) = opinion(&Bash::with(&[("test_shop.py", test)]));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.contains("No module named 'shop'"), "{feedback}");
}

#[test]
fn a_projects_own_target_comes_first() {
    let failing = "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.fail()\n";
    let bash = Bash::with(&[("test_a.py", failing), ("Makefile", "all:\n\ntest :\n\t@echo own target\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Passed);
    let bash = Bash::with(&[("it's/shop_test.py", failing), ("latest.py", "raise SystemExit(7)\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Failed);
    let bash = Bash::with(&[("latest.py", "raise SystemExit(7)\n"), ("test_b.py", "x = 1\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Passed);
    let bash = Bash::with(&[("test_a.py", failing), ("package.json", "{\"scripts\": {\"build\": \"x\"}}")]);
    assert_eq!(opinion(&bash).0, Opinion::Failed);
}

#[test]
fn shell_scripts_must_be_readable_for_bash() {
    let bash =
        Bash::with(&[("a.sh", "echo ok\n"), ("deep/run me", "#!/bin/bash\nif true; then\n"), ("notes.txt", "if (")]);
    let (outcome, feedback) = opinion(&bash);
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.contains("deep/run me: line"), "{feedback}");
    assert_eq!(validate(&Bash::with(&[("notes.txt", "if (")])), []);
}

fn write(path: &str, old: Option<&str>, content: &str) -> WriteDecision {
    let bash = Bash::with(&[]);
    let event = FileWrite {
        path: path.to_owned(),
        lang: String::new(),
        old_text: old.map(str::to_owned),
        content: content.to_owned(),
    };
    let (at, cancel) = (bash.setting(), CancellationToken::new());
    wait(built_in().on_file_write(&at, event, bash.host(), &cancel)).expect("lives").decision
}

#[test]
fn contents_are_tidied() {
    for (path, old, content, want) in [
        ("a.py", None, "x = 1\n", "x = 1\n"),
        ("a.py", None, "x = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        ("a.bat", None, "echo\r\n", "echo\r\n"),
        ("a.py", Some("x\r\n"), "x = 1\r\n", "x = 1\r\n"),
        ("a.py", None, "x = 1\n<|im_end|>\n", "x = 1\n"),
        ("a.py", None, "x = 1\n```\n", "x = 1\n"),
        ("a.md", None, "```\nx\n```\n", "```\nx\n```\n"),
        ("a.py", None, "s = '''\n```\nx\n```\n'''\n", "s = '''\n```\nx\n```\n'''\n"),
        ("a.py", None, "x = 1\n\n \n\n", "x = 1\n"),
        ("a.py", None, "", ""),
    ] {
        assert_eq!(write(path, old, content), WriteDecision::Go { content: want.to_owned() }, "{content:?}");
    }
}

#[test]
fn secrets_binaries_and_oversized_files_are_refused() {
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", "Ab1+".repeat(16));
    let large = "x = 1\n".repeat(200_000);
    for (path, content, why) in [
        ("id_rsa", key.as_str(), "a private key"),
        ("a.py", "k = 'AKIAQWERTYUIOPASDFGH'\n", "an AWS access key"),
        ("a.py", "t = 'ghp_abcdefghijklmnopqrstuvwxyzABCDEF1234'\n", "a GitHub token"),
        ("a.png", "iVBOR\n", "a .png file is binary"),
        ("a.bin", "a\0b\n", "its content is binary"),
        ("a.py", large.as_str(), "1200000 bytes"),
    ] {
        let WriteDecision::Denied { script, why: told } = write(path, None, content) else {
            panic!("{path} was let through")
        };
        assert_eq!(script, "built-in/30-guard.rhai");
        assert!(told.contains(why), "{told}");
    }
    for (old, content) in [
        (None, "if '-----BEGIN PRIVATE KEY-----' in text:\n    pass\n"),
        (None, "k = 'AKIAIOSFODNN7EXAMPLE'\n"),
        (None, "k = os.environ['AWS_KEY']  # AKIA...\n"),
        (Some("k = 'AKIAQWERTYUIOPASDFGH'\n"), "k = 'AKIAQWERTYUIOPASDFGH'  # old\n"),
        (Some(large.as_str()), large.as_str()),
    ] {
        assert!(matches!(write("a.py", old, content), WriteDecision::Go { .. }), "{}", &content[..20]);
    }
}

#[test]
fn only_a_lone_program_gets_a_name() {
    let block = |language: &str, content: &str| json!({"language": language, "content": content});
    let run = json!({"kind": "run", "script": "ls"});
    let decide = |actions: Vec<Value>, unnamed: Vec<Value>, present: &[(&str, &str)]| {
        let bash = Bash::with(present);
        let event = ReplyEvent {
            text: String::new(),
            reasoning: String::new(),
            actions,
            unnamed,
            finish_reason: "stop".to_owned(),
        };
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        let hooked = wait(built_in().on_reply(&at, event, bash.host(), &cancel)).expect("lives");
        let ReplyDecision::Go { actions } = hooked.decision else { panic!("{hooked:?}") };
        let path = actions.first().and_then(|action| action["path"].as_str()).map(str::to_owned);
        (path, bash.said())
    };
    for (language, content, path) in [
        ("python", "print(1)\n", Some("main.py")),
        ("Go", "package main\n", Some("main.go")),
        ("java", "public class Shop {}\n", Some("Shop.java")),
        ("", "#!/usr/bin/env bash\nls\n", Some("main.sh")),
        ("bash", "python3 main.py\n", None),
        ("python", ">>> print(1)\n1\n", None),
        ("text", "Hello\n", None),
        ("", "Hello\n", None),
    ] {
        let (named, said) = decide(vec![run.clone()], vec![block(language, content)], &[]);
        let named = named.filter(|_| !said.is_empty());
        assert_eq!(named.as_deref(), path, "{language} {content}");
    }
    let python = || block("python", "print(1)\n");
    let file = json!({"kind": "write", "path": "a.py", "content": "x\n"});
    assert_eq!(decide(vec![], vec![python(), python()], &[]), (None, vec![]));
    assert_eq!(decide(vec![file], vec![python()], &[]).1, Vec::<String>::new());
    let (path, said) = decide(vec![], vec![python()], &[("main.py", "kept\n")]);
    assert_eq!(path, None);
    assert_eq!(said, ["built-in/10-name-unnamed.rhai: a block without a path was not written: main.py exists already"]);
}

#[test]
fn a_project_is_run_as_it_is_by_custom() {
    let command = |files: &[(&str, &str)]| {
        let bash = Bash::with(files);
        let event = RunEvent {
            command: " ".to_owned(),
            source: "user".to_owned(),
            cwd: bash.root(),
            limits: serde_json::Map::new(),
        };
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        match wait(built_in().on_run(&at, event, bash.host(), &cancel)).expect("lives").decision {
            RunDecision::Go { command, .. } => command,
            RunDecision::Denied { why, .. } => format!("denied: {why}"),
        }
    };
    for (files, want) in [
        (&[("Makefile", "run: all\n\t./x\n"), ("main.py", "")][..], "make run"),
        (&[("package.json", "{\"scripts\": {\"start\": \"node x\"}}")], "npm start --silent"),
        (&[("snake/__main__.py", ""), ("snake/ui.py", "")], "python3 -m snake"),
        (&[("main.py", ""), ("other.py", "")], "python3 main.py"),
        (&[("todo.py", ""), ("test_todo.py", "")], "python3 todo.py"),
        (&[("report.py", "if __name__ == '__main__':\n    x()\n"), ("inventory.py", "")], "python3 report.py"),
        (&[("rotate me.sh", "#!/bin/bash\n"), ("test-rotate.sh", "#!/bin/bash\n")], "bash 'rotate me.sh'"),
        (&[("notes.txt", "")], "denied: nothing here tells how the project is run; name the command: /run COMMAND"),
    ] {
        assert_eq!(command(files), want);
    }
}

fn shown(result: RunResult) -> String {
    let bash = Bash::with(&[]);
    let mut at = bash.setting();
    result.report.cwd.clone_into(&mut at.workspace);
    let cancel = CancellationToken::new();
    let hooked = wait(built_in().on_run_result(&at, result, bash.host(), &cancel)).expect("lives");
    let RunResultDecision::Go { feedback: Some(feedback) } = hooked.decision else { panic!("{hooked:?}") };
    feedback
}

#[test]
fn a_run_is_shown_clean() {
    let stderr = "..F\nTraceback (most recent call last):\n  File \"/home/x/shop/app.py\", line 3, in <module>\n    main()\n  \
                  File \"/usr/lib/python3.11/json/decoder.py\", line 337, in decode\n    obj, end = self.raw_decode(s)\n               \
                  ^^^^\n  File \"/usr/lib/python3.11/json/decoder.py\", line 355, in raw_decode\n    raise JSONDecodeError\nValueError: no\n\
                  Ran 3 tests in 0.123s\n";
    let mut result = report("x", "/home/x/shop", 1, ("made /home/x/shop/out.txt\n", stderr));
    result.report.files_changed = vec![
        FileChange { path: "out.txt".to_owned(), kind: ChangeKind::Created },
        FileChange { path: "b.txt".to_owned(), kind: ChangeKind::Created },
        FileChange { path: "a.txt".to_owned(), kind: ChangeKind::Deleted },
    ];
    insta::assert_snapshot!(shown(result));
    assert_eq!(shown(report("x", "/w", 0, ("", ""))), "(no output)");
}

#[test]
fn a_long_run_is_shown_with_its_failing_part_first() {
    let noise = |from: usize| (from..from + 3_000).map(|n| format!("line {n} of the noise\n")).collect::<String>();
    let stdout = format!("{}FAIL: test_total\nexpected 149.44\n{}", noise(0), noise(5_000));
    let text = shown(report("x", "/w", 1, (&stdout, "make: *** [test] Error 1\n")));
    assert!(text.starts_with("--- stdout ---\nFAIL: test_total\nexpected 149.44\n"), "{text}");
    assert!(text.contains("line 0 of the noise") && text.contains("line 7999 of the noise"), "{text}");
    assert!(text.contains("characters left out") && text.ends_with("make: *** [test] Error 1"), "{text}");
    assert!(text.chars().count() <= 6_300, "{}", text.chars().count());
}
