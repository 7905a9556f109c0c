//! One request and its answer: sends, retries, reads, times, and ends.
//!
//! A piece of the reply is handed on as soon as its frame is read, and several frames of one packet without waiting in
//! between. Dropping the exchange, or its token, drops the connection, which is how every server is told to stop.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Delta;
use super::error::{GatewayError, cause, sentence};
use super::fault::Fault;
use super::frame::{Flow, FrameError, Incomplete, Progress, Reply};
use super::key::ApiKey;
use super::meter::Meter;
use super::retry::{Again, Budget, Failure, Limits};
use super::silence::{Ring, Silence};
use super::sse::{Decoder, Event, FrameTooLong};
use super::wire::Wire;
use crate::base::clock;

/// Where one request goes and what it says.
pub(super) struct Request {
    pub post: Post,
    /// For messages.
    pub endpoint: String,
    pub wire: Wire,
    /// What the server may repeat of the reply's beginning that was sent.
    pub echo: String,
    /// Tokens of the messages, by guess.
    pub guess: u64,
    pub meter: Arc<Meter>,
    pub key: Option<ApiKey>,
    pub limits: Limits,
}

/// Sends the request, anew with each call; gives the answer once its head is there.
pub(super) type Post = Box<dyn Fn() -> BoxFuture<'static, Result<Response, reqwest::Error>> + Send + Sync>;

pub(super) fn post(client: Client, url: String, body: Bytes) -> Post {
    Box::new(move || {
        let request = client.post(&url).header(CONTENT_TYPE, "application/json").body(body.clone());
        Box::pin(request.send())
    })
}

impl Request {
    fn reply(&self) -> Reply {
        Reply::new(self.wire.read, self.echo.clone())
    }
}

/// The answer as a stream that ends after [`Delta::Finished`] or the first error.
pub(super) fn stream(request: Request, cancel: &CancellationToken) -> BoxStream<'static, Result<Delta, GatewayError>> {
    // One allocation for the whole answer: the state is moved with every delta.
    let exchange = Box::new(Exchange::new(request, cancel));
    stream::unfold(exchange, |mut exchange| async move {
        let delta = exchange.next().await?;
        Some((delta, exchange))
    })
    .boxed()
}

/// Bytes of one reply, thoughts and all: about four million tokens. A model in a loop must not fill memory and disk.
const LONGEST_REPLY: usize = 16 << 20;

struct Exchange {
    request: Request,
    cancel: CancellationToken,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    budget: Budget,
    step: Step,
    silence: Silence,
    /// Read and not handed on yet.
    ready: VecDeque<Delta>,
    /// Something of the reply was handed on: from here on nothing is tried again.
    partial: bool,
    /// Bytes of the reply so far.
    length: usize,
    started: Instant,
}

enum Step {
    Pausing(Pin<Box<Sleep>>),
    Sending(BoxFuture<'static, Result<Answer, reqwest::Error>>),
    Reading(Box<Reading>),
    /// With the error that is told last.
    Ended(Option<GatewayError>),
}

struct Reading {
    response: Response,
    /// For the message where no frame is in it at all.
    content_type: String,
    decoder: Decoder,
    reply: Reply,
    saw_frame: bool,
    /// The body has ended; the decoder may hold more.
    ended: bool,
}

enum Answer {
    /// Compressed by this method, though that was not asked for.
    Packed(String),
    Stream(Response),
    /// Not a stream of events: a refusal, or a server that does not stream.
    Whole {
        status: StatusCode,
        headers: HeaderMap,
        body: Vec<u8>,
    },
}

/// What happened while waiting.
enum News {
    Paused,
    Answered(Result<Answer, reqwest::Error>),
    /// More bytes of the body; `None` at its end.
    Bytes(Result<Option<Bytes>, reqwest::Error>),
    Rang(Ring),
}

fn length_of(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) | Delta::Reasoning(text) => text.len(),
        Delta::ToolCall { name, arguments } => name.len() + arguments.len(),
        Delta::Retry { .. } | Delta::Reading { .. } | Delta::Notice(_) | Delta::Finished { .. } => 0,
    }
}

