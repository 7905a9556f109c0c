//! The ways in which servers are sent a conversation and answer it.
//!
//! Chat completions is what everyone speaks and is written here; Ollama and an old TGI have routes of their own, in
//! their own files. A body holds the fields that every server takes, and those that its server is known to take.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Sampling;
use super::frame::{Read, Reply};
use crate::base::message::Message;

/// One way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    /// Below the API's address, or below the root where `at_root`.
    pub route: &'static str,
    pub at_root: bool,
    /// The conversation is sent as one text, so that a reply's beginning can simply stand at its end.
    pub as_text: bool,
    pub body: fn(&Ask) -> serde_json::Result<Vec<u8>>,
    pub read: Read,
}

/// `/chat/completions`, server-sent events.
pub(super) const CHAT: Wire = Wire {
    route: "/chat/completions",
    at_root: false,
    as_text: false,
    body: |ask| serde_json::to_vec(&ChatBody::of(ask)),
    read: Reply::chunk,
};

/// One request, before it is written.
pub(super) struct Ask<'a> {
    pub model: &'a str,
    pub messages: &'a [Message],
    pub sampling: &'a Sampling,
    /// In tokens, where it is known.
    pub window: Option<u64>,
    /// The last message is the beginning of the reply.
    pub goes_on: bool,
    /// What this server takes beside the portable fields. Nothing where it is not known: a strict one refuses a request
    /// for a field that it does not know.
    pub more: Map<String, Value>,
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    #[serde(flatten)]
    sampling: &'a Sampling,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl<'a> ChatBody<'a> {
    fn of(ask: &'a Ask) -> Self {
        let Ask { model, messages, sampling, more, .. } = ask;
        Self { model, messages, stream: true, sampling, more }
    }
}
