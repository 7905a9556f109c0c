//! llama.cpp's `llama-server`, as of 0.5.0 (0c1e5709, October 2026).
//!
//! It says per slot what window it was started with; `meta.n_ctx_train` of its list is what the model was trained for.
//! Started without a model it is a router: it lists what it could serve, loads what it is asked for, and has the pages
//! of each model beside its own, which say nothing.
//! Never sent: `X-Conversation-Id`, with which it would go on generating after the connection is dropped.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use serde_json::{Map, Value, json};

use super::{
    Adapter, Asker, Continuing, Counting, Kind, Known, Model, OwnPage, asks_for_usage, by_response_format, owner,
};
use crate::gateway::ask::Answer;

pub const KNOWN: Known = Known { kind: Kind::LlamaCpp, port: 8080, start: "llama-server -m MODEL.gguf" };

pub struct LlamaCpp;

impl Adapter for LlamaCpp {
    fn name(&self) -> &'static str {
        "llama.cpp"
    }

    fn is_told_by(&self, list: &Answer) -> bool {
        list.server == "llama.cpp" || owner(list) == Some("llamacpp")
    }

    fn own_pages(&self) -> &'static [OwnPage] {
        &[("/props", |props| props.get("default_generation_settings").is_some())]
    }

    fn version(&self) -> Option<(&'static str, &'static str)> {
        Some(("/props", "build_info"))
    }

    fn ask_models<'a>(&'a self, ask: &'a Asker, models: &'a mut Vec<Model>) -> BoxFuture<'a, ()> {
        async move {
            let props = ask.page("/props").await;
            if props.get("role").and_then(Value::as_str) != Some("router") {
                return models.iter_mut().for_each(|model| model.window = window(&props));
            }
            // What is not loaded answers with an error, and stays as it is.
            let asked = models.iter_mut().map(async |model| {
                let path = format!("{}&autoload=false", props_of(model));
                model.window = window(&ask.page(&path).await);
            });
            join_all(asked).await;
        }
        .boxed()
    }

    /// The answer comes when the model is loaded.
    fn load<'a>(&'a self, ask: &'a Asker, model: &'a Model, patience: Duration) -> BoxFuture<'a, Option<u64>> {
        async move {
            let answer = ask.get_within(&props_of(model), patience).await.ok()?;
            window(&answer.body)
        }
        .boxed()
    }

    fn more_fields(&self) -> Map<String, Value> {
        let mut fields = asks_for_usage();
        fields.insert("return_progress".to_owned(), json!(true));
        fields
    }

    /// As a router.
    fn lists_unloaded(&self) -> bool {
        true
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(by_response_format(schema))
    }

    fn counting(&self) -> Option<Counting> {
        Some(Counting {
            path: "/v1/chat/completions/input_tokens",
            count: |answer| answer.get("input_tokens")?.as_u64(),
        })
    }

    /// New versions do not repeat the beginning where `continue_final_message` asks them to go on; old ones do not know the
    /// field. Without it all of them repeat, so that what is to be taken away is certain.
    fn continuing(&self) -> Option<Continuing> {
        Some(Continuing::Repeats)
    }
}

/// Of each slot. A router has none, and says 0.
fn window(props: &Value) -> Option<u64> {
    props.pointer("/default_generation_settings/n_ctx")?.as_u64().filter(|tokens| *tokens > 0)
}

/// A router's page of this model.
fn props_of(model: &Model) -> String {
    let escaped = model.id.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    format!("/props?model={}", escaped.collect::<String>())
}
