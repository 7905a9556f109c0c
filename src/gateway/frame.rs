//! The frames of one reply become deltas: text at once, tool calls when they are whole, the rest at the end.
//!
//! An `error` in a frame comes first, whatever else is in it. Frames of chat completions are read into a few borrowed
//! fields: nothing but the text itself is allocated for a token.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::sentence;
use super::fault::Fault;
use super::{Delta, FinishReason};
use crate::base::usage::Usage;

/// What has been read of a reply so far.
#[derive(Debug, Default)]
pub(super) struct Reply {
    reader: Reader,
    /// The beginning of the reply as it was sent, while the server may still repeat it.
    echo: String,
    progress: Option<Progress>,
    /// It was told by the last frame.
    progressed: bool,
    calls: Vec<Call>,
    /// Bytes of what calls were made from.
    held: usize,
    finish: Option<Finish>,
    usage: Usage,
    wrote_text: bool,
    /// All of it, while there is nothing else: it may turn out to be the answer.
    thought: String,
    wrote_reasoning: bool,
}

/// Reads one frame's data; what it says for the reader goes to the end of the queue.
pub(super) type Read = fn(&mut Reply, &str, &mut VecDeque<Delta>) -> Result<Flow, FrameError>;

#[derive(Debug)]
struct Reader(Read);

impl Default for Reader {
    fn default() -> Self {
        Self(Reply::chunk)
    }
}

