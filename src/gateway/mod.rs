//! One chat request becomes a stream of deltas, whichever server stands at the other end.

use std::time::Duration;

use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::base::message::Message;
use crate::base::usage::Usage;

/// What the user said about the model; everything else is asked of the server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Any URL of the server; `None`: the known loopback ports are asked.
    pub endpoint: Option<String>,
    pub model: Option<String>,
    /// Sent to the named endpoint only.
    pub api_key: Option<String>,
    pub sampling: Sampling,
    /// Overrides the context window that the server states.
    pub context: Option<u64>,
}

/// Sent as given; nothing is sent that was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// The server and the model that were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// `llama.cpp`, `vLLM`, `TGI`, `Ollama`, `LM Studio` or `OpenAI-compatible`.
    pub kind: String,
    /// The root that was found to answer, without a trailing slash.
    pub endpoint: String,
    pub model: String,
    /// In tokens; `None` where the server does not say and the user did not.
    pub context_window: Option<u64>,
}

/// A connection to one model of one server.
pub struct Gateway {
    _p: (),
}

impl Gateway {
    /// Finds the server, its API and its model. A refused connection fails within 2 s.
    pub async fn connect(options: &Options) -> Result<Self, GatewayError> {
        let _ = options;
        unimplemented!()
    }

    pub fn server(&self) -> &Server {
        unimplemented!()
    }

    /// Sends the messages. The stream ends after `Finished` or the first error; dropping it closes the connection.
    pub fn chat(
        &self,
        messages: &[Message],
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        let _ = (messages, cancel);
        unimplemented!()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    Text(String),
    Reasoning(String),
    /// A whole native tool call, once its arguments are complete.
    ToolCall {
        name: String,
        arguments: String,
    },
    /// The request is tried again; shown and logged, not an error yet.
    Retry {
        attempt: u32,
        wait: Duration,
        reason: String,
    },
    /// For the user: nothing has come for a while, the model is loading …
    Notice(String),
    Finished {
        reason: FinishReason,
        usage: Usage,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    /// The length limit or the window's end.
    Length,
    ToolCalls,
}

#[derive(Clone, Debug, PartialEq, Error)]
pub enum GatewayError {
    /// None of the known ports answered, or the named endpoint did not.
    #[error("{message}")]
    Unreachable { message: String, hints: Vec<String> },
    #[error("{message}")]
    /// Several models or servers and no word which; the choices are in the hints.
    Ambiguous { message: String, hints: Vec<String> },
    /// The server refused the request, or failed beyond the retries.
    #[error("{message}")]
    Refused { message: String, hints: Vec<String> },
    /// The prompt is longer than the window; numbers where the server gave them.
    #[error("the conversation is longer than the model's context window")]
    Overflow { prompt_tokens: Option<u64>, window: Option<u64> },
    /// The stream ended without a finish reason: what came so far is a partial reply.
    #[error("the answer broke off: {0}")]
    BrokenOff(String),
    #[error("cancelled")]
    Cancelled,
}
