//! What a command wants done with a conversation; the composition root does it.

use std::path::PathBuf;

use crate::core::conversation::Mode;
use crate::frontend::headless;
use crate::frontend::render::Look;
use crate::playback::Player;
use crate::settings::Settings;

/// What is left to do when a command has made sense of what was typed.
pub enum Plan {
    Converse(Box<Job>),
    /// All is done: the exit code.
    Done(u8),
}

/// A conversation, and how it is held.
pub struct Job {
    pub manner: Manner,
    pub settings: Settings,
    pub place: Place,
    pub words: Words,
    pub mode: Mode,
    pub scripts: bool,
    /// About what the project brings of its own.
    pub asking: Asking,
    pub show: headless::Options,
    pub look: Look,
    /// Whether the terminal is asked what its text stands on.
    pub asks_ground: bool,
    /// Said before anything else.
    pub notices: Vec<String>,
    /// The recorded model, where that is whom it talks to: it lives as long as the job.
    pub player: Option<Player>,
}

/// Whether somebody sits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One request, worked on until it is done.
    AtOnce,
    AtKeyboard,
}

/// Whether somebody can be asked about a project's own scripts, prompts and settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `--trust-scripts`: the answer is yes, this once.
    Needless,
    AtTerminal,
    Nobody,
}

/// Which session it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A new one; `None` is its own workspace.
    New { workspace: Option<PathBuf> },
    /// The folder of one that is on disk, and the workspace in which it goes on from now on, where that is another.
    Saved { folder: PathBuf, workspace: Option<PathBuf> },
    /// Nothing is kept; `None` is an empty folder that goes with it.
    Passing { workspace: Option<PathBuf> },
}

impl Place {
    /// A session as it is on disk.
    pub fn saved(folder: PathBuf) -> Self {
        Self::Saved { folder, workspace: None }
    }
}

pub enum Words {
    Say {
        prompt: Option<String>,
        piped: Option<String>,
    },
    GoOn,
    /// At the keyboard: the prompt is open, and nothing is said yet.
    None,
}
