//! One chat request becomes a stream of deltas, whichever server stands at the other end.
//!
//! Owns the way to the server: `probe` finds it, `servers` knows what is peculiar to each, `survey` shows all there is.
//! `client` talks to it and `ask` puts small questions; `chat` runs one request, with `messages` and `wire` for what is
//! sent, `sse` and `frame` for what is read, `meter` for how long it is, `key` for what is never shown, `retry` and `silence` for what is waited for,
//! `fault` and `error` for what goes wrong. The invariant: nothing is asked of anyone but the named server or, where none is named, the known loopback
//! ports; and text is handed on the moment its frame is read. What the text means, and whether a partial reply goes
//! on, is left to others.

mod ask;
mod chat;
mod client;
mod error;
mod fault;
mod frame;
mod key;
mod listener;
mod messages;
mod meter;
mod probe;
mod retry;
mod servers;
mod silence;
mod sse;
mod survey;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::ask::Asker;
pub use self::error::GatewayError;
pub use self::key::ApiKey;
pub use self::listener::Listener;
use self::messages::normalised;
use self::meter::{Meter, guess};
use self::probe::Patience;
pub use self::retry::Limits;
pub use self::servers::Continuing;
use self::servers::{KNOWN, Kind};
pub use self::survey::{Offer, Survey, survey};
use self::wire::{Ask, Wire};

use crate::base::message::Message;
use crate::base::usage::Usage;

/// What the user said about the model; everything else is asked of the server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Any URL of the server; `None`: the known loopback ports are asked.
    pub endpoint: Option<String>,
    pub model: Option<String>,
    /// Sent to the named endpoint only.
    pub api_key: Option<ApiKey>,
    pub sampling: Sampling,
    /// Overrides the context window that the server states.
    pub context: Option<u64>,
    pub limits: Limits,
    /// While a server is looked for.
    pub listener: Listener,
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
    /// `llama.cpp`, `vLLM`, `SGLang`, `TGI`, `Ollama`, `LM Studio` or `OpenAI-compatible`.
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
    wire: Wire,
    ask: Asker,
    url: String,
    sampling: Sampling,
    limits: Limits,
    key: Option<ApiKey>,
    meter: Arc<Meter>,
}

impl Gateway {
    /// Finds the server, its API and its model. A refused connection fails within 2 s; a server that is loading its
    /// model is waited for.
    pub async fn connect(options: &Options) -> Result<Self, GatewayError> {
        Self::connect_within(options, options.limits).await
    }

    /// The same with other limits on what is waited for.
    pub async fn connect_within(options: &Options, limits: Limits) -> Result<Self, GatewayError> {
        let named = options.model.as_deref();
        let patience = Patience { limits, listener: &options.listener };
        let found = match &options.endpoint {
            Some(endpoint) => probe::named(endpoint, options.api_key.as_ref(), patience).await?,
            None => probe::discovered(&KNOWN, named, patience).await?,
        };
        let (server, notice) = found.settle(named, options.context, Some(limits.loading)).await?;
        let probe::Found { ask, api, kind, wire, .. } = found;
        let url = format!("{}{}", if wire.at_root { &ask.root } else { &api }, wire.route);
        tracing::info!(kind = server.kind, url, model = server.model, window = server.context_window, "server found");
        let meter = Arc::new(Meter::new(server.context_window, notice));
        let (sampling, key) = (options.sampling.clone(), options.api_key.clone());
        Ok(Self { server, kind, wire, ask, url, sampling, limits, key, meter })
    }

