//! What outlives a call: each script's `this`, what its handlers did so far, and which scripts are switched off.
//!
//! Shared with the engine's thread, which may be given up in mid-call: a call works on a copy of its `this` and puts it
//! back at its end. Each lock is held for a moment only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::handler::Event;

#[derive(Default)]
pub(super) struct Ledger {
    /// By the script's label, as everything here.
    state: Mutex<BTreeMap<String, Value>>,
    tallies: Mutex<BTreeMap<(String, Event), Tally>>,
    off: Mutex<BTreeSet<String>>,
}

/// What a handler did since the conversation was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub event: &'static str,
    pub calls: u32,
    /// Of all calls together, waiting for runs and answers included.
    pub time: Duration,
    /// Of the last call: as in a hook's record, empty where it had no opinion.
    pub outcome: String,
}

impl Ledger {
    pub fn state(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        lock(&self.state)
    }

    pub fn count(&self, script: &str, event: Event, time: Duration, outcome: &str) {
        let mut tallies = lock(&self.tallies);
        let tally = tallies.entry((script.to_owned(), event)).or_default();
        tally.event = event.name();
        tally.calls += 1;
        tally.time += time;
        outcome.clone_into(&mut tally.outcome);
    }

    pub fn tallies(&self, script: &str) -> Vec<Tally> {
        let tallies = lock(&self.tallies);
        tallies.iter().filter(|((of, _), _)| of == script).map(|(_, tally)| tally.clone()).collect()
    }

    pub fn off(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.off)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
