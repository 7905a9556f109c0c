//! One event, all its handlers: strictly one after the other, each seeing what the one before made.
//!
//! A gate that breaks ends the chain with a denial that reads differently from one that was meant; an observer that
//! breaks is passed over. Either way its call is in the result.

use std::time::Instant;

use rhai::{Dynamic, Map};
use serde::Deserialize;
use serde_json::Value;

use super::handler::Event;
use super::ledger::Ledger;
use super::location;
use super::set::{Origin, Script, Set};
use super::worker::Bench;
use super::{HookRun, Hooked, Host, RunRequest, RunResult, Setting, answer, engine, plain};
use crate::base::clock;

/// A script's `this` is kept in the session's log.
const MAX_STATE: usize = 64 << 10;

/// How one handler's answer was taken.
pub(super) struct Taken {
    /// One word, for the log and the screen.
    pub outcome: &'static str,
    pub note: String,
    pub ends: bool,
}

impl Taken {
    pub fn goes_on(outcome: &'static str) -> Self {
        Self { outcome, note: String::new(), ends: false }
    }

    pub fn ends(outcome: &'static str, note: &str) -> Self {
        Self { outcome, note: note.to_owned(), ends: true }
    }
}

/// The state of one event's chain: what the next handler sees, and what has been decided.
pub(super) trait Chain: Clone + Send + 'static {
    const EVENT: Event;
    type Decision: Send + 'static;

    /// What `ev` holds beside what every event's does.
    fn fields(&self) -> Map;

    /// Asks one handler; `None` where it has no opinion.
    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String>;

    /// A gate's handler broke: what is denied, in the words of `why`. Observers have nothing to do.
    fn broken(&mut self, script: &str, why: &str) {
        let _ = (script, why);
    }

    fn decide(self) -> Self::Decision;
}

pub(super) fn ask<C: Chain>(
    bench: &Bench,
    set: &Set,
    ledger: &Ledger,
    (at, host): (&Setting, Box<dyn Host>),
    mut chain: C,
) -> Hooked<C::Decision> {
    let mut hooks = Vec::new();
    bench.desk().open(host, at.headless, set);
    let off = ledger.off().clone();
    for script in set.asked(C::EVENT).filter(|script| !off.contains(&script.label)) {
        let started = Instant::now();
        let mut call = Call { bench, script, ledger, event: C::EVENT, at };
        let taken = chain.consult(&mut call);
        let outcome = match &taken {
            Ok(taken) => taken.as_ref().map_or("", |taken| taken.outcome),
            Err(_) => "failed",
        };
        ledger.count(&script.label, C::EVENT, started.elapsed(), outcome);
        let record = |outcome: &str, note: String| HookRun {
            script: script.label.clone(),
            event: C::EVENT.name().to_owned(),
            outcome: outcome.to_owned(),
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            note,
        };
        match taken {
            Ok(None) => continue,
            Ok(Some(taken)) => {
                hooks.push(record(taken.outcome, taken.note));
                if taken.ends {
                    break;
                }
            }
            Err(why) => {
                let ends = fail(&mut chain, &script.label, &why);
                hooks.push(record("failed", why));
                if ends || bench.desk().meter().is_cancelled() {
                    break;
                }
            }
        }
    }
    bench.desk().close();
    Hooked { decision: chain.decide(), hooks }
}

/// The decision where the engine's thread was lost in mid-call.
pub(super) fn lost<C: Chain>(mut chain: C, script: &str, why: &str) -> Hooked<C::Decision> {
    fail(&mut chain, script, why);
    let hook = HookRun {
        script: script.to_owned(),
        event: C::EVENT.name().to_owned(),
        outcome: "failed".to_owned(),
        ms: 0,
        note: why.to_owned(),
    };
    Hooked { decision: chain.decide(), hooks: vec![hook] }
}

/// True where the chain ends with it.
fn fail<C: Chain>(chain: &mut C, script: &str, why: &str) -> bool {
    if C::EVENT.is_gate() {
        chain.broken(script, &format!("denied because the script itself is broken: {why}"));
    }
    C::EVENT.is_gate()
}

/// One handler that is being asked.
pub(super) struct Call<'a> {
    bench: &'a Bench,
    script: &'a Script,
    ledger: &'a Ledger,
    event: Event,
    at: &'a Setting,
}

impl Call<'_> {
    pub fn script(&self) -> &str {
        &self.script.label
    }

    /// A project's script may tighten, never loosen.
    pub fn may_loosen(&self) -> bool {
        self.script.origin != Origin::Project
    }

    /// Calls the handler and decodes what it says.
    pub fn ask<A: for<'de> Deserialize<'de>>(&mut self, fields: Map) -> Result<Option<A>, String> {
        let meter = self.bench.desk().meter();
        let mut this = self.state_of();
        let ev = self.event(fields);
        meter.begin(&self.script.label);
        self.bench.desk().serve(&self.script.label);
        let called = self
            .bench
            .guard(|| engine::call(self.bench.engine(), &self.script.ast, self.event.name(), (ev,), &mut this));
        // A native function may swallow what its callbacks raise, so the meter is asked once more.
        let over = meter.verdict().map(|why| format!("{}: {why}", self.script.label));
        let returned = match called {
            Ok(Ok(value)) => over.map_or(Ok(value), Err)?,
            Ok(Err(error)) => return Err(location::of_call(error, &self.script.label)),
            Err(panic) => return Err(format!("{}: {panic}", self.script.label)),
        };
        let answer = answer::decode(&returned).map_err(|what| self.wrong(&what))?;
        self.keep(&this)?;
        Ok(answer)
    }

    /// An error of the script that has no line.
    pub fn wrong(&self, what: &str) -> String {
        format!("{}: `{}` {what}", self.script.label, self.event.name())
    }

    pub fn run(&self, request: &RunRequest) -> Result<RunResult, String> {
        self.bench.desk().run(request).map_err(|what| format!("{}: {what}", self.script.label))
    }

    fn event(&self, mut fields: Map) -> Map {
        fields.append(&mut plain::to_map(self.at));
        fields.insert("event".into(), self.event.name().into());
        fields.insert("time".into(), clock::now().into());
        fields
    }

    fn state_of(&self) -> Dynamic {
        let state = self.ledger.state();
        let kept = state.get(&self.script.label).filter(|value| value.is_object());
        kept.map_or_else(|| Map::new().into(), plain::to_script)
    }

    fn keep(&self, this: &Dynamic) -> Result<(), String> {
        let value =
            plain::to_json(this).map_err(|what| self.wrong(&format!("left a `this` that cannot be kept: {what}")))?;
        if !value.is_object() {
            return Err(self.wrong("left a `this` that is no map"));
        }
        let size = value.to_string().len();
        if size > MAX_STATE {
            return Err(self.wrong(&format!("left a `this` of {size} bytes; at most {MAX_STATE} are kept")));
        }
        let mut state = self.ledger.state();
        let before = state.get(&self.script.label);
        // One that was emptied stays, empty: the log would bring the old one back.
        let is_new = before.is_none() && value.as_object().is_none_or(serde_json::Map::is_empty);
        if !is_new && before != Some(&value) {
            state.insert(self.script.label.clone(), value);
        }
        Ok(())
    }
}

/// Data from outside as a list in `ev`.
pub(super) fn list(values: &[Value]) -> Dynamic {
    plain::to_script(values)
}
