//! What a command wants done with a conversation; the composition root does it.

use std::path::PathBuf;

use crate::core::conversation::Mode;
use crate::frontend::headless;
use crate::playback::Player;
use crate::settings::Settings;

/// What is left to do when a command has made sense of what was typed.
pub enum Plan {
    Converse(Box<Job>),
    /// All is done: the exit code.
    Done(u8),
}

/// One request, headless.
pub struct Job {
    pub settings: Settings,
    pub place: Place,
    pub words: Words,
    pub mode: Mode,
    pub scripts: bool,
    pub show: headless::Options,
    /// Said before anything else.
    pub notices: Vec<String>,
    /// The recorded model, where that is whom it talks to: it lives as long as the job.
    pub player: Option<Player>,
}

/// Which session it belongs to.
pub enum Place {
    /// A new one; `None` is its own workspace.
    New { workspace: Option<PathBuf> },
    /// The folder of one that is on disk.
    Saved { folder: PathBuf },
    /// Nothing is kept; `None` is an empty folder that goes with it.
    Passing { workspace: Option<PathBuf> },
}

pub enum Words {
    Say { prompt: Option<String>, piped: Option<String> },
    GoOn,
}
