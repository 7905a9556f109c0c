//! What a script may try: each ends as a failed call, and the next call works. What is asserted is the outcome, not
//! the time.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use super::super::worker::Worker;
use super::super::{Host, Level, PromptDecision, RunRequest, RunResult, ScriptError, Scripts, SessionStart};
use super::{Folders, World, load, never, of, setting, wait};

const SCRIPT: &str = "user/10-x.rhai";

/// Loads `body` as the body of an `on_prompt`, with a small budget, calls it, and gives what went wrong, if anything.
fn call(body: &str) -> Option<String> {
    call_within(Duration::from_millis(250), body)
}

fn call_within(budget: Duration, body: &str) -> Option<String> {
    let mut folders = Folders::with(&[(SCRIPT, &format!("fn on_prompt(ev) {{ {body} }}"))]);
    folders.options.budget = Some(budget);
    let scripts = folders.load().expect("compiles");
    failure(&scripts)
}

fn failure(scripts: &Scripts) -> Option<String> {
    let called =
        wait(scripts.on_prompt(&setting(), super::prompted("hello", "user"), World::default().host(), &never()));
    let hooked = called.expect("the thread lives");
    let failed = of(&hooked.hooks, SCRIPT).into_iter().find(|hook| hook.outcome == "failed")?.note.clone();
    let PromptDecision::Denied { why, .. } = hooked.decision else { panic!("a gate that broke let it through") };
    assert!(why.contains("the script itself is broken"), "{why}");
    Some(failed)
}

/// The processor time of the engine's thread so far.
fn engine_time(scripts: &Scripts) -> Duration {
    let time = wait(async {
        let worker = scripts.worker.lock().await;
        worker.call(&never(), |_| clock_gettime(ClockId::ThreadCPUTime)).await.ok().expect("the thread lives")
    });
    Duration::new(u64::try_from(time.tv_sec).expect("positive"), u32::try_from(time.tv_nsec).expect("positive"))
}

/// Each file of `tests/hostile` says in its first line what has to come of it. A user's gate denies beside a project's.
#[test]
fn each_hostile_script_is_stopped_in_time_or_refused_with_its_place() {
    const BUDGET: Duration = Duration::from_millis(250);
    const GRACE: Duration = Duration::from_millis(50);
    let files = super::texts_in("tests/hostile");
    assert!(files.len() >= 20, "{} scripts", files.len());
    for (name, text) in files {
        let want = text.lines().next().and_then(|line| line.strip_prefix("// Expect: ")).expect("what to expect");
        let of_project = name.starts_with("project-");
        let place = if of_project { format!("project/{name}") } else { format!("user/{name}") };
        let guard = "fn on_prompt(ev) { deny(\"by the user\") }";
        let guards = [("user/project-02-replace.rhai", guard), ("user/90-guard.rhai", guard)];
        let mut folders = Folders::with(&[(&place, &text), ("user/lib/secrets.rhai", "const KEY = \"k\";")]);
        folders.options.budget = Some(BUDGET);
        if of_project {
            guards.iter().for_each(|(name, text)| folders.put(name, text));
        }
        if let Err(error) = folders.load() {
            let error = error.to_string();
            assert!(error.contains(&name) && error.contains(want), "{name}: {error}");
            continue;
        }
        let once = || {
            let scripts = folders.load().expect("it was loaded before");
            let before = engine_time(&scripts);
            let start = SessionStart { resumed: false, forked_from: None };
            let begun = wait(scripts.on_session_start(&setting(), start, World::default().host(), &never()));
            let asked =
                wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()));
            let took = engine_time(&scripts).saturating_sub(before);
            (took, begun.expect("lives"), asked.expect("lives"))
        };
        // A busy machine may add to any of several tries, even to the processor's time.
        let mut tries = std::iter::repeat_with(once).take(5);
        let in_time = tries.find(|(took, ..)| *took <= BUDGET + GRACE);
        let (_, begun, asked) = in_time.unwrap_or_else(|| panic!("{name} was never stopped in time"));
        let failed = begun.hooks.iter().chain(&asked.hooks).find(|hook| hook.outcome == "failed");
        let note = failed.map_or("nothing", |hook| hook.note.as_str());
        assert!(note == want || note.starts_with(&format!("{place}:")) && note.contains(want), "{name}: {note}");
        if failed.is_some() && !of_project {
            assert!(matches!(asked.decision, PromptDecision::Denied { .. }), "{name}: {asked:?}");
        }
        if of_project {
            let PromptDecision::Denied { script, .. } = asked.decision else { panic!("{name}: {asked:?}") };
            assert!(script.starts_with("user/"), "{name}: {script}");
        }
    }
}

