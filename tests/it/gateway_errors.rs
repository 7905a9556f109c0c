//! What the gateway tries again, what it gives up on, and what it says then.

use std::time::Duration;

use faos::gateway::{Delta, Gateway, GatewayError, Options};
use faos::playback::{Reply, Step};
use futures_util::StreamExt;

use crate::gateway::{ask, connect, quick, say, text};
use crate::support::model_server::{bytes, capture, serve};

fn retries(deltas: &[Result<Delta, GatewayError>]) -> usize {
    deltas.iter().filter(|delta| matches!(delta, Ok(Delta::Retry { .. }))).count()
}

fn message(deltas: &[Result<Delta, GatewayError>]) -> String {
    match deltas.last() {
        Some(Err(error)) => error.to_string(),
        other => panic!("no error but {other:?}"),
    }
}

#[tokio::test]
async fn a_loading_model_is_waited_for() {
    let loading = || capture("llama.cpp/loading_503_health");
    let deltas = ask([loading(), loading(), loading(), loading(), Reply::text("ready")]).await;
    assert_eq!((retries(&deltas), text(&deltas).as_str()), (4, "ready"));
    let Ok(Delta::Retry { attempt: 2, reason, .. }) = &deltas[0] else { panic!("{deltas:?}") };
    assert_eq!(reason, "the model is loading; waiting up to 120 s for it");
}

#[tokio::test]
async fn a_busy_server_gets_three_tries_in_all() {
    let busy = || Reply::json(429, r#"{"error":"Model is overloaded","error_type":"overloaded"}"#);
    let deltas = ask([busy(), busy(), Reply::text("at last")]).await;
    assert_eq!((retries(&deltas), text(&deltas).as_str()), (2, "at last"));
    let deltas = ask([busy(), busy(), busy(), Reply::text("never")]).await;
    assert_eq!(retries(&deltas), 2);
    assert_eq!(message(&deltas), "the server refused the request (429): Model is overloaded");
}

#[tokio::test]
async fn a_server_may_ask_for_its_own_wait() {
    let busy = Reply::json(429, "{}").header("Retry-After", "0");
    let deltas = ask([busy, Reply::text("ok")]).await;
    assert!(matches!(deltas[0], Ok(Delta::Retry { wait: Duration::ZERO, .. })), "{deltas:?}");
    let busy = Reply::json(503, "{}").header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT");
    let deltas = ask([busy, Reply::text("ok")]).await;
    assert!(matches!(deltas[0], Ok(Delta::Retry { wait: Duration::ZERO, .. })), "{deltas:?}");
    let busy = Reply::json(429, "").header("Retry-After", "Wed, 01 Jan 2200 00:00:00 GMT");
    let told = message(&ask([busy]).await);
    assert!(
        told.starts_with("the server refused the request (429): it gave no reason; it asks to come back in "),
        "{told}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_before_any_text_is_made_again() {
    let broken = || Reply::stream(vec![Step::Break]);
    let after_the_head = Reply::stream(vec![Step::Bytes(b":\n\n".to_vec()), Step::Break]);
    let deltas = ask([broken(), after_the_head, Reply::text("ok")]).await;
    assert_eq!((retries(&deltas), text(&deltas).as_str()), (2, "ok"));
    let deltas = ask([broken(), broken(), broken()]).await;
    assert!(matches!(deltas.last(), Some(Err(GatewayError::Unreachable { .. }))), "{deltas:?}");
}

#[tokio::test]
async fn refusals_are_final() {
    for status in [400, 401, 404, 422, 500] {
        let deltas =
            ask([Reply::json(status, r#"{"error":{"message":"no\u001b[31m way.\nreally"}}"#), Reply::text("x")]).await;
        assert_eq!(deltas.len(), 1, "{deltas:?}");
        assert!(message(&deltas).ends_with("no way. really"), "{deltas:?}");
    }
}

#[tokio::test]
async fn an_overflow_is_told_from_other_errors_wherever_it_is_said() {
    let lm_studio = "event: error\ndata: {\"error\":{\"message\":\"Input does not fit in context length. The input has 31430 \
                     tokens, but the context length only supports 30000 tokens.\"},\"message\":\"x\"}\n\n";
    let tgi = "data:{\"error\":{\"message\":\"Input validation error: `inputs` must have less than 10 tokens. Given: 12\",\
               \"http_status_code\":422}}\n\ndata: [DONE]\n\n";
    for (reply, prompt_tokens, window) in [
        (capture("llama.cpp/err_overflow"), Some(2592), Some(2048)),
        (capture("vllm/err_overflow"), None, Some(2048)),
        (bytes(lm_studio), Some(31430), Some(30000)),
        (bytes(tgi), Some(12), Some(10)),
    ] {
        assert_eq!(ask([reply]).await, [Err(GatewayError::Overflow { prompt_tokens, window })]);
    }
}

#[tokio::test]
async fn an_answer_of_nothing_is_an_error() {
    for reply in [
        bytes(""),
        bytes("data: [DONE]\n\n"),
        bytes("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\ndata: [DONE]\n\n"),
        Reply::json(200, r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#),
    ] {
        assert_eq!(message(&ask([reply]).await), "the server answered with nothing");
    }
    let page = Reply { headers: vec![("Content-Type".into(), "text/html".into())], ..bytes("<html></html>") };
    assert_eq!(message(&ask([page]).await), "the server answered with `text/html` in place of a stream");
}

#[tokio::test]
async fn an_endless_frame_is_not_collected() {
    let steps = vec![Step::Bytes(vec![b'x'; 1 << 20]); 20];
    assert_eq!(message(&ask([Reply::stream(steps)]).await), "the answer broke off: a frame is longer than 16 MiB");
}

/// A model in a loop, or a server that means no good.
#[tokio::test]
async fn an_endless_reply_is_ended() {
    let words = "again and ".repeat(50_000);
    let text = |field: &str| format!("\"{field}\":\"{words}\"");
    let arguments = format!("\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{words}\"}}}}]");
    let calls = format!("\"tool_calls\":[{}{{}}]", "{\"id\":\"a\"},{\"id\":\"b\"},".repeat(10_000));
    for delta in [text("content"), text("reasoning_content"), arguments, calls] {
        let frame = format!("data: {{\"choices\":[{{\"delta\":{{{delta}}}}}]}}\n\n");
        let deltas = ask([Reply::stream(vec![Step::Bytes(frame.into_bytes()); 40])]).await;
        assert_eq!(message(&deltas), "the answer broke off: the reply is longer than 16 MiB");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = serve([Reply::text("stolen")]);
    let moved = Reply::json(307, "").header("Location", other.url());
    let deltas = ask([moved]).await;
    assert!(message(&deltas).contains("redirects to"), "{deltas:?}");
    assert_eq!(other.seen().requests.len(), 0);
}

#[tokio::test]
async fn a_server_that_went_away_is_unreachable_within_two_seconds() {
    let player = serve([]);
    let endpoint = player.url().to_owned();
    let gateway = Gateway::connect(&Options { endpoint: Some(endpoint), ..Options::default() }).await.unwrap();
    drop(player);
    let started = std::time::Instant::now();
    let deltas: Vec<_> = say(&gateway).collect().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(matches!(deltas.last(), Some(Err(GatewayError::Unreachable { .. }))), "{deltas:?}");
}

#[tokio::test]
async fn the_recording_says_when_it_is_over() {
    let player = serve([]);
    let deltas: Vec<_> = say(&connect(&player).await).collect().await;
    assert!(message(&deltas).contains("the recording has no further reply"));
    assert_eq!(quick().connect, Duration::from_secs(2));
}
