//! What the sandbox really holds, tried out: a run attempts what it must not be able to do, and the host looks.
//!
//! An attempt that could not succeed would prove nothing: without the sandbox (`off`) each of them does.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::wire::{Ended, Outcome};
use super::{Finished, Limits, Options, Sandbox, SandboxError, Spec, View, capabilities, cgroup, helper, hints, paths};
use crate::base::fs;
use crate::base::report::{Guarantee, MemoryMethod, Network};
use crate::base::temporary::TemporaryFolder;

const ATTEMPTS: &str = include_str!("attempts.bash");
const SECRET: &str = "what no run may read";
/// One MiB, the limit on a file in the attempts.
const MEBIBYTE: u64 = 1 << 20;

/// A guarantee, and what came of the attempt against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub guarantee: Guarantee,
    /// The backend gives it, and so a report names it.
    pub promised: bool,
    /// The attempt succeeded, or could not be made.
    pub got_through: bool,
    /// By what it is held, or why it is not.
    pub how: &'static str,
}

impl Tried {
    pub fn held(&self) -> bool {
        self.promised && !self.got_through
    }
}

/// What trying it out has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    pub tried: Vec<Tried>,
    /// What this machine makes weaker, a sentence each.
    pub degraded: Vec<String>,
    /// Why no cgroup holds the run's memory and processes and counts them.
    pub no_cgroup: Option<String>,
}

/// A program as a run finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    pub name: &'static str,
    /// The first line that it prints for `--version`; `None` where no run can start it.
    pub version: Option<String>,
    /// Where PATH finds it outside of the sandbox.
    pub outside: Option<PathBuf>,
}

impl Sandbox {
    /// A real run that does nothing: what fails here would fail for every run. It leaves no file, however it ends.
    pub(super) fn test(&self, options: &Options) -> Result<(), SandboxError> {
        let empty = Path::new(helper::EMPTY);
        let spec = Spec {
            script: "true",
            stdin: &[],
            workspace: empty,
            view: View::Empty,
            protected: &[],
            output: None,
            limits: &options.limits,
            network: Network::Off,
            packages: None,
        };
        let told = self.start(&spec, &CancellationToken::new(), &mut |_| {})?;
        match told.outcome {
            Outcome::Ended(ended) if !ended.watched && options.require.contains(&Guarantee::Limits) => {
                Err(hints::lacking(self.backend, &[Guarantee::Limits]))
            }
            Outcome::Ended(ended) if ended.code == Some(0) => {
                let Ended { setup_s, wall_s, .. } = ended;
                tracing::info!(backend = capabilities(self.backend).name, setup_s, wall_s, "sandbox ran its self-test");
                Ok(())
            }
            Outcome::Ended(ended) => {
                Err(hints::unavailable(self.backend, &format!("run `true` (it ended with {:?})", ended.kind), 0))
            }
            Outcome::NotSetUp { step, errno: 0 } => {
                let words = told.stderr.into_text();
                Err(hints::unavailable(self.backend, &format!("{step}: {}", words.trim()), 0))
            }
            Outcome::NotSetUp { step, errno } => Err(hints::unavailable(self.backend, &step, errno)),
        }
    }

