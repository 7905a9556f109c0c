//! How the gateway finds a server and a model.

use std::time::{Duration, Instant};

use faos::gateway::{Gateway, GatewayError, Options, Server};
use faos::playback::{Player, Reply};
use futures_util::StreamExt;
use serde_json::json;

use crate::gateway::{quick, say};
use crate::support::env::TestEnv;
use crate::support::model_server::{capture, serve, serve_with_pages};

fn at(player: &Player) -> Options {
    Options { endpoint: Some(player.url().to_owned()), ..Options::default() }
}

async fn found(player: &Player) -> Server {
    Gateway::connect_within(&at(player), quick()).await.map(|gateway| gateway.server().clone()).unwrap()
}

async fn refused(options: &Options) -> (String, Vec<String>) {
    match Gateway::connect_within(options, quick()).await.map(|gateway| gateway.server().clone()) {
        Err(
            error @ (GatewayError::Unreachable { .. }
            | GatewayError::Misnamed { .. }
            | GatewayError::Ambiguous { .. }
            | GatewayError::Refused { .. }),
        ) => {
            let message = error.to_string();
            let (GatewayError::Unreachable { hints, .. }
            | GatewayError::Misnamed { hints, .. }
            | GatewayError::Ambiguous { hints, .. }
            | GatewayError::Refused { hints, .. }) = error
            else {
                unreachable!()
            };
            (message, hints)
        }
        other => panic!("{other:?}"),
    }
}

fn page(value: &serde_json::Value) -> Reply {
    Reply::json(200, &value.to_string())
}

fn models(ids: &[&str]) -> Reply {
    let data: Vec<_> = ids.iter().map(|id| json!({"id": id, "object": "model"})).collect();
    page(&json!({"object": "list", "data": data}))
}

