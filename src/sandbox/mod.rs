//! A script becomes a measured run: isolated, limited, reported. The only place that starts processes.
//!
//! The program starts itself again as a helper ([`helper`]), which makes the isolation and supervises the run; this
//! side starts it, feeds it and reads ([`host`]). A guarantee that was asked for and cannot be had stops the run.

mod backend;
mod cgroup;
mod helper;
mod hints;
mod host;
mod output;
mod own;
mod packages;
mod paths;
mod self_test;
mod wire;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use self::backend::{ALL as BACKENDS, Capabilities, Choice, capabilities};
use self::host::{Channels, Told};
pub use self::own::{edit_with, told_by};
pub use self::self_test::{Findings, Tool, Tried};
use self::wire::{Bounds, Ended, Folder, Layer, Order, Outcome};
use crate::base::fs;
use crate::base::report::{Backend, Exit, ExitKind, Guarantee, MemoryMethod, Network, RunReport};
pub use crate::base::streams::Stream;

/// What the user asked of the sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    pub backend: Choice,
    pub network: Network,
    /// Missing one of these stops the run (exit 5). Default: `fs-write network kill`.
    pub require: Vec<Guarantee>,
    /// Names of environment variables passed on beside the allow-list.
    pub environment: Vec<String>,
    pub limits: Limits,
    /// The program that is started as the helper; `None`: this one.
    pub helper: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Choice::Auto,
            network: Network::Off,
            require: vec![Guarantee::FsWrite, Guarantee::Network, Guarantee::Kill],
            environment: Vec::new(),
            limits: Limits::default(),
            helper: None,
        }
    }
}

/// Units are in the names. `validation_wall_s` replaces `wall_s` for validations.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub wall_s: f64,
    pub validation_wall_s: f64,
    /// CPU seconds of all processes; default: wall time × cores, at most two cores.
    pub cpu_s: Option<f64>,
    pub memory_mib: u64,
    pub processes: u64,
    pub file_mib: u64,
    pub growth_mib: u64,
    pub growth_files: u64,
    pub output_mib: u64,
}

impl Limits {
    /// What holds for a run of so many seconds where `cpu_s` says nothing.
    pub fn usual_cpu_s(wall_s: f64) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2));
        wall_s * cores as f64
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_s: 60.0,
            validation_wall_s: 300.0,
            cpu_s: None,
            memory_mib: 2048,
            processes: 256,
            file_mib: 256,
            growth_mib: 1024,
            growth_files: 50_000,
            output_mib: 64,
        }
    }
}

/// One run.
pub struct Spec<'a> {
    /// For `bash -eo pipefail`, in the workspace's root.
    pub script: &'a str,
    /// Empty where there is none.
    pub stdin: &'a [u8],
    pub workspace: &'a Path,
    pub view: View<'a>,
    /// Read-only inside (relative to the workspace).
    pub protected: &'a [PathBuf],
    /// Where `stdout.log`, `stderr.log` and `output.jsonl` are spooled and `quarantine` is made; exists. Without one the ends of both
    /// streams are kept in memory alone.
    pub output: Option<&'a Path>,
    pub limits: &'a Limits,
    pub network: Network,
    /// The session's folder for packages: a run with the network fetches them to there, the others find them.
    pub packages: Option<&'a Path>,
}

/// What a run sees at the workspace's path.
pub enum View<'a> {
    /// The workspace itself: what the run changes stays.
    Direct,
    /// A scratch copy: nothing written stays, but for the session's cache folder, at `$FAOS_CACHE`.
    Scratch { cache: &'a Path },
    /// An empty folder that goes with the run.
    Empty,
}

/// What came from one of the streams at once.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub stream: Stream,
    /// Of all chunks of the run, from 1.
    pub seq: u64,
    /// Seconds since the run began, its preparation included; in milliseconds.
    pub at_s: f64,
    pub bytes: &'a [u8],
}

/// The end of a run: its report (without `files_changed`, which needs versions) and what is kept of its output.
pub struct Finished {
    pub report: RunReport,
    /// Head and tail of what came, lossy UTF-8, not yet made printable.
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug, Error)]
pub enum SandboxError {
    /// A required guarantee cannot be had: mechanism, errno, and the way out in the hints.
    #[error("{message}")]
    Unavailable { message: String, hints: Vec<String> },
    #[error("{0}")]
    Io(String),
}

/// The sandbox in force for a session.
pub struct Sandbox {
    backend: Backend,
    /// What is started as the helper, and the file that it is.
    program: PathBuf,
    own_file: PathBuf,
    home: PathBuf,
    read_only: Vec<PathBuf>,
    environment: Vec<(String, String)>,
}