/// Tokens of the prompt: read so far, and all.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Progress {
    pub processed: u64,
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Finish {
    Reason(FinishReason),
    /// The server gave up in the middle and says so.
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flow {
    More,
    /// `[DONE]`: nothing will follow.
    Done,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum FrameError {
    Fault(Fault),
    /// No JSON, or not of the shape of a chunk.
    Malformed(String),
}

/// How a reply can end without being whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Incomplete {
    NoFinishReason,
    Aborted,
    /// There is a finish reason and nothing else.
    Empty,
    /// The arguments of the named call are no JSON, and no length limit explains it.
    BrokenCall(String),
}

impl Reply {
    /// `echo`: what the server may repeat of the beginning that it was given.
    pub fn new(read: Read, echo: String) -> Self {
        Self { reader: Reader(read), echo, ..Self::default() }
    }

    /// Reads one frame; what it says for the reader goes to the end of `out`.
    pub fn frame(&mut self, event: &str, data: &str, out: &mut VecDeque<Delta>) -> Result<Flow, FrameError> {
        if data.trim() == "[DONE]" {
            return Ok(Flow::Done);
        }
        if event == "error" {
            return Err(FrameError::Fault(error_event(data)));
        }
        (self.reader.0)(self, data, out)
    }

    /// A chunk of the chat-completions API.
    pub fn chunk(&mut self, data: &str, out: &mut VecDeque<Delta>) -> Result<Flow, FrameError> {
        let malformed = |_| FrameError::Malformed(sentence(data));
        let chunk: Chunk = serde_json::from_str(data).map_err(malformed)?;
        if chunk.error.is_some() || chunk.choices.is_none() && (chunk.message || chunk.detail) {
            let value: Value = serde_json::from_str(data).map_err(malformed)?;
            if let Some(fault) = Fault::of_value(&value) {
                return Err(FrameError::Fault(fault));
            }
        }
        if let Some(usage) = chunk.usage {
            self.count(&usage);
        } else if let Some(timings) = chunk.timings {
            self.count_by_timings(&timings);
        }
        if let Some(progress) = chunk.prompt_progress {
            self.progress = Progress::deserialize(progress).ok();
            self.progressed = self.progress.is_some();
        }
        if let Some(Choices(Some(choice))) = chunk.choices {
            self.choice(choice, out);
        }
        Ok(Flow::More)
    }

    /// A frame of another shape; an error in it comes first.
    pub fn parse<T: DeserializeOwned>(&self, data: &str) -> Result<T, FrameError> {
        let malformed = |_| FrameError::Malformed(sentence(data));
        let value: Value = serde_json::from_str(data).map_err(malformed)?;
        if value.get("error").is_some_and(|error| !error.is_null())
            && let Some(fault) = Fault::of_value(&value)
        {
            return Err(FrameError::Fault(fault));
        }
        T::deserialize(value).map_err(malformed)
    }

    pub fn text(&mut self, text: String, out: &mut VecDeque<Delta>) {
        let text = self.without_echo(text);
        if !text.is_empty() {
            if !self.wrote_text {
                self.wrote_text = true;
                self.thought = String::new();
            }
            out.push_back(Delta::Text(text));
        }
    }

    pub fn reasoning(&mut self, text: String, out: &mut VecDeque<Delta>) {
        if !text.is_empty() {
            self.wrote_reasoning = true;
            if !self.wrote_text {
                self.thought.push_str(&text);
            }
            out.push_back(Delta::Reasoning(text));
        }
    }

    /// A call that comes in one piece.
    pub fn whole_call(&mut self, name: String, arguments: &Value) {
        let arguments = if arguments.is_null() { String::new() } else { arguments.to_string() };
        self.held += size_of::<Call>() + name.len() + arguments.len();
        self.calls.push(Call { index: self.calls.len() as u64, id: String::new(), name, arguments });
    }

    pub fn finish(&mut self, reason: &str) {
        if let Some(reason) = finish(reason) {
            self.finish = Some(reason);
        }
    }

    pub fn count_tokens(&mut self, prompt: Option<u64>, completion: Option<u64>) {
        set(&mut self.usage.prompt_tokens, prompt);
        set(&mut self.usage.completion_tokens, completion);
    }

    /// How far the server is with the prompt, where it tells.
    pub fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// The same, once for each time that it is told.
    pub fn take_progress(&mut self) -> Option<Progress> {
        self.progress.filter(|_| std::mem::take(&mut self.progressed))
    }

    /// Bytes that were read and are not handed on before the end.
    pub fn held(&self) -> usize {
        self.held
    }

    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// The end of the stream: `done` where the server said so itself. Gives what was kept back until now.
    pub fn conclude(&mut self, flow: Flow) -> Result<Conclusion, Incomplete> {
        let reason = match (self.finish, flow) {
            (Some(Finish::Aborted), _) => return Err(Incomplete::Aborted),
            (Some(Finish::Reason(reason)), _) => reason,
            // Some servers never give a reason; `[DONE]` is their word that the reply is whole.
            (None, Flow::Done) => FinishReason::Stop,
            (None, Flow::More) => return Err(Incomplete::NoFinishReason),
        };
        let mut conclusion = Conclusion { last: Vec::new(), reason, usage: self.usage };
        for call in std::mem::take(&mut self.calls) {
            match call.complete() {
                Ok(delta) => conclusion.last.push(delta),
                Err(name) if reason == FinishReason::Length => {
                    conclusion
                        .last
                        .push(Delta::Notice(format!("the tool call `{name}` was cut off by the length limit")));
                }
                Err(name) => return Err(Incomplete::BrokenCall(name)),
            }
        }
        let called = conclusion.last.iter().any(|delta| matches!(delta, Delta::ToolCall { .. }));
        if called && reason == FinishReason::Stop {
            // vLLM with a named tool choice, and TGI.
            conclusion.reason = FinishReason::ToolCalls;
        }
        if !self.wrote_text && conclusion.last.is_empty() {
            if !self.wrote_reasoning {
                return Err(Incomplete::Empty);
            }
            if reason == FinishReason::Length {
                let cut = "the length limit came before the answer: all of the reply is reasoning";
                conclusion.last.push(Delta::Notice(cut.to_owned()));
            } else {
                // vLLM with a reasoning parser, and a model that does not think.
                let read = "the whole answer came as reasoning and is read as text";
                conclusion.last.push(Delta::Notice(read.to_owned()));
                conclusion.last.push(Delta::Text(std::mem::take(&mut self.thought)));
            }
        }
        Ok(conclusion)
    }

    fn choice(&mut self, choice: Choice, out: &mut VecDeque<Delta>) {
        if let Some(piece) = choice.delta.or(choice.message) {
            let given = |text: &String| !text.is_empty();
            let thought = piece.reasoning_content.filter(given).or_else(|| piece.reasoning.filter(given));
            if let Some(thought) = thought.or(piece.thinking) {
                self.reasoning(thought, out);
            }
            if let Some(text) = piece.content {
                self.text(text, out);
            }
            for call in piece.tool_calls.into_iter().flatten() {
                self.call(call);
            }
        }
        if let Some(reason) = choice.finish_reason {
            self.finish(&reason);
        }
    }

    /// The text without what it repeats of the beginning that was sent.
    fn without_echo(&mut self, text: String) -> String {
        if self.echo.is_empty() || text.is_empty() {
            return text;
        }
        let echo = std::mem::take(&mut self.echo);
        if let Some(new) = text.strip_prefix(&*echo) {
            return new.to_owned();
        }
        if let Some(rest) = echo.strip_prefix(&*text) {
            rest.clone_into(&mut self.echo);
            return String::new();
        }
        // Templates trim the end of a message.
        match text.strip_prefix(echo.trim_end()) {
            Some(new) if !echo.trim_end().is_empty() => new.to_owned(),
            Some(_) | None => text,
        }
    }

    /// A new call begins with a new index, another id, or a name once the arguments before it are whole
    /// (old builds send index 0 and an empty id for every call).
    fn call(&mut self, piece: CallPiece) {
        let CallPiece { index, id, function } = piece;
        let (id, Function { name, arguments }) = (id.unwrap_or_default(), function.unwrap_or_default());
        let name = name.unwrap_or_default();
        let known = self.calls.iter_mut().rev().find(|call| call.index == index.unwrap_or(call.index)).filter(|call| {
            let other_id = !id.is_empty() && id != call.id;
            let another = id.is_empty() && !name.is_empty() && call.is_whole();
            !other_id && !another
        });
        let call = match known {
            Some(call) => call,
            None => {
                let index = index.unwrap_or(self.calls.len() as u64);
                self.held += size_of::<Call>() + id.len() + name.len();
                self.calls.push_mut(Call { index, id, name: String::new(), arguments: String::new() })
            }
        };
        if call.name.is_empty() {
            call.name = name;
        }
        match arguments {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                self.held += text.len();
                call.arguments.push_str(&text);
            }
            Some(whole) => {
                call.arguments = whole.to_string();
                self.held += call.arguments.len();
            }
        }
    }

    fn count_by_timings(&mut self, timings: &Value) {
        let (cached, read) = (number(timings, "cache_n"), number(timings, "prompt_n"));
        if let (Some(cached), Some(read), Some(written)) = (cached, read, number(timings, "predicted_n")) {
            self.usage.prompt_tokens = cached.saturating_add(read);
            self.usage.cached_tokens = cached;
            self.usage.completion_tokens = written;
        }
    }

    fn count(&mut self, usage: &Value) {
        self.count_tokens(number(usage, "prompt_tokens"), number(usage, "completion_tokens"));
        let details = usage.get("prompt_tokens_details");
        set(&mut self.usage.cached_tokens, details.and_then(|details| number(details, "cached_tokens")));
    }
}

