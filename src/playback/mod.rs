//! A recorded model on loopback: what `faos demo` talks to in place of a server, and what the tests script.
//!
//! A [`Player`] is an OpenAI-compatible streaming server that gives its replies in order, one a request, whatever it is
//! asked. A reply is a sequence of [`Step`]s, so it can pause, wait for a [`Gate`], break off or be any bytes at all.
//! It runs on a thread of its own and stops when dropped. What the replies mean is left to whoever recorded them.

mod http;
mod player;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use self::http::Request;
pub use self::player::{Player, Seen};

/// What a [`Player`] serves.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The one model that is listed.
    pub model: String,
    /// For a conversation that is sent to `/v1/chat/completions`, or to Ollama's or TGI's own route, in order.
    pub replies: VecDeque<Reply>,
    /// The time that each piece of text takes.
    pub pace: Duration,
    /// Answers to everything else, by path; several for one path are given in turn, and the last of them for good. The
    /// list of models can be replaced here too.
    pub pages: Vec<(String, Reply)>,
}

/// One answer: a status, headers, and the body step by step. The head goes out with the first step that sends.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// A frame with this piece of text, then the pace's pause.
    Text(String),
    /// A frame with this piece of reasoning, then the pace's pause.
    Reasoning(String),
    /// The last frames: this finish reason, the usage, `[DONE]`.
    Finish(String),
    /// These bytes of the body, in one write.
    Bytes(Vec<u8>),
    /// Goes on when the gate has been opened.
    Wait(Gate),
    /// Closes the connection here; without this step the body ends as it should.
    Break,
}

impl Reply {
    /// A stream of events with these steps.
    pub fn stream(steps: Vec<Step>) -> Self {
        Self { status: 200, headers: vec![("Content-Type".to_owned(), "text/event-stream".to_owned())], steps }
    }

    /// A whole reply in pieces of a word each.
    pub fn text(text: &str) -> Self {
        let mut steps: Vec<Step> = words(text).map(|word| Step::Text(word.to_owned())).collect();
        steps.push(Step::Finish("stop".to_owned()));
        Self::stream(steps)
    }

    /// An answer that is no stream, such as an error.
    pub fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            steps: vec![Step::Bytes(body.as_bytes().to_vec())],
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

/// Holds a reply back until it is opened, once for each [`Step::Wait`]; a clone is the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

/// Each word with the white space after it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let space = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = rest[space..].find(|c: char| !c.is_whitespace()).map_or(rest.len(), |at| space + at);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::words;

    #[test]
    fn pieces_are_words_with_their_space() {
        assert_eq!(words(" a  b\n\n    c").collect::<Vec<_>>(), [" ", "a  ", "b\n\n    ", "c"]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text: String) {
            prop_assert_eq!(words(&text).collect::<String>(), text);
        }
    }
}
