//! One chat request becomes a stream of deltas, whichever server stands at the other end.
//!
//! Owns the way to the server: `probe` finds it, `survey` shows all there is, `client` talks to it, `chat` runs one request, with `sse` and
//! `frame` for what is read, `retry` and `silence` for what is waited for, `fault` and `error` for what goes
//! wrong. The invariant: nothing is asked of anyone but the named server or, where none is named, the known loopback
//! ports; and text is handed on the moment its frame is read. What the text means, and whether a partial reply goes
//! on, is left to others.

mod chat;
mod client;
mod error;
mod fault;
mod frame;
mod probe;
mod retry;
mod servers;
mod silence;
mod sse;
mod survey;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use self::error::GatewayError;
pub use self::retry::Limits;
use self::servers::{KNOWN, Kind};
pub use self::survey::{Offer, Survey, survey};

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
    server: Server,
    kind: Kind,
    client: Client,
    chat_url: String,
    sampling: Sampling,
    limits: Limits,
}

impl Gateway {
    /// Finds the server, its API and its model. A refused connection fails within 2 s; a server that is loading its
    /// model is waited for.
    pub async fn connect(options: &Options) -> Result<Self, GatewayError> {
        Self::connect_within(options, Limits::default()).await
    }

    /// The same with other limits on what is waited for.
    pub async fn connect_within(options: &Options, limits: Limits) -> Result<Self, GatewayError> {
        let named = options.model.as_deref();
        let found = match &options.endpoint {
            Some(endpoint) => probe::named(endpoint, options.api_key.as_deref(), limits).await?,
            None => probe::discovered(&KNOWN, named, limits).await?,
        };
        let mut server = found.server(found.choose(named)?);
        server.context_window = options.context.or(server.context_window);
        let chat_url = format!("{}/chat/completions", found.api);
        tracing::info!(kind = server.kind, url = chat_url, model = server.model, "server found");
        let sampling = options.sampling.clone();
        Ok(Self { server, kind: found.kind, client: found.client, chat_url, sampling, limits })
    }

    /// Every model that the named server offers, or those of all servers on the known loopback ports.
    pub async fn models(options: &Options) -> Result<Vec<Server>, GatewayError> {
        let limits = Limits::default();
        let found = match &options.endpoint {
            Some(endpoint) => vec![probe::named(endpoint, options.api_key.as_deref(), limits).await?],
            None => probe::all(&KNOWN, limits).await?,
        };
        let of =
            |found: &probe::Found| found.models.iter().map(|model| found.server(model.clone())).collect::<Vec<_>>();
        Ok(found.iter().flat_map(of).collect())
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Sends the messages. The stream ends after `Finished` or the first error; dropping it closes the connection.
    pub fn chat(
        &self,
        messages: &[Message],
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        let body = Body {
            model: &self.server.model,
            messages,
            stream: true,
            stream_options: self.kind.takes_stream_options().then_some(StreamOptions { include_usage: true }),
            sampling: &self.sampling,
        };
        let body = match serde_json::to_vec(&body) {
            Ok(body) => body,
            Err(error) => {
                let error = GatewayError::refused(format!("cannot write the request: {error}"));
                return futures_util::stream::once(async { Err(error) }).boxed();
            }
        };
        tracing::info!(messages = messages.len(), bytes = body.len(), "request");
        let request = chat::Request {
            client: self.client.clone(),
            endpoint: self.server.endpoint.clone(),
            url: self.chat_url.clone(),
            body: body.into(),
            limits: self.limits,
        };
        chat::stream(request, cancel)
    }
}

/// The fields that every server takes; a strict one refuses a request for any other.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    /// Left out, never null: TGI refuses that.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(flatten)]
    sampling: &'a Sampling,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
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
