//! The gateway against a real llama-server, where `FAOS_TEST_LLAMA_SERVER` names its binary and
//! `FAOS_TEST_LLAMA_MODEL` a GGUF file. Elsewhere the test says that it is not run: the bytes below `tests/captures`
//! stand in for the server there.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use faos::base::message::{Message, Role};
use faos::gateway::{Delta, Gateway, GatewayError, Options, Sampling};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

struct LlamaServer {
    process: Child,
    url: String,
}

impl LlamaServer {
    #[expect(clippy::disallowed_methods, reason = "the server under test is no script of a model")]
    fn start() -> Option<Self> {
        let binary = std::env::var_os("FAOS_TEST_LLAMA_SERVER")?;
        let model = std::env::var_os("FAOS_TEST_LLAMA_MODEL")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let process = Command::new(binary)
            .arg("-m")
            .arg(model)
            .args(["--host", "127.0.0.1", "--port", &port, "-c", "2048", "-np", "1", "-t", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The port opens a moment after the process began; until then connections are refused.
async fn connect(server: &LlamaServer) -> Gateway {
    let sampling = Sampling { max_tokens: Some(64), ..Sampling::default() };
    let options = Options { endpoint: Some(server.url.clone()), sampling, ..Options::default() };
    for _ in 0..10_000 {
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
    match LlamaServer::start() {
        Some(server) => check(&server).await,
        None => eprintln!("not run: `FAOS_TEST_LLAMA_SERVER` and `FAOS_TEST_LLAMA_MODEL` name no server and model"),
    }
}

async fn check(server: &LlamaServer) {
    let gateway = connect(server).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.server().context_window), ("llama.cpp", Some(2048)));

    let token = CancellationToken::new();
    let first: Vec<_> = gateway.chat(&conversation(&["a first question"]), &token).collect().await;
    let answer: String = first
        .iter()
        .filter_map(|delta| if let Ok(Delta::Text(text)) = delta { Some(text.as_str()) } else { None })
        .collect();
    let Some(Ok(Delta::Finished { usage: before, .. })) = first.last() else { panic!("{first:?}") };
    assert!(!answer.is_empty() && before.prompt_tokens > 0 && before.completion_tokens > 0);

    let grown = conversation(&["a first question", &answer, "and more"]);
    let second: Vec<_> = gateway.chat(&grown, &token).collect().await;
    let Some(Ok(Delta::Finished { usage, .. })) = second.last() else { panic!("{second:?}") };
    assert!(usage.cached_tokens * 100 >= before.prompt_tokens * 95, "{before:?} {usage:?}");

    let long = "x ".repeat(8000);
    let refused: Vec<_> = gateway.chat(&conversation(&[&long]), &token).collect().await;
    let [Err(GatewayError::Overflow { prompt_tokens: Some(tokens), window: Some(2048) })] = refused[..] else {
        panic!("{refused:?}")
    };
    assert!(tokens > 2048);

    let mut deltas = gateway.chat(&conversation(&["[loop] on and on"]), &token);
    assert!(matches!(deltas.next().await, Some(Ok(_))));
    token.cancel();
    let rest: Vec<_> = deltas.collect().await;
    assert_eq!(rest.last(), Some(&Err(GatewayError::Cancelled)));
}
