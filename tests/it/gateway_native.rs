//! What is peculiar to a server, and its use: against responders that answer as the servers' sources say.

use faos::base::message::{Message, Role};
use faos::gateway::{Continuing, Delta, FinishReason, Gateway, GatewayError, Options, Sampling};
use faos::playback::{Player, Reply, Step};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::gateway::{quick, say, text};
use crate::support::model_server::{bytes, capture, random_pieces, serve_with_pages};

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

/// vLLM or llama.cpp, by what its list of models and its pages say.
fn named_server<'a>(
    owner: &str,
    replies: impl IntoIterator<Item = Reply>,
    more: impl IntoIterator<Item = (&'a str, Value)>,
) -> Player {
    let list = json!({"object": "list", "data": [{"id": "m", "owned_by": owner, "max_model_len": 2048}]});
    let mut pages = vec![("/v1/models", page(&list))];
    pages.extend(more.into_iter().map(|(path, value)| (path, page(&value))));
    serve_with_pages(replies, pages)
}

fn props() -> (&'static str, Value) {
    ("/props", json!({"default_generation_settings": {"n_ctx": 2048}}))
}

#[tokio::test]
async fn a_reply_is_gone_on_with_where_the_server_can() {
    let begun = [Message::new(Role::User, "a"), Message::new(Role::Assistant, "Hel")];
    let go_on = async |gateway: &Gateway| {
        let deltas: Vec<_> = gateway.go_on(&begun, &CancellationToken::new()).collect().await;
        text(&deltas)
    };
    let echo = |pieces: &[&str]| {
        let mut steps: Vec<Step> = pieces.iter().map(|piece| Step::Text((*piece).to_owned())).collect();
        steps.push(Step::Finish("stop".to_owned()));
        Reply::stream(steps)
    };
    // In one piece with what is new, as it was recorded; in pieces; and not at all.
    let replies =
        [capture("llama.cpp/assistant_prefill"), echo(&["He", "l", "lo"]), echo(&["Hel", "lo"]), echo(&["lo", "Hel"])];
    let llama = named_server("llamacpp", replies, [props()]);
    let gateway = connect(&llama, Options::default()).await;
    assert_eq!(gateway.continues(), Some(Continuing::Repeats));
    for want in ["was learned.", "lo", "lo", "loHel"] {
        assert_eq!(go_on(&gateway).await, want);
    }

    let vllm = named_server("vllm", [Reply::text("lo"), Reply::text("new")], []);
    let gateway = connect(&vllm, Options::default()).await;
    assert_eq!((gateway.continues(), go_on(&gateway).await.as_str()), (Some(Continuing::Asked), "lo"));
    gateway.chat(&begun, &CancellationToken::new()).count().await;
    let [asked, plain] = &vllm.requests()[..] else { panic!() };
    assert_eq!((&asked["continue_final_message"], &asked["add_generation_prompt"]), (&json!(true), &json!(false)));
    assert_eq!(plain.get("continue_final_message"), None);

    let other = named_server("somebody", [], []);
    assert_eq!(connect(&other, Options::default()).await.continues(), None);
}

#[tokio::test]
async fn tokens_are_counted_by_the_server_where_it_can() {
    let messages = [Message::new(Role::User, "x".repeat(3984))];
    let counts = ("/v1/chat/completions/input_tokens", json!({"input_tokens": 22, "object": "response.input_tokens"}));
    let llama = named_server("llamacpp", [], [props(), counts]);
    assert_eq!(connect(&llama, Options::default()).await.count(&messages).await, Some(22));
    let vllm = named_server("vllm", [], [("/tokenize", json!({"count": 7, "max_model_len": 2048, "tokens": [1]}))]);
    let gateway = connect(&vllm, Options::default()).await;
    assert_eq!((gateway.count(&messages).await, gateway.estimate(&messages)), (Some(7), 1000));
    assert_eq!(vllm.seen().requests[1].json()["messages"][0]["role"], "user");
    let other = named_server("somebody", [], []);
    assert_eq!(connect(&other, Options::default()).await.count(&messages).await, None);
}

/// `{"tokenize_response":[{"id","text","start","stop"}],"templated_text"}`, in TGI's `router/src/lib.rs`.
#[tokio::test]
async fn tgi_counts_the_tokens_that_it_lists() {
    let info = json!({"router": "text-generation-router", "model_id": "org/m", "max_total_tokens": 4096});
    let token = |at: u64| json!({"id": at, "text": "a", "start": at, "stop": at + 1});
    let tokens = json!({"tokenize_response": (0..9).map(token).collect::<Vec<_>>(), "templated_text": "<|user|>hi"});
    let pages = |counted: Reply| {
        let chat = Reply::json(405, "");
        [("/info", page(&info)), ("/v1/chat/completions", chat), ("/chat_tokenize", counted)]
    };
    let messages = [Message::new(Role::User, "hi")];
    let player = serve_with_pages([], pages(page(&tokens)));
    let gateway = connect(&player, Options { model: Some("org/m".into()), ..Options::default() }).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.count(&messages).await), ("TGI", Some(9)));
    let asked = player.seen().requests.last().unwrap().json();
    assert_eq!(asked["messages"], json!([{"role": "user", "content": "hi"}]));

    // Without a chat template, and where the prompt is too long.
    let refused = json!({"error": "Input validation error: template not found", "error_type": "template_error"});
    let player = serve_with_pages([], pages(Reply::json(422, &refused.to_string())));
    let gateway = connect(&player, Options { model: Some("org/m".into()), ..Options::default() }).await;
    assert_eq!((gateway.count(&messages).await, gateway.estimate(&messages)), (None, 4));
}

