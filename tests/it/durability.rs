//! A disk that is full or that lies, and a session from a damaged one: what is whole stays, what is not is told.

use std::fs;
use std::path::Path;

use faos::playback::Reply;
use faos::session::{Session, read};
use faos::workspace::{Versions, Workspace};

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

const APP: &str = "app.py\n```python\nprint(\"hello\")\n```\n";

/// A session of two messages with a version each.
fn saved() -> TestEnv {
    let server = serve([APP, "app.py\n```python\nprint(\"bye\")\n```\n"].map(Reply::text));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.run(["--no-scripts", "write it"]).assert_code(0);
    env.run(["--no-scripts", "resume", "--last", "and again"]).assert_code(0);
    env
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(fs::copy(entry.path(), target))
        }
    }
}

#[test]
fn a_log_with_any_byte_damaged_opens_and_keeps_every_other_line() {
    let env = saved();
    let folder = env.session().path().to_owned();
    let log = folder.join("conversation.jsonl");
    let whole = fs::read(&log).unwrap();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
        .collect();
    let count = starts.len() - 1;
    for at in (0..whole.len()).step_by(64) {
        // One damaged byte costs the line that it is in, or two where it is the end between them.
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        fs::write(&log, &flipped).unwrap();
        let lost = if whole[at] == b'\n' { 2 } else { 1 };
        let (records, _) = read(&folder).unwrap();
        assert!(records.len() >= count - lost, "byte {at}: {} of {count}", records.len());
        let opened = Session::open(&folder).unwrap();
        assert!(opened.records.len() >= count - lost, "byte {at}");
        drop(opened);
        // A log that was cut has all lines before the cut.
        fs::write(&log, &whole[..at]).unwrap();
        let before = starts.iter().filter(|start| **start <= at).count() - 1;
        let opened = Session::open(&folder).unwrap();
        assert!(opened.records.len() >= before, "cut at {at}: {} of {before}", opened.records.len());
    }
}

#[test]
fn damaged_versions_open_or_say_why() {
    let env = saved();
    let session = env.session().path().to_owned();
    let copied = env.root().join("copy");
    copy(&session, &copied);
    let mut files = Vec::new();
    collect(&copied.join("versions"), &mut files);
    let workspace = env.root().join("elsewhere");
    let mut opened = 0;
    for file in files {
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(64) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            for damaged in [&flipped[..], &whole[..at]] {
                // git's own objects are read-only.
                fs::remove_file(&file).unwrap();
                fs::write(&file, damaged).unwrap();
                fs::create_dir_all(&workspace).unwrap();
                let files = Workspace::open(&workspace).unwrap();
                // Whatever comes of it, it is an answer: the files of the version as they were, or an error.
                if let Ok(mut versions) = Versions::open(&copied.join("versions"))
                    && versions.restore(&files, 2).is_ok()
                {
                    opened += 1;
                    let text = fs::read_to_string(workspace.join("app.py")).unwrap();
                    assert_eq!(text, "print(\"bye\")\n", "{} at {at}", file.display());
                }
                fs::remove_dir_all(&workspace).unwrap();
            }
        }
        fs::write(&file, whole).unwrap();
    }
    assert!(opened > 0, "some damage does not matter to this version");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() { collect(&entry.path(), files) } else { files.push(entry.path()) }
    }
}

/// A small disk of its own in a namespace: the session begins, fills it, is told so, and goes on once there is room.
#[test]
fn a_full_disk_is_an_error_with_a_way_on() {
    let server = serve(["One.\n", "Two.\n", "Three.\n"].map(Reply::text));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let mut number = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 56) as u8
    })
    .take(600_000)
    .collect();
    env.write("workspace/noise.bin", noise);
    fs::create_dir(env.root().join("disk")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=1500k tmpfs "$DISK"
        head -c 1000k /dev/urandom >"$DISK/filler"
        "$FAOS" -w "$WORK" --session-dir "$DISK/sessions" --no-scripts --sandbox off "hello"
        echo "first: $?"
        rm "$DISK/filler"
        "$FAOS" --session-dir "$DISK/sessions" --no-scripts --sandbox off resume --last "and now?"
        echo "second: $?"
    "#;
    let mut command = env.command("unshare");
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", script]);
    command.env("DISK", env.root().join("disk")).env("WORK", env.workspace());
    command.env("FAOS", env!("CARGO_BIN_EXE_faos")).stdin(std::process::Stdio::null());
    let output = env.start(&mut command).finish();
    assert!(output.stdout.contains("first: 1\n"), "{}\n{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("error: cannot keep a version"), "{}", output.stderr);
    assert!(output.stderr.contains("No space left on device"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: make room on that disk"), "{}", output.stderr);
    assert!(output.stdout.ends_with("second: 0\n"), "{}\n{}", output.stdout, output.stderr);
}

#[test]
fn a_killed_session_that_was_not_to_be_kept_goes_at_the_next_start() {
    let (reply, _gate) = crate::support::model_server::gated("begin", "end");
    let server = serve([reply, Reply::text("Done.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let temporary = env.root().join("tmp");
    fs::create_dir(&temporary).unwrap();
    env.set("TMPDIR", &temporary);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let left = || fs::read_dir(&temporary).unwrap().count();
    let mut running = env.spawn(["-w", &workspace, "--no-session", "--no-scripts", "--sandbox", "off", "-"]);
    running.feed("hello");
    running.wait_for_stdout("begin");
    assert_eq!(left(), 1);
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    assert_eq!(left(), 1);
    env.run(["-w", &workspace, "--no-session", "--no-scripts", "--sandbox", "off", "hello"]).assert_code(0);
    assert_eq!(left(), 0);
}

#[test]
fn of_a_huge_folder_only_what_the_model_changes_is_versioned() {
    let server = serve([Reply::text("src/f7.txt\n```\nnew\n```\n"), Reply::text("Done.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    fs::create_dir(env.workspace().join("src")).unwrap();
    for n in 0..=50_000 {
        fs::write(env.workspace().join(format!("src/f{n}.txt")), "").unwrap();
    }
    fs::write(env.workspace().join("src/f7.txt"), "old\n").unwrap();
    let workspace = env.workspace().to_str().unwrap().to_owned();
    let output = env.run(["-w", &workspace, "--no-scripts", "change one"]);
    output.assert_code(0);
    assert!(output.stderr.contains("too large for versions of all its files"), "{}", output.stderr);
    assert_eq!(env.read("workspace/src/f7.txt"), "new\n");
    let versions = Versions::open(&env.session().path().join("versions")).unwrap();
    let path = faos::base::path::RelPath::parse("src/f7.txt").unwrap();
    let held: Vec<_> = (0..3).map(|number| versions.read(number, &path).unwrap()).collect();
    assert_eq!(held, [None, Some(b"old\n".to_vec()), Some(b"new\n".to_vec())]);
}