    /// Every model that the named server offers, or those of all servers on the known loopback ports.
    pub async fn models(options: &Options) -> Result<Vec<Server>, GatewayError> {
        let patience = Patience { limits: options.limits, listener: &options.listener };
        let found = match &options.endpoint {
            Some(endpoint) => vec![probe::named(endpoint, options.api_key.as_ref(), patience).await?],
            None => probe::all(&KNOWN, patience).await?,
        };
        let of =
            |found: &probe::Found| found.models.iter().map(|model| found.server(model.clone())).collect::<Vec<_>>();
        Ok(found.iter().flat_map(of).collect())
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What is sent beside the messages from now on; gives back what was sent until now.
    pub fn use_sampling(&mut self, sampling: Sampling) -> Sampling {
        std::mem::replace(&mut self.sampling, sampling)
    }

    /// Sends the messages. The stream ends after `Finished` or the first error; dropping it closes the connection.
    pub fn chat(
        &self,
        messages: &[Message],
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        self.send(messages, Way::Anew, cancel)
    }

    /// Whether the server can be held to an answer in JSON of a schema.
    pub fn shapes(&self) -> bool {
        self.kind.adapter().shaped(&Value::Null).is_some()
    }

    /// Like [`Self::chat`], for an answer that is JSON of this schema and nothing else. A server that cannot be held to it
    /// answers as it likes.
    pub fn answer(
        &self,
        messages: &[Message],
        schema: &Value,
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        self.send(messages, Way::Shaped(schema), cancel)
    }

    /// Whether and how the server goes on with a reply that it is given the beginning of.
    pub fn continues(&self) -> Option<Continuing> {
        if self.wire.as_text { Some(Continuing::Text) } else { self.kind.adapter().continuing() }
    }

    /// Like [`Self::chat`], where the last message is the assistant's and is gone on with: the stream begins with the
    /// first piece that is new. A server that does not go on refuses, or begins a new reply.
    pub fn go_on(
        &self,
        messages: &[Message],
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        self.send(messages, Way::GoesOn, cancel)
    }

    /// The tokens of these messages with all that the chat template adds, as the server counts them; `None` where it
    /// does not.
    pub async fn count(&self, messages: &[Message]) -> Option<u64> {
        let counting = self.kind.adapter().counting()?;
        let body = counting.body(&self.server.model, &normalised(messages));
        let answer = self.ask.post(counting.path, &body).await.ok()?;
        (counting.count)(&answer.body)
    }

    /// The same by guess, corrected by what the server counted before.
    pub fn estimate(&self, messages: &[Message]) -> u64 {
        self.meter.estimate(messages)
    }

    fn send(
        &self,
        messages: &[Message],
        way: Way<'_>,
        cancel: &CancellationToken,
    ) -> BoxStream<'static, Result<Delta, GatewayError>> {
        let messages = normalised(messages);
        let goes_on = matches!(way, Way::GoesOn);
        let continuing = self.continues().filter(|_| goes_on);
        let mut more = self.kind.adapter().more_fields();
        more.extend(continuing.map(Continuing::fields).unwrap_or_default());
        if let Way::Shaped(schema) = way {
            more.extend(self.kind.adapter().shaped(schema).unwrap_or_default());
        }
        let ask = Ask {
            model: &self.server.model,
            messages: &messages,
            sampling: &self.sampling,
            window: self.server.context_window,
            goes_on,
            more,
        };
        let body = match (self.wire.body)(&ask) {
            Ok(body) => body,
            Err(error) => {
                let error = GatewayError::refused(format!("cannot write the request: {error}"));
                return futures_util::stream::once(async { Err(error) }).boxed();
            }
        };
        tracing::info!(messages = messages.len(), bytes = body.len(), "request");
        let repeated = messages.last().filter(|_| continuing == Some(Continuing::Repeats));
        let request = chat::Request {
            post: chat::post(self.ask.client.clone(), self.url.clone(), body.into()),
            endpoint: self.server.endpoint.clone(),
            wire: self.wire,
            echo: repeated.map(|last| last.content.clone()).unwrap_or_default(),
            guess: guess(&messages),
            meter: Arc::clone(&self.meter),
            key: self.key.clone(),
            limits: self.limits,
        };
        chat::stream(request, cancel)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    Anew,
    /// The rest of the last message.
    GoesOn,
    Shaped(&'a Value),
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
    /// How many tokens of the prompt the server has read, of how many; where it tells.
    Reading {
        processed: u64,
        total: u64,
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
