//! What scripts reach of the world, through the host alone: files of the workspace, runs in the sandbox, the user.
//!
//! A call that is over (budget spent, cancelled, given up) gets nothing more from here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{AST, Array, Dynamic, Engine, EvalAltResult, Map};

use super::location::raise;
use super::meter::Meter;
use super::set::{Modules, Set};
use super::{Host, Level, RunRequest, RunResult, answer, chains};
use crate::base::clip::clip;

/// Runs that one call may make: each costs the budget nothing, and a second or more of the user's time.
const MAX_RUNS: usize = 100;
/// Lines that one call may say, and the length of one.
const MAX_LINES: usize = 50;
const MAX_LINE: usize = 1_000;

type Failure = Box<EvalAltResult>;

/// What lies ready on the engine's thread while an event is asked. The locks are held for one host call at a time; only
/// a caller that has given the thread up is on the other side of them, and it does not wait.
pub(super) struct Desk {
    meter: Arc<Meter>,
    at_hand: Mutex<AtHand>,
    host: Mutex<Option<Box<dyn Host>>>,
}

#[derive(Default)]
struct AtHand {
    headless: bool,
    modules: Arc<Modules>,
    /// Modules that are being loaded, outermost first.
    loading: Vec<String>,
    script: String,
    said: usize,
    ran: usize,
}

impl Desk {
    pub fn new(meter: Arc<Meter>) -> Self {
        Self { meter, at_hand: Mutex::default(), host: Mutex::default() }
    }

    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub fn open(&self, host: Box<dyn Host>, headless: bool, set: &Set) {
        *lock(&self.host) = Some(host);
        self.lay_out(&set.modules, headless);
    }

    /// For a call without a host: what imports find.
    pub fn lay_out(&self, modules: &Arc<Modules>, headless: bool) {
        *lock(&self.at_hand) = AtHand { headless, modules: Arc::clone(modules), ..AtHand::default() };
    }

    /// The next handler's turn.
    pub fn serve(&self, script: &str) {
        let mut at_hand = lock(&self.at_hand);
        script.clone_into(&mut at_hand.script);
        at_hand.loading.clear();
        at_hand.said = 0;
        at_hand.ran = 0;
    }

    pub fn close(&self) {
        lock(&self.host).take();
    }

    pub fn say(&self, level: Level, text: &str) {
        let line = {
            let mut at_hand = lock(&self.at_hand);
            at_hand.said += 1;
            match at_hand.said {
                said if said < MAX_LINES => format!("{}: {}", at_hand.script, clip(text, MAX_LINE, 0)),
                MAX_LINES => format!("{}: and more, which is not shown", at_hand.script),
                _ => return,
            }
        };
        // A host that is gone has nobody to say it to.
        let _ = self.with_host(|host| host.say(level, &line));
    }

    pub fn run(&self, request: &RunRequest) -> Result<RunResult, String> {
        let ran = {
            let mut at_hand = lock(&self.at_hand);
            at_hand.ran += 1;
            at_hand.ran
        };
        if ran > MAX_RUNS {
            return Err(format!("one call can make no more than {MAX_RUNS} runs"));
        }
        self.with_host(|host| host.run(request)).and_then(|result| result)
    }

    /// The module at `path` in the `lib/` folder beside the script that imports it, else among the built-in ones: a
    /// copy of a built-in script goes on finding what it imports.
    pub fn module(&self, importer: Option<&str>, path: &str) -> Result<AST, Failure> {
        let origin = importer.and_then(|label| label.split('/').next()).unwrap_or_default();
        let modules = Arc::clone(&lock(&self.at_hand).modules);
        let found = modules.get(&format!("{origin}/{path}")).or_else(|| modules.get(&format!("built-in/{path}")));
        found
            .cloned()
            .ok_or_else(|| raise(format!("there is no module `{path}`: modules are files in lib/, as in `lib/names`")))
    }

    pub fn entering(&self, module: &str) -> Result<(), Failure> {
        let mut at_hand = lock(&self.at_hand);
        if at_hand.loading.iter().any(|name| name == module) {
            return Err(raise(format!("the module `{module}` imports itself")));
        }
        at_hand.loading.push(module.to_owned());
        Ok(())
    }

    pub fn leaving(&self) {
        lock(&self.at_hand).loading.pop();
    }

    fn with_host<T>(&self, call: impl FnOnce(&mut dyn Host) -> T) -> Result<T, String> {
        if let Some(why) = self.meter.verdict() {
            return Err(why);
        }
        let mut host = lock(&self.host);
        let host = host.as_mut().ok_or("there is no host to ask")?;
        Ok(self.meter.pause(|| call(host.as_mut())))
    }
}

pub(super) fn register(engine: &mut Engine, desk: &Arc<Desk>) {
    files(engine, desk);
    for (name, level) in [
        ("log_info", Level::Info),
        ("log_warn", Level::Warning),
        ("log_error", Level::Error),
        ("notify", Level::Notify),
    ] {
        let desk = Arc::clone(desk);
        engine.register_fn(name, move |text: &str| desk.say(level, text));
    }
    let ask = Arc::clone(desk);
    engine.register_fn("ask_user", move |question: &str| -> Result<bool, Failure> {
        if lock(&ask.at_hand).headless {
            return Ok(false);
        }
        ask.with_host(|host| host.ask(question)).map_err(raise)
    });
    let run = Arc::clone(desk);
    engine.register_fn("run", move |request: Map| -> Result<Map, Failure> {
        let request: Option<RunRequest> = answer::decode(&Dynamic::from_map(request))
            .map_err(|what| raise(format!("`run` was given what it cannot use: it {what}")))?;
        let result = run.run(&request.unwrap_or_default()).map_err(raise)?;
        Ok(chains::report(&result))
    });
}

fn files(engine: &mut Engine, desk: &Arc<Desk>) {
    let (read, write, exists, list) = (Arc::clone(desk), Arc::clone(desk), Arc::clone(desk), Arc::clone(desk));
    engine.register_fn("read", move |path: &str| -> Result<String, Failure> {
        read.with_host(|host| host.read(path)).and_then(|result| result).map_err(raise)
    });
    engine.register_fn("write", move |path: &str, content: &str| -> Result<(), Failure> {
        write.with_host(|host| host.write(path, content)).and_then(|result| result).map_err(raise)
    });
    engine.register_fn("exists", move |path: &str| -> Result<bool, Failure> {
        exists.with_host(|host| host.exists(path)).map_err(raise)
    });
    engine.register_fn("list", move |glob: &str| -> Result<Array, Failure> {
        let found = list.with_host(|host| host.list(glob)).and_then(|result| result).map_err(raise)?;
        Ok(found.into_iter().map(Dynamic::from).collect())
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
