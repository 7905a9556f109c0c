//! What handlers may return, event by event, and what it comes to.

use proptest::prelude::*;
use rhai::{Dynamic, Map};
use serde_json::{Value, json};

use super::super::answer;
use super::super::{
    HookRun, Opinion, PromptDecision, ReplyDecision, RunDecision, RunResultDecision, Scripts, TurnEndDecision,
    Validation, WriteDecision,
};
use super::{World, load, never, of, reply, result, run_event, setting, turn_end, wait, write};

const A: &str = "user/10-a.rhai";
const B: &str = "user/20-b.rhai";
const P: &str = "project/10-p.rhai";

fn prompt(scripts: &Scripts) -> (PromptDecision, Vec<HookRun>) {
    let hooked =
        wait(scripts.on_prompt(&setting(), super::prompted("hello", "user"), World::default().host(), &never()))
            .expect("lives");
    (hooked.decision, hooked.hooks)
}

/// The decision of one `on_prompt` with that body.
fn prompted(body: &str) -> (PromptDecision, Vec<HookRun>) {
    let (_folders, scripts) = load(&[(A, &format!("fn on_prompt(ev) {{ {body} }}"))]);
    prompt(&scripts)
}

fn go(text: &str, context: &[&str]) -> PromptDecision {
    PromptDecision::Go { text: text.into(), context: context.iter().map(|text| (*text).into()).collect() }
}

#[test]
fn a_prompt_is_changed_answered_or_denied() {
    for (body, want, outcome) in [
        ("", go("hello", &[]), None),
        ("()", go("hello", &[]), None),
        ("#{}", go("hello", &[]), None),
        ("allow()", go("hello", &[]), Some("allowed")),
        ("modify(#{text: ev.text + \"!\"})", go("hello!", &[]), Some("changed")),
        ("context(\"c\")", go("hello", &["c"]), Some("changed")),
        ("#{text: \"t\", context: [\"c\", \"d\"]}", go("t", &["c", "d"]), Some("changed")),
        ("handled(\"42\")", PromptDecision::Handled { text: "42".into() }, Some("handled")),
        ("deny(\"no\")", PromptDecision::Denied { script: A.into(), why: "no".into() }, Some("denied")),
    ] {
        let (decision, hooks) = prompted(body);
        assert_eq!(decision, want, "{body}");
        assert_eq!(of(&hooks, A).first().map(|hook| hook.outcome.as_str()), outcome, "{body}");
    }
}

#[test]
fn what_is_no_answer_is_an_error_of_the_script() {
    for (body, want) in [
        ("1", "returned a value of type i64, not () or a map"),
        ("\"deny\"", "returned a value of type string, not () or a map"),
        ("[deny(\"x\")]", "returned a value of type array, not () or a map"),
        ("#{denny: \"x\"}", "unknown field `denny`, expected one of"),
        ("#{deny: 1}", "invalid type: integer `1`, expected a string"),
        ("#{allow: false}", "only `true` can stand here"),
        ("#{context: #{}}", "a text or a list of texts"),
        ("#{deny: \"x\", text: \"y\"}", "returned deny and a change together"),
        ("retry(\"x\")", "unknown field `retry`"),
        ("#{text: || 1}", "a value of type Fn is no plain data"),
        ("#{text: timestamp()}", "is no plain data"),
        ("throw \"boom\"", "user/10-a.rhai:1:20: boom"),
        ("this.f = || 1;", "left a `this` that cannot be kept"),
        ("this = 1;", "left a `this` that is no map"),
        ("let s = \"\"; s.pad(70000, 'x'); this.s = s;", "at most 65536 are kept"),
    ] {
        let (decision, hooks) = prompted(body);
        let [hook] = hooks.as_slice() else { panic!("{body}: {hooks:?}") };
        assert_eq!((hook.script.as_str(), hook.event.as_str(), hook.outcome.as_str()), (A, "on_prompt", "failed"));
        assert!(hook.note.starts_with(A), "{body}: {}", hook.note);
        assert!(hook.note.contains(want), "{body}: {}", hook.note);
        let PromptDecision::Denied { script, why } = decision else { panic!("{body}") };
        assert_eq!(script, A);
        assert_eq!(why, format!("denied because the script itself is broken: {}", hook.note), "{body}");
    }
}

