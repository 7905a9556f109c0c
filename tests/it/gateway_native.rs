//! Servers that are spoken to in their own way, against responders that answer as their sources say.

use faos::base::message::{Message, Role};
use faos::gateway::{Continuing, Delta, FinishReason, Gateway, GatewayError, Options, Sampling};
use faos::playback::{Player, Reply, Step};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::gateway::{quick, say, text};
use crate::support::model_server::{bytes, random_pieces, serve_with_pages};

fn page(value: &Value) -> Reply {
    Reply::json(200, &value.to_string())
}

fn lines(lines: &[Value]) -> Reply {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Reply { headers: vec![("Content-Type".into(), "application/x-ndjson".into())], ..bytes(body) }
}

fn line(message: &Value) -> Value {
    json!({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false})
}

fn done(reason: &str) -> Value {
    json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason,
        "total_duration": 5, "prompt_eval_count": 26, "eval_count": 3})
}

/// Ollama with one model, which can read so much and is loaded with so much.
fn ollama(replies: impl IntoIterator<Item = Reply>, trained: u64, loaded: Option<u64>) -> Player {
    let running: Vec<_> = loaded.iter().map(|tokens| json!({"name": "m", "context_length": tokens})).collect();
    let pages = [
        ("/v1/models", page(&json!({"object": "list", "data": [{"id": "m", "owned_by": "library"}]}))),
        ("/api/version", page(&json!({"version": "0.32.3"}))),
        ("/api/ps", page(&json!({"models": running}))),
        ("/api/show", page(&json!({"model_info": {"qwen2.context_length": trained}, "parameters": ""}))),
    ];
    serve_with_pages(replies, pages)
}

async fn connect(player: &Player, options: Options) -> Gateway {
    let options = Options { endpoint: Some(player.url().to_owned()), ..options };
    Gateway::connect_within(&options, quick()).await.unwrap()
}

async fn ask(gateway: &Gateway) -> Vec<Result<Delta, GatewayError>> {
    say(gateway).collect().await
}

#[tokio::test]
async fn ollama_is_sent_a_window_that_stays_the_same() {
    let player =
        ollama([lines(&[line(&json!({"content": "a"})), done("stop")]), lines(&[done("length")])], 131_072, None);
    let sampling = Sampling { temperature: Some(0.0), seed: Some(7), max_tokens: Some(5) };
    let gateway = connect(&player, Options { sampling, ..Options::default() }).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.server().context_window), ("Ollama", Some(16_384)));
    let first = ask(&gateway).await;
    let Ok(Delta::Notice(notice)) = &first[0] else { panic!("{first:?}") };
    assert!(notice.contains("16384") && notice.contains("131072"), "{notice}");
    assert!(matches!(ask(&gateway).await[0], Err(GatewayError::Refused { .. })));

    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true, "truncate": false, "shift": false,
        "options": {"num_ctx": 16384, "num_predict": 5, "temperature": 0.0, "seed": 7}
    });
    assert_eq!(player.requests(), [body.clone(), body]);

    let player = ollama([], 131_072, Some(32_768));
    assert_eq!(connect(&player, Options::default()).await.server().context_window, Some(32_768));
    let set = Options { context: Some(9000), ..Options::default() };
    assert_eq!(connect(&player, set).await.server().context_window, Some(9000));
}

#[tokio::test]
async fn ollamas_lines_are_read_however_they_are_cut() {
    let call = json!({"id": "c", "function": {"index": 0, "name": "write", "arguments": {"path": "a"}}});
    let reply = lines(&[
        line(&json!({"role": "assistant", "content": "", "thinking": "hm"})),
        line(&json!({"role": "assistant", "content": "grün 👍"})),
        line(&json!({"role": "assistant", "content": "", "tool_calls": [call]})),
        done("stop"),
    ]);
    let [Step::Bytes(body)] = &reply.steps[..] else { unreachable!() };
    let cut = Reply { steps: random_pieces(body, 3), ..reply.clone() };
    let byte_by_byte = Reply { steps: body.iter().map(|byte| Step::Bytes(vec![*byte])).collect(), ..reply.clone() };
    let player = ollama([reply.clone(), cut, byte_by_byte], 8192, None);
    let gateway = connect(&player, Options::default()).await;
    for _ in 0..3 {
        let deltas: Vec<_> = ask(&gateway).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(deltas[0], Delta::Reasoning("hm".into()));
        assert_eq!(deltas[1], Delta::Text("grün 👍".into()));
        assert_eq!(deltas[2], Delta::ToolCall { name: "write".into(), arguments: "{\"path\":\"a\"}".into() });
        let Delta::Finished { reason: FinishReason::ToolCalls, usage } = deltas[3] else { panic!("{deltas:?}") };
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (26, 3));
    }
}

