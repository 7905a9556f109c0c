//! What a server says went wrong, read from any of the shapes that servers use.
//!
//! `{"error": "text"}` (TGI, Ollama), `{"error": {"message", "type", "code"}}` (llama.cpp, vLLM, LM Studio),
//! `{"message"}` (LM Studio's named events), `{"detail": "text" | [{"msg"}]}` (FastAPI), plain text (axum, uvicorn).

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::error::{GatewayError, sentence};

/// A refusal or failure as the server put it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fault {
    /// The HTTP status, or the code inside an error frame.
    pub status: Option<u16>,
    /// Printable, one line; may be empty.
    pub text: String,
    /// As the `Retry-After` header asks.
    pub retry_after: Option<Duration>,
    pub overflow: Option<Overflow>,
}

/// The prompt did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Overflow {
    pub prompt_tokens: Option<u64>,
    pub window: Option<u64>,
}

impl Fault {
    /// The answer to a request that failed as a whole.
    pub fn of_body(status: u16, body: &[u8]) -> Self {
        let parsed = serde_json::from_slice::<Value>(body).ok().and_then(|value| Self::of_value(&value));
        let mut fault = parsed.unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            // A page for browsers says nothing in its first 300 characters.
            let says_nothing = text.trim_start().starts_with('<') || matches!(text.trim(), "{}" | "[]" | "null");
            let text = if says_nothing { String::new() } else { sentence(&text) };
            Self { overflow: overflow(&text), text, ..Self::default() }
        });
        fault.status = Some(status);
        fault
    }

    /// The error inside a frame or a body; `None` where the value speaks of none.
    pub fn of_value(value: &Value) -> Option<Self> {
        let error = match value.get("error") {
            None | Some(Value::Null | Value::Bool(false)) => value,
            Some(error) => error,
        };
        let text = match error {
            Value::String(text) => text.clone(),
            other => {
                ["message", "detail", "error"].iter().find_map(|field| words(other.get(field)?)).or_else(|| {
                    // An error object without any words is still an error.
                    (!std::ptr::eq(error, value)).then(|| error.to_string())
                })?
            }
        };
        let exact = error.get("type").and_then(Value::as_str) == Some("exceed_context_size_error");
        let counts = Overflow { prompt_tokens: number(error, "n_prompt_tokens"), window: number(error, "n_ctx") };
        let code = number(error, "code").or_else(|| number(error, "http_status_code"));
        Some(Self {
            status: code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code)),
            overflow: if exact { Some(counts) } else { overflow(&text) },
            text: sentence(&text),
            retry_after: None,
        })
    }

    /// The model is still being read from disk: llama.cpp answers so on every path.
    pub fn is_loading(&self) -> bool {
        self.status == Some(503) && self.text.to_ascii_lowercase().contains("loading")
    }

    /// `partial`: text of this reply was already handed on.
    pub fn into_error(self, partial: bool) -> GatewayError {
        if let Some(Overflow { prompt_tokens, window }) = self.overflow {
            return GatewayError::Overflow { prompt_tokens, window };
        }
        if self.is_loading() {
            return GatewayError::Refused {
                message: "the server is still loading its model (503)".to_owned(),
                hints: vec!["try again later, or set `loading_s` below `[model.limits]` in the settings".to_owned()],
            };
        }
        let mut said = if self.text.is_empty() { "it gave no reason".to_owned() } else { self.text };
        if let Some(wait) = self.retry_after {
            said.push_str(&format!("; it asks to come back in {} s", wait.as_secs()));
        }
        if partial {
            return GatewayError::BrokenOff(format!("the server reported an error: {said}"));
        }
        let (message, hint) = match self.status {
            Some(status @ (401 | 403)) => (
                format!("the server asks for a valid API key ({status}): {said}"),
                Some("set `FAOS_API_KEY`; it is sent only to an endpoint that was named with `--endpoint`"),
            ),
            Some(status @ 500..) => (
                format!("the server failed ({status}): {said}"),
                Some("its own log may say more; what was asked is kept: `faos resume --last` asks again"),
            ),
            Some(404) => (
                format!("the server refused the request (404): {said}"),
                Some("is `--model` one that the server offers, and is the address that of its API?"),
            ),
            Some(status) => (format!("the server refused the request ({status}): {said}"), None),
            None => (format!("the server reported an error: {said}"), None),
        };
        GatewayError::Refused { message, hints: hint.map(str::to_owned).into_iter().collect() }
    }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            Some(items.iter().filter_map(|item| words(item.get("msg")?)).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field)?.as_u64()
}