#[test]
fn each_handler_sees_what_the_one_before_made_and_a_denial_ends_it() {
    let (_folders, scripts) = load(&[
        (A, "fn on_prompt(ev) { #{text: ev.text + \"1\", context: \"a\"} }"),
        (B, "fn on_prompt(ev) { #{text: ev.text + \"2\", context: \"b\"} }"),
        (P, "fn on_prompt(ev) { #{text: ev.text + \"3\"} }"),
    ]);
    assert_eq!(prompt(&scripts).0, go("hello123", &["a", "b"]));

    let (_folders, scripts) =
        load(&[(A, "fn on_prompt(ev) { deny(\"a\") }"), (B, "fn on_prompt(ev) { log_info(\"b\"); allow() }")]);
    let (decision, hooks) = prompt(&scripts);
    assert_eq!(decision, PromptDecision::Denied { script: A.into(), why: "a".into() });
    assert_eq!(hooks.len(), 1);
}

#[test]
fn an_event_that_a_handler_changes_is_its_own() {
    let (_folders, scripts) =
        load(&[(A, "fn on_prompt(ev) { ev.text = \"x\"; () }"), (B, "fn on_prompt(ev) { context(ev.text) }")]);
    assert_eq!(prompt(&scripts).0, go("hello", &["hello"]));
}

#[test]
fn a_project_allows_nothing() {
    let (_folders, scripts) =
        load(&[(P, "fn on_prompt(ev) { allow() } fn on_turn_end(ev) { #{verdict: \"passed\"} }")]);
    assert_eq!(prompt(&scripts), (go("hello", &[]), Vec::new()));
    let ended =
        wait(scripts.on_turn_end(&setting(), turn_end("failed", 1), World::default().host(), &never())).expect("lives");
    assert_eq!(ended.decision, TurnEndDecision::Go { verdict: None });
}

#[test]
fn replies() {
    let run = json!({"kind": "run", "script": "ls"});
    let file = json!({"kind": "write", "path": "a.py", "content": "x\n"});
    for (body, want) in [
        ("", ReplyDecision::Go { actions: vec![run.clone()] }),
        ("#{actions: []}", ReplyDecision::Go { actions: vec![] }),
        ("modify(#{actions: ev.actions})", ReplyDecision::Go { actions: vec![run.clone()] }),
        (
            "#{actions: [#{kind: \"write\", path: \"a.py\", content: \"x\\n\"}] + ev.actions}",
            ReplyDecision::Go { actions: vec![file, run.clone()] },
        ),
        ("retry(\"again\")", ReplyDecision::Retry { script: A.into(), feedback: "again".into() }),
        ("stop(\"enough\")", ReplyDecision::Stop { script: A.into(), why: "enough".into() }),
        // An observer that breaks is passed over.
        ("#{actions: [#{kind: \"wirte\"}]}", ReplyDecision::Go { actions: vec![run.clone()] }),
        ("#{actions: [#{kind: \"delete\", path: \"../x\"}]}", ReplyDecision::Go { actions: vec![run.clone()] }),
        ("throw 1", ReplyDecision::Go { actions: vec![run.clone()] }),
    ] {
        let (_folders, scripts) = load(&[(A, &format!("fn on_reply(ev) {{ {body} }}"))]);
        let event = reply(vec![run.clone()], vec![]);
        let hooked = wait(scripts.on_reply(&setting(), event, World::default().host(), &never())).expect("lives");
        assert_eq!(hooked.decision, want, "{body}");
    }
}

#[test]
fn wrong_actions_are_told_with_the_scripts_name() {
    let (_folders, scripts) = load(&[(A, "fn on_reply(ev) { #{actions: [#{kind: \"delete\", path: \"../x\"}]} }")]);
    let hooked =
        wait(scripts.on_reply(&setting(), reply(vec![], vec![]), World::default().host(), &never())).expect("lives");
    let want = "user/10-a.rhai: `on_reply` returned a wrong action: the path leaves the workspace (`..`)";
    assert_eq!(hooked.hooks[0].note, want);
}

