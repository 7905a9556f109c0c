//! The gateway's way through a reply, against a scripted server on loopback.

use std::time::Duration;

use faos::base::message::{Message, Role};
use faos::gateway::{Delta, FinishReason, Gateway, GatewayError, Limits, Options, Sampling};
use faos::playback::{Gate, Player, Reply, Step};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::model_server::{bytes, capture, serve, serve_with_pages};

pub type Deltas = BoxStream<'static, Result<Delta, GatewayError>>;

pub fn quick() -> Limits {
    Limits { backoff: Duration::from_millis(1), ..Limits::default() }
}

pub async fn connect(player: &Player) -> Gateway {
    let options = Options { endpoint: Some(player.url().to_owned()), ..Options::default() };
    Gateway::connect_within(&options, quick()).await.unwrap()
}

pub fn say(gateway: &Gateway) -> Deltas {
    gateway.chat(&[Message::new(Role::User, "hi")], &CancellationToken::new())
}

/// Everything that one request to a server with these replies gives.
pub async fn ask(replies: impl IntoIterator<Item = Reply>) -> Vec<Result<Delta, GatewayError>> {
    let player = serve(replies);
    say(&connect(&player).await).collect().await
}

pub fn text(deltas: &[Result<Delta, GatewayError>]) -> String {
    deltas
        .iter()
        .filter_map(|delta| if let Ok(Delta::Text(text)) = delta { Some(text.as_str()) } else { None })
        .collect()
}

#[tokio::test]
async fn a_reply_comes_in_its_pieces_and_ends_with_its_usage() {
    let deltas = ask([Reply::text("one two\nthree")]).await;
    let pieces: Vec<String> = deltas
        .iter()
        .filter_map(|delta| if let Ok(Delta::Text(text)) = delta { Some(text.clone()) } else { None })
        .collect();
    assert_eq!(pieces, ["one ", "two\n", "three"]);
    let Some(Ok(Delta::Finished { reason: FinishReason::Stop, usage })) = deltas.last() else { panic!("{deltas:?}") };
    assert_eq!((usage.requests, usage.completion_tokens), (1, 3));
    assert!(usage.seconds > 0.0);
}

#[tokio::test]
async fn only_what_was_asked_for_is_sent() {
    let player = serve([Reply::text("a"), Reply::text("b")]);
    let options = Options { endpoint: Some(format!("{}/v1", player.url())), ..Options::default() };
    let messages = [Message::new(Role::System, "s"), Message::new(Role::User, "u")];
    let gateway = Gateway::connect(&options).await.unwrap();
    gateway.chat(&messages, &CancellationToken::new()).count().await;
    let sampling = Sampling { temperature: Some(0.2), seed: Some(7), max_tokens: Some(100) };
    let gateway = Gateway::connect(&Options { sampling, ..options }).await.unwrap();
    gateway.chat(&messages, &CancellationToken::new()).count().await;

    let wire = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]);
    let plain = json!({"model": "scripted", "stream": true, "messages": wire});
    let sampled = json!({"model": "scripted", "stream": true, "messages": wire, "temperature": 0.2, "seed": 7, "max_tokens": 100});
    assert_eq!(player.requests(), [plain, sampled]);
}

#[tokio::test]
async fn usage_is_asked_of_servers_that_are_known_to_give_it() {
    let player = serve_with_pages([capture("vllm/chat_stream_usage")], [("/v1/models", capture("vllm/models"))]);
    say(&connect(&player).await).count().await;
    assert_eq!(player.requests()[0]["stream_options"], json!({"include_usage": true}));
}

#[tokio::test]
async fn every_piece_is_handed_on_before_the_next_is_written() {
    let gate = Gate::default();
    let mut steps = Vec::new();
    for word in ["a ", "b ", "c "] {
        steps.extend([Step::Text(word.to_owned()), Step::Wait(gate.clone())]);
    }
    steps.push(Step::Finish("stop".to_owned()));
    let player = serve([Reply::stream(steps)]);
    let mut deltas = say(&connect(&player).await);
    for word in ["a ", "b ", "c "] {
        // The server stands before its gate: nothing else can have come.
        assert_eq!(deltas.next().await, Some(Ok(Delta::Text(word.to_owned()))));
        gate.open();
    }
    assert!(matches!(deltas.next().await, Some(Ok(Delta::Finished { .. }))));
    assert_eq!(deltas.next().await, None);
}

#[tokio::test]
async fn a_stream_that_stops_is_a_partial_reply() {
    let text_frame = r#"data: {"choices":[{"delta":{"content":"part"}}]}"#;
    for steps in [
        vec![Step::Text("part".into()), Step::Break],
        vec![Step::Text("part".into())],
        vec![Step::Bytes(format!("{text_frame}\n\ndata: {{\"choi").into_bytes())],
        vec![Step::Text("part".into()), Step::Bytes(b"data: {\"error\":\"out of memory\"}\n\n".to_vec())],
        vec![Step::Text("part".into()), Step::Bytes(b"data: nonsense\n\n".to_vec())],
        vec![Step::Text("part".into()), Step::Finish("abort".into())],
    ] {
        let deltas = ask([Reply::stream(steps)]).await;
        assert_eq!(text(&deltas), "part");
        assert!(matches!(deltas.last(), Some(Err(GatewayError::BrokenOff(_)))), "{deltas:?}");
        assert_eq!(deltas.len(), 2);
    }
}

#[tokio::test]
async fn a_finish_reason_is_enough() {
    let finish = "data: {\"choices\":[{\"delta\":{\"content\":\"all\"},\"finish_reason\":\"stop\"}]}";
    for reply in [
        bytes(format!("{finish}\n\n")),
        bytes(finish),
        Reply::stream(vec![Step::Bytes(format!("{finish}\n\n").into_bytes()), Step::Break]),
        Reply::json(200, r#"{"choices":[{"message":{"role":"assistant","content":"all"},"finish_reason":"stop"}]}"#),
    ] {
        let deltas = ask([reply]).await;
        assert_eq!(text(&deltas), "all");
        assert!(matches!(deltas.last(), Some(Ok(Delta::Finished { .. }))), "{deltas:?}");
    }
}

#[tokio::test]
async fn cancelling_drops_the_connection_at_once() {
    let player = serve([Reply::stream(vec![Step::Text("a".into()), Step::Wait(Gate::default())])]);
    let cancel = CancellationToken::new();
    let mut deltas = connect(&player).await.chat(&[Message::new(Role::User, "hi")], &cancel);
    assert_eq!(deltas.next().await, Some(Ok(Delta::Text("a".into()))));
    cancel.cancel();
    assert_eq!(deltas.next().await, Some(Err(GatewayError::Cancelled)));
    assert_eq!(deltas.next().await, None);
    drop(deltas);
    tokio::task::yield_now().await;
    assert!(player.wait_until(Duration::from_secs(5), |seen| seen.abandoned == 1));
}

#[tokio::test]
async fn a_cancelled_request_is_not_sent() {
    let player = serve([Reply::text("a")]);
    let gateway = connect(&player).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let deltas: Vec<_> = gateway.chat(&[Message::new(Role::User, "hi")], &cancel).collect().await;
    assert_eq!(deltas, [Err(GatewayError::Cancelled)]);
    assert_eq!(player.requests().len(), 0);
}
