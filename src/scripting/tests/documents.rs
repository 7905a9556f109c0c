//! What is written about scripts is true: the types file, the reserved words, the fields of every event.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::chain::Chain;
use super::super::handler::Event;
use super::super::{
    SessionEnd, SessionStart, TurnEndDecision, WriteDecision, answer, around, chains, definitions, engine, meter,
    reference, request, world,
};
use super::{World, load, never, reply, repository, request_event, result, run_event, setting, turn_end, wait, write};
use crate::base::fs;

#[test]
fn the_types_file_and_the_reference_are_what_the_program_says() {
    for (path, text) in [("scripts/types.d.rhai", definitions()), ("docs/scripting-reference.md", reference())] {
        let path = repository(path);
        if std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
            fs::replace(&path, text.as_bytes()).expect("written");
        }
        let file = fs::read_text(&path).expect("the file is there");
        assert_eq!(file, text, "write it anew with INSTA_UPDATE=always");
    }
}

/// Names that the types file gives an event are those that its `ev` has.
#[test]
fn the_fields_are_those_of_the_events() {
    let fields = |event: Event| match event {
        Event::SessionStart => {
            let event = SessionStart { resumed: false, forked_from: None };
            around::Start::new(event, vec![]).fields()
        }
        Event::Prompt => chains::Prompt::new(super::prompted("x", "user")).fields(),
        Event::Request => request::Request::new(request_event(&["x"])).fields(),
        Event::Reply => chains::Reply::new(reply(vec![], vec![])).fields(),
        Event::FileWrite => chains::Write::new(write("a", "")).fields(),
        Event::Validate => chains::Validate::new(vec![json!({})], vec![]).fields(),
        Event::Run => chains::Run::new(run_event("ls")).fields(),
        Event::RunResult => chains::Outcome::new(result("ls", 0, "")).fields(),
        Event::TurnEnd => chains::End::new(turn_end("passed", 0)).fields(),
        Event::Command => around::Command::new("user/10-x.rhai", "todo", "").fields(),
        Event::SessionEnd => around::End::new(SessionEnd { reason: "done".to_owned(), totals: json!({}) }).fields(),
    };
    for event in Event::ALL {
        let real: BTreeSet<String> = fields(event).keys().map(ToString::to_string).collect();
        let told: BTreeSet<String> =
            definitions::fields(event).into_iter().map(|(name, _, _)| name.to_owned()).collect();
        assert_eq!(real, told, "{}", event.name());
    }
    let mut real: BTreeSet<String> = super::super::plain::to_map(setting()).keys().map(ToString::to_string).collect();
    real.extend(["event".to_owned(), "time".to_owned()]);
    let told = definitions::COMMON.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    assert_eq!(real, told);
}

/// The answers that the types file names are those that are decoded, and no other.
#[test]
fn the_answers_are_those_that_are_decoded() {
    fn known<T: for<'de> serde::Deserialize<'de>>() -> BTreeSet<String> {
        let error = serde_json::from_value::<T>(json!({"?": 1})).err().expect("strict").to_string();
        error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }
    for event in Event::ALL {
        let real = match event {
            Event::SessionStart => known::<answer::SessionStart>(),
            Event::Request => known::<answer::Request>(),
            Event::Command => known::<answer::Command>(),
            Event::SessionEnd => known::<answer::SessionEnd>(),
            Event::Prompt => known::<answer::Prompt>(),
            Event::Reply => known::<answer::Reply>(),
            Event::FileWrite => known::<answer::Write>(),
            Event::Validate => known::<answer::Validate>(),
            Event::Run => known::<answer::Run>(),
            Event::RunResult => known::<answer::Outcome>(),
            Event::TurnEnd => known::<answer::End>(),
        };
        let told: BTreeSet<String> =
            definitions::answers(event).iter().map(|(name, _, _)| (*name).to_owned()).collect();
        assert_eq!(real, told, "{}", event.name());
    }
}