#[test]
fn file_writes() {
    for (body, want) in [
        ("", WriteDecision::Go { content: "x\n".into() }),
        ("modify(#{content: ev.content + ev.path})", WriteDecision::Go { content: "x\na.py".into() }),
        ("if ev.old_text == () { deny(\"no\") }", WriteDecision::Denied { script: A.into(), why: "no".into() }),
        ("retry(\"whole\")", WriteDecision::Retry { script: A.into(), feedback: "whole".into() }),
    ] {
        let (_folders, scripts) = load(&[(A, &format!("fn on_file_write(ev) {{ {body} }}"))]);
        let hooked = wait(scripts.on_file_write(&setting(), write("a.py", "x\n"), World::default().host(), &never()));
        assert_eq!(hooked.expect("lives").decision, want, "{body}");
    }
}

fn validate(files: &[(&str, &str)], world: &World) -> (Vec<Validation>, Vec<HookRun>) {
    let (_folders, scripts) = load(files);
    let changed = vec![json!({"path": "a.txt", "kind": "created"})];
    let (at, no) = (setting(), never());
    let work = scripts.on_validate(&at, changed, vec!["a.txt".into()], world.host(), &no);
    let hooked = wait(work).expect("lives");
    (hooked.decision, hooked.hooks)
}

#[test]
fn every_validator_is_asked() {
    let (opinions, hooks) = validate(
        &[
            (A, "fn on_validate(ev) { fail(\"bad\") }"),
            (B, "fn on_validate(ev) { if ev.files_changed[0].path in ev.files { pass() } }"),
            ("user/30-c.rhai", "fn on_validate(ev) { none(\"needs flask\") }"),
            ("user/40-d.rhai", "fn on_validate(ev) { }"),
            ("user/50-e.rhai", "fn on_validate(ev) { throw \"x\" }"),
            (P, "fn on_validate(ev) { pass() }"),
        ],
        &World::default(),
    );
    let told: Vec<(&str, Opinion, &str)> =
        opinions.iter().map(|v| (v.script.as_str(), v.outcome, v.feedback.as_str())).collect();
    assert_eq!(
        told,
        [
            (A, Opinion::Failed, "bad"),
            (B, Opinion::Passed, ""),
            ("user/30-c.rhai", Opinion::None, "needs flask"),
            (P, Opinion::Passed, ""),
        ]
    );
    let outcomes: Vec<&str> = hooks.iter().map(|hook| hook.outcome.as_str()).collect();
    assert_eq!(outcomes, ["rejected", "pass", "none", "failed", "pass"]);
}

