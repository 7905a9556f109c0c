//! The report of one run: what ran, under which guarantees, what it cost, how it ended.
//!
//! Its serialised form is public (`runs/NNNN/report.json`, events, hooks); `docs/schema/run-report.json` describes it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub command: String,
    pub cwd: String,
    pub backend: Backend,
    pub guarantees: Vec<Guarantee>,
    pub missing: Vec<Guarantee>,
    /// What this machine made weaker than the backend usually is, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    pub network: Network,
    pub wall_s: f64,
    pub setup_s: f64,
    pub user_s: f64,
    pub system_s: f64,
    pub peak_memory_bytes: u64,
    pub peak_memory_method: MemoryMethod,
    pub processes_left_killed: u32,
    pub written_bytes: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    /// Output was dropped from what is kept on disk or in memory.
    pub truncated: bool,
    pub files_changed: Vec<FileChange>,
    /// What the run made and other programs would obey (`.git`, `.faos`), moved out of the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<String>,
    pub exit: Exit,
}

impl RunReport {
    /// One of a run that never was, for trying out what reads reports: it ended with `code`, took 0.1 s and left nothing.
    pub fn made_up(command: &str, cwd: &str, code: i32) -> Self {
        Self {
            command: command.to_owned(),
            cwd: cwd.to_owned(),
            backend: Backend::Ns,
            guarantees: Vec::new(),
            missing: Vec::new(),
            degraded: Vec::new(),
            network: Network::Off,
            wall_s: 0.1,
            setup_s: 0.0,
            user_s: 0.0,
            system_s: 0.0,
            peak_memory_bytes: 1 << 20,
            peak_memory_method: MemoryMethod::Sampled,
            processes_left_killed: 0,
            written_bytes: 0,
            stdout_bytes: 0,
            stderr_bytes: 0,
            truncated: false,
            files_changed: Vec::new(),
            quarantined: Vec::new(),
            exit: Exit { kind: ExitKind::Exited, code: Some(code), signal: None },
        }
    }

    /// The program ended by itself with status 0.
    pub fn succeeded(&self) -> bool {
        self.exit.kind == ExitKind::Exited && self.exit.code == Some(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub kind: ExitKind,
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    Exited,
    Signaled,
    WallLimit,
    CpuLimit,
    MemoryLimit,
    OutputLimit,
    FileLimit,
    ProcessLimit,
    DiskLimit,
    Cancelled,
    SetupFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Namespaces that faos makes itself.
    Ns,
    /// Namespaces that the system's bubblewrap makes.
    Bwrap,
    /// No namespaces: access rules and a filter of system calls.
    Landlock,
    Off,
}

impl Backend {
    /// As settings and reports call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ns => "ns",
            Self::Bwrap => "bwrap",
            Self::Landlock => "landlock",
            Self::Off => "off",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    FsWrite,
    FsRead,
    Network,
    Kill,
    Limits,
}

impl Guarantee {
    /// As settings and reports call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FsWrite => "fs-write",
            Self::FsRead => "fs-read",
            Self::Network => "network",
            Self::Kill => "kill",
            Self::Limits => "limits",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    #[default]
    Off,
    Full,
}

impl Network {
    /// As settings and reports call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Full => "full",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryMethod {
    Cgroup,
    Sampled,
    LargestProcess,
}

/// One file that differs between two states of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileChange {
    pub path: String,
    pub kind: ChangeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Created,
    Modified,
    Deleted,
}