/// The least of several tries: a busy machine may add to any of them.
#[test]
fn a_script_is_cancelled_within_50_ms() {
    let mut folders = Folders::with(&[(SCRIPT, "fn on_prompt(ev) { log_info(\"begun\"); loop {} }")]);
    folders.options.budget = Some(Duration::from_secs(3600));
    let scripts = folders.load().expect("compiles");
    let once = || {
        let cancel = CancellationToken::new();
        let (told, when) = mpsc::channel();
        let host = Stopwatch { cancel: cancel.clone(), told };
        let stopped = wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), Box::new(host), &cancel));
        assert!(matches!(stopped, Err(ScriptError::Cancelled)), "{stopped:?}");
        when.recv().expect("it was cancelled").elapsed()
    };
    let least = (0..5).map(|_| once()).min().expect("five tries");
    assert!(least < Duration::from_millis(50), "{least:?}");
}

#[test]
fn endless_work_ends() {
    for body in [
        "loop {}",
        "while true { let x = 1; }",
        "for i in 0..9_000_000_000_000_000_000 { let x = i; }",
        "let a = [1, 2, 3]; a.map(|x| { loop {} });",
        "let a = []; for i in 0..1000 { a.push(i); } a.sort(|x, y| { loop {} });",
        "let a = []; for i in 0..60000 { a.push(i); } a.map(|x| { let s = 0; for i in 0..10_000 { s += i; } s });",
        "let a = [1]; a.filter(|x| { while true {} true }); ()",
        "let a = [1, 2]; a.reduce(|s, x| { loop {} s }, 0)",
        "let f = |g| g.call(g); f.call(|g| { loop { } })",
        "try { loop {} } catch { } loop {}",
        "loop { try { loop {} } catch { } }",
        "fn spin() { loop {} } loop { try { spin() } catch { } }",
        "\"aaaa\".re_replace(\"a\", \"b\"); loop {}",
    ] {
        let note = if let Some(at) = body.find("} loop")
            && body.starts_with("fn")
        {
            let (function, rest) = body.split_at(at + 1);
            let folders = Folders::with(&[(SCRIPT, &format!("{function}\nfn on_prompt(ev) {{ {rest} }}"))]);
            failure(&folders.load().expect("compiles"))
        } else {
            call(body)
        };
        let note = note.unwrap_or_else(|| panic!("`{body}` did not fail"));
        assert!(note.contains("stopped after"), "{body}: {note}");
        assert!(note.starts_with("user/10-x.rhai"), "{body}: {note}");
    }
}

#[test]
fn deep_things_end() {
    let down = "fn down(n) { 1 + down(n + 1) } fn on_prompt(ev) { down(0); }";
    let through_map = "fn down(n) { [n].map(|x| down(x + 1)) } fn on_prompt(ev) { down(0); }";
    let mutual = "fn a(n) { b(n) } fn b(n) { a(n) } fn on_prompt(ev) { a(0); }";
    for text in [down, through_map, mutual] {
        let folders = Folders::with(&[(SCRIPT, text)]);
        let note = failure(&folders.load().expect("compiles")).unwrap_or_else(|| panic!("`{text}` did not fail"));
        assert!(note.contains("overflow"), "{text}: {note}");
    }
    for body in [
        "let a = []; loop { a = [a]; }",
        "let m = #{}; loop { m = #{m: m}; }",
        "let f = Fn(\"x\"); loop { f = Fn(\"x\").curry(f); }",
        "let a = [1]; let f = || a; loop { a.push(f); f = || a; }",
    ] {
        assert!(call(body).is_some(), "{body}");
    }
}

/// Rhai does not count what closures hold. Dropping such a nest must not overflow the stack, however long it may grow.
#[test]
fn nested_closures_end() {
    for body in [
        "let f = || 1; loop { let g = f; f = || g.call(); }",
        "let f = || 1; loop { let g = f; let h = [g]; f = || h; }",
        "let a = 1; loop { let b = a; a = #{x: || b}; }",
    ] {
        let note = call_within(Duration::from_secs(3600), body).expect("stopped");
        assert!(note.contains("stopped after 1000000 operations"), "{body}: {note}");
    }
}

