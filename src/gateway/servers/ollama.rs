//! Ollama, through its own `/api/chat`, as of fb307609 (August 2026).
//!
//! Its chat-completions route takes no `num_ctx`, loses the text of errors in a stream, and cuts what is too long
//! without a word. Here the window is in every request and always the same, since another one makes Ollama load the
//! model anew; and `truncate` and `shift` are off, so that too much is an error.

use std::collections::VecDeque;

use futures_util::future::{BoxFuture, FutureExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Adapter, Asker, Kind, Known, Model, OwnPage, Settled, fields, set_windows};
use crate::base::message::Message;
use crate::gateway::Delta;
use crate::gateway::frame::{Flow, FrameError, Reply};
use crate::gateway::wire::{Ask, Wire};

pub const KNOWN: Known = Known { kind: Kind::Ollama, port: 11434, start: "ollama serve" };

/// What a conversation gets where nobody set a window. Ollama's own 4,096 on most machines is too little to work on
/// files, and what models declare, often 131,072, more memory than most machines have.
const SENSIBLE: u64 = 16_384;

/// A JSON object a line.
pub const WIRE: Wire = Wire { route: "/api/chat", at_root: true, as_text: false, body, read };

pub struct Ollama;

impl Adapter for Ollama {
    fn name(&self) -> &'static str {
        "Ollama"
    }

    fn own_pages(&self) -> &'static [OwnPage] {
        &[("/api/version", |page| page.get("version").is_some())]
    }

    fn version(&self) -> Option<(&'static str, &'static str)> {
        Some(("/api/version", "version"))
    }

    fn ask_models<'a>(&'a self, ask: &'a Asker, models: &'a mut Vec<Model>) -> BoxFuture<'a, ()> {
        // Only models that are loaded have a window.
        async move { set_windows(models, ask.page("/api/ps").await.get("models"), ["name", "context_length"]) }.boxed()
    }

    fn wire<'a>(&'a self, _ask: &'a Asker) -> BoxFuture<'a, Wire> {
        std::future::ready(WIRE).boxed()
    }

    fn lists_unloaded(&self) -> bool {
        true
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(fields(json!({"format": schema})))
    }

    fn settle<'a>(&'a self, ask: &'a Asker, model: &'a Model, wished: Option<u64>) -> BoxFuture<'a, Settled> {
        async move {
            if let Some(window) = wished {
                return Settled { window: Some(window), notice: None };
            }
            let card = ask.post("/api/show", &json!({"model": model.id})).await.map_or(Value::Null, |card| card.body);
            window_of(&card, model.window)
        }
        .boxed()
    }
}

/// The window to ask for: what is loaded where that is enough, else what the model's card sets or can.
fn window_of(card: &Value, loaded: Option<u64>) -> Settled {
    let trained = card.get("model_info").and_then(Value::as_object).and_then(|info| {
        info.iter().find(|(field, _)| field.ends_with(".context_length")).and_then(|(_, tokens)| tokens.as_u64())
    });
    let most = trained.unwrap_or(u64::MAX);
    let set = card.get("parameters").and_then(Value::as_str).and_then(set_by_card).map(|tokens| tokens.min(most));
    let sensible = SENSIBLE.min(most);
    if let Some(window) = loaded.filter(|tokens| Some(*tokens) == set || *tokens >= sensible || trained.is_none()) {
        return Settled { window: Some(window), notice: None };
    }
    let window = set.unwrap_or(sensible);
    let said = match (loaded, trained) {
        (Some(loaded), _) => format!("it was loaded with {loaded} and is loaded anew"),
        (None, Some(trained)) => format!("the model can read {trained}"),
        (None, None) => "what the model can read is not known".to_owned(),
    };
    let notice =
        format!("Ollama is asked for a context window of {window} tokens ({said}); `--context N` sets another");
    Settled { window: Some(window), notice: (set.is_none() && trained != Some(window)).then_some(notice) }
}

/// `num_ctx 8192` among the lines of a card's parameters.
fn set_by_card(parameters: &str) -> Option<u64> {
    parameters.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok())
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    truncate: bool,
    shift: bool,
    options: RunOptions,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct RunOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
}

fn body(ask: &Ask) -> serde_json::Result<Vec<u8>> {
    let sampling = ask.sampling;
    serde_json::to_vec(&Body {
        model: ask.model,
        messages: ask.messages,
        stream: true,
        truncate: false,
        shift: false,
        options: RunOptions {
            num_ctx: ask.window,
            num_predict: sampling.max_tokens,
            temperature: sampling.temperature,
            seed: sampling.seed,
        },
        more: &ask.more,
    })
}

/// One line of the stream, or a whole answer that was not streamed.
fn read(reply: &mut Reply, data: &str, out: &mut VecDeque<Delta>) -> Result<Flow, FrameError> {
    let line: Line = reply.parse(data)?;
    if let Some(said) = line.message {
        reply.reasoning(said.thinking.unwrap_or_default(), out);
        reply.text(said.content.unwrap_or_default(), out);
        for Call { function } in said.tool_calls.into_iter().flatten() {
            reply.whole_call(function.name, &function.arguments);
        }
    }
    if !line.done {
        return Ok(Flow::More);
    }
    reply.count_tokens(line.prompt_eval_count, line.eval_count);
    match line.done_reason.as_deref() {
        // Nothing was said: the model was only loaded or unloaded.
        Some("load" | "unload") => reply.finish("abort"),
        reason => reply.finish(reason.filter(|reason| !reason.is_empty()).unwrap_or("stop")),
    }
    Ok(Flow::Done)
}

#[derive(Deserialize)]
struct Line {
    message: Option<Said>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::window_of;

    #[test]
    fn the_window_is_what_is_loaded_set_or_sensible() {
        let card = |trained: u64, parameters: &str| json!({"model_info": {"general.architecture": "qwen2", "qwen2.context_length": trained}, "parameters": parameters});
        let set = "stop \"<|im_end|>\"\nnum_ctx                        8192";
        for (card, loaded, window, said) in [
            (card(131_072, ""), None, 16_384, true),
            (card(131_072, ""), Some(32_768), 32_768, false),
            (card(131_072, ""), Some(4096), 16_384, true),
            (card(131_072, set), None, 8192, false),
            (card(131_072, set), Some(8192), 8192, false),
            (card(4096, set), None, 4096, false),
            (card(8192, ""), None, 8192, false),
            (json!(null), Some(4096), 4096, false),
            (json!(null), None, 16_384, true),
        ] {
            let settled = window_of(&card, loaded);
            assert_eq!((settled.window, settled.notice.is_some()), (Some(window), said), "{card} {loaded:?}");
        }
        let notice = window_of(&card(131_072, ""), None).notice.unwrap();
        assert_eq!(
            notice,
            "Ollama is asked for a context window of 16384 tokens (the model can read 131072); `--context N` sets another"
        );
    }
}