#[test]
fn runs_that_a_validator_asks_for_come_back_to_it() {
    let world = World::default();
    let text = "fn on_validate(ev) {
        if ev.runs.is_empty() { return #{runs: [#{cmd: \"true\"}, #{cmd: \"false\", stdin: \"in\", limits: #{wall_s: 5}}]}; }
        let direct = run(#{cmd: \"direct\"});
        fail(`${ev.runs[0].ok} ${ev.runs[1].ok} ${ev.runs[1].exit.code} ${ev.runs[1].stdout.len()} ${direct.ok}`)
    }";
    let (opinions, _) = validate(&[(A, text)], &world);
    assert_eq!(opinions[0].feedback, "true false 1 4 true");
    let ran = world.ran.lock().expect("no panic");
    assert_eq!(ran.iter().map(|run| run.cmd.as_str()).collect::<Vec<_>>(), ["true", "false", "direct"]);
    assert_eq!((ran[1].stdin.as_str(), ran[1].limits.get("wall_s")), ("in", Some(&json!(5))));

    for (body, want) in [
        ("#{runs: [#{cmd: \"true\"}]}", "asked for runs a second time"),
        ("#{runs: [#{command: \"true\"}]}", "unknown field `command`"),
        ("let a = []; a.pad(21, #{cmd: \"true\"}); #{runs: a}", "asked for 21 runs"),
        ("run(#{cmdd: \"x\"})", "unknown field `cmdd`"),
    ] {
        let (opinions, hooks) = validate(&[(A, &format!("fn on_validate(ev) {{ {body} }}"))], &World::default());
        assert_eq!(opinions, [], "{body}");
        assert!(hooks[0].note.contains(want), "{body}: {}", hooks[0].note);
    }
}

#[test]
fn runs_are_changed_tightened_or_denied() {
    let limits = |wall: Value| json!({"wall_s": wall, "cpu_s": 60}).as_object().cloned().expect("an object");
    let go = |command: &str, wall: Value| RunDecision::Go { command: command.into(), limits: limits(wall) };
    let denied = |why: &str| RunDecision::Denied { script: A.into(), why: why.into() };
    for (body, want) in [
        ("", go("ls", json!(60))),
        ("modify(#{command: \"pwd\"})", go("pwd", json!(60))),
        ("#{limits: #{wall_s: 5}}", go("ls", json!(5))),
        ("#{limits: #{wall_s: 0.5}}", go("ls", json!(0.5))),
        ("#{limits: #{wall_s: 500}}", go("ls", json!(60))),
        ("if ev.source == \"model\" { deny(\"no\") }", denied("no")),
    ] {
        let (_folders, scripts) = load(&[(A, &format!("fn on_run(ev) {{ {body} }}"))]);
        let hooked =
            wait(scripts.on_run(&setting(), run_event("ls"), World::default().host(), &never())).expect("lives");
        assert_eq!(hooked.decision, want, "{body}");
    }
    for (body, want) in [
        ("#{limits: #{wall: 5}}", "set an unknown limit `wall`; did you mean `wall_s`?"),
        ("#{limits: #{wall_s: -1}}", "which is no number over 0"),
        ("#{limits: #{wall_s: \"5\"}}", "which is no number over 0"),
    ] {
        let (_folders, scripts) = load(&[(A, &format!("fn on_run(ev) {{ {body} }}"))]);
        let hooked =
            wait(scripts.on_run(&setting(), run_event("ls"), World::default().host(), &never())).expect("lives");
        assert!(hooked.hooks[0].note.contains(want), "{body}: {}", hooked.hooks[0].note);
        assert!(matches!(hooked.decision, RunDecision::Denied { .. }), "{body}");
    }
}

#[test]
fn results_are_shaped_one_after_the_other() {
    let (_folders, scripts) = load(&[
        ("user/80-feedback.rhai", "fn on_run_result(ev) { modify(#{feedback: ev.stdout + ev.feedback}) }"),
        ("user/90-z.rhai", "fn on_run_result(ev) { #{feedback: ev.feedback + \"more\"} }"),
    ]);
    let (at, no) = (setting(), never());
    let work = scripts.on_run_result(&at, result("ls", 0, "out\n"), World::default().host(), &no);
    assert_eq!(wait(work).expect("lives").decision, RunResultDecision::Go { feedback: Some("out\nmore".into()) });

    let (_folders, scripts) = load(&[(A, "fn on_run_result(ev) { if !ev.ok { stop(ev.exit.kind) } }")]);
    let (at, no) = (setting(), never());
    let work = scripts.on_run_result(&at, result("ls", 1, ""), World::default().host(), &no);
    assert_eq!(wait(work).expect("lives").decision, RunResultDecision::Stop { script: A.into(), why: "exited".into() });
}

#[test]
fn the_end_of_a_turn() {
    let end = |body: &str, verdict: &str, left: u32| {
        let (_folders, scripts) = load(&[(A, &format!("fn on_turn_end(ev) {{ {body} }}"))]);
        let (at, no) = (setting(), never());
        let work = scripts.on_turn_end(&at, turn_end(verdict, left), World::default().host(), &no);
        wait(work).expect("lives").decision
    };
    let none = TurnEndDecision::Go { verdict: None };
    assert_eq!(
        end("more(\"go on\")", "passed", 1),
        TurnEndDecision::More { script: A.into(), feedback: "go on".into() }
    );
    assert_eq!(end("more(\"go on\")", "passed", 0), none);
    assert_eq!(end("#{verdict: \"failed\"}", "passed", 1), TurnEndDecision::Go { verdict: Some("failed".into()) });
    assert_eq!(end("#{verdict: \"passed\"}", "failed", 1), TurnEndDecision::Go { verdict: Some("passed".into()) });
    assert_eq!(end("#{verdict: \"great\"}", "failed", 1), none);
}

#[test]
fn state_is_kept_and_restored() {
    let text = "fn on_prompt(ev) { if \"n\" in this { this.n += 1; } else { this.n = 1; } context(`${this.n}`) }";
    let (_folders, scripts) = load(&[(A, text), (B, "fn on_prompt(ev) { throw \"x\" }")]);
    let context = || match prompt(&scripts).1.first() {
        Some(hook) => hook.outcome.clone(),
        None => String::new(),
    };
    assert_eq!(context(), "changed");
    assert_eq!(context(), "changed");
    let state = wait(scripts.state()).expect("lives");
    assert_eq!(state, [(A.to_owned(), json!({"n": 2}))]);

    let (_folders, scripts) = load(&[(A, text)]);
    wait(scripts.restore(state)).expect("lives");
    assert_eq!(prompt(&scripts).0, go("hello", &["3"]));
    wait(scripts.restore(vec![(A.to_owned(), json!("no map"))])).expect("lives");
    assert_eq!(prompt(&scripts).0, go("hello", &["1"]));
}

#[test]
fn a_state_that_is_emptied_does_not_come_back() {
    let text = "fn on_prompt(ev) { if \"n\" in this { this.clear(); } else { this.n = 1; } }";
    let (_folders, scripts) = load(&[(A, text)]);
    prompt(&scripts);
    assert_eq!(wait(scripts.state()).expect("lives"), [(A.to_owned(), json!({"n": 1}))]);
    prompt(&scripts);
    assert_eq!(wait(scripts.state()).expect("lives"), [(A.to_owned(), json!({}))]);
}

#[test]
fn a_failed_call_leaves_the_state_alone() {
    let text = "fn on_prompt(ev) { this.n = 1; throw \"x\" }";
    let (_folders, scripts) = load(&[(A, text)]);
    prompt(&scripts);
    assert_eq!(wait(scripts.state()).expect("lives"), []);
}

#[test]
fn nobody_is_asked_where_nobody_is_there() {
    let (_folders, scripts) = load(&[(A, "fn on_prompt(ev) { if !ask_user(\"sure?\") { deny(\"no\") } }")]);
    let world = World::default();
    let ask = |headless: bool| {
        let mut at = setting();
        at.headless = headless;
        wait(scripts.on_prompt(&at, super::prompted("x", "user"), world.host(), &never())).expect("lives").decision
    };
    assert!(matches!(ask(true), PromptDecision::Denied { .. }));
    assert_eq!(*world.asked.lock().expect("no panic"), Vec::<String>::new());
    assert_eq!(ask(false), go("x", &[]));
    assert_eq!(*world.asked.lock().expect("no panic"), ["sure?"]);
}

/// Any value that a script could return.
fn any_value() -> impl Strategy<Value = Dynamic> {
    let leaf = prop_oneof![
        Just(Dynamic::UNIT),
        any::<i64>().prop_map(Dynamic::from),
        any::<f64>().prop_map(Dynamic::from),
        any::<bool>().prop_map(Dynamic::from),
        any::<char>().prop_map(Dynamic::from),
        ".{0,10}".prop_map(Dynamic::from),
    ];
    let keys = prop_oneof![
        Just("deny"),
        Just("text"),
        Just("allow"),
        Just("context"),
        Just("runs"),
        Just("cmd"),
        Just("limits"),
        Just("actions"),
        Just("kind"),
        Just("path"),
        Just("verdict"),
        Just("x"),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Dynamic::from),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|pairs| {
                let map: Map = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
                Dynamic::from_map(map)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_is_decoded_or_refused(value in any_value()) {
        let map = value.is_map();
        let unit = value.is_unit();
        let decoded = [
            answer::decode::<answer::Prompt>(&value).map(|a| a.is_some()),
            answer::decode::<answer::Reply>(&value).map(|a| a.is_some()),
            answer::decode::<answer::Write>(&value).map(|a| a.is_some()),
            answer::decode::<answer::Validate>(&value).map(|a| a.is_some()),
            answer::decode::<answer::Run>(&value).map(|a| a.is_some()),
            answer::decode::<answer::Outcome>(&value).map(|a| a.is_some()),
            answer::decode::<answer::End>(&value).map(|a| a.is_some()),
        ];
        for opinion in decoded {
            match opinion {
                Ok(true) => prop_assert!(map),
                Ok(false) => prop_assert!(unit),
                Err(_) => prop_assert!(!unit),
            }
        }
    }

    #[test]
    fn data_comes_back_as_it_was(text in "\\PC{0,20}", number in any::<i64>(), truth in any::<bool>()) {
        let value = json!({"text": text, "list": [number, truth, null, {"deep": [[text]]}]});
        let there = super::super::plain::to_script(&value);
        prop_assert_eq!(super::super::plain::to_json(&there), Ok(value));
    }
}