type Pages = Vec<(&'static str, Reply)>;

async fn is_found(mut pages: Pages, kind: &str, model: &str, window: Option<u64>) {
    if pages.iter().all(|(path, _)| *path != "/v1/models") {
        pages.push(("/v1/models", Reply::json(404, "")));
    }
    let player = serve_with_pages([], pages);
    let want = Server {
        kind: kind.to_owned(),
        endpoint: player.url().to_owned(),
        model: model.to_owned(),
        context_window: window,
    };
    assert_eq!(found(&player).await, want);
}

#[tokio::test]
async fn servers_are_known_by_what_only_they_say() {
    let one = || ("/v1/models", models(&["m"]));
    let llama = vec![("/v1/models", capture("llama.cpp/models")), ("/props", capture("llama.cpp/props"))];
    is_found(llama, "llama.cpp", "/models/scripted.gguf", Some(2048)).await;
    is_found(vec![("/v1/models", capture("vllm/models"))], "vLLM", "scripted", Some(2048)).await;
    let info = json!({"router": "text-generation-router", "model_id": "org/m", "max_total_tokens": 4096});
    is_found(vec![("/info", page(&info))], "TGI", "org/m", Some(4096)).await;
    let running = json!({"models": [{"name": "m", "context_length": 8192}]});
    let ollama = vec![one(), ("/api/version", page(&json!({"version": "0.12"}))), ("/api/ps", page(&running))];
    is_found(ollama, "Ollama", "m", Some(8192)).await;
    is_found(vec![one()], "OpenAI-compatible", "m", None).await;
}

#[tokio::test]
async fn lm_studio_is_known_before_and_since_0_4() {
    let one = || ("/v1/models", models(&["m"]));
    let old = json!({"data": [{"id": "m", "state": "loaded", "loaded_context_length": 5000}]});
    is_found(vec![one(), ("/api/v0/models", page(&old))], "LM Studio", "m", Some(5000)).await;
    let instance = json!({"id": "m", "config": {"context_length": 6000}});
    let new = json!({"models": [{"key": "m", "max_context_length": 131_072, "loaded_instances": [instance]}]});
    is_found(vec![one(), ("/api/v1/models", page(&new))], "LM Studio", "m", Some(6000)).await;
}

#[tokio::test]
async fn the_user_has_the_last_word_on_the_window_and_the_model() {
    let player = serve_with_pages([], [("/v1/models", models(&["a", "b:latest"]))]);
    let options = Options { model: Some("b".into()), context: Some(1000), ..at(&player) };
    let gateway = Gateway::connect(&options).await.unwrap();
    assert_eq!((gateway.server().model.as_str(), gateway.server().context_window), ("b", Some(1000)));
}

#[tokio::test]
async fn routes_may_lie_beside_the_root() {
    let player = serve_with_pages([], [("/v1/models", Reply::json(404, "")), ("/models", models(&["m"]))]);
    assert_eq!(found(&player).await.model, "m");
}

#[tokio::test]
async fn several_models_and_none_named_is_the_users_to_decide() {
    let player = serve_with_pages([], [("/v1/models", models(&["a", "b"]))]);
    let (message, hints) = refused(&at(&player)).await;
    assert_eq!(message, format!("`{}` (OpenAI-compatible) offers several models", player.url()));
    assert_eq!(hints[..2], ["`--model a`", "`--model b`"]);
    assert!(hints[2].contains("in the settings keeps one"), "{hints:?}");
    let player = serve_with_pages([], [("/v1/models", models(&["a", "text-embedding-nomic-embed-text-v1.5"]))]);
    assert_eq!(found(&player).await.model, "a");
}

#[tokio::test]
async fn every_model_on_offer_can_be_listed() {
    let player = serve_with_pages([], [("/v1/models", models(&["a", "b"]))]);
    let offered = Gateway::models(&at(&player)).await.unwrap();
    assert_eq!(offered.iter().map(|server| server.model.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(offered[0].endpoint, player.url());
}

#[tokio::test]
async fn a_server_without_a_list_needs_a_name() {
    let player = serve_with_pages([], [("/v1/models", capture("transformers-serve/err_empty_messages"))]);
    let (message, hints) = refused(&at(&player)).await;
    assert!(message.ends_with("lists no model") && hints[0].contains("--model"), "{message} {hints:?}");
    let named = Gateway::connect(&Options { model: Some("m".into()), ..at(&player) }).await.unwrap();
    assert_eq!(named.server().model, "m");
}

#[tokio::test]
async fn a_server_that_loads_is_waited_for() {
    let loading = || ("/v1/models", capture("llama.cpp/loading_503_health"));
    let player = serve_with_pages([], [loading(), loading(), ("/v1/models", models(&["m"]))]);
    assert_eq!(found(&player).await.model, "m");
}

/// Minutes may pass, and nobody should have to guess why.
#[test]
fn a_server_that_loads_is_told_of() {
    let loading = || ("/v1/models", capture("llama.cpp/loading_503_health"));
    let player = || serve_with_pages([Reply::text("Fine.\n")], [loading(), loading(), ("/v1/models", models(&["m"]))]);
    let notice = |player: &Player| format!("`{}`: the model is loading; waiting up to 120 s for it", player.url());
    let mut env = TestEnv::new();
    let server = player();
    env.set_endpoint(server.url());
    let output = env.run(["hello"]);
    output.assert_code(0);
    assert!(output.stderr.starts_with(&format!("{}\n", notice(&server))), "{}", output.stderr);
    assert_eq!(output.stderr.matches("is loading").count(), 1, "{}", output.stderr);

    let server = player();
    env.set_endpoint(server.url());
    let output = env.run(["--output-format", "stream-json", "hello"]);
    output.assert_code(0);
    let first = &output.stream_json()[0];
    assert_eq!((first["type"].as_str(), first["text"].as_str()), (Some("notice"), Some(notice(&server).as_str())));

    // At the keyboard, beside the open prompt.
    let server = player();
    env.set_endpoint(server.url());
    let mut terminal = env.at_terminal_of((120, 24), [""; 0]);
    terminal.wait_for_text("the model is loading; waiting up to 120 s for it");
    terminal.wait_for_text(" · m · ");
}

#[tokio::test]
async fn the_key_goes_to_the_named_endpoint_only() {
    let other = serve([]);
    let moved = Reply::json(302, "").header("Location", other.url());
    let player = serve_with_pages([], [("/v1/models", moved)]);
    let options = Options { api_key: Some("secret".into()), ..at(&player) };
    let (message, _) = refused(&options).await;
    assert_eq!(message, format!("`{}` redirects to `{}`", player.url(), other.url()));
    assert_eq!(player.seen().requests[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(other.seen().requests.len(), 0);

    let player = serve_with_pages([], [("/v1/models", capture("llama.cpp/auth_401_models"))]);
    let (message, hints) = refused(&at(&player)).await;
    assert_eq!(message, "the server asks for a valid API key (401): Invalid API Key");
    assert!(hints[0].contains("FAOS_API_KEY"));
    assert_eq!(player.seen().requests[0].header("authorization"), None);
}

#[tokio::test]
async fn a_key_that_a_server_repeats_is_not_shown() {
    let told = || Reply::json(401, r#"{"error":{"message":"Incorrect API key provided: sk-secret"}}"#);
    let locked = serve_with_pages([], [("/v1/models", told())]);
    let (message, _) = refused(&Options { api_key: Some("sk-secret".into()), ..at(&locked) }).await;
    assert_eq!(message, "the server asks for a valid API key (401): Incorrect API key provided: [the API key]");
    let player = serve([told()]);
    let gateway = Gateway::connect(&Options { api_key: Some("sk-secret".into()), ..at(&player) }).await.unwrap();
    let deltas = format!("{:?}", say(&gateway).collect::<Vec<_>>().await);
    assert!(deltas.contains("[the API key]") && !deltas.contains("sk-secret"), "{deltas}");
}

#[tokio::test]
async fn a_refused_connection_is_told_at_once() {
    let player = serve([]);
    let options = at(&player);
    let url = player.url().to_owned();
    drop(player);
    let started = Instant::now();
    let (message, hints) = refused(&options).await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(message, format!("no answer from `{url}`: Connection refused"));
    assert!(hints.iter().any(|hint| hint.contains("faos demo")), "{hints:?}");
}

#[tokio::test]
async fn https_has_its_own_client() {
    let player = serve([]);
    let endpoint = player.url().replace("http:", "https:");
    let (message, _) = refused(&Options { endpoint: Some(endpoint.clone()), ..Options::default() }).await;
    assert!(message.starts_with(&format!("no answer from `{endpoint}`: ")), "{message}");
}