/// What the end of a stream adds to the deltas before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conclusion {
    pub last: Vec<Delta>,
    pub reason: FinishReason,
    /// The server's counts; requests and seconds are the caller's.
    pub usage: Usage,
}

fn set(count: &mut u64, given: Option<u64>) {
    *count = given.unwrap_or(*count);
}

fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field)?.as_u64()
}

fn error_event(data: &str) -> Fault {
    let told = serde_json::from_str(data).ok().and_then(|value| Fault::of_value(&value));
    told.unwrap_or_else(|| Fault { text: sentence(data), ..Fault::default() })
}

fn finish(reason: &str) -> Option<Finish> {
    match reason {
        // Some servers send an empty one with every frame.
        "" => None,
        "length" | "max_tokens" => Some(Finish::Reason(FinishReason::Length)),
        "tool_calls" | "function_call" => Some(Finish::Reason(FinishReason::ToolCalls)),
        "abort" | "error" => Some(Finish::Aborted),
        // `stop`, TGI's `stop_sequence` and `eos_token`, and whatever else a server calls an end.
        _ => Some(Finish::Reason(FinishReason::Stop)),
    }
}

#[derive(Debug)]
struct Call {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl Call {
    fn is_whole(&self) -> bool {
        serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }

    /// The call's name where its arguments are no JSON. vLLM leaves out the arguments of a call that has none.
    fn complete(mut self) -> Result<Delta, String> {
        if self.arguments.trim().is_empty() {
            self.arguments = "{}".to_owned();
        }
        if self.is_whole() {
            Ok(Delta::ToolCall { name: self.name, arguments: self.arguments })
        } else {
            Err(sentence(&self.name))
        }
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Choices<'a>>,
    usage: Option<Value>,
    /// llama.cpp's own counts: there even where the usage was not asked for.
    timings: Option<Value>,
    /// llama.cpp's, while it reads the prompt.
    prompt_progress: Option<Value>,
    error: Option<Value>,
    #[serde(default, deserialize_with = "is_given")]
    message: bool,
    #[serde(default, deserialize_with = "is_given")]
    detail: bool,
}

/// The first of the choices: never more than one is asked for.
struct Choices<'a>(Option<Choice<'a>>);

#[derive(Deserialize)]
struct Choice<'a> {
    delta: Option<Piece>,
    /// In place of `delta` in an answer that is not streamed.
    message: Option<Piece>,
    #[serde(borrow)]
    finish_reason: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct Piece {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Default, Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

/// Serde borrows a `Cow` directly below a struct, but not inside an `Option`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::ops::Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

fn is_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|value| value.is_some())
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for First<'a> {
            type Value = Choices<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<Choices<'a>, A::Error> {
                let first = choices.next_element()?;
                while choices.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Choices(first))
            }
        }

        deserializer.deserialize_seq(First(std::marker::PhantomData))
    }
}
