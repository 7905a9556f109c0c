//! A run of next to nothing through the sandbox, beside the system's bubblewrap with the same mounts, in turns.

use std::fs;
use std::path::Path;
use std::process::Command;

use faos::base::report::{Backend, Network};
use faos::sandbox::{Choice, Limits, Options, Sandbox, Spec, View};
use tokio_util::sync::CancellationToken;

use crate::table::{Mark, Row};
use crate::{Bench, Outcome, child, millis};

/// The program of both; ours wraps it into a script for bash, so bubblewrap starts bash too.
const SCRIPT: &str = "exec /bin/true";
/// Runs for each one of the other rows: a run is short, and the machine is not quiet.
const TIMES: usize = 9;

pub fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let workspace = bench.folder.join("workspace");
    let options = Options {
        backend: Choice::Only(Backend::Ns),
        helper: Some(bench.options.program.clone()),
        ..Options::default()
    };
    let sandbox = Sandbox::open(&options)?;
    let run = |script: &str| -> Outcome<(f64, String)> {
        let spec = Spec {
            script,
            stdin: &[],
            workspace: &workspace,
            view: View::Direct,
            protected: &[],
            output: None,
            limits: &Limits::default(),
            network: Network::Off,
            packages: None,
        };
        let begun = std::time::Instant::now();
        let finished = sandbox.run(&spec, &CancellationToken::new(), &mut |_| {})?;
        let took = millis(begun.elapsed());
        match finished.report.succeeded() {
            true => Ok((took, finished.stdout)),
            false => Err(format!("{:?}: {}", finished.report.exit, finished.stderr).into()),
        }
    };
    let script = bench.folder.join("true.sh");
    fs::write(&script, SCRIPT)?;
    let arguments = bubblewrap(&run("cat /proc/self/mountinfo")?.1, &workspace, &script)?;
    let (mut limit, mut ours, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.options.runs * TIMES {
        bare.push(millis(child::run(Command::new("bash").args(["-eo", "pipefail"]).arg(&script))?.wall));
        limit.push(millis(child::run(Command::new("/usr/bin/bwrap").args(&arguments).env_clear())?.wall));
        ours.push(run(SCRIPT)?.0);
    }
    Ok(vec![
        Row {
            what: "/bin/true in the sandbox, against bwrap",
            unit: "ms",
            limit,
            ours: ours.clone(),
            mark: Mark::Ratio(1.1),
        },
        Row { what: "/bin/true in the sandbox, against none", unit: "ms", limit: bare, ours, mark: Mark::AtMost(25.0) },
    ])
}

/// What makes the same mounts, as a run sees them.
fn bubblewrap(mounts: &str, workspace: &Path, script: &Path) -> Outcome<Vec<String>> {
    let mut all: Vec<String> =
        ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
            .map(str::to_owned)
            .into();
    let mut add = |words: &[&str]| all.extend(words.iter().map(|word| (*word).to_owned()));
    for name in ["/bin", "/sbin", "/lib", "/lib64"] {
        if let Ok(target) = fs::read_link(name) {
            add(&["--symlink", target.to_str().ok_or("a path is no text")?, name]);
        }
    }
    let mut found = Vec::new();
    for line in mounts.lines() {
        let (before, after) = line.split_once(" - ").ok_or("no line of mountinfo")?;
        let at = before.split(' ').nth(4).ok_or("no line of mountinfo")?;
        found.push((at, after.split(' ').next().unwrap_or_default()));
    }
    // What is mounted below another mount comes after it.
    found.sort_by_key(|(at, _)| at.len());
    let mut count = 0;
    for (at, kind) in found {
        match (at, kind) {
            ("/", _) => continue,
            ("/dev", _) => add(&["--dev", "/dev"]),
            ("/proc", _) => add(&["--proc", "/proc"]),
            _ if at.starts_with("/dev/") || at.starts_with("/proc/") => continue,
            (_, "tmpfs") => add(&["--tmpfs", at]),
            _ if Path::new(at) == workspace => add(&["--bind", at, at]),
            _ => add(&["--ro-bind", at, at]),
        }
        count += 1;
    }
    if count < 10 {
        return Err(format!("only {count} mounts were seen:\n{mounts}").into());
    }
    let workspace = workspace.to_str().ok_or("a path is no text")?;
    let script = script.to_str().ok_or("a path is no text")?;
    add(&["--ro-bind", script, "/script", "--remount-ro", "/", "--chdir", workspace, "--", "/bin/bash", "-eo"]);
    add(&["pipefail", "/script"]);
    Ok(all)
}
