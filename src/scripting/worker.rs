//! The engine's thread: jobs go in by a channel, results come back by a oneshot, and a thread that no longer
//! reacts is left behind.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rhai::Engine;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::ScriptError;
use super::engine;
use super::meter::Meter;
use super::world::Desk;

/// Deeply nested values are dropped recursively (see the meter's limit). Only what is touched takes memory.
const STACK: usize = 256 << 20;

type Job = Box<dyn FnOnce(&Bench) + Send>;

/// What a job finds on the engine's thread.
pub(super) struct Bench {
    engine: Engine,
    desk: Arc<Desk>,
    spent: Arc<AtomicBool>,
}

impl Bench {
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Runs what may panic inside Rhai. After a panic the engine's locks cannot be trusted: the thread is replaced.
    pub fn guard<T>(&self, work: impl FnOnce() -> T) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
            self.spent.store(true, Ordering::Relaxed);
            "the script engine panicked".to_owned()
        })
    }
}

pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
    meter: Arc<Meter>,
    spent: Arc<AtomicBool>,
}

/// Why there is no result.
pub(super) enum Lost {
    Stuck,
    Ended,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stuck => "the script could not be stopped; its thread was given up",
            Self::Ended => "the script's thread ended",
        })
    }
}

impl Worker {
    pub fn start(budget: Duration) -> Result<Self, ScriptError> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let meter = Arc::new(Meter::new(budget));
        let spent = Arc::new(AtomicBool::new(false));
        let (desk, is_spent) = (Arc::new(Desk::new(Arc::clone(&meter))), Arc::clone(&spent));
        thread::Builder::new()
            .name("faos-scripts".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let bench = Bench { engine: engine::build(&desk), desk, spent: is_spent };
                for job in inbox {
                    job(&bench);
                }
            })
            .map_err(|error| ScriptError::Gone(error.to_string()))?;
        Ok(Self { jobs, meter, spent })
    }

    /// Waits for the result on the calling thread: for work that needs no budget.
    pub fn wait_for<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Bench) -> T + Send + 'static,
    ) -> Result<T, ScriptError> {
        let (sender, result) = mpsc::channel();
        let _ = self.jobs.send(Box::new(move |bench| drop(sender.send(job(bench)))));
        result.recv().map_err(|_| ScriptError::Gone(Lost::Ended.to_string()))
    }

    /// A caller that stops waiting gives the thread up, as one does that has waited too long.
    pub async fn call<T: Send + 'static>(
        &self,
        cancel: &CancellationToken,
        job: impl FnOnce(&Bench) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (sender, result) = oneshot::channel();
        self.meter.arm(cancel);
        let mut waiting = Waiting { worker: self, came_back: false };
        self.jobs.send(Box::new(move |bench| drop(sender.send(job(bench))))).map_err(|_| Lost::Ended)?;
        tokio::select! {
            biased;
            result = result => {
                waiting.came_back = result.is_ok();
                result.map_err(|_| Lost::Ended)
            }
            () = self.meter.stuck() => Err(Lost::Stuck),
        }
    }

    /// The thread was given up, or the engine has panicked: it must not be used again.
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    /// The script that is, or was last, at work.
    pub fn at_work(&self) -> String {
        self.meter.script()
    }
}

struct Waiting<'a> {
    worker: &'a Worker,
    came_back: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.came_back {
            self.worker.meter.give_up();
            self.worker.spent.store(true, Ordering::Relaxed);
        }
    }
}
