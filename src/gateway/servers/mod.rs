//! The servers that are known by name: one file each, and the table of them.
//!
//! A file says all that is peculiar to its server; what it leaves out is taken for an OpenAI-compatible one. Adding a
//! server is its file, its name in [`Kind`] and its line in each of the two lists below.

mod llama_cpp;
mod lm_studio;
mod ollama;
mod sglang;
mod tgi;
mod vllm;

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value, json};

use super::ask::{Answer, Asker};
use super::wire::{self, Wire};
use crate::base::message::Message;

/// Which program serves the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    LlamaCpp,
    Vllm,
    Sglang,
    Tgi,
    Ollama,
    LmStudio,
    /// Anything else that speaks the chat-completions API.
    #[default]
    Other,
}

impl Kind {
    /// Those that can be told from others, in the order in which they are asked for.
    pub const NAMED: [Self; 6] = [Self::LlamaCpp, Self::Vllm, Self::Sglang, Self::Tgi, Self::Ollama, Self::LmStudio];

    pub fn adapter(self) -> &'static dyn Adapter {
        match self {
            Self::LlamaCpp => &llama_cpp::LlamaCpp,
            Self::Vllm => &vllm::Vllm,
            Self::Sglang => &sglang::Sglang,
            Self::Tgi => &tgi::Tgi,
            Self::Ollama => &ollama::Ollama,
            Self::LmStudio => &lm_studio::LmStudio,
            Self::Other => &Other,
        }
    }

    pub fn name(self) -> &'static str {
        self.adapter().name()
    }
}

/// What is peculiar to one server.
pub(super) trait Adapter: Sync {
    fn name(&self) -> &'static str;

    /// Whether the server's list of models shows who it is.
    fn is_told_by(&self, _list: &Answer) -> bool {
        false
    }

    /// Paths that only this server has, and whether it is this server that answers there; any of them tells.
    fn own_pages(&self) -> &'static [OwnPage] {
        &[]
    }

    /// The path and the field that tell the version.
    fn version(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Adds what only the server's own routes say about its models.
    fn ask_models<'a>(&'a self, _ask: &'a Asker, _models: &'a mut Vec<Model>) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }

    /// The route that this launch of the server is spoken to through.
    fn wire<'a>(&'a self, _ask: &'a Asker) -> BoxFuture<'a, Wire> {
        std::future::ready(wire::CHAT).boxed()
    }

    /// Has the model loaded where the server does so only when it is asked for, and gives its window then.
    fn load<'a>(&'a self, _ask: &'a Asker, _model: &'a Model, _patience: Duration) -> BoxFuture<'a, Option<u64>> {
        std::future::ready(None).boxed()
    }

    /// The window of the chosen model; `wished` is what the user set.
    fn settle<'a>(&'a self, _ask: &'a Asker, model: &'a Model, wished: Option<u64>) -> BoxFuture<'a, Settled> {
        std::future::ready(Settled { window: wished.or(model.window), notice: None }).boxed()
    }

    /// What is sent beside the portable fields.
    fn more_fields(&self) -> Map<String, Value> {
        Map::new()
    }

    fn counting(&self) -> Option<Counting> {
        None
    }

    /// Whether its list holds models that it would have to load first; those have no window.
    fn lists_unloaded(&self) -> bool {
        false
    }

    /// What makes it answer in JSON of this schema and nothing else; `None` where it cannot be held to one.
    fn shaped(&self, _schema: &Value) -> Option<Map<String, Value>> {
        None
    }

    /// How it goes on with a reply that it is given the beginning of, where its wire does not say.
    fn continuing(&self) -> Option<Continuing> {
        None
    }
}

/// The path, and whether what stands there is this server's.
pub(super) type OwnPage = (&'static str, fn(&Value) -> bool);

struct Other;

impl Adapter for Other {
    fn name(&self) -> &'static str {
        "OpenAI-compatible"
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Model {
    pub id: String,
    /// As the server says of this launch, never what the model was trained for.
    pub window: Option<u64>,
}

/// The window that a conversation gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    pub window: Option<u64>,
    /// For the user, where it is not simply what the server said.
    pub notice: Option<String>,
}

/// How a server counts the tokens of a conversation.
#[derive(Clone, Copy)]
pub(super) struct Counting {
    pub path: &'static str,
    /// What the answer says.
    pub count: fn(&Value) -> Option<u64>,
}

impl Counting {
    pub fn body(self, model: &str, messages: &[Message]) -> Value {
        json!({"model": model, "messages": messages})
    }
}

/// How a server goes on with an assistant's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuing {
    /// It does so of itself, and repeats what it was given in its first delta; that is taken away here.
    Repeats,
    /// It does so where it is asked to.
    Asked,
    /// The conversation is sent as one text, which ends there.
    Text,
}

impl Continuing {
    pub(super) fn fields(self) -> Map<String, Value> {
        match self {
            Self::Repeats | Self::Text => Map::new(),
            Self::Asked => fields(json!({"add_generation_prompt": false, "continue_final_message": true})),
        }
    }
}

/// A server's default place on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub kind: Kind,
    pub port: u16,
    /// One command that starts it.
    pub start: &'static str,
}

impl Known {
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

pub(super) const KNOWN: [Known; 5] = [ollama::KNOWN, llama_cpp::KNOWN, vllm::KNOWN, tgi::KNOWN, lm_studio::KNOWN];

/// How the two native wires are read, for tests that have no server.
#[cfg(test)]
pub(super) const OLLAMA: super::frame::Read = ollama::WIRE.read;
#[cfg(test)]
pub(super) const TGI: super::frame::Read = tgi::GENERATE.read;

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Left out, never null, where it is not taken: TGI refuses null, `transformers serve` and strict proxies the field.
fn asks_for_usage() -> Map<String, Value> {
    fields(json!({"stream_options": {"include_usage": true}}))
}

/// As the chat-completions API has it.
fn by_response_format(schema: &Value) -> Map<String, Value> {
    let shape = json!({"name": "answer", "strict": true, "schema": schema});
    fields(json!({"response_format": {"type": "json_schema", "json_schema": shape}}))
}

fn owner(list: &Answer) -> Option<&str> {
    list.body.pointer("/data/0/owned_by").and_then(Value::as_str)
}

fn set_windows(models: &mut [Model], entries: Option<&Value>, [name, window]: [&str; 2]) {
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let id = entry.get(name).and_then(Value::as_str);
        if let Some(model) = models.iter_mut().find(|model| Some(model.id.as_str()) == id) {
            model.window = entry.get(window).and_then(Value::as_u64);
        }
    }
}
