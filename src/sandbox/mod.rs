//! A script becomes a measured run: isolated, limited, reported. The only place that starts processes.

use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::base::report::{Backend, Guarantee, Network, RunReport};

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
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    Auto,
    Ns,
    Off,
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
    /// Where `stdout.log` and `stderr.log` are spooled; exists.
    pub output: &'a Path,
    pub limits: &'a Limits,
    pub network: Network,
}

/// What a run sees at the workspace's path.
pub enum View<'a> {
    /// The workspace itself: what the run changes stays.
    Direct,
    /// A scratch copy: nothing written stays, but for the session's cache folder, at `$FAOS_CACHE`.
    Scratch { cache: &'a Path },
}

pub enum Stream {
    Stdout,
    Stderr,
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
    _p: (),
}

impl Sandbox {
    /// Chooses the backend by a self-test; fails where a required guarantee cannot be had.
    pub fn open(options: &Options) -> Result<Self, SandboxError> {
        let _ = options;
        unimplemented!()
    }

    pub fn backend(&self) -> Backend {
        unimplemented!()
    }

    /// Blocks until the run has ended and nothing of it is left; `cancel` ends it.
    /// `output` sees each piece as it comes.
    pub fn run(
        &self,
        spec: &Spec<'_>,
        cancel: &CancellationToken,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Finished, SandboxError> {
        let _ = (spec, cancel, output);
        unimplemented!()
    }
}

/// The re-executed helper's doorway: `Some(exit code)` where this process was started as one. Called first in `main`.
pub fn helper() -> Option<i32> {
    unimplemented!()
}
impl Choice {
    pub fn parse(_: &str) -> Result<Self, String> {
        unimplemented!()
    }
}
impl Default for Limits {
    fn default() -> Self {
        unimplemented!()
    }
}
impl Default for Options {
    fn default() -> Self {
        unimplemented!()
    }
}
