//! A disk that goes wrong at any one step of a turn: in the log, in git's objects and refs, in the workspace's files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use faos::playback::Reply;
use faos::workspace::{Versions, Workspace};

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

const APP: &str =
    "app.py\n```python\nprint(\"hello\")\n```\n\nold.txt\n```\nnew\n```\n\n```run\necho ran > ran.txt\n```\n";

/// Without FAOS_TEST_ROUNDS, which asks for all, one of so many steps.
const STRIDE: usize = 9;

fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("broken_disk.c"), folder.join("broken_disk.so"));
    std::fs::write(&source, include_str!("support/broken_disk.c")).unwrap();
    let compiled = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(compiled.unwrap().success());
    library
}

#[test]
fn a_disk_that_fails_at_any_step_of_a_turn_harms_nothing_that_was_shown_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path());
    let stride = if std::env::var_os("FAOS_TEST_ROUNDS").is_some() { 1 } else { STRIDE };
    for (first, how) in ["full", "short", "io"].into_iter().enumerate() {
        let mut at = first * stride / 3;
        let mut ends = BTreeSet::new();
        while let Some(code) = turn(&library, how, at) {
            ends.insert(code);
            at += stride;
        }
        eprintln!("{how}: {at} steps, exit codes {ends:?}");
        assert!(at > 60, "{how}: a turn has more than {at} steps");
        assert!(ends.contains(&1), "{how}: {ends:?}");
    }
}

/// A turn on a disk that fails at this step, and another on one that is well again; `None` where the turn has no such step.
fn turn(library: &Path, how: &str, at: usize) -> Option<i32> {
    let server = serve([APP, "Done.\n", "Done.\n", "Done.\n"].map(Reply::text));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.write("workspace/old.txt", "old\n");
    let (workspace, told) = (env.workspace(), env.root().join("told"));
    let mut command =
        env.faos(["-w", workspace.to_str().unwrap(), "--no-scripts", "--sandbox", "off", "-p", "write it"]);
    command.env("LD_PRELOAD", library).env("BROKEN_BELOW", env.root()).env("BROKEN_HOW", how);
    command.env("BROKEN_AT", at.to_string()).env("BROKEN_TOLD", &told).stdin(Stdio::null());
    let broken = env.start(&mut command).finish();
    if !told.exists() {
        return None;
    }
    let place = format!("{how} at {at}: {:?}\n{}{}", broken.code, broken.stdout, broken.stderr);
    assert!(matches!(broken.code, Some(0 | 1)), "{place}");
    assert!(broken.code == Some(0) || broken.stderr.contains("error: "), "{place}");
    assert!(!broken.stderr.contains("panicked") && !broken.stderr.contains("internal error"), "{place}");
    let asked = server.requests().len();
    assert!(asked == 0 || broken.stdout.contains("print(\"hello\")"), "what came stays on the screen: {place}");

    let again = env.run(["resume", "--last", "--no-scripts", "--sandbox", "off", "-p", "go on"]);
    let place = format!("{place}\nthen {:?}\n{}{}", again.code, again.stdout, again.stderr);
    if env.sessions().is_empty() {
        assert_eq!((asked, again.code), (0, Some(2)), "{place}");
        return broken.code;
    }
    assert_eq!(again.code, Some(0), "{place}");
    let records = env.session().records();
    let of = |kind: &str| records.iter().filter(|record| record["type"] == kind).count();
    assert!(asked == 0 || of("user_message") == 2, "what was sent was kept: {place}");
    assert!(of("reply_finished") >= usize::from(broken.stderr.contains("wrote app.py")), "{place}");
    let mut versions = Versions::open(&env.session().path().join("versions")).unwrap();
    let newest = versions.newest().expect("a version of the second message");
    let changes = versions.since(&Workspace::open(&workspace).unwrap(), newest).unwrap();
    assert!(changes.is_empty(), "the workspace is the newest version: {changes:?} {place}");
    let old = env.read("workspace/old.txt");
    assert!(old == "old\n" || old == "new\n", "a file is never half there: {place}");
    if broken.stderr.contains("wrote app.py") {
        assert_eq!((env.read("workspace/app.py").as_str(), old.as_str()), ("print(\"hello\")\n", "new\n"), "{place}");
    }
    let git = env
        .command("git")
        .arg("--git-dir")
        .arg(env.session().path().join("versions"))
        .args(["fsck", "--strict"])
        .output();
    let git = git.unwrap();
    assert!(git.status.success(), "{}{place}", String::from_utf8_lossy(&git.stderr));
    broken.code
}
