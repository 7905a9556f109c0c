//! The server: accepts, finds the answer, plays its steps, remembers what it was asked.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

use super::http::{Answer, Request};
use super::{Reply, Script, Step};

/// The context window that the recorded model is said to have, in tokens.
const WINDOW: u64 = 32_768;

/// Where a conversation is sent: the API of most servers, Ollama's own, TGI's own.
const CHAT_ROUTES: [&str; 3] = ["/v1/chat/completions", "/api/chat", "/generate_stream"];

/// A running server. Dropping it closes every connection.
pub struct Player {
    url: String,
    state: Arc<State>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Shared between the server's thread and its owner; each holds the lock only to copy in or out.
#[derive(Default)]
struct State {
    script: Mutex<Script>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub requests: Vec<Request>,
    /// So many answers were not wanted to their end: the client closed the connection.
    pub abandoned: usize,
}

impl Player {
    /// Serves the replies for the model, at a pace of so long a piece.
    pub fn start(model: &str, replies: Vec<Reply>, pace: Duration) -> io::Result<Self> {
        Self::play(Script { model: model.to_owned(), replies: replies.into(), pace, ..Script::default() })
    }

    pub fn play(script: Script) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State { script: Mutex::new(script), ..State::default() });
        let stop = CancellationToken::new();
        let (ready, readiness) = mpsc::channel();
        let served = (Arc::clone(&state), stop.clone());
        let thread = std::thread::Builder::new().name("playback".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
            let (runtime, listener) = match runtime.and_then(|runtime| {
                let listener = runtime.block_on(async { TcpListener::from_std(listener) })?;
                Ok((runtime, listener))
            }) {
                Ok(both) => both,
                // The owner is still waiting for the word, so it arrives.
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(())));
            let (state, stop) = served;
            runtime.block_on(async { stop.run_until_cancelled(accept(listener, state)).await });
        })?;
        readiness.recv().map_err(io::Error::other)??;
        Ok(Self { url, state, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bodies of the chat requests, in order.
    pub fn requests(&self) -> Vec<Value> {
        let is_chat = |request: &&Request| request.method == "POST" && CHAT_ROUTES.contains(&request.path.as_str());
        self.seen().requests.iter().filter(is_chat).map(Request::json).collect()
    }

    pub fn seen(&self) -> Seen {
        lock(&self.state.seen).clone()
    }

    /// Waits until what was seen fulfils the condition; false where that takes longer than the limit.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&Seen) -> bool) -> bool {
        let seen = lock(&self.state.seen);
        let waited = self.state.changed.wait_timeout_while(seen, limit, |seen| !condition(seen));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must close some first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A connection that fails is the client's to notice.
            drop(serve(stream, &state).await);
        });
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.split();
    let Some(request) = Request::read(&mut reader).await? else { return Ok(()) };
    let (model, pace) = state.note(&request);
    let reply = state.answer(&request);
    let player = Playing { model: &model, prompt_tokens: prompt_tokens(&request), pace };
    let left = tokio::select! {
        played = player.play(&mut writer, reply) => played.is_err(),
        () = gone(&mut reader) => true,
    };
    if left {
        state.change(|seen| seen.abandoned += 1);
    }
    Ok(())
}

impl State {
    fn note(&self, request: &Request) -> (String, Duration) {
        self.change(|seen| seen.requests.push(request.clone()));
        let script = lock(&self.script);
        (script.model.clone(), script.pace)
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut lock(&self.seen));
        self.changed.notify_all();
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut script = lock(&self.script);
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if CHAT_ROUTES.contains(&path) => script
                .replies
                .pop_front()
                .unwrap_or_else(|| error(400, "the recording has no further reply: more requests came than it holds")),
            ("GET" | "POST", path) => script.page(path).unwrap_or_else(|| match path {
                "/v1/models" => Reply::json(200, &models(&script.model)),
                _ => error(404, "not found"),
            }),
            _ => error(404, "not found"),
        }
    }
}

impl Script {
    fn page(&mut self, path: &str) -> Option<Reply> {
        let mut pages = self.pages.iter().enumerate().filter(|(_, (known, _))| known == path);
        let (first, (_, reply)) = pages.next()?;
        let (more_follow, reply) = (pages.next().is_some(), reply.clone());
        if more_follow {
            self.pages.remove(first);
        }
        Some(reply)
    }
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"message": message, "code": status}}).to_string())
}

fn models(model: &str) -> String {
    let model = json!({"id": model, "object": "model", "owned_by": "faos", "max_model_len": WINDOW});
    json!({"object": "list", "data": [model]}).to_string()
}

struct Playing<'a> {
    model: &'a str,
    prompt_tokens: usize,
    pace: Duration,
}

impl Playing<'_> {
    async fn play(&self, writer: &mut WriteHalf<'_>, reply: Reply) -> io::Result<()> {
        let mut answer = Answer::new(writer, reply.status, &reply.headers);
        let mut pieces = 0;
        for step in reply.steps {
            match step {
                Step::Text(text) => self.piece(&mut answer, &json!({"content": text}), &mut pieces).await?,
                Step::Reasoning(text) => {
                    self.piece(&mut answer, &json!({"reasoning_content": text}), &mut pieces).await?;
                }
                Step::Finish(reason) => answer.send(self.last_frames(&reason, pieces).as_bytes()).await?,
                Step::Bytes(bytes) => answer.send(&bytes).await?,
                Step::Wait(gate) => gate.pass().await,
                Step::Break => return Ok(()),
            }
        }
        answer.end().await
    }

    async fn piece(&self, answer: &mut Answer<'_, '_>, delta: &Value, pieces: &mut usize) -> io::Result<()> {
        *pieces += 1;
        answer.send(self.frame(&json!([{"index": 0, "delta": delta, "finish_reason": null}]), None).as_bytes()).await?;
        if !self.pace.is_zero() {
            tokio::time::sleep(self.pace).await;
        }
        Ok(())
    }

    fn last_frames(&self, reason: &str, pieces: usize) -> String {
        let finish = self.frame(&json!([{"index": 0, "delta": {}, "finish_reason": reason}]), None);
        let total = self.prompt_tokens + pieces;
        let usage = json!({"prompt_tokens": self.prompt_tokens, "completion_tokens": pieces, "total_tokens": total});
        format!("{finish}{}data: [DONE]\n\n", self.frame(&json!([]), Some(&usage)))
    }

    fn frame(&self, choices: &Value, usage: Option<&Value>) -> String {
        let mut chunk =
            json!({"id": "recorded", "object": "chat.completion.chunk", "model": self.model, "choices": choices});
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        format!("data: {chunk}\n\n")
    }
}

/// Four characters a token, as one guesses without the model's tokenizer.
fn prompt_tokens(request: &Request) -> usize {
    let body = request.json();
    let contents = body["messages"].as_array().into_iter().flatten().filter_map(|message| message["content"].as_str());
    contents.map(|text| text.chars().count()).sum::<usize>() / 4
}

/// Returns when the client has closed its side.
async fn gone(reader: &mut ReadHalf<'_>) {
    let mut rest = [0; 1024];
    while let Ok(1..) = reader.read(&mut rest).await {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
