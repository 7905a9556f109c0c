//! Runs in control groups of their own, where this machine has cgroup v2 with memory and processes to divide: the kernel
//! holds and counts them then, and nothing of it is left. A machine that has none is said to have none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use faos::playback::Reply;
use rustix::process::Signal;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;
use crate::support::process::Running;
use crate::support::sandboxed::{BACKENDS, Ran, Sandboxed, USER, Who, everybody, is_root, say};

const FOUR: &str =
    "for n in 1 2 3 4; do python3 -c 'import time; x = bytearray(b\"x\") * (100 << 20); time.sleep(2)' & done; wait";
const FORK_BOMB: &str = "bomb() { bomb | bomb & }; bomb; sleep 60";
/// Small files, which no process has as its memory.
const FILES: &str = "for n in $(seq 200); do head -c 1000000 /dev/zero > /dev/shm/$n; done; sleep 60";

/// A group as someone is given one, with nobody in it. It goes with the value.
struct Given(PathBuf);

impl Drop for Given {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        for group in self.below() {
            let _ = fs::remove_dir(self.0.join(group));
        }
        let begun = Instant::now();
        while fs::remove_dir(&self.0).is_err() && begun.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
    }
}

impl Given {
    /// Below the group that this process is in, or why not.
    fn new(who: Who) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("there is no cgroup v2")?;
        let own = Path::new("/sys/fs/cgroup").join(own);
        // Only the topmost group of all, and one that has been divided before, can have others below it here.
        let _ = fs::write(own.join("cgroup.subtree_control"), "+memory +pids");
        let divided = fs::read_to_string(own.join("cgroup.subtree_control")).unwrap_or_default();
        if !["memory", "pids"].iter().all(|name| divided.split_whitespace().any(|word| word == *name)) {
            return Err("this process's cgroup has no memory and processes to divide".to_owned());
        }
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let group = own.join(format!("test-{}-{number}", std::process::id()));
        fs::create_dir(&group).map_err(|error| format!("no cgroup can be made: {error}"))?;
        if who == Who::User && is_root() {
            for name in ["", "cgroup.procs", "cgroup.subtree_control"] {
                std::os::unix::fs::chown(group.join(name), Some(USER), Some(USER)).unwrap();
            }
        }
        Ok(Self(group))
    }

    /// The same command, started in this group.
    fn with(&self, command: &Command) -> Command {
        let mut inside = Command::new("bash");
        inside.args(["-c", "echo $BASHPID > \"$0\" && exec \"$@\""]).arg(self.0.join("cgroup.procs"));
        inside.arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
        inside
    }

    fn below(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().map(Result::unwrap);
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    fn control(&self) -> String {
        fs::read_to_string(self.0.join("cgroup.subtree_control")).unwrap()
    }

    #[track_caller]
    fn is_as_it_was(&self) {
        assert_eq!((self.below(), self.control().trim()), (BTreeSet::new(), ""), "{}", self.0.display());
    }
}

fn here(backend: &'static str, who: Who) -> Option<(Sandboxed, Given)> {
    match Given::new(who) {
        Ok(given) => Some((Sandboxed::here(backend, who)?, given)),
        Err(why) => {
            say(&format!("{backend} as {who:?} in a cgroup of its own: not run: {why}"));
            None
        }
    }
}

fn start(sandboxed: &Sandboxed, given: &Given, limits: &[&str], script: &str) -> Running {
    let limits = limits.iter().flat_map(|limit| ["--limit", limit]);
    let arguments: Vec<&str> = ["--report"].into_iter().chain(limits).chain(["--", "bash", "-c", script]).collect();
    Running::start(&mut given.with(&sandboxed.command(&arguments)), Duration::from_secs(120))
}

fn run(sandboxed: &Sandboxed, given: &Given, limits: &[&str], script: &str) -> Ran {
    let ran = sandboxed.ended(start(sandboxed, given, limits, script));
    given.is_as_it_was();
    ran
}

#[test]
fn the_kernel_counts_and_holds_a_run_in_its_own_group() {
    let backends = BACKENDS.into_iter().chain(["off"]);
    for (backend, who) in backends.flat_map(|backend| everybody().into_iter().map(move |who| (backend, who))) {
        let Some((sandboxed, given)) = here(backend, who) else { continue };
        let ran = run(&sandboxed, &given, &[], FOUR);
        let peak = ran.number("peak_memory_bytes") / f64::from(1 << 20);
        assert!((400.0..560.0).contains(&peak), "{backend} as {who:?}: {}", ran.report);
        let mut cases =
            vec![(&["memory_mib=300"], FOUR, "memory_limit"), (&["processes=40"], FORK_BOMB, "process_limit")];
        if ["ns", "bwrap"].contains(&backend) {
            cases.push((&["memory_mib=100"], FILES, "memory_limit"));
        }
        for (limits, script, kind) in cases {
            let ran = run(&sandboxed, &given, limits, script);
            let (method, about) = (&ran.report["peak_memory_method"], format!("{backend} as {who:?}: {}", ran.report));
            assert_eq!((ran.kind(), method.as_str()), (kind, Some("cgroup")), "{about}");
        }
    }
}

#[test]
fn a_group_goes_with_its_run_also_when_faos_is_killed() {
    for backend in BACKENDS {
        let Some((sandboxed, given)) = here(backend, everybody()[0]) else { continue };
        let mut running = start(&sandboxed, &given, &[], "echo begun; sleep 600");
        running.wait_for_stdout("begun\n");
        assert!(given.below().iter().any(|name| name.starts_with("faos-run-")), "{:?}", given.below());
        running.signal(Signal::KILL);
        running.finish();
        let begun = Instant::now();
        while !given.below().is_empty() || !given.control().trim().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{backend}: {:?}", given.below());
            std::thread::yield_now();
        }
        // What a helper leaves that is killed itself is removed by the next run.
        fs::create_dir(given.0.join("faos-run-4194305")).unwrap();
        run(&sandboxed, &given, &[], "true");
    }
}

#[test]
fn a_conversation_gives_its_group_back() {
    let Some((_, given)) = here("ns", everybody()[0]) else { return };
    let server = serve([Reply::text("Look.\n\n```run\necho seen\n```\n"), Reply::text("I see.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    let output = Running::start(&mut given.with(&env.faos(["look"])), Duration::from_secs(120)).finish();
    output.assert_code(0);
    assert_eq!(env.session().report(1)["peak_memory_method"], "cgroup", "{}", env.session().report(1));
    given.is_as_it_was();
}

#[test]
fn a_group_with_other_programs_in_it_is_left_alone() {
    let Some((sandboxed, given)) = here("ns", everybody()[0]) else { return };
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(given.0.join("cgroup.procs"), other.id().to_string()).unwrap();
    let ran = run(&sandboxed, &given, &[], "sleep 0.2");
    let mut doctor = given.with(&sandboxed.faos(&["doctor"]));
    let told = Running::start(&mut doctor, Duration::from_secs(120)).finish().stdout;
    other.kill().unwrap();
    other.wait().unwrap();
    assert_ne!(ran.report["peak_memory_method"], "cgroup", "{}", ran.report);
    assert!(told.contains("every 50 ms: other programs are in its cgroup"), "{told}");
    given.is_as_it_was();
}
