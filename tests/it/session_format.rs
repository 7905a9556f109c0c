//! `docs/session-format.md` and `docs/schema/record.json` say what the program does: every example is read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use faos::session::record::{Entry, Record, TYPES};
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// Stands for wherever the schemas are kept; they name each other by file name alone.
const BASE: &str = "https://schema.invalid/";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(docs().join("schema").join(name)).unwrap()).unwrap()
}

fn validator() -> Validator {
    let registry = ["record.json", "run-report.json"].iter().fold(Registry::new(), |registry, name| {
        let schema = schema(name);
        jsonschema::meta::validate(&schema).unwrap();
        registry.add(format!("{BASE}{name}"), schema).unwrap()
    });
    let registry = registry.prepare().unwrap();
    let schema = json!({ "$ref": format!("{BASE}record.json") });
    jsonschema::options().with_registry(&registry).build(&schema).unwrap()
}

/// The heading and the one line of each fenced `json` block.
fn examples() -> Vec<(String, String)> {
    let text = fs::read_to_string(docs().join("session-format.md")).unwrap();
    let mut heading = "";
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = name;
        }
        if line == "```json" {
            found.push((heading.to_owned(), lines.next().unwrap().to_owned()));
            assert_eq!(lines.next(), Some("```"), "an example is one line: {heading}");
        }
    }
    found
}

#[test]
fn every_type_has_one_example_in_the_order_of_the_code() {
    let headings: Vec<String> = examples().into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(headings, TYPES);
}

#[test]
fn every_example_is_read_as_its_type_and_written_back_the_same() {
    for ((heading, line), seq) in examples().into_iter().zip(0..) {
        let record = Record::parse(line.as_bytes()).unwrap_or_else(|damage| panic!("{heading}: {damage}"));
        assert_eq!(name_of(&record.entry), heading);
        assert_eq!(record.seq, seq, "the examples are one log");
        assert_eq!(serde_json::to_string(&record).unwrap(), line, "{heading}: the fields as the program writes them");
    }
}

/// Matched without `_`: a new type does not compile until it is told here, and then lacks its example.
fn name_of(entry: &Entry) -> &'static str {
    let at = match entry {
        Entry::SessionStarted(_) => 0,
        Entry::UserMessage { .. } => 1,
        Entry::FileAttached { .. } => 2,
        Entry::RequestChanged { .. } => 3,
        Entry::RequestSent { .. } => 4,
        Entry::ReplyDelta { .. } => 5,
        Entry::ReplyFinished { .. } => 6,
        Entry::FilesChanging { .. } => 7,
        Entry::ActionApplied { .. } => 8,
        Entry::ActionRefused { .. } => 9,
        Entry::VersionKept { .. } => 10,
        Entry::RunStarted { .. } => 11,
        Entry::RunFinished { .. } => 12,
        Entry::Validated { .. } => 13,
        Entry::HookRan { .. } => 14,
        Entry::ScriptState { .. } => 15,
        Entry::Retry { .. } => 16,
        Entry::Compacted { .. } => 17,
        Entry::HeadMoved { .. } => 18,
        Entry::SettingChanged { .. } => 19,
        Entry::Renamed { .. } => 20,
        Entry::Note { .. } => 21,
        Entry::Error { .. } => 22,
        Entry::TurnFinished { .. } => 23,
        Entry::SessionEnded { .. } => 24,
        Entry::Unknown(fields) => panic!("not known: {fields:?}"),
    };
    TYPES[at]
}

#[test]
fn every_example_is_valid_and_the_schema_names_each_of_its_fields() {
    let validator = validator();
    let schema = schema("record.json");
    let rules: BTreeMap<&str, &Value> = schema["allOf"].as_array().unwrap().iter().map(rule).collect();
    assert_eq!(rules.len(), TYPES.len());
    for (heading, line) in examples() {
        let value: Value = serde_json::from_str(&line).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{heading}");
        let (common, own) = (&schema["properties"], &rules[heading.as_str()]["properties"]);
        for name in value.as_object().unwrap().keys() {
            assert!(common.get(name).is_some() || own.get(name).is_some(), "{heading}: `{name}` is not in the schema");
        }
        for name in own.as_object().unwrap().keys() {
            assert!(value.get(name).is_some(), "{heading}: the example lacks `{name}`");
        }
    }
}

fn rule(rule: &Value) -> (&str, &Value) {
    (rule["if"]["properties"]["type"]["const"].as_str().unwrap(), &rule["then"])
}

#[test]
fn the_schema_refuses_what_the_program_would_call_damaged() {
    let validator = validator();
    for (heading, line) in examples() {
        let whole: Value = serde_json::from_str(&line).unwrap();
        for name in whole.as_object().unwrap().keys() {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(name);
            let damaged = Record::parse(less.to_string().as_bytes()).is_err();
            // A reader takes a missing optional field for `null`; a writer gives it.
            assert!(!damaged || !validator.is_valid(&less), "{heading} without `{name}`");
            let mut wrong = whole.clone();
            wrong[name] = json!({"unheard": "of"});
            let damaged = Record::parse(wrong.to_string().as_bytes()).is_err();
            assert!(!damaged || !validator.is_valid(&wrong), "{heading} with another `{name}`");
        }
    }
}

#[test]
fn the_schema_passes_over_what_it_does_not_know() {
    let validator = validator();
    let (_, line) = examples().swap_remove(0);
    let mut later: Value = serde_json::from_str(&line).unwrap();
    later["later"] = json!(1);
    assert!(validator.is_valid(&later));
    later["type"] = json!("dreamt");
    assert!(validator.is_valid(&later));
}