impl Exchange {
    fn new(request: Request, cancel: &CancellationToken) -> Self {
        Self {
            cancel: cancel.clone(),
            cancelled: Box::pin(cancel.clone().cancelled_owned()),
            budget: Budget::new(request.limits),
            step: Step::Sending(send(&request)),
            silence: Silence::new(request.limits.notice),
            ready: request.meter.notices().into_iter().map(Delta::Notice).collect(),
            partial: false,
            length: 0,
            started: Instant::now(),
            request,
        }
    }

    async fn next(&mut self) -> Option<Result<Delta, GatewayError>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Some(Ok(delta));
            }
            if let Step::Ended(error) = &mut self.step {
                return error.take().map(Err);
            }
            if let Err(error) = self.advance().await {
                self.step = Step::Ended(Some(self.told(error)));
            }
        }
    }

    /// The error as it is told: without the key, and with the window where the server said that only before.
    fn told(&self, error: GatewayError) -> GatewayError {
        match ApiKey::hidden(self.request.key.as_ref(), error) {
            GatewayError::Overflow { prompt_tokens, window: None } => {
                GatewayError::Overflow { prompt_tokens, window: self.request.meter.window() }
            }
            other => other,
        }
    }

    /// One frame further, or one wait.
    async fn advance(&mut self) -> Result<(), GatewayError> {
        if self.cancel.is_cancelled() {
            return Err(GatewayError::Cancelled);
        }
        if let Step::Reading(reading) = &mut self.step {
            match reading.decoder.next() {
                Some(Ok(event)) => return self.event(&event),
                Some(Err(FrameTooLong)) => {
                    return Err(GatewayError::BrokenOff("a frame is longer than 16 MiB".to_owned()));
                }
                None if reading.ended => return self.conclude(Flow::More),
                None => {}
            }
        }
        match self.news().await? {
            News::Paused => {
                // The wait was ours: the server's own silence begins here.
                self.silence.heard();
                self.silence.broken();
                self.step = Step::Sending(send(&self.request));
            }
            News::Answered(Ok(Answer::Packed(how))) => return Err(packed(&how)),
            News::Answered(Ok(Answer::Stream(response))) => self.read(response),
            News::Answered(Ok(Answer::Whole { status, headers, body })) => return self.whole(status, &headers, &body),
            News::Answered(Err(error)) => return self.failed(Failure::Connection(cause(&error))),
            News::Bytes(bytes) => return self.bytes(bytes),
            News::Rang(Ring::Quiet(quiet)) => self.ready.push_back(Delta::Notice(self.quiet(quiet))),
            News::Rang(Ring::TooLong(silence)) => return self.too_silent(silence),
        }
        Ok(())
    }

    async fn news(&mut self) -> Result<News, GatewayError> {
        let (limit, pausing) = (self.silence_limit(), matches!(self.step, Step::Pausing(_)));
        let happens = async {
            match &mut self.step {
                Step::Pausing(sleep) => {
                    sleep.await;
                    News::Paused
                }
                Step::Sending(answer) => News::Answered(answer.await),
                Step::Reading(reading) => News::Bytes(reading.response.chunk().await),
                Step::Ended(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancelled.as_mut() => Err(GatewayError::Cancelled),
            news = happens => Ok(news),
            ring = self.silence.ring(limit), if !pausing => Ok(News::Rang(ring)),
        }
    }

    fn silence_limit(&self) -> Duration {
        let limits = &self.request.limits;
        match &self.step {
            Step::Reading(reading) if reading.reply.is_finished() => limits.tail,
            Step::Reading(_) if self.partial => limits.between,
            Step::Pausing(_) | Step::Sending(_) | Step::Reading(_) | Step::Ended(_) => limits.first_token,
        }
    }

    fn read(&mut self, response: Response) {
        let content_type = content_type(response.headers());
        self.silence.heard();
        self.step = Step::Reading(Box::new(Reading {
            response,
            content_type,
            decoder: Decoder::default(),
            reply: self.request.reply(),
            saw_frame: false,
            ended: false,
        }));
    }

    fn bytes(&mut self, bytes: Result<Option<Bytes>, reqwest::Error>) -> Result<(), GatewayError> {
        let Step::Reading(reading) = &mut self.step else { return Ok(()) };
        match bytes {
            Ok(Some(bytes)) => {
                reading.decoder.push(&bytes);
                self.silence.heard();
                Ok(())
            }
            // A server may close without `[DONE]`, and even without the last chunk, once the reply is whole.
            Err(_) if reading.reply.is_finished() => self.conclude(Flow::More),
            Err(error) if self.partial => Err(GatewayError::BrokenOff(cause(&error))),
            Err(error) => self.failed(Failure::Connection(cause(&error))),
            Ok(None) => {
                reading.decoder.finish();
                reading.ended = true;
                Ok(())
            }
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), GatewayError> {
        let Step::Reading(reading) = &mut self.step else { return Ok(()) };
        reading.saw_frame = true;
        let before = reading.reply.held();
        let read = reading.reply.frame(&event.event, &event.data, &mut self.ready);
        let held = reading.reply.held();
        self.partial |= !self.ready.is_empty();
        // A piece of a call is heard, though it is handed on with the whole of it.
        if !self.ready.is_empty() || held > before {
            self.silence.broken();
        }
        // Everything before was handed on: what is ready came with this event.
        self.length += self.ready.iter().map(length_of).sum::<usize>();
        if self.length + held > LONGEST_REPLY {
            return Err(GatewayError::BrokenOff(format!("the reply is longer than {} MiB", LONGEST_REPLY >> 20)));
        }
        // This is no part of the reply, and no end of the silence.
        if let Some(Progress { processed, total }) = reading.reply.take_progress() {
            self.ready.push_back(Delta::Reading { processed, total });
        }
        match read {
            Ok(Flow::More) => Ok(()),
            Ok(Flow::Done) => self.conclude(Flow::Done),
            // The end of the body cut this frame.
            Err(FrameError::Malformed(_)) if reading.ended => self.conclude(Flow::More),
            Err(error) => self.frame_failed(error),
        }
    }

    /// An answer that is no stream: a refusal, or the whole reply at once.
    fn whole(&mut self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), GatewayError> {
        if status.is_success() {
            let mut reply = self.request.reply();
            if let Err(error) = reply.frame("message", &String::from_utf8_lossy(body), &mut self.ready) {
                return self.frame_failed(error);
            }
            return self.conclude_reply(&mut reply, Flow::More);
        }
        if status.is_redirection() {
            let target = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("another address");
            return Err(GatewayError::Refused {
                message: format!("`{}` redirects to `{}`", self.request.endpoint, sentence(target)),
                hints: vec!["redirects are not followed; name that server with `--endpoint`".to_owned()],
            });
        }
        let mut fault = Fault::of_body(status.as_u16(), body);
        fault.retry_after = retry_after(headers);
        self.failed(Failure::Fault(fault))
    }

    fn frame_failed(&mut self, error: FrameError) -> Result<(), GatewayError> {
        match error {
            FrameError::Fault(fault) if self.partial => Err(fault.into_error(true)),
            FrameError::Fault(fault) => self.failed(Failure::Fault(fault)),
            FrameError::Malformed(text) if self.partial => {
                Err(GatewayError::BrokenOff(format!("a frame is not understood: `{text}`")))
            }
            FrameError::Malformed(text) => Err(GatewayError::Refused {
                message: format!("the server's answer is not understood: `{text}`"),
                hints: vec![NO_MODEL_SERVER.to_owned()],
            }),
        }
    }

    /// Nothing was handed on yet: tries again while the budget allows.
    fn failed(&mut self, failure: Failure) -> Result<(), GatewayError> {
        match self.budget.again(&failure) {
            Some(Again { attempt, wait, reason }) => {
                let reason = self.request.key.as_ref().map_or(reason.clone(), |key| key.hidden_in(&reason));
                self.ready.push_back(Delta::Retry { attempt, wait, reason });
                self.step = Step::Pausing(Box::pin(tokio::time::sleep(wait)));
                Ok(())
            }
            None => Err(failure.into_error(&self.request.endpoint)),
        }
    }

    fn conclude(&mut self, flow: Flow) -> Result<(), GatewayError> {
        match std::mem::replace(&mut self.step, Step::Ended(None)) {
            Step::Reading(reading) if !reading.saw_frame => Err(no_frames(&reading.content_type)),
            Step::Reading(mut reading) => self.conclude_reply(&mut reading.reply, flow),
            Step::Pausing(_) | Step::Sending(_) | Step::Ended(_) => Ok(()),
        }
    }

    fn conclude_reply(&mut self, reply: &mut Reply, flow: Flow) -> Result<(), GatewayError> {
        let conclusion = reply.conclude(flow).map_err(|incomplete| incomplete_reply(&incomplete))?;
        let mut usage = conclusion.usage;
        usage.requests = 1;
        usage.seconds = self.started.elapsed().as_secs_f64();
        self.ready.extend(conclusion.last);
        self.ready.extend(self.request.meter.counted(self.request.guess, usage.prompt_tokens).map(Delta::Notice));
        self.ready.push_back(Delta::Finished { reason: conclusion.reason, usage });
        self.step = Step::Ended(None);
        Ok(())
    }

    fn too_silent(&mut self, silence: Duration) -> Result<(), GatewayError> {
        let silence = silence.as_secs_f64();
        match &self.step {
            Step::Reading(reading) if reading.reply.is_finished() => self.conclude(Flow::More),
            _ if self.partial => Err(GatewayError::BrokenOff(format!("nothing came for {silence} s"))),
            _ => Err(GatewayError::Unreachable {
                message: format!("`{}` took the request and was silent for {silence} s", self.request.endpoint),
                hints: vec![
                    "a smaller model or a shorter conversation answers sooner".to_owned(),
                    "`first_token_s` below `[model.limits]` in the settings sets how long is waited".to_owned(),
                ],
            }),
        }
    }

    fn quiet(&self, quiet: Duration) -> String {
        let seconds = quiet.as_secs_f64();
        if self.partial {
            return format!("nothing has come for {seconds} s");
        }
        match &self.step {
            Step::Reading(reading) if let Some(Progress { processed, total }) = reading.reply.progress() => {
                format!("no answer for {seconds} s: the server has read {processed} of the prompt's {total} tokens")
            }
            _ => format!("no answer for {seconds} s: the server is loading the model or reading the prompt"),
        }
    }
}

/// Sends the request and waits for the head of the answer; a short body that is no stream is read here as well.
fn send(request: &Request) -> BoxFuture<'static, Result<Answer, reqwest::Error>> {
    const BODY_LIMIT: usize = 16 << 20;
    let sent = (request.post)();
    Box::pin(async move {
        let mut response = sent.await?;
        if let Some(how) = response.headers().get(CONTENT_ENCODING).filter(|how| how.as_bytes() != b"identity") {
            return Ok(Answer::Packed(String::from_utf8_lossy(how.as_bytes()).into_owned()));
        }
        let streams = !content_type(response.headers()).contains("json");
        if response.status() == StatusCode::OK && streams {
            return Ok(Answer::Stream(response));
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(bytes) = response.chunk().await?
        {
            body.extend_from_slice(&bytes);
        }
        Ok(Answer::Whole { status, headers, body })
    })
}

/// Lower-case; `x-ndjson` is left to the decoder, which takes lines of bare JSON.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.to_ascii_lowercase().replace("ndjson", "lines")
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    asked.parse().ok().map(Duration::from_secs).or_else(|| clock::until(asked))
}

const NO_MODEL_SERVER: &str = "is that the address of a model server's API?";

fn packed(how: &str) -> GatewayError {
    GatewayError::Refused {
        message: format!("the answer is compressed (`{}`), which was not asked for", sentence(how)),
        hints: vec!["a proxy in between may do so; it must leave streams as they are".to_owned()],
    }
}

fn no_frames(content_type: &str) -> GatewayError {
    if content_type.is_empty() || content_type.starts_with("text/event-stream") {
        return incomplete_reply(&Incomplete::Empty);
    }
    GatewayError::Refused {
        message: format!("the server answered with `{}` in place of a stream", sentence(content_type)),
        hints: vec![NO_MODEL_SERVER.to_owned()],
    }
}

fn incomplete_reply(incomplete: &Incomplete) -> GatewayError {
    match incomplete {
        Incomplete::NoFinishReason => {
            GatewayError::BrokenOff("the server closed the stream without a finish reason".to_owned())
        }
        Incomplete::Aborted => GatewayError::BrokenOff("the server gave up on the request".to_owned()),
        Incomplete::BrokenCall(name) => {
            GatewayError::BrokenOff(format!("the arguments of the tool call `{name}` are not whole"))
        }
        Incomplete::Empty => GatewayError::Refused {
            message: "the server answered with nothing".to_owned(),
            hints: vec!["some servers do so when the conversation is longer than the context window".to_owned()],
        },
    }
}
