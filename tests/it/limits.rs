//! Each limit is hit by a program, and says so: what stopped it, when, and that nothing of it is left.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use faos::base::report::{Backend, ExitKind, Network};
use faos::sandbox::{self, Choice, Limits, Options, Sandbox, SandboxError, Spec, View};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::support::sandboxed::{BACKENDS, Ran, Sandboxed, Who, everybody, is_root, say};

/// What eats memory in steps, as programs do.
const HOG: &str = "python3 -c 'x = [bytearray(10 << 20) for n in range(100)]'";
const FOUR_HOGS: &str =
    "for n in 1 2 3 4; do python3 -c 'x = bytearray(b\"x\") * (100 << 20); input()' < <(sleep 60) & done; wait";
const FORK_BOMB: &str = "bomb() { bomb | bomb & }; bomb; sleep 60";

struct Case {
    limits: &'static [&'static str],
    script: &'static str,
    kind: &'static str,
    /// Seconds from its start to its end, at least and at most; a loaded machine may take a little longer. Of the
    /// processor where that is what is limited.
    seconds: (f64, f64),
}

const fn case(limits: &'static [&'static str], script: &'static str, kind: &'static str, seconds: (f64, f64)) -> Case {
    Case { limits, script, kind, seconds }
}

/// The grace between SIGTERM and SIGKILL is 2 s.
const CASES: &[Case] = &[
    case(&["wall_s=1"], "sleep 60", "wall_limit", (1.0, 1.2)),
    case(&["wall_s=1"], "trap '' TERM INT HUP; while :; do sleep 0.1; done", "wall_limit", (3.0, 3.3)),
    case(&["wall_s=1"], "trap 'echo late; exit 0' TERM; while :; do sleep 0.05; done", "wall_limit", (1.0, 1.4)),
    case(&["cpu_s=1"], "while :; do :; done", "cpu_limit", (1.0, 1.2)),
    case(&["cpu_s=1"], "(while :; do :; done) & (while :; do :; done) & wait", "cpu_limit", (1.0, 1.2)),
    case(&["memory_mib=200"], HOG, "memory_limit", (0.0, 10.0)),
    case(&["memory_mib=300"], FOUR_HOGS, "memory_limit", (0.0, 10.0)),
    case(&["processes=40"], "for n in $(seq 60); do sleep 60 & done; wait", "process_limit", (0.0, 5.0)),
    case(&["processes=40"], FORK_BOMB, "process_limit", (0.0, 5.0)),
    case(
        &["processes=40"],
        "python3 -c 'import threading, time; [threading.Thread(target=time.sleep, args=(60,)).start() for n in range(50)]'",
        "process_limit",
        (0.0, 5.0),
    ),
    case(&["file_mib=4"], "head -c 8000000 /dev/zero > large", "file_limit", (0.0, 5.0)),
    case(
        &["growth_mib=16"],
        "for n in $(seq 1000); do head -c 1000000 /dev/zero > large$n; done; sleep 60",
        "disk_limit",
        (0.0, 20.0),
    ),
    case(&["growth_mib=16"], "head -c 20000000 /dev/zero > large", "disk_limit", (0.0, 5.0)),
    case(&["growth_files=200"], "mkdir many; for n in $(seq 400); do : > many/$n; done", "disk_limit", (0.0, 20.0)),
    case(
        &["growth_files=2000"],
        "cd $(mktemp -d) && python3 -c 'for n in range(20000): open(str(n), \"w\")'; sleep 60",
        "disk_limit",
        (0.0, 20.0),
    ),
    case(&["output_mib=2"], "yes", "output_limit", (0.0, 5.0)),
    case(&["output_mib=2"], "yes >&2", "output_limit", (0.0, 5.0)),
];

fn check(sandboxed: &Sandboxed, case: &Case) {
    let Ran { output, report } = sandboxed.run(case.limits, case.script);
    let about = format!("{} as {:?}: {}\n{report}\n{}", sandboxed.backend, sandboxed.who, case.script, &output.stderr);
    assert_eq!(report["exit"]["kind"], case.kind, "{about}");
    assert_eq!(output.code, Some(124), "{about}");
    let seconds = |name: &str| report[name].as_f64().unwrap();
    let took = if case.kind == "cpu_limit" { seconds("user_s") + seconds("system_s") } else { seconds("wall_s") };
    assert!((case.seconds.0..=case.seconds.1).contains(&took), "{about}");
}