impl Sandbox {
    /// Chooses the backend by a self-test; fails where a required guarantee cannot be had.
    pub fn open(options: &Options) -> Result<Self, SandboxError> {
        let mut failures = Vec::new();
        for backend in options.backend.candidates() {
            let sandbox = Self::with(backend, options);
            if backend == Backend::Off {
                return Ok(sandbox);
            }
            let lacks = capabilities(backend).lacks(&options.require, options.network);
            let passed = match backend::is_absent(backend) {
                _ if !lacks.is_empty() => Err(hints::lacking(backend, &lacks)),
                Some(why) => Err(hints::absent(&why)),
                None => sandbox.test(options),
            };
            match passed {
                Ok(()) => return Ok(sandbox),
                Err(failure) => failures.push((backend, failure)),
            }
        }
        Err(hints::none_left(failures))
    }

    fn with(backend: Backend, options: &Options) -> Self {
        let home = env::var_os("HOME").map(PathBuf::from);
        // A user without a home is often given `/`, which stands for the whole of the root that a run sees.
        let home = home.filter(|home| home.is_absolute() && home.parent().is_some());
        let home = home.unwrap_or_else(|| PathBuf::from("/nonexistent"));
        let visible = paths::Visible::of(&home);
        let own_file = options.helper.clone().or_else(|| env::current_exe().ok());
        Self {
            backend,
            program: options.helper.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe")),
            own_file: own_file.unwrap_or_default(),
            environment: environment(&home, &visible, &options.environment),
            read_only: visible.read_only,
            home,
        }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Blocks until the run has ended and nothing of it is left; `cancel` ends it.
    /// `output` sees each chunk as it comes. A run that could not be set up is one that has ended so.
    pub fn run(
        &self,
        spec: &Spec<'_>,
        cancel: &CancellationToken,
        output: &mut dyn FnMut(&Chunk<'_>),
    ) -> Result<Finished, SandboxError> {
        let begun = Instant::now();
        let Told { outcome, stdout, stderr } = self.start(spec, cancel, output)?;
        let (ended, failure) = match outcome {
            Outcome::Ended(ended) => (ended, None),
            Outcome::NotSetUp { step, errno } => (Ended::never_begun(), Some(hints::failure(&step, errno))),
        };
        let mut report = self.report(spec, &ended);
        report.setup_s = (begun.elapsed().as_secs_f64() - report.wall_s).max(ended.setup_s);
        report.stdout_bytes = stdout.total;
        report.stderr_bytes = stderr.total;
        report.truncated = stdout.truncated || stderr.truncated;
        self.quarantine(spec, &ended, &mut report);
        tracing::info!(exit = ?report.exit, setup_s = report.setup_s, wall_s = report.wall_s, "sandbox ran");
        let mut stderr = stderr.into_text();
        stderr.extend(failure.map(|failure| format!("the sandbox could not be set up: {failure}\n")));
        if stderr.contains("AddressSanitizer failed to allocate") {
            stderr.push_str(
                "a run's memory limit leaves no room for AddressSanitizer: build without -fsanitize=address\n",
            );
        }
        Ok(Finished { report, stdout: stdout.into_text(), stderr })
    }

    fn start(
        &self,
        spec: &Spec<'_>,
        cancel: &CancellationToken,
        output: &mut dyn FnMut(&Chunk<'_>),
    ) -> Result<Told, SandboxError> {
        let channels = Channels { folder: spec.output, most_output: spec.limits.output_mib << 20, cancel, output };
        host::run(&self.program, &self.order(spec), spec.stdin, channels)
    }

    /// What other programs would obey is not left where they find it.
    fn quarantine(&self, spec: &Spec<'_>, ended: &Ended, report: &mut RunReport) {
        if self.backend == Backend::Off {
            return;
        }
        for path in &ended.obeyed {
            let name = path.display().to_string();
            let from = spec.workspace.join(path);
            // Gone again is as good.
            if !fs::exists(&from) {
                continue;
            }
            let moved = spec.output.map(|folder| fs::move_to(&from, &folder.join("quarantine").join(path)));
            match moved {
                Some(Ok(())) => report.quarantined.push(name),
                Some(Err(error)) => report.degraded.push(format!("`{name}` was made and is still there: {error}")),
                None => report.degraded.push(format!("`{name}` was made, and other programs obey what it says")),
            }
        }
    }

    fn order(&self, spec: &Spec<'_>) -> Order {
        let limits = spec.limits;
        let (layer, cache) = match spec.view {
            View::Direct => (Layer::Direct, None),
            View::Scratch { cache } => (Layer::Scratch, Some(cache)),
            View::Empty => (Layer::Empty, None),
        };
        let own_root = capabilities(self.backend).own_root;
        let (mut environment, mut folders) = (self.environment.clone(), Vec::new());
        if let Some(cache) = cache {
            let seen = if own_root { Path::new(helper::CACHE) } else { cache };
            environment.push(("FAOS_CACHE".to_owned(), seen.display().to_string()));
            folders.push(Folder { from: cache.into(), at: seen.into(), writable: true });
        }
        if let Some(packages) = spec.packages {
            let mounted = packages::mounted(packages, spec.network, own_root);
            let at = &mounted[0].at;
            let found = packages::environment(packages, at, spec.network);
            environment.retain(|(name, _)| found.iter().all(|(other, _)| other != name));
            environment.extend(found);
            let programs = at.join(packages::PROGRAMS);
            for (_, path) in environment.iter_mut().filter(|(name, _)| name == "PATH") {
                path.push_str(&format!(":{}", programs.display()));
            }
            folders.extend(mounted);
        }
        Order {
            script: spec.script.to_owned(),
            backend: self.backend,
            workspace: spec.workspace.into(),
            layer,
            folders,
            protected: spec.protected.iter().map(|path| path.as_path().into()).collect(),
            read_only: self.read_only.iter().map(|path| path.as_path().into()).collect(),
            home: self.home.as_path().into(),
            temporary: env::temp_dir().as_path().into(),
            program: self.own_file.as_path().into(),
            environment,
            network: spec.network == Network::Full,
            limits: Bounds {
                wall_s: limits.wall_s,
                cpu_s: limits.cpu_s.unwrap_or_else(|| Limits::usual_cpu_s(limits.wall_s)),
                memory: limits.memory_mib << 20,
                processes: limits.processes,
                file: limits.file_mib << 20,
                growth: limits.growth_mib << 20,
                growth_files: limits.growth_files,
            },
        }
    }

    fn report(&self, spec: &Spec<'_>, ended: &Ended) -> RunReport {
        let (peak_memory_bytes, peak_memory_method) = ended.peak_memory();
        let network = if self.backend == Backend::Off { Network::Full } else { spec.network };
        let (mut guarantees, mut missing) = capabilities(self.backend).guarantees(network);
        if !ended.watched && guarantees.contains(&Guarantee::Limits) {
            guarantees.retain(|guarantee| *guarantee != Guarantee::Limits);
            missing.push(Guarantee::Limits);
        }
        RunReport {
            command: spec.script.to_owned(),
            cwd: spec.workspace.display().to_string(),
            backend: self.backend,
            guarantees,
            missing,
            degraded: ended.degraded.clone(),
            network,
            wall_s: ended.wall_s,
            setup_s: ended.setup_s,
            user_s: ended.user_s,
            system_s: ended.system_s,
            peak_memory_bytes,
            peak_memory_method,
            processes_left_killed: ended.left_killed,
            written_bytes: ended.written,
            stdout_bytes: 0,
            stderr_bytes: 0,
            truncated: false,
            files_changed: Vec::new(),
            quarantined: Vec::new(),
            exit: Exit { kind: ended.kind, code: ended.code, signal: ended.signal },
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        cgroup::give_back();
    }
}

impl Ended {
    /// The best that is known, and how it is.
    fn peak_memory(&self) -> (u64, MemoryMethod) {
        match self.group_peak {
            Some(peak) => (peak, MemoryMethod::Cgroup),
            None if self.sampled_peak > self.largest_process => (self.sampled_peak, MemoryMethod::Sampled),
            None => (self.largest_process, MemoryMethod::LargestProcess),
        }
    }

    fn never_begun() -> Self {
        Self {
            kind: ExitKind::SetupFailed,
            code: None,
            signal: None,
            wall_s: 0.0,
            setup_s: 0.0,
            user_s: 0.0,
            system_s: 0.0,
            group_peak: None,
            sampled_peak: 0,
            largest_process: 0,
            written: 0,
            left_killed: 0,
            watched: true,
            degraded: Vec::new(),
            obeyed: Vec::new(),
        }
    }
}

/// The doorway of the re-executed helper: `Some(exit code)` where this process was started as one. First in `main`.
pub fn helper_main() -> Option<i32> {
    let is_helper = env::args_os().nth(1).is_some_and(|argument| argument == helper::ARGUMENT);
    is_helper.then(helper::main)
}

fn environment(home: &Path, visible: &paths::Visible, named: &[String]) -> Vec<(String, String)> {
    let path = visible.path.iter().cloned().chain([PathBuf::from(helper::OWN_PROGRAMS)]);
    let path = env::join_paths(path).unwrap_or_default().to_string_lossy().into_owned();
    let mut all = vec![
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), home.display().to_string()),
        ("TERM".to_owned(), "dumb".to_owned()),
        // An edit that keeps a file's size within the same second would otherwise run the old bytecode.
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ("FAOS_INSIDE".to_owned(), "1".to_owned()),
    ];
    let cargo_home = visible.cargo_home.as_ref();
    all.extend(cargo_home.map(|folder| ("CARGO_HOME".to_owned(), folder.display().to_string())));
    let passed = ["LANG", "TZ"].into_iter().chain(named.iter().map(String::as_str));
    all.extend(passed.filter_map(|name| Some((name.to_owned(), env::var(name).ok()?))));
    all
}
