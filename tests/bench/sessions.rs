//! Sessions: appending, opening again, listing many, a version of a large workspace beside git's own, the map.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use faos::session::Session;
use faos::session::record::{ActionKind, Applied, Entry};
use faos::workspace::{Versions, Workspace, map_with_signatures};

use crate::table::{Mark, Row};
use crate::{Bench, Outcome, child, millis};

/// The benchmark started again, to open a session and do nothing else.
pub const ARGUMENT: &str = "open-a-session";

const RECORDS: usize = 100_000;
const SESSIONS: usize = 10_000;
const FILES: usize = 10_000;
const CHANGED: usize = 10;

pub fn open(folder: &str) -> Outcome<()> {
    black_box(Session::open(Path::new(folder))?.records.len());
    // What the kernel tells of a child is never less than what the one that started it had.
    print!("{}", child::own_peak_kib()?);
    Ok(())
}

pub fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let mut rows = vec![append(bench)?];
    rows.extend(resume(bench)?);
    rows.push(list(bench)?);
    rows.push(version(bench)?);
    rows.push(map(bench)?);
    Ok(rows)
}

fn entry(number: usize) -> Entry {
    let path = format!("src/folder{}/file{number}.py", number % 100);
    Entry::ActionApplied { kind: ActionKind::Write, path, outcome: Applied::Applied, note: None }
}

fn append(bench: &Bench<'_>) -> Outcome<Row> {
    const TIMES: usize = 10_000;
    let mut ours = Vec::new();
    for _ in 0..bench.options.runs {
        let folder = tempfile::tempdir()?;
        let session = Session::create(folder.path(), None)?;
        let begun = Instant::now();
        for number in 0..TIMES {
            session.append(1, entry(number));
        }
        ours.push(begun.elapsed().as_secs_f64() * 1e6 / TIMES as f64);
    }
    Ok(Row { what: "a record appended, without fsync", unit: "µs", limit: Vec::new(), ours, mark: Mark::AtMost(20.0) })
}

fn resume(bench: &Bench<'_>) -> Outcome<[Row; 2]> {
    let folder = tempfile::tempdir()?;
    let session = Session::create(folder.path(), None)?;
    for number in 0..RECORDS {
        session.append(1, entry(number));
    }
    let path = session.folder().to_owned();
    session.close()?;
    let (mut wall, mut peak) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.runs {
        let cost = child::run(Command::new(std::env::current_exe()?).arg(ARGUMENT).arg(&path))?;
        wall.push(millis(cost.wall));
        peak.push(cost.printed.parse::<f64>()? * 1024.0 / 1e6);
    }
    let row = |what, unit, ours, most| Row { what, unit, limit: Vec::new(), ours, mark: Mark::AtMost(most) };
    Ok([
        row("100,000 records opened, wall", "ms", wall, 150.0),
        row("100,000 records opened, peak memory", "MB", peak, 100.0),
    ])
}

fn list(bench: &Bench<'_>) -> Outcome<Row> {
    let sessions = tempfile::tempdir()?;
    for number in 0..SESSIONS {
        let id = format!("20261122-{:06}-ab12", number);
        let folder = sessions.path().join(&id);
        fs::create_dir(&folder)?;
        let head = |seq: u32, kind: &str| {
            format!("{{\"v\":1,\"seq\":{seq},\"time\":\"2026-11-22T20:00:00.000Z\",\"turn\":1,\"type\":\"{kind}\",")
        };
        let system = "You write programs. ".repeat(200);
        let log = [
            format!(
                "{}\"session\":\"{id}\",\"workspace\":\"/w\",\"program\":\"faos\",\"system_prompt\":\"{system}\"}}\n",
                head(0, "session_started")
            ),
            format!("{}\"text\":\"make number {number}\"}}\n", head(1, "user_message")),
            format!("{}\"request\":1,\"messages\":2,\"feedback\":null,\"model\":\"m\"}}\n", head(2, "request_sent")),
            format!("{}\"kind\":\"text\",\"text\":\"{}\"}}\n", head(3, "reply_delta"), "word ".repeat(1000)),
            format!("{}\"verdict\":\"passed\",\"exit_code\":0}}\n", head(4, "turn_finished")),
        ];
        fs::write(folder.join("conversation.jsonl"), log.concat())?;
        let identity =
            format!("{{\"v\":1,\"id\":\"{id}\",\"created\":\"2026-11-22T20:00:00.000Z\",\"workspace\":null}}\n");
        fs::write(folder.join("session.json"), identity)?;
    }
    let mut ours = Vec::new();
    for _ in 0..bench.options.runs {
        let cost = child::run(bench.faos().args(["sessions", "list", "--session-dir"]).arg(sessions.path()))?;
        ours.push(millis(cost.wall));
    }
    Ok(Row { what: "sessions list of 10,000", unit: "ms", limit: Vec::new(), ours, mark: Mark::AtMost(150.0) })
}

/// Ten of 10,000 files change; git adds and commits, we keep a version.
fn version(bench: &Bench<'_>) -> Outcome<Row> {
    let (folder, repository) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fill(folder.path(), FILES)?;
    let git = |arguments: &[&str]| -> Outcome<()> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder.path()).args(["-c", "user.name=x", "-c", "user.email=x@localhost"]);
        // As ours, what git has committed is to last.
        command.args(["-c", "core.fsync=all", "-c", "core.fsyncMethod=batch", "-c", "gc.auto=0"]);
        child::run(command.args(arguments)).map(drop)
    };
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-qm", "begin"])?;
    let workspace = Workspace::open(folder.path())?;
    let mut versions = Versions::open(repository.path())?;
    versions.keep(&workspace, "begin")?;
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for run in 0..bench.options.runs {
        for number in 0..CHANGED {
            fs::write(file(folder.path(), number * 997 % FILES), format!("changed in run {run}\n"))?;
        }
        let begun = Instant::now();
        git(&["add", "-A"])?;
        git(&["commit", "-qm", "next"])?;
        limit.push(millis(begun.elapsed()));
        let begun = Instant::now();
        versions.keep(&workspace, "next")?.ok_or("nothing changed")?;
        ours.push(millis(begun.elapsed()));
    }
    Ok(Row { what: "a version of 10,000 files, 10 changed", unit: "ms", limit, ours, mark: Mark::Ratio(1.5) })
}

fn map(bench: &Bench<'_>) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    fill(folder.path(), 5_000)?;
    let mut ours = Vec::new();
    for _ in 0..bench.options.runs {
        let begun = Instant::now();
        let workspace = Workspace::open(folder.path())?;
        black_box(map_with_signatures(&workspace, &workspace.files()?, 4_000));
        ours.push(millis(begun.elapsed()));
    }
    Ok(Row { what: "the map of 5,000 files", unit: "ms", limit: Vec::new(), ours, mark: Mark::AtMost(1_000.0) })
}

fn file(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("src/part{}/file{number}.py", number % 100))
}

fn fill(folder: &Path, files: usize) -> Outcome<()> {
    for number in 0..files {
        let path = file(folder, number);
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        fs::write(path, format!("def function{number}(a, b):\n    return a + b + {number}\n").repeat(20))?;
    }
    Ok(())
}
