//! Hugging Face TGI, as of 3.x; versions before 1.4 have no chat route and are sent one text.
//!
//! The model's chat template is not to be had then, so the most usual ones are known here by the model's name. TGI
//! refuses `null` for what is left out, and `top_p: 1`; neither is ever sent.

use std::collections::VecDeque;

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Adapter, Asker, Counting, Kind, Known, Model, OwnPage, asks_for_usage, fields};
use crate::base::message::{Message, Role};
use crate::gateway::Delta;
use crate::gateway::frame::{Flow, FrameError, Reply};
use crate::gateway::wire::{self, Ask, Wire};

pub const KNOWN: Known = Known { kind: Kind::Tgi, port: 3000, start: "text-generation-launcher --model-id MODEL" };

/// One text in, an event a token out.
pub const GENERATE: Wire = Wire { route: "/generate_stream", at_root: true, as_text: true, body, read };

pub struct Tgi;

impl Adapter for Tgi {
    fn name(&self) -> &'static str {
        "TGI"
    }

    fn own_pages(&self) -> &'static [OwnPage] {
        // Old versions do not name the router; nobody else tells both of these.
        &[("/info", |info| {
            info.get("router").and_then(Value::as_str) == Some("text-generation-router")
                || info.get("model_id").is_some() && info.get("max_total_tokens").is_some()
        })]
    }

    fn version(&self) -> Option<(&'static str, &'static str)> {
        Some(("/info", "version"))
    }

    fn ask_models<'a>(&'a self, ask: &'a Asker, models: &'a mut Vec<Model>) -> BoxFuture<'a, ()> {
        async move {
            let info = ask.page("/info").await;
            if let Some(id) = info.get("model_id").and_then(Value::as_str)
                && models.is_empty()
            {
                models.push(Model { id: id.to_owned(), window: None });
            }
            // Prompt and reply together.
            let window = info.get("max_total_tokens").and_then(Value::as_u64);
            models.iter_mut().for_each(|model| model.window = window);
        }
        .boxed()
    }

    fn wire<'a>(&'a self, ask: &'a Asker) -> BoxFuture<'a, Wire> {
        async move {
            // A route that takes only POST answers 405 to this.
            match ask.get("/v1/chat/completions").await {
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => GENERATE,
                Ok(_) | Err(_) => wire::CHAT,
            }
        }
        .boxed()
    }

    fn more_fields(&self) -> Map<String, Value> {
        asks_for_usage()
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(fields(json!({"response_format": {"type": "json", "value": schema}})))
    }

    /// Every token with its place in the text; those of the chat template are among them.
    fn counting(&self) -> Option<Counting> {
        let count = |answer: &Value| Some(answer.get("tokenize_response")?.as_array()?.len() as u64);
        Some(Counting { path: "/chat_tokenize", count })
    }
}

fn body(ask: &Ask) -> serde_json::Result<Vec<u8>> {
    let mut parameters = Map::new();
    let sampling = ask.sampling;
    if let Some(temperature) = sampling.temperature {
        // It takes no 0: greedy is what it does unless it is told to sample.
        parameters.insert("do_sample".to_owned(), json!(temperature > 0.0));
        if temperature > 0.0 {
            parameters.insert("temperature".to_owned(), json!(temperature));
        }
    }
    if let Some(seed) = sampling.seed {
        parameters.insert("seed".to_owned(), json!(seed));
    }
    // Left out, it means 20 or 100 tokens in old versions.
    let most = sampling.max_tokens.or(ask.window.map(|window| window / 4)).unwrap_or(1024);
    parameters.insert("max_new_tokens".to_owned(), json!(most));
    if let Some(shape) = ask.more.get("response_format") {
        parameters.insert("grammar".to_owned(), shape.clone());
    }
    let inputs = Template::of(ask.model).text(ask.messages, ask.goes_on);
    serde_json::to_vec(&json!({"inputs": inputs, "parameters": parameters}))
}

