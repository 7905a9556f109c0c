//! The events around the turns, and the commands that scripts add.

use serde_json::json;

use super::super::{
    Changed, CommandDecision, Context, HookRun, Params, RequestDecision, Scripts, SessionEnd, SessionStart,
};
use super::{World, load, load_error, never, of, request_event, setting, wait};
use crate::base::message::{Message, Role};

const A: &str = "user/10-a.rhai";
const B: &str = "user/20-b.rhai";

fn begun(scripts: &Scripts, start: SessionStart) -> Vec<Context> {
    wait(scripts.on_session_start(&setting(), start, World::default().host(), &never())).expect("lives").decision
}

#[test]
fn a_session_begins_with_what_scripts_add() {
    let (_folders, scripts) = load(&[
        (A, "fn on_session_start(ev) { if ev.resumed { context(`again, from ${ev.forked_from}`) } }"),
        (B, "fn on_session_start(ev) { #{context: [ev.scripts.find(|s| s.ends_with(\"10-a.rhai\")), \"two\"]} }"),
        ("user/30-c.rhai", "fn on_session_start(ev) { throw \"x\" }"),
    ]);
    let texts = |start| begun(&scripts, start).into_iter().map(|context| context.text).collect::<Vec<_>>();
    assert_eq!(texts(SessionStart { resumed: false, forked_from: None }), [A, "two"]);
    let forked = SessionStart { resumed: true, forked_from: Some("20261122-200000-ab12".to_owned()) };
    assert_eq!(texts(forked), ["again, from 20261122-200000-ab12", A, "two"]);
}

/// The decision of one `on_request` with that body, on a request of two messages.
fn requested(body: &str) -> (RequestDecision, Vec<HookRun>) {
    let (_folders, scripts) = load(&[(A, &format!("fn on_request(ev) {{ {body} }}"))]);
    let event = request_event(&["one", "two"]);
    let hooked = wait(scripts.on_request(&setting(), event, World::default().host(), &never())).expect("lives");
    (hooked.decision, hooked.hooks)
}

fn changed(messages: &[&str], params: Params) -> RequestDecision {
    let messages = messages.iter().map(|text| Message::new(Role::User, *text)).collect();
    RequestDecision::Go(Some(Changed { scripts: vec![A.to_owned()], messages, params }))
}

#[test]
fn a_request_is_changed_or_denied() {
    let usual = || Params { temperature: Some(0.5), ..Params::default() };
    for (body, want, note) in [
        ("", RequestDecision::Go(None), ""),
        (
            "ev.messages[0].content = \"ONE\"; modify(#{messages: ev.messages})",
            changed(&["ONE", "two"], usual()),
            "1 of 2 messages are other ones",
        ),
        (
            "#{params: #{temperature: 0.0, seed: 7}}",
            changed(&["one", "two"], Params { temperature: Some(0.0), seed: Some(7), max_tokens: None }),
            "temperature 0, seed 7",
        ),
        (
            "if ev.est_tokens < ev.context_limit && ev.params.seed == () { deny(\"no\") }",
            RequestDecision::Denied { script: A.to_owned(), why: "no".to_owned() },
            "no",
        ),
    ] {
        let (decision, hooks) = requested(body);
        assert_eq!(decision, want, "{body}");
        assert_eq!(of(&hooks, A).first().map_or("", |hook| hook.note.as_str()), note, "{body}");
    }
}

#[test]
fn what_cannot_be_sent_denies_the_request() {
    for (body, want) in [
        ("#{messages: []}", "returned no message"),
        ("#{messages: [#{role: \"assistant\", content: \"x\"}]}", "whose last one is not the one to be answered"),
        ("#{messages: [#{role: \"tool\", content: \"x\"}]}", "unknown variant `tool`"),
        ("#{params: #{temprature: 1.0}}", "unknown field `temprature`"),
        ("throw \"boom\"", "user/10-a.rhai:1:21: boom"),
    ] {
        let (decision, _) = requested(body);
        let RequestDecision::Denied { why, .. } = decision else { panic!("{body}: {decision:?}") };
        assert!(why.starts_with("denied because the script itself is broken: "), "{why}");
        assert!(why.contains(want), "{body}: {why}");
    }
    let (_folders, scripts) = load(&[(A, "fn on_request(ev) { #{messages: [ev.messages[0]]} }")]);
    let event = super::super::RequestEvent { goes_on: true, ..request_event(&["one", "two"]) };
    let hooked = wait(scripts.on_request(&setting(), event, World::default().host(), &never())).expect("lives");
    assert!(hooked.hooks[0].note.contains("the reply that the server goes on with"), "{:?}", hooked.hooks);
}