#[test]
fn large_things_end() {
    for body in [
        "let s = \"0123456789abcdef\"; loop { s += s; }",
        "let s = \"\"; s.pad(17_000_000, 'x');",
        "let s = \"\"; s.pad(4_000_000, 'x'); s.replace(\"x\", s);",
        "let s = \"\"; s.pad(4_000_000, 'x'); s.re_replace(\"x\", \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\");",
        "let s = \"\"; s.pad(4_000_000, 'x'); s.to_chars();",
        "let s = \"\"; s.pad(4_000_000, 'x'); s.split(\"\");",
        "let s = \"\"; s.pad(4_000_000, 'x'); s.re_find_all(\"x\");",
        "let a = []; a.pad(1_000_000_000, 0);",
        "let a = []; loop { a.push(\"0123456789\"); }",
        "let b = blob(1_000_000_000);",
        "let s = \"\"; s.pad(1_000_000, 'x'); let a = []; a.pad(90_000, s); a.to_string();",
        "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }",
    ] {
        assert!(call(body).is_some(), "{body}");
    }
}

#[test]
fn a_text_of_sixteen_mebibytes_is_worked_on() {
    let body = "let s = \"\"; s.pad(16 * 1024 * 1024, 'x'); s.to_upper(); s.index_of(\"y\"); s.contains(\"y\"); \
                modify(#{text: `${s.len()}`})";
    let (_folders, scripts) = load(&[(SCRIPT, &format!("fn on_prompt(ev) {{ {body} }}"))]);
    let hooked = wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
        .expect("lives");
    assert_eq!(hooked.decision, PromptDecision::Go { text: "16777216".to_owned(), context: Vec::new() });
}

#[test]
fn a_throwing_comparator_is_a_failure_or_harmless() {
    let note = call("let a = [3, 1, 2]; a.sort(|x, y| throw \"no\"); throw \"after\";").expect("fails");
    assert!(note.contains("after") || note.contains("no"), "{note}");
    assert_eq!(call("let a = [3, 1, 2]; a.sort(|x, y| \"nonsense\"); ()"), None);
}

#[test]
fn there_is_no_eval_no_sleep_and_no_clock_to_wait_for() {
    for (body, want) in [("sleep(1);", "cannot sleep"), ("sleep(0.5);", "cannot sleep")] {
        let note = call(body).expect("fails");
        assert!(note.contains(want), "{note}");
    }
    assert!(super::load_error(SCRIPT, "fn on_prompt(ev) { eval(\"1\") }").contains("eval"));
}

#[test]
fn what_is_printed_goes_to_the_user_and_is_bounded() {
    let world = World::default();
    let (_folders, scripts) =
        load(&[(SCRIPT, "fn on_prompt(ev) { print(\"one\"); debug(2); for i in 0..1000 { log_info(\"again\"); } }")]);
    wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), world.host(), &never())).expect("lives");
    let said = world.said();
    assert_eq!(said[..2], ["user/10-x.rhai: one", "user/10-x.rhai: 2"]);
    assert_eq!(said.len(), 50);
    assert_eq!(said[49], "user/10-x.rhai: and more, which is not shown");
}

#[test]
fn a_failure_names_line_and_column_of_the_innermost_place() {
    let text = "fn inner(x) {\n    x.nothing\n}\nfn on_prompt(ev) {\n    inner(#{a: 1})\n}";
    let folders = Folders::with(&[(SCRIPT, text)]);
    let note = failure(&folders.load().expect("compiles")).expect("fails");
    assert_eq!(note, "user/10-x.rhai:2:7: Property not found: nothing");
}

#[test]
fn cancelling_stops_a_script() {
    let mut folders = Folders::with(&[(SCRIPT, "fn on_prompt(ev) { log_info(\"begun\"); loop {} }")]);
    folders.options.budget = Some(Duration::from_secs(3600));
    let scripts = folders.load().expect("compiles");
    let cancel = CancellationToken::new();
    let host = Canceller { cancel: cancel.clone() };
    // It has denied nothing and nothing is wrong with it: there is no decision.
    let stopped = wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), Box::new(host), &cancel));
    assert!(matches!(stopped, Err(ScriptError::Cancelled)), "{stopped:?}");
}

