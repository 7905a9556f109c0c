//! What differs from run to run, taken out of text and JSON, so that the rest can stand in a snapshot.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// In this order: a time holds digits that a later pattern would take for something else.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"\b\d{8}-\d{6}-[a-z0-9]{4}\b", "[session]"),
        (r"\b(127\.0\.0\.1|localhost|\[::1\]):\d+", "$1:[port]"),
        (r"\b[0-9a-f]{40}\b", "[commit]"),
        (r"\b(pid|process) \d+\b", "$1 [pid]"),
        (r"\b\d+(\.\d+)? ?(ns|µs|ms|s|min)\b", "[duration]"),
        (r"\b\d+(\.\d+)? ?(kB|MB|MiB|GB|GiB|KiB)\b", "[size]"),
    ];
    patterns.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).into()
});

/// Measured values of reports, events and records.
const MEASURED: &[&str] = &[
    "wall_s",
    "setup_s",
    "user_s",
    "system_s",
    "wait_s",
    "seconds",
    "ms",
    "peak_memory_bytes",
    "peak_memory_method",
    "written_bytes",
    "pid",
];

pub fn text(text: &str) -> String {
    PATTERNS.iter().fold(text.to_owned(), |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
}

/// Every string redacted, and every measured value of a known name replaced.
pub fn json(value: &Value) -> Value {
    match value {
        Value::String(inner) => Value::String(text(inner)),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, inner)| {
                let measured = MEASURED.contains(&name.as_str());
                (name.clone(), if measured { Value::from("[measured]") } else { json(inner) })
            });
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_differs_goes_and_the_rest_stays() {
        let before = "2026-11-22T20:00:00.000Z 20261122-200000-ab12 http://127.0.0.1:8080/v1 took 12.5 ms, 3 files, 14 MB (pid 77)";
        let after = "[time] [session] http://127.0.0.1:[port]/v1 took [duration], 3 files, [size] (pid [pid])";
        assert_eq!(super::text(before), after);
    }

    #[test]
    fn measured_fields_go_and_counts_stay() {
        let value = json!({"run": {"wall_s": 0.2, "command": "sleep 1 s", "files": [3, null, true]}});
        let want = json!({"run": {"wall_s": "[measured]", "command": "sleep [duration]", "files": [3, null, true]}});
        assert_eq!(super::json(&value), want);
    }
}