fn read(reply: &mut Reply, data: &str, out: &mut VecDeque<Delta>) -> Result<Flow, FrameError> {
    let token: Token = reply.parse(data)?;
    // The last token is most often the special one that ended the reply.
    if let Some(Piece { text, special: false }) = token.token {
        reply.text(text, out);
    }
    if let Some(details) = token.details {
        reply.count_tokens(details.input_length, Some(details.generated_tokens));
        reply.finish(&details.finish_reason);
        return Ok(Flow::Done);
    }
    if token.generated_text.is_some() {
        reply.finish("stop");
        return Ok(Flow::Done);
    }
    Ok(Flow::More)
}

#[derive(Deserialize)]
struct Token {
    token: Option<Piece>,
    generated_text: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    text: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Details {
    finish_reason: String,
    generated_tokens: u64,
    input_length: Option<u64>,
}

/// How the turns of a conversation are marked in one text.
struct Template {
    /// In the model's name, in lower case.
    names: &'static [&'static str],
    begin: &'static str,
    /// Before and after each message; the system's, where there is no such turn, stands before the first of the user's.
    system: Option<[&'static str; 2]>,
    user: [&'static str; 2],
    assistant: [&'static str; 2],
}

const TEMPLATES: [Template; 4] = [
    Template {
        names: &["llama-3", "llama3"],
        begin: "<|begin_of_text|>",
        system: Some(["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"]),
        user: ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"],
        assistant: ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"],
    },
    Template {
        names: &["mistral", "mixtral", "codestral", "devstral", "llama-2"],
        begin: "<s>",
        system: None,
        user: ["[INST] ", " [/INST]"],
        assistant: ["", "</s>"],
    },
    Template {
        names: &["gemma"],
        begin: "<bos>",
        system: None,
        user: ["<start_of_turn>user\n", "<end_of_turn>\n"],
        assistant: ["<start_of_turn>model\n", "<end_of_turn>\n"],
    },
    Template {
        // ChatML: Qwen, Yi, Hermes and most that were trained on from a base model.
        names: &[""],
        begin: "",
        system: Some(["<|im_start|>system\n", "<|im_end|>\n"]),
        user: ["<|im_start|>user\n", "<|im_end|>\n"],
        assistant: ["<|im_start|>assistant\n", "<|im_end|>\n"],
    },
];

impl Template {
    fn of(model: &str) -> &'static Self {
        let model = model.to_lowercase();
        let known = TEMPLATES.iter().find(|template| template.names.iter().any(|name| model.contains(name)));
        known.unwrap_or(&TEMPLATES[TEMPLATES.len() - 1])
    }

    /// `continues`: the last message stays open.
    fn text(&self, messages: &[Message], continues: bool) -> String {
        let mut text = self.begin.to_owned();
        let mut preface = String::new();
        for (at, Message { role, content }) in messages.iter().enumerate() {
            let [before, after] = match role {
                Role::System => match self.system {
                    Some(marks) => marks,
                    None => {
                        preface = format!("{content}\n\n");
                        continue;
                    }
                },
                Role::User => self.user,
                Role::Assistant => self.assistant,
            };
            text.push_str(before);
            text.push_str(&std::mem::take(&mut preface));
            text.push_str(content);
            if continues && at + 1 == messages.len() {
                return text;
            }
            text.push_str(after);
        }
        text.push_str(self.assistant[0]);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Role, Template};

    fn text(model: &str, continues: bool) -> String {
        let mut messages = vec![Message::new(Role::System, "s"), Message::new(Role::User, "u")];
        if continues {
            messages.push(Message::new(Role::Assistant, "a"));
        }
        Template::of(model).text(&messages, continues)
    }

    #[test]
    fn turns_are_marked_as_the_model_knows_them() {
        let chat_ml = "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(text("Qwen/Qwen2.5-Coder-7B-Instruct", false), chat_ml);
        assert_eq!(text("Qwen/Qwen2.5-Coder-7B-Instruct", true), format!("{chat_ml}a"));
        assert_eq!(text("mistralai/Mistral-7B-Instruct-v0.2", false), "<s>[INST] s\n\nu [/INST]");
        assert_eq!(text("mistralai/Mistral-7B-Instruct-v0.2", true), "<s>[INST] s\n\nu [/INST]a");
        assert!(text("meta-llama/Llama-3.1-8B-Instruct", false).ends_with("<|end_header_id|>\n\n"));
        assert!(text("google/gemma-2-9b-it", false).starts_with("<bos><start_of_turn>user\ns\n\nu<end_of_turn>"));
    }
}
