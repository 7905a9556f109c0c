//! What the user asks of a conversation, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

/// One thing to do; its events end with `Event::Finished`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A message of the user, with everything that was attached to it.
    Say { text: String, source: Source },
    /// Go on where the last turn stopped: an interrupted reply, or outcomes that the model has not seen yet.
    GoOn,
}

/// How a message came in; scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Argument,
    Pipe,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::Pipe => "pipe",
        }
    }
}

/// Handed down the whole way; whoever stops the work says why, and the first reason counts.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    token: CancellationToken,
    code: Arc<AtomicU8>,
}

/// Why the work is stopped from outside; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    Interrupted = 130,
    OutputClosed = 141,
    Terminated = 143,
}

impl Interrupt {
    pub fn stop(&self, why: Stop) {
        let _ = self.code.compare_exchange(0, why as u8, Ordering::Relaxed, Ordering::Relaxed);
        self.token.cancel();
    }

    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub fn exit_code(&self) -> u8 {
        match self.code.load(Ordering::Relaxed) {
            0 => Stop::Interrupted as u8,
            code => code,
        }
    }
}
