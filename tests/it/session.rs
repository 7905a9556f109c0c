//! Sessions between processes: who holds one, what a killed one leaves, and a disk that fills up.
//!
//! A test here runs twice: as itself, and, named to another copy of this binary with a folder in [`FOLDER`], as the
//! process that it talks with.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use faos::session::record::{DeltaKind, Entry};
use faos::session::{Session, SessionError, lock_workspace, read};

/// The folder of the other process; unset in the tests themselves.
const FOLDER: &str = "FAOS_TEST_FOLDER";

/// What the other process says when it got so far.
const READY: &str = "ready";

fn other_side() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// Another process in the same test; it waits for this side to let go.
struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn spawn(mut command: Command, test: &str, folder: &Path) -> Self {
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(FOLDER, folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let ready = output.by_ref().lines().any(|line| line.unwrap().ends_with(READY));
        assert!(ready, "the other process ended early");
        Self { child, output }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets go of it, and expects that its side of the test passes.
    fn finish(mut self) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
    }
}

/// Says that everything is as the test wants it, and waits for its end.
fn stay_until_killed() {
    let mut output = std::io::stdout();
    writeln!(output, "{READY}").and_then(|()| output.flush()).unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

fn this_binary() -> Command {
    Command::new(env::current_exe().unwrap())
}

fn said(text: &str) -> Entry {
    Entry::UserMessage { text: text.into() }
}

fn only_session(sessions: &Path) -> PathBuf {
    let mut folders = fs::read_dir(sessions).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.next().unwrap();
    assert_eq!(folders.next(), None);
    folder
}

#[test]
fn a_killed_holder_is_named_while_it_lives_and_taken_over_from_after() {
    match other_side() {
        Some(folder) => {
            let session = Session::create(&folder, None).unwrap();
            session.append(1, said("acknowledged"));
            session.sync_blocking().unwrap();
            session.append(1, Entry::ReplyDelta { kind: DeltaKind::Text, text: "streamed".into() });
            while read(session.folder()).unwrap().0.len() < 2 {
                std::thread::yield_now();
            }
            stay_until_killed();
        }
        None => {
            let home = tempfile::tempdir().unwrap();
            let test = "session::a_killed_holder_is_named_while_it_lives_and_taken_over_from_after";
            let other = Other::spawn(this_binary(), test, home.path());
            let folder = only_session(home.path());
            let Err(SessionError::Held { pid, .. }) = Session::open(&folder) else { panic!("it is held") };
            assert_eq!(pid, other.child.id());
            other.kill();
            let opened = Session::open(&folder).unwrap();
            assert_eq!(opened.repaired, Vec::<String>::new());
            let entries: Vec<&Entry> = opened.records.iter().map(|record| &record.entry).collect();
            let streamed = Entry::ReplyDelta { kind: DeltaKind::Text, text: "streamed".into() };
            assert_eq!(entries, [&said("acknowledged"), &streamed]);
            assert_eq!(opened.session.append(1, said("next")), 2);
        }
    }
}

#[test]
fn a_killed_holder_of_a_workspace_is_named_while_it_lives() {
    match other_side() {
        Some(folder) => {
            let _lock = lock_workspace(&folder.join("state"), &folder).unwrap();
            stay_until_killed();
        }
        None => {
            let home = tempfile::tempdir().unwrap();
            let test = "session::a_killed_holder_of_a_workspace_is_named_while_it_lives";
            let other = Other::spawn(this_binary(), test, home.path());
            let lock = || lock_workspace(&home.path().join("state"), home.path());
            let Err(SessionError::WorkspaceHeld { pid, .. }) = lock() else { panic!("it is held") };
            assert_eq!(pid, other.child.id());
            other.kill();
            lock().unwrap();
        }
    }
}

/// A limit on file sizes is a disk that fills up: the last write goes in by half, and the next one not at all.
#[test]
fn a_full_disk_harms_nothing_and_room_on_it_heals() {
    const TEST: &str = "session::a_full_disk_harms_nothing_and_room_on_it_heals";
    match other_side() {
        Some(folder) => fill_the_disk(&folder),
        None => {
            let home = tempfile::tempdir().unwrap();
            let mut shell = Command::new("sh");
            // An ignored signal stays ignored in the program that takes the shell's place.
            shell.args(["-c", "trap '' XFSZ; ulimit -S -f 16; exec \"$0\" \"$@\""]).arg(env::current_exe().unwrap());
            Other::spawn(shell, TEST, home.path()).finish();
            let opened = Session::open(&only_session(home.path())).unwrap();
            assert_eq!((opened.records.len(), opened.repaired), (101, Vec::new()));
        }
    }
}

fn fill_the_disk(folder: &Path) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Fsize);
    assert!(limit.current.is_some(), "the shell set a limit");
    let session = Session::create(folder, None).unwrap();
    let message = |number: u64| said(&format!("message {number} {}", "x".repeat(300)));
    for number in 0..100 {
        assert_eq!(session.append(1, message(number)), number);
    }
    let log = session.folder().join("conversation.jsonl");
    for _ in 0..2 {
        let told = session.sync_blocking().unwrap_err().to_string();
        let path = log.display();
        assert_eq!(told, format!("the session could not be kept: cannot write `{path}`: File too large (os error 27)"));
        let bytes = fs::read(&log).unwrap();
        assert!(bytes.ends_with(b"}\n") && bytes.len() as u64 > limit.current.unwrap() - 500, "{}", bytes.len());
        let (records, reports) = read(session.folder()).unwrap();
        assert!((1..100).contains(&records.len()) && reports.is_empty(), "{reports:?}");
    }
    setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit }).unwrap();
    session.append(1, message(100));
    session.sync_blocking().unwrap();
    let (records, reports) = read(session.folder()).unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), (0..101).collect::<Vec<_>>());
    assert_eq!(reports, Vec::<String>::new());
    stay_until_killed();
}