#[test]
fn a_thread_that_does_not_come_back_is_given_up() {
    let text = "fn on_prompt(ev) { this.calls = 1; if ev.text == \"block\" { read(\"x\"); } }";
    let (_folders, scripts) = load(&[(SCRIPT, text)]);
    let cancel = CancellationToken::new();
    let (release, released) = mpsc::channel();
    let host = Blocker { cancel: cancel.clone(), released };
    let stopped = wait(scripts.on_prompt(&setting(), super::prompted("block", "user"), Box::new(host), &cancel));
    assert!(matches!(stopped, Err(ScriptError::Cancelled)), "{stopped:?}");

    assert_eq!(failure(&scripts), None, "the new thread works");
    drop(release);
}

#[test]
fn a_caller_that_stops_waiting_blocks_nobody() {
    let text = "fn on_prompt(ev) { if ev.text == \"block\" { read(\"x\"); } }";
    let (_folders, scripts) = load(&[(SCRIPT, text)]);
    let cancel = CancellationToken::new();
    let (release, released) = mpsc::channel();
    let host = Blocker { cancel: cancel.clone(), released };
    wait(async {
        let (at, other) = (setting(), never());
        tokio::select! {
            _ = scripts.on_prompt(&at, super::prompted("block", "user"), Box::new(host), &other) => panic!("it came back"),
            () = cancel.cancelled() => {}
        }
    });
    assert_eq!(failure(&scripts), None, "the next call works");
    drop(release);
}

#[test]
fn a_panic_of_the_engine_is_caught_and_its_thread_replaced() {
    let worker = Worker::start(Duration::from_secs(1)).expect("a thread");
    let result = worker.wait_for(|bench| bench.guard(|| panic!("in the engine"))).expect("the thread lives");
    assert_eq!(result, Err::<(), String>("the script engine panicked".to_owned()));
    assert!(worker.is_spent());
}

/// Cancels as soon as the script has begun.
struct Canceller {
    cancel: CancellationToken,
}

/// Cancels as soon as the script has begun, and tells when that was.
struct Stopwatch {
    cancel: CancellationToken,
    told: mpsc::Sender<Instant>,
}

/// Cancels, and then does not return until it is let go.
struct Blocker {
    cancel: CancellationToken,
    released: mpsc::Receiver<()>,
}

macro_rules! no_world {
    () => {
        fn write(&mut self, _: &str, _: &str) -> Result<(), String> {
            Err("no".to_owned())
        }

        fn exists(&mut self, _: &str) -> bool {
            false
        }

        fn list(&mut self, _: &str) -> Result<Vec<String>, String> {
            Err("no".to_owned())
        }

        fn run(&mut self, _: &RunRequest) -> Result<RunResult, String> {
            Err("no".to_owned())
        }

        fn ask(&mut self, _: &str) -> bool {
            false
        }
    };
}

impl Host for Canceller {
    fn read(&mut self, _: &str) -> Result<String, String> {
        Err("no".to_owned())
    }

    fn say(&mut self, _: Level, _: &str) {
        self.cancel.cancel();
    }

    no_world!();
}

impl Host for Stopwatch {
    fn read(&mut self, _: &str) -> Result<String, String> {
        Err("no".to_owned())
    }

    fn say(&mut self, _: Level, _: &str) {
        let _ = self.told.send(Instant::now());
        self.cancel.cancel();
    }

    no_world!();
}

impl Host for Blocker {
    fn read(&mut self, _: &str) -> Result<String, String> {
        self.cancel.cancel();
        let _ = self.released.recv();
        Err("let go".to_owned())
    }

    fn say(&mut self, _: Level, _: &str) {}

    no_world!();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// A script's text is anything: it loads or is refused, and never more.
    #[test]
    fn any_text_loads_or_is_refused(text in "(fn on_prompt\\(ev\\) \\{)?[a-z0-9 (){}\\[\\]\"'`#$|.;:=+*\\n-]{0,80}\\}?") {
        let folders = Folders::with(&[(SCRIPT, &text)]);
        if let Err(error) = folders.load() {
            prop_assert!(error.to_string().contains("10-x.rhai"), "{}", error);
        }
    }
}