#[test]
fn commands_are_done_by_the_script_that_has_them() {
    let text = |name: &str| {
        format!(
            "fn commands() {{ #{{{name}: \"does {name}\"}} }}
             fn on_command(ev) {{ if ev.text == \"say\" {{ #{{text: ev.command}} }} else {{ handled(ev.text) }} }}"
        )
    };
    let (_folders, scripts) = load(&[(A, &text("todo")), (B, &text("plan"))]);
    let commands = scripts.commands();
    let told: Vec<(&str, &str, &str)> =
        commands.iter().map(|c| (c.name.as_str(), c.about.as_str(), c.script.as_str())).collect();
    assert_eq!(told, [("plan", "does plan", B), ("todo", "does todo", A)]);
    for (text, want) in [
        ("say", CommandDecision::Say { text: "todo".to_owned() }),
        ("x", CommandDecision::Handled { text: "x".to_owned() }),
    ] {
        let (at, no) = (setting(), never());
        let hooked = wait(scripts.on_command(&at, (&commands[1], text), World::default().host(), &no)).expect("lives");
        assert_eq!(hooked.decision, want);
        assert_eq!(hooked.hooks.len(), 1);
    }
    scripts.switch_off([A.to_owned()]);
    assert_eq!(scripts.commands().len(), 1);
}

#[test]
fn faulty_commands_are_errors_of_loading() {
    let with = |body: &str| load_error(A, &format!("fn commands() {{ {body} }} fn on_command(ev) {{ }}"));
    for (body, want) in [
        ("1", "user/10-a.rhai: `commands` returned a value of type i64, not a map of names and what they do"),
        ("#{Todo: \"x\"}", "user/10-a.rhai: `commands` names `Todo`: a command is lower-case letters, digits and `-`"),
        ("#{undo: \"x\"}", "user/10-a.rhai: `commands` names `undo`, which is a command of the program itself"),
        ("#{todo: 1}", "user/10-a.rhai: `commands` does not say in a text what `todo` does"),
        ("throw \"x\"", "user/10-a.rhai:1:17: x"),
        ("list(\"**\"); #{}", "user/10-a.rhai:1:17: there is no host to ask"),
    ] {
        assert_eq!(with(body), want);
    }
    assert!(with("loop {}").contains("stopped after"));
    let both = "fn commands() { #{todo: \"x\"} } fn on_command(ev) { }";
    let folders = super::Folders::with(&[(A, both), (B, both)]);
    let Err(error) = folders.load() else { panic!("both were loaded") };
    assert_eq!(error.to_string(), "user/20-b.rhai: `/todo` is a command of user/10-a.rhai too");
}

#[test]
fn a_session_ends_with_its_totals() {
    let (_folders, scripts) = load(&[(A, "fn on_session_end(ev) { log_info(`${ev.reason} ${ev.totals.runs}`); }")]);
    let world = World::default();
    let end = SessionEnd { reason: "left".to_owned(), totals: json!({"runs": 3}) };
    let hooked = wait(scripts.on_session_end(&setting(), end, world.host(), &never())).expect("lives");
    assert_eq!((hooked.hooks, world.said()), (vec![], vec!["user/10-a.rhai: left 3".to_owned()]));
}

#[test]
fn what_each_handler_did_is_counted_and_a_script_that_is_off_is_not_asked() {
    let (_folders, scripts) = load(&[(A, "fn on_prompt(ev) { if ev.text == \"x\" { context(\"c\") } }")]);
    let ask = |text: &str| {
        wait(scripts.on_prompt(&setting(), super::prompted(text, "user"), World::default().host(), &never()))
    };
    for (text, outcome) in [("x", "changed"), ("y", "")] {
        ask(text).expect("lives");
        assert_eq!(scripts.tallies(A)[0].outcome, outcome);
    }
    assert_eq!((scripts.tallies(A)[0].event, scripts.tallies(A)[0].calls), ("on_prompt", 2));
    scripts.switch_off([A.to_owned()]);
    ask("x").expect("lives");
    assert_eq!(scripts.tallies(A)[0].calls, 2);
}

#[test]
fn what_was_meant_is_told() {
    for (body, want) in [
        ("ev.txt", "user/10-a.rhai:1:23: Property not found: txt; did you mean `text`?"),
        ("ev.text.re_fnd(\"x\")", "did you mean `re_find`?"),
        ("dney(\"x\")", "did you mean `deny`?"),
        ("#{denny: \"x\"}", "did you mean `deny`?"),
    ] {
        let (_folders, scripts) = load(&[(A, &format!("fn on_prompt(ev) {{ {body} }}"))]);
        let hooked =
            wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
                .expect("lives");
        assert!(hooked.hooks[0].note.contains(want), "{body}: {}", hooked.hooks[0].note);
    }
}