/// How servers say that the prompt is too long; the named groups are the numbers they give.
fn overflow(text: &str) -> Option<Overflow> {
    static PHRASES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            // vLLM; its `at least` is the window plus one, not a count. The second form is that of OpenAI and others.
            r"maximum context length (?:is|of) (?<window>\d+).*contains (?:(?<prompt>\d+)|at least \d+) (?:input )?tokens",
            r"maximum context length (?:is|of) (?<window>\d+)(?:.*\((?<prompt>\d+) in the messages)?",
            // TGI.
            r"must have less than (?<window>\d+) tokens\. Given: (?<prompt>\d+)",
            r"must be <= (?<window>\d+)\. Given: (?<prompt>\d+)",
            // LM Studio, new and old.
            r"does not fit in context length\. The input has (?<prompt>\d+) tokens(?:.*only supports (?<window>\d+))?",
            r"context length of only (?<window>\d+)",
            // llama.cpp: while generating, and before it gave numbers.
            r"Context size has been exceeded",
            r"request(?: \((?<prompt>\d+) tokens\))? exceeds the available context size(?: \((?<window>\d+))?",
            // Ollama with `truncate: false`; some versions give the number.
            r"prompt is longer than the context length(?: currently available \((?<window>\d+))?",
        ]
        .iter()
        .filter_map(|phrase| Regex::new(&format!("(?is){phrase}")).ok())
        .collect()
    });
    let found = PHRASES.iter().find_map(|phrase| phrase.captures(text))?;
    let number = |name| found.name(name).and_then(|digits| digits.as_str().parse().ok());
    Some(Overflow { prompt_tokens: number("prompt"), window: number("window") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Fault, GatewayError, Overflow};

    fn overflow(prompt_tokens: Option<u64>, window: Option<u64>) -> Option<Overflow> {
        Some(Overflow { prompt_tokens, window })
    }

    #[test]
    fn every_shape_is_read() {
        for (value, text, status) in [
            (json!({"error": "Model is overloaded", "error_type": "overloaded"}), "Model is overloaded", None),
            (json!({"error": {"message": "no", "code": 400}}), "no", Some(400)),
            (json!({"error": {"message": "no", "http_status_code": 422}}), "no", Some(422)),
            (json!({"error": {"code": "x"}}), "{\"code\":\"x\"}", None),
            (json!({"object": "error", "message": "no", "code": 40001}), "no", None),
            (json!({"detail": "Not Found"}), "Not Found", None),
            (json!({"detail": [{"msg": "JSON decode error"}, {"msg": "b"}]}), "JSON decode error, b", None),
        ] {
            let fault = Fault::of_value(&value).unwrap();
            assert_eq!((fault.text.as_str(), fault.status), (text, status), "{value}");
        }
        for value in [json!({"error": null, "choices": []}), json!({}), json!([1]), json!("x")] {
            let fault = Fault::of_value(&value);
            assert!(fault.is_none() || value.is_string(), "{value} {fault:?}");
        }
    }

    #[test]
    fn bodies_that_are_no_json() {
        assert_eq!(Fault::of_body(500, b"Internal Server Error").text, "Internal Server Error");
        assert_eq!(Fault::of_body(502, b"<html>Bad gateway</html>").text, "");
        assert_eq!(
            Fault::of_body(401, b"").into_error(false).to_string(),
            "the server asks for a valid API key (401): it gave no reason"
        );
    }

    #[test]
    fn overflows_are_told_from_other_refusals() {
        for (text, want) in [
            (
                "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens, which",
                overflow(None, Some(2048)),
            ),
            (
                "This model's maximum context length is 2048 tokens. However, your prompt contains 3000 input tokens",
                overflow(Some(3000), Some(2048)),
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, 500 in the completion)",
                overflow(Some(4500), Some(4096)),
            ),
            (
                "Input validation error: `inputs` must have less than 1024 tokens. Given: 1600",
                overflow(Some(1600), Some(1024)),
            ),
            (
                "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`",
                overflow(Some(2000), Some(2048)),
            ),
            (
                "Input does not fit in context length. The input has 31430 tokens, but the context length only supports 30000 tokens.",
                overflow(Some(31430), Some(30000)),
            ),
            ("the model is loaded with context length of only 4096 tokens", overflow(None, Some(4096))),
            ("Context size has been exceeded.", overflow(None, None)),
            (
                "request (2592 tokens) exceeds the available context size (2048 tokens), try increasing it",
                overflow(Some(2592), Some(2048)),
            ),
            ("the request exceeds the available context size. try increasing the context size", overflow(None, None)),
            (
                "max_tokens=10000000 cannot be greater than max_model_len=2048. Please request fewer output tokens.",
                None,
            ),
            ("The model `x` does not exist", None),
        ] {
            assert_eq!(Fault::of_value(&json!({"error": {"message": text}})).unwrap().overflow, want, "{text}");
        }
    }

    #[test]
    fn an_overflow_keeps_its_exact_numbers() {
        let body = br#"{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_prompt_tokens":2592,"n_ctx":2048}}"#;
        let error = Fault::of_body(400, body).into_error(false);
        assert_eq!(error, GatewayError::Overflow { prompt_tokens: Some(2592), window: Some(2048) });
    }

    proptest! {
        #[test]
        fn no_body_panics_and_every_message_is_one_short_line(status in 100_u16..600, body: Vec<u8>, partial: bool) {
            let message = Fault::of_body(status, &body).into_error(partial).to_string();
            prop_assert!(message.chars().count() < 400);
            prop_assert!(!message.contains(char::is_control));
        }
    }
}
