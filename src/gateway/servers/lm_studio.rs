//! LM Studio, as of 0.4.
//!
//! Only models that are loaded have a window. What does not fit it is told with status 200 and a named event, or with
//! an empty answer, both of which the common code reads.

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value};

use super::{Adapter, Asker, Kind, Known, Model, OwnPage, asks_for_usage, by_response_format, set_windows};

pub const KNOWN: Known = Known { kind: Kind::LmStudio, port: 1234, start: "lms server start" };

pub struct LmStudio;

impl Adapter for LmStudio {
    fn name(&self) -> &'static str {
        "LM Studio"
    }

    fn own_pages(&self) -> &'static [OwnPage] {
        &[
            ("/api/v1/models", |list| list.pointer("/models/0/loaded_instances").is_some()),
            ("/api/v0/models", |list| list.pointer("/data/0/state").is_some()),
        ]
    }

    fn ask_models<'a>(&'a self, ask: &'a Asker, models: &'a mut Vec<Model>) -> BoxFuture<'a, ()> {
        async move {
            let list = ask.page("/api/v1/models").await;
            if list.get("models").is_some() {
                return set_loaded(models, &list);
            }
            // Before 0.4.
            let list = ask.page("/api/v0/models").await;
            set_windows(models, list.get("data"), ["id", "loaded_context_length"]);
        }
        .boxed()
    }

    fn more_fields(&self) -> Map<String, Value> {
        asks_for_usage()
    }

    fn lists_unloaded(&self) -> bool {
        true
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(by_response_format(schema))
    }
}

/// A model's name is its key or that of a loaded instance; the window is the instance's.
fn set_loaded(models: &mut [Model], list: &Value) {
    for entry in list.get("models").and_then(Value::as_array).into_iter().flatten() {
        for instance in entry.get("loaded_instances").and_then(Value::as_array).into_iter().flatten() {
            let window = instance.pointer("/config/context_length").and_then(Value::as_u64);
            let names = [entry.get("key"), instance.get("id")].map(|name| name.and_then(Value::as_str));
            for model in models.iter_mut().filter(|model| names.contains(&Some(model.id.as_str()))) {
                model.window = window;
            }
        }
    }
}
