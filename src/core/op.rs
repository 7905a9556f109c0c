//! What the user asks of a conversation, and how it is stopped.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio_util::sync::CancellationToken;

use crate::base::report::Network;

/// One thing to do. What the model is asked ends with `Event::Finished`; at the keyboard everything ends with `Event::Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Ask(Ask),
    /// A script of the user's in the sandbox. An empty one: the scripts say how this project is run.
    Run {
        command: String,
        told: Told,
        /// This once, after a yes; `None` is the session's own.
        network: Option<Network>,
    },
    /// The last message goes, with its replies and the files as they were before it.
    Undo,
    Redo,
    /// The files of a version; the conversation stays.
    Restore {
        version: u32,
        /// These files and folders alone; all where there is none.
        only: Vec<String>,
    },
    /// A command that a script has added, with what was typed behind it.
    Command {
        name: String,
        text: String,
    },
    /// Which scripts are asked from now on.
    Scripts(Switch),
    /// The session has another title.
    Rename {
        title: String,
    },
    /// Everything that the session consists of goes into a new file.
    Archive {
        file: PathBuf,
    },
    /// The set of prompts that counts from now on; `None` is without one.
    UsePrompts(Option<String>),
    /// Another model answers from now on.
    UseModel {
        name: String,
        /// In later sessions too.
        save: bool,
    },
    /// A summary takes the place of what was said.
    Compact,
    Show(Topic),
}

/// What the model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A message of the user, with everything that was attached to it.
    Say { text: String, source: Source },
    /// Go on where the last turn stopped: an interrupted reply, or outcomes that the model has not seen yet.
    GoOn,
    /// Answer the last message again, from the files as they were before it; what was interrupted is gone on with.
    Retry,
}

/// What is done with scripts. A name is that of a file, with or without its ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Switch {
    On(String),
    Off(String),
    /// What is on disk now.
    Reload,
}

impl Op {
    /// It looks for the server where that was not found yet.
    pub fn asks_a_server(&self) -> bool {
        match self {
            Self::Ask(_) | Self::UseModel { .. } | Self::Compact | Self::Command { .. } => true,
            Self::Run { .. }
            | Self::Undo
            | Self::Redo
            | Self::Restore { .. }
            | Self::Scripts(_)
            | Self::UsePrompts(_)
            | Self::Rename { .. }
            | Self::Archive { .. }
            | Self::Show(_) => false,
        }
    }
}

/// How a message came in; scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Argument,
    Pipe,
    Keyboard,
    /// A script's command.
    Command,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::Pipe => "pipe",
            Self::Keyboard => "keyboard",
            Self::Command => "command",
        }
    }
}

/// Who learns of the outcome of a user's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The model too, in front of the next message.
    Model,
    UserAlone,
}

/// What can be asked about a conversation without asking the model; the answer is an `Event::Shown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Where a conversation that is gone on with stands.
    Recap,
    Context,
    Files,
    /// What differs from a version, by default the one before the last message, to another one or the files as they are.
    Diff {
        version: Option<u32>,
        to: Option<u32>,
        /// This file or folder alone.
        only: Option<String>,
    },
    Versions,
    Sessions,
    Models,
    Scripts,
    /// Those that scripts have added.
    Commands,
    Prompts,
    Stats,
    /// All of it, for an export.
    Transcript,
}

/// The user's yes or no to a script's question, on its way to the script that waits for it.
#[derive(Clone, Debug)]
pub struct Answers(Arc<Mutex<mpsc::Receiver<bool>>>);

impl Answers {
    pub fn channel() -> (mpsc::Sender<bool>, Self) {
        let (answer, answers) = mpsc::channel();
        (answer, Self(Arc::new(Mutex::new(answers))))
    }

    /// Blocks until there is an answer; where nobody can give one any more it is no. The lock is held meanwhile: one
    /// question is asked at a time.
    pub fn wait(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap_or(false)
    }
}

/// Handed down the whole way; whoever stops the work says why, and the first reason counts.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// Behind a lock since a new token is put in for each thing done at the keyboard; held for a moment only.
    now: Arc<Mutex<Now>>,
    /// Cancelled when nothing more may be begun.
    end: CancellationToken,
}

#[derive(Debug, Default)]
struct Now {
    token: CancellationToken,
    why: Option<Stop>,
}

/// Why the work is stopped from outside; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// Stdout takes nothing more, and is not closed: a full disk.
    OutputFailed = 1,
    Interrupted = 130,
    OutputClosed = 141,
    Terminated = 143,
}

impl Interrupt {
    pub fn stop(&self, why: Stop) {
        let mut now = self.now();
        now.why.get_or_insert(why);
        now.token.cancel();
        match why {
            Stop::Interrupted => {}
            Stop::OutputFailed | Stop::OutputClosed | Stop::Terminated => self.end.cancel(),
        }
    }

    /// Of what is being done now.
    pub fn token(&self) -> CancellationToken {
        self.now().token.clone()
    }

    pub fn exit_code(&self) -> u8 {
        self.now().why.unwrap_or(Stop::Interrupted) as u8
    }

    /// An interruption ends one thing; the next one begins afresh. Other reasons stay.
    pub fn rearm(&self) {
        let mut now = self.now();
        if now.why == Some(Stop::Interrupted) {
            *now = Now::default();
        }
    }

    /// Returns when the program has to end, and at once where it has to already.
    pub async fn ended(&self) {
        self.end.cancelled().await;
    }

    pub fn is_ended(&self) -> bool {
        self.end.is_cancelled()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Interrupt, Stop};

    #[test]
    fn the_first_reason_counts_and_the_next_thing_begins_afresh() {
        let interrupt = Interrupt::default();
        interrupt.stop(Stop::Interrupted);
        assert!(interrupt.token().is_cancelled());
        interrupt.rearm();
        assert!(!interrupt.token().is_cancelled());
        interrupt.stop(Stop::Terminated);
        interrupt.stop(Stop::Interrupted);
        interrupt.rearm();
        assert!(interrupt.token().is_cancelled(), "the program has to end");
        assert_eq!(interrupt.exit_code(), 143);
    }
}