/// llama.cpp without a model of its own: what it has loaded has a window, what is chosen is loaded for it.
#[tokio::test]
async fn a_router_tells_the_window_of_the_chosen_model() {
    let router = || {
        let pages = [
            ("/v1/models", capture("llama.cpp/router_models_one_loaded")),
            ("/props", capture("llama.cpp/router_props")),
            ("/props?model=alpha&autoload=false", capture("llama.cpp/router_props_model")),
            ("/props?model=beta&autoload=false", capture("llama.cpp/router_props_not_loaded")),
            ("/props?model=beta", page(&json!({"default_generation_settings": {"n_ctx": 2048}}))),
        ];
        serve_with_pages([], pages)
    };
    let loads = |player: &Player| player.seen().requests.iter().any(|request| request.path == "/props?model=beta");
    let named = |name: &str| Options { model: Some(name.to_owned()), ..Options::default() };

    let player = router();
    let listed = Gateway::models(&Options { endpoint: Some(player.url().to_owned()), ..Options::default() }).await;
    let listed: Vec<_> = listed.unwrap().into_iter().map(|server| (server.model, server.context_window)).collect();
    assert_eq!(listed, [("alpha".to_owned(), Some(4096)), ("beta".to_owned(), None)]);
    assert_eq!(connect(&player, named("alpha")).await.server().context_window, Some(4096));
    let asked = Options { context: Some(1000), ..named("beta") };
    assert_eq!(connect(&player, asked).await.server().context_window, Some(1000));
    assert!(!loads(&player), "nobody asked for it yet");

    let gateway = connect(&player, named("beta")).await;
    assert_eq!((gateway.server().kind.as_str(), gateway.server().context_window), ("llama.cpp", Some(2048)));
    assert!(loads(&player));

    let player = router();
    let options = Options { endpoint: Some(player.url().to_owned()), ..named("beta") };
    let chosen = faos::gateway::survey(&options).await.chosen.unwrap();
    assert_eq!((chosen.model.as_str(), chosen.context_window, loads(&player)), ("beta", None, false));

    let options = Options { endpoint: Some(player.url().to_owned()), ..Options::default() };
    assert!(matches!(Gateway::connect(&options).await, Err(GatewayError::Ambiguous { .. })));
}

#[tokio::test]
async fn a_routers_model_may_have_any_name() {
    let name = "ggml-org/m-GGUF:Q8_0 & more";
    let list =
        json!({"object": "list", "data": [{"id": name, "owned_by": "llamacpp", "status": {"value": "unloaded"}}]});
    let own = "/props?model=ggml-org%2Fm-GGUF%3AQ8_0%20%26%20more";
    let pages = [
        ("/v1/models", page(&list)),
        ("/props", capture("llama.cpp/router_props")),
        (own, page(&json!({"default_generation_settings": {"n_ctx": 2048}}))),
    ];
    let player = serve_with_pages([], pages);
    assert_eq!(connect(&player, Options::default()).await.server().context_window, Some(2048));
}

#[tokio::test]
async fn a_conversation_that_was_cut_in_silence_is_told_once() {
    let usage = |tokens: u64| {
        bytes(format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"stop\"}}],\
             \"usage\":{{\"prompt_tokens\":{tokens},\"completion_tokens\":1}}}}\n\ndata: [DONE]\n\n"
        ))
    };
    let player = named_server("somebody", [usage(1100), usage(1700), usage(1690)], []);
    let gateway = connect(&player, Options::default()).await;
    let mut told = Vec::new();
    for length in [4000, 12_000, 12_400] {
        let messages = [Message::new(Role::User, "x".repeat(length))];
        let mut deltas = gateway.chat(&messages, &CancellationToken::new());
        while let Some(delta) = deltas.next().await {
            if let Ok(Delta::Notice(notice)) = delta {
                told.push(format!("{length}: {notice}"));
            }
        }
    }
    assert_eq!(
        told,
        ["12000: the server read 1700 of about 3291 tokens: it cut the conversation without a word; give it a larger \
          context window, or begin a new session"]
    );
}

#[tokio::test]
async fn llama_cpp_is_asked_how_far_it_is_with_the_prompt() {
    let llama = named_server("llamacpp", [Reply::text("a")], [props()]);
    ask(&connect(&llama, Options::default()).await).await;
    assert_eq!(llama.requests()[0]["return_progress"], json!(true));
}

#[tokio::test]
async fn messages_go_out_as_templates_take_them() {
    let player = named_server("somebody", [Reply::text("a")], []);
    let gateway = connect(&player, Options::default()).await;
    let given = [
        (Role::System, "s"),
        (Role::User, "one"),
        (Role::User, "two"),
        (Role::Assistant, " "),
        (Role::System, "three"),
    ];
    let messages: Vec<_> = given.into_iter().map(|(role, text)| Message::new(role, text)).collect();
    gateway.chat(&messages, &CancellationToken::new()).count().await;
    let sent = json!([
        {"role": "system", "content": "s"},
        {"role": "user", "content": "one\n\ntwo"},
        {"role": "assistant", "content": "(nothing)"},
        {"role": "user", "content": "three"},
    ]);
    assert_eq!(player.requests()[0]["messages"], sent);
}