    /// Tries each guarantee by a run with this network.
    pub fn try_out(&self, network: Network) -> Result<Findings, SandboxError> {
        let folder = Folder::new()?;
        let outside = folder.path().join("outside");
        let failed = |error: fs::FsError| SandboxError::Io(error.to_string());
        fs::make_folders(&outside).map_err(failed)?;
        fs::write_new(&outside.join("secret"), format!("{SECRET}\n").as_bytes()).map_err(failed)?;
        let stays = folder.workspace().join("stays");
        let failed = |what: &str, error: std::io::Error| SandboxError::Io(format!("cannot {what}: {error}"));
        mknodat(CWD, &stays, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .map_err(|error| failed("make a pipe for the self-test", error.into()))?;
        let listener =
            TcpListener::bind("127.0.0.1:0").map_err(|error| failed("listen on loopback for the self-test", error))?;
        let port = listener.local_addr().map_err(|error| failed("listen on loopback for the self-test", error))?.port();
        let limits = Limits { wall_s: 10.0, file_mib: 1, ..Limits::default() };
        let input = format!("{}\n{port}\n", outside.display());
        let finished = self.run_in(&folder, ATTEMPTS, &input, Bounds { limits: &limits, network })?;
        let report = &finished.report;
        let got_through = |guarantee: Guarantee| match guarantee {
            Guarantee::FsWrite => fs::exists(&outside.join("written")),
            Guarantee::FsRead => finished.stdout.contains(SECRET),
            Guarantee::Network => was_reached(&listener),
            Guarantee::Kill => report.processes_left_killed == 0 || is_held_open(&stays),
            Guarantee::Limits => {
                let size = fs::size(&folder.workspace().join("large"));
                !size.is_ok_and(|size| (1..=MEBIBYTE).contains(&size))
            }
        };
        let tried = report.guarantees.iter().chain(&report.missing).map(|guarantee| {
            let (promised, got_through) = (report.guarantees.contains(guarantee), got_through(*guarantee));
            let broken = promised && got_through;
            let how =
                if broken { "tried, and it did not hold" } else { capabilities(self.backend).how(*guarantee, network) };
            Tried { guarantee: *guarantee, promised, got_through, how }
        });
        let no_cgroup = (report.peak_memory_method != MemoryMethod::Cgroup)
            .then(|| cgroup::parent().err().unwrap_or_else(|| "it was tried, and could not be made".to_owned()));
        Ok(Findings { tried: tried.collect(), degraded: report.degraded.clone(), no_cgroup })
    }

    /// Which of these programs a run finds.
    pub fn tools(&self, names: &[&'static str]) -> Result<Vec<Tool>, SandboxError> {
        const ASK: &str = r#"while read -r tool; do
            command -v "$tool" > /dev/null || continue
            read -r version < <("$tool" --version 2>&1 < /dev/null) || true
            printf '%s\t%s\n' "$tool" "$version"
        done"#;
        let folder = Folder::new()?;
        let limits = Limits { wall_s: 5.0, ..Limits::default() };
        let bounds = Bounds { limits: &limits, network: Network::Off };
        let finished = self.run_in(&folder, ASK, &format!("{}\n", names.join("\n")), bounds)?;
        let version = |name: &str| {
            let mut lines = finished.stdout.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(tool, _)| *tool == name).map(|(_, version)| version.to_owned())
        };
        let tool = |name: &'static str| Tool { name, version: version(name), outside: paths::outside(name) };
        Ok(names.iter().map(|name| tool(name)).collect())
    }

    fn run_in(&self, folder: &Folder, script: &str, input: &str, bounds: Bounds<'_>) -> Result<Finished, SandboxError> {
        let spec = Spec {
            script,
            stdin: input.as_bytes(),
            workspace: &folder.workspace(),
            view: View::Direct,
            protected: &[],
            output: Some(folder.path()),
            limits: bounds.limits,
            network: bounds.network,
            packages: None,
        };
        self.run(&spec, &CancellationToken::new(), &mut |_| {})
    }
}

#[derive(Clone, Copy)]
struct Bounds<'a> {
    limits: &'a Limits,
    network: Network,
}

/// Whether somebody has connected.
fn was_reached(listener: &TcpListener) -> bool {
    // Where it cannot be asked, the attempt counts as one that got through.
    listener.set_nonblocking(true).is_err() || listener.accept().is_ok()
}

/// Whether a process still has the pipe open; one that is there is told to go.
fn is_held_open(pipe: &Path) -> bool {
    match open(pipe, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NXIO) => false,
        Err(_) => true,
        Ok(end) => {
            // Whether it listens or not: its own time runs out too.
            let _ = rustix::io::write(&end, b"\n");
            true
        }
    }
}

/// A folder of the self-test's own, with a workspace in it; it goes with the value.
struct Folder(TemporaryFolder);

impl Folder {
    fn new() -> Result<Self, SandboxError> {
        let failed = |error: fs::FsError| SandboxError::Io(error.to_string());
        let folder = Self(TemporaryFolder::make("faos-self-test-").map_err(failed)?);
        fs::make_new_folder(&folder.workspace()).map_err(failed)?;
        Ok(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn workspace(&self) -> PathBuf {
        self.path().join("workspace")
    }
}