/// What a run could leave on the machine: processes that stand in its folders, mounts of them, temporary files.
fn leftovers(sandboxed: &Sandboxed) -> BTreeSet<String> {
    let base = sandboxed.path("");
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let own = pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at.starts_with(&base)));
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts = mounts.lines().filter(|line| line.contains(base.to_str().unwrap())).map(str::to_owned);
    let files = std::fs::read_dir(sandboxed.path("tmp")).unwrap().map(|entry| entry.unwrap().path());
    own.chain(mounts).chain(files.map(|path: PathBuf| path.display().to_string())).collect()
}

fn all_cases(backend: &'static str, who: Who) {
    let Some(_) = Sandboxed::here(backend, who) else { return };
    for case in CASES {
        let sandboxed = Sandboxed::new(backend, who);
        check(&sandboxed, case);
        assert_eq!(leftovers(&sandboxed), BTreeSet::new(), "{backend} as {who:?}: {}", case.script);
    }
}

#[test]
fn each_limit_stops_its_program_in_ns() {
    everybody().into_iter().for_each(|who| all_cases("ns", who));
}

#[test]
fn each_limit_stops_its_program_in_bwrap() {
    all_cases("bwrap", everybody()[0]);
}

#[test]
fn each_limit_stops_its_program_in_landlock() {
    all_cases("landlock", Who::User);
}

