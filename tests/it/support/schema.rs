//! The published JSON Schemas of `docs/schema/`, and values checked against them.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// Stands for wherever the schemas are kept; they name each other by file name alone.
const BASE: &str = "https://schema.invalid/";

static VALIDATORS: LazyLock<Vec<(&str, Validator)>> = LazyLock::new(|| {
    let names = ["event", "result", "run-report"];
    let registry = names.iter().fold(Registry::new(), |registry, name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::meta::validate(&schema).unwrap();
        registry.add(format!("{BASE}{name}.json"), schema).unwrap()
    });
    let registry = registry.prepare().unwrap();
    let validator = |name| {
        let schema = json!({ "$ref": format!("{BASE}{name}.json") });
        jsonschema::options().with_registry(&registry).build(&schema).unwrap()
    };
    names.map(|name| (name, validator(name))).into()
});

/// What is wrong with the value, a sentence each; `schema` is a file of `docs/schema/` without `.json`.
pub fn faults(schema: &str, value: &Value) -> Vec<String> {
    let (_, validator) = VALIDATORS.iter().find(|(name, _)| *name == schema).unwrap();
    validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

#[track_caller]
pub fn assert_valid(schema: &str, value: &Value) {
    let faults = faults(schema, value);
    assert!(faults.is_empty(), "against docs/schema/{schema}.json: {}\n{value:#}", faults.join("\n"));
}

/// Every line is an event, all of one session, and the last one, and only that, is the result.
#[track_caller]
pub fn assert_stream(events: &[Value]) {
    events.iter().for_each(|event| assert_valid("event", event));
    let results: Vec<usize> = (0..events.len()).filter(|at| events[*at]["type"] == "result").collect();
    assert_eq!(results, [events.len() - 1], "the result is the last line and the only one");
    let session = &events[events.len() - 1]["session"];
    let strangers = events.iter().filter(|event| !event["session"].is_null() && event["session"] != *session);
    assert_eq!(strangers.count(), 0, "all lines are of one session");
}

#[cfg(test)]
mod tests {
    use faos::base::report::{
        Backend, ChangeKind, Exit, ExitKind, FileChange, Guarantee, MemoryMethod, Network, RunReport,
    };
    use serde_json::{Value, json};

    use super::{assert_stream, assert_valid, faults};

    fn report(exit: Exit) -> RunReport {
        RunReport {
            command: "python3 app.py".into(),
            cwd: "/workspace".into(),
            backend: Backend::Ns,
            guarantees: vec![Guarantee::FsWrite, Guarantee::FsRead, Guarantee::Network, Guarantee::Kill],
            missing: vec![Guarantee::Limits],
            degraded: Vec::new(),
            network: Network::Off,
            wall_s: 0.21,
            setup_s: 0.01,
            user_s: 0.1,
            system_s: 0.02,
            peak_memory_bytes: 14_000_000,
            peak_memory_method: MemoryMethod::LargestProcess,
            processes_left_killed: 0,
            written_bytes: 12,
            stdout_bytes: 6,
            stderr_bytes: 0,
            truncated: false,
            files_changed: vec![FileChange { path: "out.txt".into(), kind: ChangeKind::Created }],
            quarantined: Vec::new(),
            exit,
        }
    }

    fn exited() -> Value {
        json!(report(Exit { kind: ExitKind::Exited, code: Some(0), signal: None }))
    }

    /// The common fields, with `fields` laid over them.
    fn line(fields: Value) -> Value {
        let mut line = json!({"time": "2026-11-22T20:00:00.000Z", "session": "20261122-200000-ab12", "turn": 1});
        let Value::Object(fields) = fields else { panic!("fields are an object: {fields}") };
        line.as_object_mut().unwrap().extend(fields);
        line
    }

    fn result() -> Value {
        line(json!({
            "type": "result", "verdict": "passed", "exit_code": 0, "workspace": "/w", "text": "Done.",
            "files": [{"path": "app.py", "kind": "modified"}], "runs": [exited()],
            "usage": {"requests": 1, "prompt_tokens": 900, "cached_tokens": 0, "completion_tokens": 64, "seconds": 0.5}
        }))
    }

    #[test]
    fn every_report_that_the_program_can_write_is_valid() {
        use ExitKind::*;
        let limits =
            [WallLimit, CpuLimit, MemoryLimit, OutputLimit, FileLimit, ProcessLimit, DiskLimit, Cancelled, SetupFailed];
        let ends = limits.map(|kind| Exit { kind, code: None, signal: Some(9) });
        let marked = Exit { kind: Exited, code: Some(0), signal: None };
        let marked = RunReport {
            backend: Backend::Landlock,
            degraded: vec!["no process limit of the kernel".into()],
            quarantined: vec![".git".into()],
            ..report(marked)
        };
        assert_valid("run-report", &json!(marked));
        let usual =
            [Exit { kind: Exited, code: Some(1), signal: None }, Exit { kind: Signaled, code: None, signal: Some(11) }];
        ends.into_iter().chain(usual).for_each(|exit| assert_valid("run-report", &json!(report(exit))));
        for method in [MemoryMethod::Cgroup, MemoryMethod::Sampled] {
            let exit = Exit { kind: Cancelled, code: None, signal: None };
            let other =
                RunReport { backend: Backend::Off, network: Network::Full, peak_memory_method: method, ..report(exit) };
            assert_valid("run-report", &json!(other));
        }
    }

    #[test]
    fn every_field_of_a_report_is_required_and_no_other_allowed() {
        let whole = exited();
        for name in whole.as_object().unwrap().keys() {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(faults("run-report", &less).len(), 1, "without {name}");
        }
        let wrong = [
            ("more", json!(1)),
            ("backend", json!("docker")),
            ("wall_s", json!(-1)),
            ("guarantees", json!(["kill", "kill"])),
            ("exit", json!({"kind": "exited", "code": null, "signal": null})),
            ("files_changed", json!([{"path": "x", "kind": "renamed"}])),
        ];
        for (name, value) in wrong {
            let mut changed = whole.clone();
            changed[name] = value;
            assert!(!faults("run-report", &changed).is_empty(), "{name}");
        }
    }

    #[test]
    fn one_line_of_each_type_is_valid_and_one_field_more_is_not() {
        let mut finished = exited();
        finished["type"] = "run".into();
        let file = json!([{"path": "a", "kind": "deleted"}]);
        let lines = [
            json!({"type": "delta", "kind": "reasoning", "text": "hm"}),
            json!({"type": "action", "kind": "write", "path": "a.py", "outcome": "applied", "reason": null}),
            json!({"type": "action", "kind": "edit", "path": "a.py", "outcome": "refused", "reason": "why", "diff": "-a"}),
            json!({"type": "run", "phase": "started", "run": 1, "source": "model", "command": "make"}),
            json!({"type": "run", "phase": "output", "run": 1, "stream": "stderr", "seq": 1, "at_s": 0.012, "text": "x"}),
            line_of_finished_run(finished),
            json!({"type": "validation", "outcome": "none", "script": "50-validate-python.rhai", "feedback": "needs flask"}),
            json!({"type": "hook", "script": "30-guard.rhai", "event": "on_file_write", "outcome": "denied", "ms": 2, "note": "a key"}),
            json!({"type": "retry", "attempt": 1, "wait_s": 0.5, "reason": "503"}),
            json!({"type": "version", "version": 1, "commit": "0123456789012345678901234567890123456789", "files": file}),
            json!({"type": "usage", "requests": 1, "prompt_tokens": 9, "cached_tokens": 0, "completion_tokens": 4, "seconds": 1}),
            json!({"type": "notice", "text": "the model is loading"}),
            json!({"type": "error", "message": "no model", "hints": ["start one"]}),
            result(),
        ];
        for fields in lines {
            let mut event = line(fields);
            assert_valid("event", &event);
            event["surprise"] = json!(true);
            assert!(!faults("event", &event).is_empty(), "{event}");
        }
    }

    fn line_of_finished_run(mut report: Value) -> Value {
        for (name, value) in [("phase", json!("finished")), ("run", json!(1)), ("source", json!("validation"))] {
            report[name] = value;
        }
        report
    }

    #[test]
    fn what_a_line_lacks_is_a_fault() {
        for fields in [
            json!({"type": "delta", "kind": "tool", "text": "x"}),
            json!({"type": "action", "kind": "edit", "path": "a", "outcome": "refused", "reason": null}),
            json!({"type": "run", "phase": "finished", "run": 1, "source": "model"}),
            json!({"type": "unheard-of"}),
            json!({"type": "notice", "text": "x", "time": "yesterday"}),
            json!({"type": "notice", "text": "x", "session": "mine"}),
        ] {
            assert!(!faults("event", &line(fields.clone())).is_empty(), "{fields}");
        }
    }

    #[test]
    fn a_verdict_and_its_exit_code_belong_together() {
        let good = [("passed", 0), ("unchecked", 0), ("failed", 3), ("error", 2), ("error", 7), ("interrupted", 141)];
        let bad = [("passed", 3), ("unchecked", 1), ("failed", 0), ("error", 130), ("interrupted", 4), ("passed", 8)];
        let of = |(verdict, code): (&str, i32)| {
            let mut result = result();
            (result["verdict"], result["exit_code"]) = (json!(verdict), json!(code));
            faults("result", &result)
        };
        good.into_iter().for_each(|pair| assert_eq!(of(pair), Vec::<String>::new(), "{pair:?}"));
        bad.into_iter().for_each(|pair| assert!(!of(pair).is_empty(), "{pair:?}"));
    }

    #[test]
    fn a_failed_start_has_a_result_without_a_session() {
        let mut result = result();
        for (name, value) in [("verdict", json!("error")), ("exit_code", json!(4)), ("turn", json!(0))] {
            result[name] = value;
        }
        (result["session"], result["workspace"]) = (Value::Null, Value::Null);
        assert_valid("result", &result);
    }

    #[test]
    fn a_stream_ends_with_its_result() {
        let session = line(json!({"type": "session", "workspace": "/w", "model": "m", "anything": "may be added"}));
        assert_stream(&[session.clone(), result()]);
        assert!(std::panic::catch_unwind(|| assert_stream(&[result(), session])).is_err());
    }
}
