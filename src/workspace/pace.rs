//! Slow work on many files: told of as it goes on, and stopped where the user wants it.

use std::time::{Duration, Instant};

use crate::workspace::WorkspaceError;

/// How long work may take without a word.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Looking for files; so many entries were found.
    Found(usize),
    /// So many files of so many were looked at.
    Read { done: usize, all: usize },
}

/// Is told of slow work every two seconds; a `false` stops it.
pub type Watch = Box<dyn Fn(Progress) -> bool + Send + Sync>;

/// One piece of work.
pub(super) struct Pace<'a> {
    watch: Option<&'a Watch>,
    told: Instant,
}

impl<'a> Pace<'a> {
    pub fn new(watch: Option<&'a Watch>) -> Self {
        Self { watch, told: Instant::now() }
    }

    /// Goes on, unless it is to be stopped.
    pub fn step(&mut self, progress: Progress) -> Result<(), WorkspaceError> {
        if self.told.elapsed() <= PATIENCE {
            return Ok(());
        }
        self.told = Instant::now();
        if self.watch.is_none_or(|watch| watch(progress)) { Ok(()) } else { Err(WorkspaceError::Stopped) }
    }
}