#[test]
fn memory_that_is_shared_is_counted_once() {
    let fork = "python3 -c '
import os, sys, time
x = bytearray(b\"x\") * (120 << 20)
children = [os.fork() or (time.sleep(0.4), os._exit(0)) for n in range(4)]
[os.wait() for n in range(4)]
'";
    for backend in BACKENDS {
        let Some(sandboxed) = Sandboxed::here(backend, Who::User) else { continue };
        let ran = sandboxed.run(&["memory_mib=400"], fork);
        assert_eq!(ran.kind(), "exited", "{backend}: {}", ran.report);
        let peak = ran.number("peak_memory_bytes") / f64::from(1 << 20);
        assert!((120.0..200.0).contains(&peak), "{backend}: {peak} MiB");
    }
}

#[test]
fn file_systems_in_memory_and_open_files_are_bounded() {
    let fill = "for at in /tmp /dev/shm $HOME; do python3 -c 'import os, sys
try:
    with open(sys.argv[1] + \"/fill\", \"wb\") as file:
        for n in range(4000): file.write(bytes(1 << 20))
except OSError as error: print(error.strerror)
' $at; rm -f $at/fill; done
python3 -c '
try: files = [open(\"/dev/null\") for n in range(5000)]
except OSError as error: print(error.strerror)
'";
    for backend in ["ns", "bwrap"] {
        let Some(sandboxed) = Sandboxed::here(backend, Who::User) else { continue };
        let ran = sandboxed.run(&["file_mib=4000", "memory_mib=600"], fill);
        let full = "No space left on device\n";
        assert_eq!(ran.output.stdout, format!("{full}{full}{full}Too many open files\n"), "{backend}: {}", ran.report);
        assert_eq!(ran.kind(), "exited", "{backend}");
    }
}

#[test]
fn a_cancelled_run_is_told_first_and_leaves_nothing() {
    for backend in BACKENDS {
        let Some(sandboxed) = Sandboxed::here(backend, everybody()[0]) else { continue };
        let mut running = sandboxed.start(&[], "trap 'echo told; exit 0' TERM; sleep 60 & echo begun; wait");
        running.wait_for_stdout("begun\n");
        running.signal(Signal::INT);
        let ran = sandboxed.ended(running);
        assert_eq!((ran.kind(), ran.output.code), ("cancelled", Some(130)), "{backend}: {}", ran.report);
        // Without namespaces the group is told, and then each of its processes.
        let mut lines: Vec<&str> = ran.output.stdout.lines().collect();
        lines.dedup();
        assert_eq!(lines, ["begun", "told"], "{backend}");
        assert_eq!(leftovers(&sandboxed), BTreeSet::new(), "{backend}");
    }
}

#[test]
fn a_program_that_is_killed_takes_everything_with_it() {
    for backend in BACKENDS {
        let Some(sandboxed) = Sandboxed::here(backend, everybody()[0]) else { continue };
        // At moments that fall before, into and after the preparation of the run.
        const STAYS: &str = "trap '' TERM HUP INT; sleep 600 & (setsid setsid sleep 600 &); echo begun; wait";
        for delay in [0, 3, 6, 9, 12, 16, 20, 30, 60, 500] {
            let mut running = sandboxed.start(&[], STAYS);
            if delay == 500 {
                running.wait_for_stdout("begun\n");
                assert!(leftovers(&sandboxed).len() >= 4, "what could be left is seen");
            }
            let until = Instant::now() + Duration::from_millis(delay);
            while Instant::now() < until {
                std::thread::yield_now();
            }
            running.signal(Signal::KILL);
            running.finish();
            let begun = Instant::now();
            while !leftovers(&sandboxed).is_empty() {
                let left = leftovers(&sandboxed);
                assert!(begun.elapsed() < Duration::from_secs(10), "{backend} after {delay} ms: {left:?}");
                std::thread::yield_now();
            }
        }
    }
}

/// Nobody is left then who would move it away.
#[test]
fn what_other_programs_obey_is_disarmed_when_faos_is_killed() {
    for backend in BACKENDS {
        let Some(sandboxed) = Sandboxed::here(backend, everybody()[0]) else { continue };
        let make = "mkdir -p .git/hooks sub/.faos; echo x > .git/hooks/pre-commit; echo begun; sleep 600";
        let mut running = sandboxed.start(&[], make);
        running.wait_for_stdout("begun\n");
        running.signal(Signal::KILL);
        running.finish();
        let begun = Instant::now();
        while [".git", "sub/.faos"].iter().any(|name| sandboxed.path("ws").join(name).exists()) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{backend}");
            std::thread::yield_now();
        }
        assert!(sandboxed.path("ws/.git.of-a-run-1/hooks/pre-commit").exists(), "{backend}");
        assert!(sandboxed.path("ws/sub/.faos.of-a-run-1").exists(), "{backend}");
    }
}

fn open(backend: Backend) -> Result<Sandbox, SandboxError> {
    let helper = Some(env!("CARGO_BIN_EXE_faos").into());
    Sandbox::open(&Options { backend: Choice::Only(backend), helper, ..Options::default() })
}

/// Ten in CI, a thousand by `tests/long/run`, which runs this test alone: open files can be counted then.
/// `None` where the backend cannot be had here, which is said.
fn opened(backend: Backend) -> Option<Sandbox> {
    open(backend).map_err(|error| say(&format!("{backend:?}: not run: {error}"))).ok()
}

#[test]
fn many_runs_in_a_row_and_at_once_leave_nothing() {
    let wanted = std::env::var("FAOS_TEST_RUNS").ok().map(|runs| runs.parse::<usize>().unwrap());
    let runs = wanted.unwrap_or(10);
    let held =
        || (std::fs::read_dir("/proc/self/fd").unwrap().count(), std::fs::read_to_string("/proc/self/mounts").unwrap());
    for backend in [Backend::Ns, Backend::Bwrap, Backend::Landlock] {
        let Some(sandbox) = opened(backend) else { continue };
        let folder = tempfile::TempDir::with_prefix("faos-many-").unwrap();
        let run = || {
            let spec = Spec {
                script: "echo out; echo err >&2; sleep 100 & exit 3",
                stdin: b"input",
                workspace: folder.path(),
                view: View::Direct,
                protected: &[],
                output: None,
                limits: &Limits::default(),
                network: Network::Off,
                packages: None,
            };
            let finished = sandbox.run(&spec, &CancellationToken::new(), &mut |_| {}).unwrap();
            let exit = finished.report.exit;
            assert_eq!((exit.kind, exit.code), (ExitKind::Exited, Some(3)), "{:?}", finished.report);
            assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        };
        run();
        let before = held();
        (0..runs).for_each(|_| run());
        for _ in 0..runs.div_ceil(20) {
            std::thread::scope(|scope| (0..20).for_each(|_| drop(scope.spawn(run))));
        }
        let (files, mounts) = held();
        assert_eq!(mounts, before.1, "{backend:?}");
        if wanted.is_some() {
            assert_eq!(files, before.0, "{backend:?}");
        }
        let at =
            |pid: &str| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at.starts_with(folder.path()));
        let pids =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        assert_eq!(pids.filter(|pid| at(pid)).count(), 0, "{backend:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{backend:?}");
    }
}

#[test]
fn a_scratch_copy_is_one_under_every_backend() {
    for backend in sandbox::BACKENDS {
        let Some(sandbox) = opened(backend) else { continue };
        let folder = tempfile::TempDir::with_prefix("faos-scratch-").unwrap();
        let (workspace, cache) = (folder.path().join("workspace"), folder.path().join("cache"));
        std::fs::create_dir_all(workspace.join("old/deep")).unwrap();
        std::fs::create_dir(&cache).unwrap();
        std::fs::write(workspace.join("old/deep/file"), "kept\n").unwrap();
        std::os::unix::fs::symlink("old/deep", workspace.join("link")).unwrap();
        let run = |script: &str, limits: &Limits| {
            let spec = Spec {
                script,
                stdin: &[],
                workspace: &workspace,
                view: View::Scratch { cache: &cache },
                protected: &[],
                output: None,
                limits,
                network: Network::Off,
                packages: None,
            };
            sandbox.run(&spec, &CancellationToken::new(), &mut |_| {}).unwrap()
        };
        let finished =
            run("cat link/file; rm -rf old; echo x > new; echo out > $FAOS_CACHE/out; ls", &Limits::default());
        assert_eq!(finished.stdout, "kept\nlink\nnew\n", "{backend:?}: {} {:?}", finished.stderr, finished.report);
        assert_eq!(std::fs::read_to_string(workspace.join("old/deep/file")).unwrap(), "kept\n", "{backend:?}");
        assert!(!workspace.join("new").exists() && cache.join("out").exists(), "{backend:?}");
        // Each file counts once, and the one who counts is given the time to see it.
        let twelve = "for n in {1..12}; do echo x > $n; done; sleep 2; ls | wc -l";
        let finished = run(twelve, &Limits { growth_files: 20, ..Limits::default() });
        assert_eq!(finished.report.exit.kind, ExitKind::Exited, "{backend:?}: {:?}", finished.report);
        if matches!(backend, Backend::Bwrap | Backend::Landlock) {
            let finished = run("true", &Limits { growth_files: 2, ..Limits::default() });
            assert_eq!(finished.report.exit.kind, ExitKind::SetupFailed, "{backend:?}");
            assert!(finished.stderr.contains("growth_files"), "{}", finished.stderr);
        }
    }
}

/// As in a container that hides parts of `/proc`: no new one can be mounted there.
#[test]
fn a_machine_that_hides_its_processes_is_told_of() {
    for (backend, who) in [("ns", Who::Root), ("ns", Who::User), ("bwrap", Who::Root), ("bwrap", Who::User)] {
        if who == Who::User || everybody().contains(&who) {
            hidden_processes(&Sandboxed::new(backend, who));
        }
    }
}

fn hidden_processes(sandboxed: &Sandboxed) {
    let faos = sandboxed.command(&["--report", "--", "bash", "-c", "echo ran"]);
    let mut hidden = std::process::Command::new("unshare");
    hidden.args([
        "--mount",
        "bash",
        "-c",
        "mount -t tmpfs none /proc/fs && mount --bind /dev/null /proc/keys && exec \"$0\" \"$@\"",
    ]);
    hidden.arg(faos.get_program()).args(faos.get_args()).stdin(std::process::Stdio::null()).env_clear();
    hidden.envs(faos.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = crate::support::process::Running::start(&mut hidden, Duration::from_secs(60)).finish();
    let report =
        output.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).next_back();
    match report {
        Some(report) => {
            assert_eq!((output.code, output.stdout.as_str()), (Some(0), "ran\n"), "{}", output.stderr);
            let without = report["missing"] == serde_json::json!(["limits"]);
            assert!(without || report["degraded"].to_string().contains("shows processes"), "{report}");
            assert!(report["degraded"].to_string().contains("/proc"), "{report}");
        }
        None => {
            // Who is not root can mount nothing over it in the first place.
            let why = output.stderr.lines().next().unwrap_or_default();
            say(&format!("a hidden /proc, {} as {:?}: not run: {why}", sandboxed.backend, sandboxed.who));
            assert!(!is_root() && !output.stdout.contains("ran"), "{}", output.stderr);
        }
    }
}

#[test]
fn a_run_that_cannot_be_set_up_says_why() {
    for backend in [Backend::Ns, Backend::Off] {
        let spec = Spec {
            script: "true",
            stdin: &[],
            workspace: "/no/such/folder".as_ref(),
            view: View::Direct,
            protected: &[],
            output: None,
            limits: &Limits::default(),
            network: Network::Off,
            packages: None,
        };
        let finished = open(backend).unwrap().run(&spec, &CancellationToken::new(), &mut |_| {}).unwrap();
        let exit = finished.report.exit;
        assert_eq!((exit.kind, exit.code, exit.signal), (ExitKind::SetupFailed, None, None));
        assert!(finished.stderr.contains("No such file or directory"), "{}", finished.stderr);
    }
}
