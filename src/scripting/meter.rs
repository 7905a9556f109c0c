//! The budget of one call: script time, the cancellation, and whether the thread still shows signs of life.
//!
//! Invariant: once tripped, a meter stays tripped until the next call begins, whatever a script catches or a native
//! function swallows. Rhai's own operation count is no use here: it starts again inside the callbacks of `map` and `sort`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::Dynamic;
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

/// The longest text and the longest list that a script may make.
pub(super) const MAX_STRING: usize = 16 << 20;
pub(super) const MAX_ARRAY: usize = 100_000;

/// How long a script may go on after it was told to stop, before its thread is given up.
const GRACE: Duration = Duration::from_millis(50);
/// How often a waiting caller looks whether the script still ticks.
const LOOK: Duration = Duration::from_millis(10);
/// Operations of one call, whatever its budget: a closure that holds the closure before it nests one level in some eight
/// of them, and dropping the nest must fit the thread's stack (measured: 2 million need up to 128 MiB, 512 unoptimised).
const MAX_OPERATIONS: u64 = 1_000_000;
/// Operations between two looks at the clock, and the shortest time between two looks at the thread's own clock.
const STRIDE: u64 = 8;
const CLOCK_STRIDE: Duration = Duration::from_millis(1);

pub(super) struct Meter {
    budget: Duration,
    began: Instant,
    operations: AtomicU64,
    /// Nanoseconds since `began` of the last look at the clock.
    looked: AtomicU64,
    /// The thread's processor time, in nanoseconds, at which the present call is over.
    end: AtomicU64,
    in_host: AtomicBool,
    given_up: AtomicBool,
    /// Why the call is over. The lock is held for a moment only, by the engine's thread and by the caller.
    tripped: Mutex<Option<String>>,
    is_tripped: AtomicBool,
    /// The present call's cancellation and script, written by the engine's thread and read by the waiting caller.
    cancel: Mutex<CancellationToken>,
    script: Mutex<String>,
}

impl Meter {
    pub fn new(budget: Duration) -> Self {
        Self {
            budget,
            began: Instant::now(),
            operations: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            end: AtomicU64::new(0),
            in_host: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            tripped: Mutex::new(None),
            is_tripped: AtomicBool::new(false),
            cancel: Mutex::new(CancellationToken::new()),
            script: Mutex::new(String::new()),
        }
    }

    /// The caller's side, before a job is sent.
    pub fn arm(&self, cancel: &CancellationToken) {
        *lock(&self.cancel) = cancel.clone();
        *lock(&self.tripped) = None;
        self.is_tripped.store(false, Ordering::Relaxed);
        self.heartbeat();
    }

    /// The engine's side, before each handler: the whole budget again.
    pub fn begin(&self, script: &str) {
        script.clone_into(&mut lock(&self.script));
        self.operations.store(0, Ordering::Relaxed);
        self.end.store(processor_time() + nanoseconds(self.budget), Ordering::Relaxed);
        if !lock(&self.cancel).is_cancelled() && !self.given_up.load(Ordering::Relaxed) {
            *lock(&self.tripped) = None;
            self.is_tripped.store(false, Ordering::Relaxed);
        }
        self.heartbeat();
    }

    /// Called by Rhai at every operation; a value ends the script.
    pub fn tick(&self) -> Option<Dynamic> {
        let count = self.operations.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(STRIDE) && self.since_look() >= CLOCK_STRIDE {
            self.look();
        }
        if count >= MAX_OPERATIONS {
            self.trip(&format!("stopped after {MAX_OPERATIONS} operations"));
        }
        self.is_tripped.load(Ordering::Relaxed).then(|| self.verdict().unwrap_or_default().into())
    }

    /// Why the call must end, if it must: asked before host calls and after the script has returned.
    pub fn verdict(&self) -> Option<String> {
        self.look();
        lock(&self.tripped).clone()
    }

    /// A host call: its time, and what it does on this thread, are not the script's.
    pub fn pause<T>(&self, host_call: impl FnOnce() -> T) -> T {
        let before = processor_time();
        self.in_host.store(true, Ordering::Relaxed);
        let result = host_call();
        self.in_host.store(false, Ordering::Relaxed);
        self.end.fetch_add(processor_time().saturating_sub(before), Ordering::Relaxed);
        self.heartbeat();
        result
    }

    pub fn is_cancelled(&self) -> bool {
        lock(&self.cancel).is_cancelled()
    }

    pub fn script(&self) -> String {
        lock(&self.script).clone()
    }

    /// Ends when the script no longer reacts: after a cancellation, or for far longer than its budget.
    pub async fn stuck(&self) {
        let cancel = lock(&self.cancel).clone();
        let mut cancelled_at = None;
        let patience = self.budget * 4 + Duration::from_secs(2);
        loop {
            tokio::time::sleep(LOOK).await;
            if cancel.is_cancelled() && cancelled_at.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return;
            }
            if !self.in_host.load(Ordering::Relaxed) && self.since_look() > patience {
                return;
            }
        }
    }

    /// The caller has given the thread up: whatever it still tries is refused.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.trip("given up");
    }

    fn look(&self) {
        self.heartbeat();
        if lock(&self.cancel).is_cancelled() {
            self.trip("cancelled");
        } else if processor_time() > self.end.load(Ordering::Relaxed) {
            let count = self.operations.load(Ordering::Relaxed);
            self.trip(&format!("stopped after {} ms of script time ({count} operations)", self.budget.as_millis()));
        }
    }

    fn trip(&self, why: &str) {
        lock(&self.tripped).get_or_insert_with(|| why.to_owned());
        self.is_tripped.store(true, Ordering::Relaxed);
    }

    fn heartbeat(&self) {
        self.looked.store(nanoseconds(self.began.elapsed()), Ordering::Relaxed);
    }

    fn since_look(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_nanos(self.looked.load(Ordering::Relaxed)))
    }
}

/// What this thread has used of the processor: other programs on a busy machine do not eat a script's budget.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