#[test]
fn the_functions_are_those_of_the_engine() {
    let meter = std::sync::Arc::new(meter::Meter::new(std::time::Duration::from_secs(1)));
    let engine = engine::build(&std::sync::Arc::new(world::Desk::new(meter)));
    let real: BTreeSet<String> = engine
        .gen_fn_signatures(false)
        .iter()
        .filter_map(|signature| signature.split('(').next())
        // Rhai's own names: one is refused, the others are bounded.
        .filter(|name| !["sleep", "replace", "split", "to_chars"].contains(name))
        .map(str::to_owned)
        .collect();
    let told = definitions::function_names().into_iter().map(str::to_owned).collect();
    assert_eq!(real, told);
}

/// `new`, `continue`, `default` and others are words that Rhai keeps for itself.
#[test]
fn every_name_can_be_written() {
    let mut text = String::new();
    let mut names: BTreeSet<&str> = definitions::COMMON.iter().map(|(name, _, _)| *name).collect();
    for event in Event::ALL {
        text += &format!("fn {}(ev) {{ }}\n", event.name());
        names.extend(definitions::fields(event).iter().map(|(name, _, _)| *name));
        names.extend(definitions::answers(event).iter().map(|(name, _, _)| *name));
    }
    for (at, name) in names.iter().enumerate() {
        text += &format!("fn field_{at}(ev) {{ #{{{name}: ev.{name}}} }}\n");
    }
    for (at, name) in definitions::function_names().iter().enumerate() {
        text += &format!("fn call_{at}() {{ {name}() }}\n");
    }
    text += "fn commands() { #{} }\n";
    load(&[("user/10-x.rhai", text.as_str())]);
}

/// Each example of the guide is a script that loads and does what the guide says of it.
#[test]
fn the_guides_examples_work() {
    let guide = fs::read_text(&repository("docs/scripting.md")).expect("the guide is there");
    let examples: Vec<String> = super::super::text::fences(&guide)
        .into_iter()
        .filter_map(|(lang, content)| (lang == "rhai").then_some(content))
        .collect();
    let [docstrings, careful, lua, patience] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let (_folders, scripts) = load(&[
        ("user/40-careful.rhai", careful.as_str()),
        ("user/40-docstrings.rhai", docstrings.as_str()),
        ("user/50-lua.rhai", lua.as_str()),
        ("user/90-patience.rhai", patience.as_str()),
    ]);
    let (at, no, world) = (setting(), never(), World::default());

    let file = wait(scripts.on_file_write(&at, write("migrations/1.sql", "x\n"), world.host(), &no)).expect("lives");
    assert!(matches!(file.decision, WriteDecision::Denied { .. }), "{file:?}");
    wait(scripts.on_run(&at, run_event("rm -rf build"), world.host(), &no)).expect("lives");
    assert_eq!(*world.asked.lock().expect("no panic"), ["Run this? rm -rf build"]);

    let checked = wait(scripts.on_validate(&at, vec![], vec!["a.lua".into()], world.host(), &no)).expect("lives");
    assert_eq!(checked.decision.len(), 1, "{checked:?}");

    wait(scripts.on_prompt(&at, super::prompted("x", "user"), world.host(), &no)).expect("lives");
    let end = || wait(scripts.on_turn_end(&at, turn_end("passed", 3), world.host(), &no)).expect("lives").decision;
    assert!(matches!(end(), TurnEndDecision::More { .. }));
    assert_eq!(end(), TurnEndDecision::Go { verdict: None });
}

/// Every event that there is stands in the guide.
#[test]
fn the_guide_names_every_event() {
    let guide = fs::read_text(&repository("docs/scripting.md")).expect("the guide is there");
    for event in Event::ALL {
        let gate = if event.is_gate() { " (gate)" } else { "" };
        assert!(guide.contains(&format!("| `{}`{gate} |", event.name())), "{}", event.name());
    }
}
