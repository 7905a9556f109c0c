//! The gateway against a real llama-server, where `FAOS_TEST_LLAMA_SERVER` names its binary and
//! `FAOS_TEST_LLAMA_MODEL` a GGUF file. Elsewhere each test is listed as not run: the bytes below `tests/captures` stand in
//! for the server there.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faos::base::message::{Message, Role};
use faos::base::usage::Usage;
use faos::gateway::{Continuing, Delta, Gateway, GatewayError, Options, Sampling, Server};
use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::gateway::text;

struct LlamaServer {
    process: Child,
    url: String,
}

/// The program and the model, where they are named. Elsewhere it is said which test is not run, past the harness, which
/// shows what a test prints only when it fails.
fn named(test: &str) -> Option<(OsString, PathBuf)> {
    let program = std::env::var_os("FAOS_TEST_LLAMA_SERVER");
    let named = program.zip(std::env::var_os("FAOS_TEST_LLAMA_MODEL").map(PathBuf::from));
    if named.is_none() {
        let line = format!(
            "not run: gateway_llama::{test}: `FAOS_TEST_LLAMA_SERVER` and `FAOS_TEST_LLAMA_MODEL` name no server and model\n"
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    named
}

impl LlamaServer {
    #[expect(clippy::disallowed_methods, reason = "the server under test is no script of a model")]
    fn start(program: &OsStr, arguments: &[&OsStr]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let process = Command::new(program)
            .args(arguments)
            .args(["--host", "127.0.0.1", "--port", &port, "-c", "8192", "-np", "1", "--slots", "-t", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        // With the servers that a router has started. Asked to end, it may wait for its connections.
        kill_process_group(Pid::from_child(&self.process), Signal::KILL).unwrap();
        self.process.wait().unwrap();
    }
}

/// The port opens a moment after the process began; until then connections are refused.
async fn connect(server: &LlamaServer, options: Options) -> Gateway {
    let options = Options { endpoint: Some(server.url.clone()), ..options };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        match Gateway::connect(&options).await {
            Err(GatewayError::Unreachable { .. }) => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
    panic!("`{}` does not come up", server.url);
}

fn conversation(words: &[&str]) -> Vec<Message> {
    let role = |at: usize| if at.is_multiple_of(2) { Role::User } else { Role::Assistant };
    words.iter().enumerate().map(|(at, text)| Message::new(role(at), *text)).collect()
}

#[tokio::test]
async fn a_real_llama_server_is_found_streams_caches_refuses_and_stops() {
    if let Some((program, model)) = named("a_real_llama_server_is_found_streams_caches_refuses_and_stops") {
        check(&LlamaServer::start(&program, &["-m".as_ref(), model.as_os_str()])).await;
    }
}

async fn check(server: &LlamaServer) {
    let sampling = Sampling { max_tokens: Some(64), ..Sampling::default() };
    let gateway = connect(server, Options { sampling, ..Options::default() }).await;
    let Server { kind, context_window, .. } = gateway.server();
    assert_eq!((kind.as_str(), *context_window), ("llama.cpp", Some(8192)));
    counts_and_reuses(&gateway).await;
    refuses_what_is_too_long(&gateway).await;
    goes_on(&gateway).await;
    stops_when_cancelled(server).await;
    breaks_off_when_cut(server).await;
}

#[tokio::test]
async fn a_real_router_loads_the_chosen_model() {
    if let Some((program, model)) = named("a_real_router_loads_the_chosen_model") {
        let models = TempDir::with_prefix("faos-test-").unwrap();
        for name in ["one.gguf", "two.gguf"] {
            std::fs::copy(&model, models.path().join(name)).unwrap();
        }
        let server = LlamaServer::start(&program, &["--models-dir".as_ref(), models.path().as_os_str()]);
        routes(&server).await;
    }
}

async fn routes(server: &LlamaServer) {
    let windows = async || {
        let options = Options { endpoint: Some(server.url.clone()), ..Options::default() };
        let listed = Gateway::models(&options).await.unwrap();
        listed.into_iter().map(|server| (server.model, server.context_window)).collect::<Vec<_>>()
    };
    let gateway = connect(server, Options { model: Some("two".to_owned()), ..Options::default() }).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.server().context_window), ("llama.cpp", Some(8192)));
    assert_eq!(windows().await, [("one".to_owned(), None), ("two".to_owned(), Some(8192))]);
    let messages = conversation(&["say hello"]);
    let (answer, usage) = ask(&gateway, &messages).await;
    assert!(!answer.is_empty());
    assert_eq!(gateway.count(&messages).await, Some(usage.prompt_tokens));
}

async fn ask(gateway: &Gateway, messages: &[Message]) -> (String, Usage) {
    let deltas: Vec<_> = gateway.chat(messages, &CancellationToken::new()).collect().await;
    let Some(Ok(Delta::Finished { usage, .. })) = deltas.last() else { panic!("{deltas:?}") };
    (text(&deltas), *usage)
}

/// Six turns, each of them on top of the one before: what was read once is not read again.
async fn counts_and_reuses(gateway: &Gateway) {
    let preface = "Answer shortly. ".repeat(60);
    let mut messages = vec![Message::new(Role::System, preface), Message::new(Role::User, "a first question")];
    let mut before: Option<Usage> = None;
    for turn in 0..6 {
        let counted = gateway.count(&messages).await;
        let (answer, usage) = ask(gateway, &messages).await;
        assert_eq!(counted, Some(usage.prompt_tokens), "turn {turn}");
        assert!(!answer.is_empty() && usage.completion_tokens > 0);
        if let Some(before) = before {
            assert!(usage.cached_tokens * 100 >= before.prompt_tokens * 99, "turn {turn}: {before:?} {usage:?}");
        }
        before = Some(usage);
        messages.push(Message::new(Role::Assistant, answer));
        messages.push(Message::new(Role::User, format!("and question {turn}")));
    }
    // By now the guess is corrected for this tokenizer, which makes a token of a byte.
    let (estimate, counted) = (gateway.estimate(&messages), gateway.count(&messages).await.unwrap());
    assert!(estimate.abs_diff(counted) * 20 < counted, "{estimate} {counted}");
}

async fn refuses_what_is_too_long(gateway: &Gateway) {
    let long = conversation(&[&"x ".repeat(8000)]);
    let refused: Vec<_> = gateway.chat(&long, &CancellationToken::new()).collect().await;
    let [Err(GatewayError::Overflow { prompt_tokens, window: Some(8192) })] = refused[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(prompt_tokens, gateway.count(&long).await);
}

async fn goes_on(gateway: &Gateway) {
    assert_eq!(gateway.continues(), Some(Continuing::Repeats));
    let question = ["say hello"];
    let (whole, _) = ask(gateway, &conversation(&question)).await;
    let begun = &whole[..6];
    let deltas: Vec<_> = gateway.go_on(&conversation(&[question[0], begun]), &CancellationToken::new()).collect().await;
    // The model speaks a script, and leaps in it where it is taken up. What it was given it does not say again.
    let said = text(&deltas);
    assert!(!said.is_empty() && !said.contains(begun) && whole.ends_with(&said), "{deltas:?}");
}

/// The reply would go on for some 8,000 tokens.
async fn stops_when_cancelled(server: &LlamaServer) {
    let gateway = endless(&server.url).await;
    let token = CancellationToken::new();
    let mut deltas = gateway.chat(&conversation(&["[loop] on and on"]), &token);
    let mut first = deltas.next().await;
    while let Some(Ok(Delta::Reading { .. })) = first {
        first = deltas.next().await;
    }
    assert!(matches!(first, Some(Ok(Delta::Text(_)))), "{first:?}");
    assert!(server.is_busy());
    token.cancel();
    let rest: Vec<_> = deltas.collect().await;
    assert_eq!(rest.last(), Some(&Err(GatewayError::Cancelled)));
    let cancelled = Instant::now();
    while server.is_busy() {
        // The connection's own task closes it.
        tokio::task::yield_now().await;
        assert!(cancelled.elapsed() < Duration::from_secs(2), "it goes on without a reader");
    }
}

async fn breaks_off_when_cut(server: &LlamaServer) {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let gateway = endless(&proxy(&server.url, &limit)).await;
    let ask = async |words: &str| {
        let deltas = gateway.chat(&conversation(&[words]), &CancellationToken::new());
        deltas.collect::<Vec<_>>().await
    };
    limit.store(20_000, Ordering::Relaxed);
    let deltas = ask("[loop] on and on").await;
    assert!(!text(&deltas).is_empty());
    assert!(matches!(deltas.last(), Some(Err(GatewayError::BrokenOff(_)))), "{:?}", deltas.last());
    // Within the head of each answer: nothing of a reply came, so it is asked for again.
    limit.store(100, Ordering::Relaxed);
    let deltas = ask("say hello").await;
    let [Ok(Delta::Retry { .. }), Ok(Delta::Retry { .. }), Err(GatewayError::Unreachable { .. })] = deltas[..] else {
        panic!("{deltas:?}")
    };
}

async fn endless(url: &str) -> Gateway {
    Gateway::connect(&Options { endpoint: Some(url.to_owned()), ..Options::default() }).await.unwrap()
}

impl LlamaServer {
    fn is_busy(&self) -> bool {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /slots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"is_processing\":"), "{answer}");
        answer.contains("\"is_processing\":true")
    }
}

/// Passes on what goes by, and closes each connection after so many bytes of the answer.
fn proxy(url: &str, limit: &Arc<AtomicU64>) -> String {
    let limit = Arc::clone(limit);
    let server = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let limit = limit.load(Ordering::Relaxed);
            let upstream = TcpStream::connect(&server).unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
            thread::spawn(move || {
                let passed = std::io::copy(&mut (&upstream).take(limit), &mut &client);
                for stream in [&client, &upstream] {
                    // Either end may have left already.
                    let _ = stream.shutdown(Shutdown::Both);
                }
                passed
            });
        }
    });
    own
}