#[tokio::test]
async fn ollamas_errors_are_told_wherever_they_are() {
    let too_long = "the prompt is longer than the context length currently available (16384)";
    let part = line(&json!({"content": "part"}));
    let player = ollama(
        [
            Reply::json(400, &json!({"error": too_long}).to_string()),
            lines(&[json!({"error": "model runner has crashed"})]),
            lines(&[part.clone(), json!({"error": "model runner has crashed"})]),
            lines(&[part]),
            lines(&[done("load")]),
            Reply::json(404, r#"{"error":"model 'm' not found"}"#),
        ],
        8192,
        None,
    );
    let gateway = connect(&player, Options::default()).await;
    let mut errors = Vec::new();
    for _ in 0..6 {
        let deltas = ask(&gateway).await;
        errors.push(format!("{}{:?}", text(&deltas), deltas.last().unwrap().as_ref().unwrap_err()));
    }
    insta::assert_snapshot!(errors.join("\n"));
}

/// TGI before 1.4: no chat route, no list of models.
fn old_tgi(replies: impl IntoIterator<Item = Reply>) -> Player {
    let info = json!({"model_id": "Qwen/Qwen2.5-Coder-7B-Instruct", "version": "1.3.4", "max_total_tokens": 4096,
        "max_input_length": 3072});
    let gone = || Reply::json(404, "");
    serve_with_pages(replies, [("/v1/models", gone()), ("/v1/chat/completions", gone()), ("/info", page(&info))])
}

fn tokens(texts: &[&str], reason: &str) -> Reply {
    let token = |at: usize, text: &str| {
        json!({"index": at, "token": {"id": 9, "text": text, "logprob": -0.1, "special": false},
        "generated_text": null, "details": null})
    };
    let mut body: String = texts.iter().enumerate().map(|(at, text)| format!("data:{}\n\n", token(at, text))).collect();
    let last = json!({"index": 9, "token": {"id": 2, "text": "<|im_end|>", "logprob": 0.0, "special": true},
        "generated_text": texts.concat(), "details": {"finish_reason": reason, "generated_tokens": 2, "seed": null, "input_length": 12}});
    body.push_str(&format!("data:{last}\n\n"));
    bytes(body)
}

#[tokio::test]
async fn an_old_tgi_is_sent_one_text() {
    let player =
        old_tgi([tokens(&["Hel", "lo"], "eos_token"), tokens(&["x"], "length"), tokens(&["go on"], "stop_sequence")]);
    let gateway = connect(&player, Options::default()).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.server().context_window), ("TGI", Some(4096)));
    let deltas = ask(&gateway).await;
    assert_eq!(text(&deltas), "Hello");
    let Some(Ok(Delta::Finished { reason: FinishReason::Stop, usage })) = deltas.last() else { panic!("{deltas:?}") };
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (12, 2));
    assert!(matches!(ask(&gateway).await.last(), Some(Ok(Delta::Finished { reason: FinishReason::Length, .. }))));

    assert_eq!(gateway.continues(), Some(Continuing::Text));
    let begun = [Message::new(Role::User, "hi"), Message::new(Role::Assistant, "I ")];
    let deltas: Vec<_> = gateway.go_on(&begun, &CancellationToken::new()).collect().await;
    assert_eq!(text(&deltas), "go on");

    let asked = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
    let body = json!({"inputs": asked, "parameters": {"max_new_tokens": 1024}});
    let begun = json!({"inputs": format!("{asked}I "), "parameters": {"max_new_tokens": 1024}});
    assert_eq!(player.requests(), [body.clone(), body, begun]);
}

#[tokio::test]
async fn an_old_tgis_errors_are_told() {
    let error = |text: &str| bytes(format!("data:{}\n\n", json!({"error": text, "error_type": "validation"})));
    let too_long = "Input validation error: `inputs` must have less than 3072 tokens. Given: 4000";
    let player = old_tgi([error(too_long), error("Request failed during generation")]);
    let gateway = connect(&player, Options::default()).await;
    let overflow = GatewayError::Overflow { prompt_tokens: Some(4000), window: Some(3072) };
    assert_eq!(ask(&gateway).await, [Err(overflow)]);
    assert!(
        matches!(&ask(&gateway).await[0], Err(GatewayError::Refused { message, .. }) if message.contains("during generation"))
    );
}

#[tokio::test]
async fn a_tgi_with_a_chat_route_is_spoken_to_there() {
    let info = json!({"router": "text-generation-router", "model_id": "org/m", "max_total_tokens": 4096});
    let pages =
        [("/info", page(&info)), ("/v1/models", Reply::json(404, "")), ("/v1/chat/completions", Reply::json(405, ""))];
    let player = serve_with_pages([Reply::text("a")], pages);
    let gateway = connect(&player, Options::default()).await;
    assert_eq!((text(&ask(&gateway).await).as_str(), gateway.continues()), ("a", None));
    assert!(player.requests()[0]["messages"].is_array());
}
