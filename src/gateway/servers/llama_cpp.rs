//! llama.cpp's `llama-server`, as of 0.5.0 (0c1e5709, October 2026).
//!
//! It says per slot what window it was started with; `meta.n_ctx_train` of its list is what the model was trained for.
//! Never sent: `X-Conversation-Id`, with which it would go on generating after the connection is dropped.

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value, json};

use super::{Adapter, Asker, Continuing, Counting, Kind, Known, Model, OwnPage, asks_for_usage, owner};
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
            let window = props.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64);
            models.iter_mut().for_each(|model| model.window = window.filter(|tokens| *tokens > 0));
        }
        .boxed()
    }

    fn more_fields(&self) -> Map<String, Value> {
        let mut fields = asks_for_usage();
        fields.insert("return_progress".to_owned(), json!(true));
        fields
    }

    fn counting(&self) -> Option<Counting> {
        Some(Counting { path: "/v1/chat/completions/input_tokens", field: "input_tokens" })
    }

    /// New versions do not repeat the beginning where `continue_final_message` asks them to go on; old ones do not know the
    /// field. Without it all of them repeat, so that what is to be taken away is certain.
    fn continuing(&self) -> Option<Continuing> {
        Some(Continuing::Repeats)
    }
}
