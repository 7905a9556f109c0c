//! Which server stands at an address, which models it offers, and how much of a conversation each can read.
//!
//! Every question is a small GET. A named endpoint is asked with the key; where none is named, the known loopback ports
//! are asked side by side, without it. The window is what the server says of this launch, never what the model was
//! trained for.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{LOCATION, SERVER};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::Server;
use super::client::{Address, client};
use super::error::{GatewayError, cause, sentence};
use super::fault::Fault;
use super::retry::{Again, Budget, Failure, Limits};
use super::servers::{Kind, Known};

/// A server that answers.
#[derive(Debug)]
pub(super) struct Found {
    pub client: Client,
    pub endpoint: String,
    /// Where the routes are: `…/v1`, or the root itself.
    pub api: String,
    pub kind: Kind,
    pub models: Vec<Model>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    pub id: String,
    pub window: Option<u64>,
}

/// For one question to a server that listens.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a program on a known port to say what it is.
const LOOPBACK_PATIENCE: Duration = Duration::from_millis(300);

/// The server that the user named.
pub(super) async fn named(endpoint: &str, key: Option<&str>, limits: Limits) -> Result<Found, GatewayError> {
    let address = Address::parse(endpoint)?;
    let client = client(&address, key, limits.connect)?;
    let answer = first_answer(&client, &address.root, limits).await?;
    identify(client, address.root, &answer).await
}

/// The one server, with the model asked for, that answers on the known ports.
pub(super) async fn discovered(known: &[Known], model: Option<&str>, limits: Limits) -> Result<Found, GatewayError> {
    the_one(all(known, limits).await?, model, known)
}

/// Of those that answer the only one, or the only one that offers the model.
pub(super) fn the_one(mut found: Vec<Found>, model: Option<&str>, known: &[Known]) -> Result<Found, GatewayError> {
    if let Some(model) = model
        && found.iter().filter(|server| server.offers(model)).count() == 1
    {
        found.retain(|server| server.offers(model));
    }
    if found.len() > 1 {
        return Err(GatewayError::Ambiguous {
            message: "several model servers answer on this machine".to_owned(),
            hints: found.iter().map(Found::as_choice).collect(),
        });
    }
    found.pop().ok_or_else(|| nobody(known, &[]))
}

/// Every server that answers on the known ports: at least one.
pub(super) async fn all(known: &[Known], limits: Limits) -> Result<Vec<Found>, GatewayError> {
    // All of them are loopback addresses, so one client serves for all.
    let client = client(&Address::parse("127.0.0.1")?, None, limits.connect)?;
    let asked = join_all(known.iter().map(|known| look(&client, known, limits))).await;
    let (mut found, mut locked) = (Vec::new(), Vec::new());
    for (known, seen) in known.iter().zip(asked) {
        match seen {
            Seen::Server(server) => found.push(server),
            Seen::Locked => locked.push(known),
            Seen::Nothing => {}
        }
    }
    if found.is_empty() { Err(nobody(known, &locked)) } else { Ok(found) }
}

enum Seen {
    Server(Found),
    /// It wants a key, and keys go to named endpoints only.
    Locked,
    Nothing,
}

async fn look(client: &Client, known: &Known, limits: Limits) -> Seen {
    let root = format!("http://{}", known.address());
    let asked = get(client, format!("{root}/v1/models"));
    let Ok(Ok(mut answer)) = tokio::time::timeout(LOOPBACK_PATIENCE, asked).await else { return Seen::Nothing };
    if answer.fault().is_loading() {
        match first_answer(client, &root, limits).await {
            Ok(loaded) => answer = loaded,
            Err(_) => return Seen::Nothing,
        }
    }
    if answer.is_locked() {
        return Seen::Locked;
    }
    // Other programs like these ports too: without a list of models it must say otherwise who it is.
    match identify(client.clone(), root, &answer).await {
        Ok(found) if !found.models.is_empty() || found.kind != Kind::Other => Seen::Server(found),
        Ok(_) | Err(_) => Seen::Nothing,
    }
}

/// The answer to `/v1/models`, once the server has loaded its model.
async fn first_answer(client: &Client, root: &str, limits: Limits) -> Result<Answer, GatewayError> {
    let mut budget = Budget::new(limits);
    loop {
        let answer =
            get(client, format!("{root}/v1/models")).await.map_err(|cause| unreachable_server(root, &cause))?;
        if !answer.fault().is_loading() {
            return Ok(answer);
        }
        let failure = Failure::Fault(answer.fault());
        match budget.again(&failure) {
            Some(Again { wait, .. }) => tokio::time::sleep(wait).await,
            None => return Err(failure.into_error(root)),
        }
    }
}

async fn identify(client: Client, root: String, answer: &Answer) -> Result<Found, GatewayError> {
    if answer.is_locked() {
        return Err(answer.fault().into_error(false));
    }
    if answer.status.is_redirection() {
        return Err(redirected(&root, &answer.location));
    }
    let (mut api, mut models) = (format!("{root}/v1"), listed(&answer.body));
    if models.is_none() && answer.status == StatusCode::NOT_FOUND {
        // Some proxies have the routes without `/v1`.
        models = get(&client, format!("{root}/models")).await.ok().and_then(|answer| listed(&answer.body));
        if models.is_some() {
            api.clone_from(&root);
        }
    }
    let mut models = models.unwrap_or_default();
    let kind = match told(answer) {
        Some(kind) => kind,
        None => ask_kind(&client, &root).await,
    };
    ask_windows(&client, &root, kind, &mut models).await;
    Ok(Found { client, endpoint: root, api, kind, models })
}

impl Found {
    /// The model as the rest of the program knows it.
    pub fn server(&self, model: Model) -> Server {
        Server {
            kind: self.kind.name().to_owned(),
            endpoint: self.endpoint.clone(),
            model: model.id,
            context_window: model.window,
        }
    }

    /// The named model, or the only one; with its window.
    pub fn choose(&self, named: Option<&str>) -> Result<Model, GatewayError> {
        if let Some(name) = named {
            // llama.cpp answers to any name when it has one model; other servers refuse a wrong one themselves.
            let only = (self.kind == Kind::LlamaCpp && self.models.len() == 1).then(|| &self.models[0]);
            let window = self.models.iter().find(|model| model.is(name)).or(only).and_then(|model| model.window);
            return Ok(Model { id: name.to_owned(), window });
        }
        match self.chat_models().as_slice() {
            [model] => Ok((*model).clone()),
            [] => Err(GatewayError::Refused {
                message: format!("`{}` ({}) lists no model", self.endpoint, self.kind.name()),
                hints: vec![
                    "name one with `--model NAME`".to_owned(),
                    "is that the address of a model server?".to_owned(),
                ],
            }),
            several => Err(GatewayError::Ambiguous {
                message: format!("`{}` ({}) offers several models", self.endpoint, self.kind.name()),
                hints: several.iter().map(|model| format!("`--model {}`", sentence(&model.id))).collect(),
            }),
        }
    }

    /// LM Studio always lists an embedding model too; nobody means that one.
    fn chat_models(&self) -> Vec<&Model> {
        let chat: Vec<&Model> = self.models.iter().filter(|model| !model.id.contains("embed")).collect();
        if chat.is_empty() { self.models.iter().collect() } else { chat }
    }

    fn offers(&self, name: &str) -> bool {
        self.models.iter().any(|model| model.is(name))
    }

    fn as_choice(&self) -> String {
        let names: Vec<String> = self.chat_models().iter().take(8).map(|model| sentence(&model.id)).collect();
        let more = if self.chat_models().len() > names.len() { ", …" } else { "" };
        format!("`--endpoint {}` ({}: {}{more})", self.endpoint, self.kind.name(), names.join(", "))
    }
}

impl Model {
    /// Ollama takes a name without its tag for `:latest`.
    fn is(&self, name: &str) -> bool {
        self.id == name || self.id.strip_suffix(":latest") == Some(name)
    }
}

/// The models of `{"data": [{"id", …}]}`; `None` where it is no such list.
fn listed(body: &Value) -> Option<Vec<Model>> {
    let entries = body.get("data")?.as_array()?;
    // vLLM, then what proxies and others say.
    let window =
        |entry: &Value| ["max_model_len", "context_length"].iter().find_map(|field| entry.get(field)?.as_u64());
    let model = |entry: &Value| Some(Model { id: entry.get("id")?.as_str()?.to_owned(), window: window(entry) });
    Some(entries.iter().filter_map(model).collect())
}

/// Who the server is, where its list of models shows it.
fn told(answer: &Answer) -> Option<Kind> {
    let owner = answer.body.pointer("/data/0/owned_by").and_then(Value::as_str);
    match owner {
        _ if answer.server == "llama.cpp" => Some(Kind::LlamaCpp),
        Some("llamacpp") => Some(Kind::LlamaCpp),
        Some("vllm") => Some(Kind::Vllm),
        _ => None,
    }
}

/// Who the server is, by the routes that only one kind has.
async fn ask_kind(client: &Client, root: &str) -> Kind {
    let ask = async |path: &str| get(client, format!("{root}{path}")).await.map_or(Value::Null, |answer| answer.body);
    let (props, info, ollama, lm_studio) =
        tokio::join!(ask("/props"), ask("/info"), ask("/api/version"), ask("/api/v0/models"));
    if props.get("default_generation_settings").is_some() {
        Kind::LlamaCpp
    } else if info.get("router").and_then(Value::as_str) == Some("text-generation-router") {
        Kind::Tgi
    } else if ollama.get("version").is_some() {
        Kind::Ollama
    } else if lm_studio.pointer("/data/0/state").is_some() {
        Kind::LmStudio
    } else {
        Kind::Other
    }
}

/// Adds what only the server's own routes say about its models.
async fn ask_windows(client: &Client, root: &str, kind: Kind, models: &mut Vec<Model>) {
    let ask = async |path: &str| get(client, format!("{root}{path}")).await.map_or(Value::Null, |answer| answer.body);
    match kind {
        // Per slot. `meta.n_ctx_train` of the list is what the model was trained for.
        Kind::LlamaCpp => {
            let window = ask("/props").await.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64);
            models.iter_mut().for_each(|model| model.window = window.filter(|tokens| *tokens > 0));
        }
        Kind::Tgi => {
            let info = ask("/info").await;
            if let Some(id) = info.get("model_id").and_then(Value::as_str)
                && models.is_empty()
            {
                models.push(Model { id: id.to_owned(), window: None });
            }
            let window = info.get("max_total_tokens").and_then(Value::as_u64);
            models.iter_mut().for_each(|model| model.window = window);
        }
        // Only models that are loaded have a window.
        Kind::Ollama => set_windows(models, ask("/api/ps").await.get("models"), ["name", "context_length"]),
        Kind::LmStudio => set_windows(models, ask("/api/v0/models").await.get("data"), ["id", "loaded_context_length"]),
        Kind::Vllm | Kind::Other => {}
    }
}

fn set_windows(models: &mut [Model], entries: Option<&Value>, [name, window]: [&str; 2]) {
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let id = entry.get(name).and_then(Value::as_str);
        if let Some(model) = models.iter_mut().find(|model| Some(model.id.as_str()) == id) {
            model.window = entry.get(window).and_then(Value::as_u64);
        }
    }
}

/// One small answer.
pub(super) struct Answer {
    status: StatusCode,
    server: String,
    location: String,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    fn fault(&self) -> Fault {
        let mut fault = Fault::of_value(&self.body).unwrap_or_default();
        fault.status = Some(self.status.as_u16());
        fault
    }

    fn is_locked(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

pub(super) async fn get(client: &Client, url: String) -> Result<Answer, String> {
    const BODY_LIMIT: usize = 8 << 20;
    tracing::debug!(%url, "asked");
    let ask = async {
        let mut response = client.get(url).timeout(PATIENCE).send().await?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (status, server, location) = (response.status(), header(SERVER), header(LOCATION));
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(bytes) = response.chunk().await?
        {
            body.extend_from_slice(&bytes);
        }
        Ok(Answer { status, server, location, body: serde_json::from_slice(&body).unwrap_or_default() })
    };
    ask.await.map_err(|error| cause(&error))
}

fn redirected(root: &str, target: &str) -> GatewayError {
    GatewayError::Refused {
        message: format!("`{root}` redirects to `{}`", sentence(target)),
        hints: vec!["redirects are not followed; name that server with `--endpoint`".to_owned()],
    }
}

const DEMO: &str = "`faos demo` shows the program without a server";

fn unreachable_server(root: &str, cause: &str) -> GatewayError {
    let plain = root.starts_with("https:") && cause.contains("InvalidContentType");
    let hint = match plain {
        true => format!("the server answers without TLS: name it as `{}`", root.replacen("https:", "http:", 1)),
        false => "is the server running, and is that its address?".to_owned(),
    };
    GatewayError::Unreachable {
        message: format!("no answer from `{root}`: {cause}"),
        hints: vec![hint, DEMO.to_owned()],
    }
}

fn nobody(known: &[Known], locked: &[&Known]) -> GatewayError {
    let tried: Vec<String> = known.iter().map(|known| format!("{} ({})", known.address(), known.kind.name())).collect();
    let mut hints = vec![format!("tried {}", tried.join(", "))];
    hints.extend(locked.iter().map(|known| {
        format!("`{}` wants an API key: name it with `--endpoint` and set `FAOS_API_KEY`", known.address())
    }));
    hints.extend(known.iter().map(|known| format!("start {}: `{}`", known.kind.name(), known.start)));
    hints.push("or name a server with `--endpoint URL`".to_owned());
    hints.push(DEMO.to_owned());
    GatewayError::Unreachable { message: "no model server answers on this machine".to_owned(), hints }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{GatewayError, Kind, Known, Limits, discovered};

    /// A program on a port of its own that answers `GET path` with these bodies; without a path it only listens.
    async fn listen(kind: Kind, pages: &'static [(&'static str, &'static str)]) -> Known {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let Some((status, body)) = pages.first().map(|_| {
                    let page = pages.iter().find(|(path, _)| request.starts_with(&format!("GET {path} ")));
                    page.map_or(("404 Not Found", ""), |(_, body)| body.split_once('|').unwrap_or(("200 OK", body)))
                }) else {
                    silent.push(stream);
                    continue;
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Known { kind, port, start: "serve MODEL" }
    }

    const TWO_MODELS: &[(&str, &str)] = &[("/v1/models", r#"{"data":[{"id":"a"},{"id":"b"}]}"#)];
    const VLLM: &[(&str, &str)] = &[("/v1/models", r#"{"data":[{"id":"b","owned_by":"vllm","max_model_len":9}]}"#)];
    const LOCKED: &[(&str, &str)] = &[("/v1/models", "401 Unauthorized|{}")];
    const WEB_PAGE: &[(&str, &str)] = &[("/v1/models", "<html></html>"), ("/", "<html></html>")];

    async fn discover(known: &[Known], model: Option<&str>) -> Result<(Kind, u16), GatewayError> {
        let found = discovered(known, model, Limits::default()).await?;
        found.choose(model)?;
        let port = found.endpoint.rsplit(':').next().unwrap().parse().unwrap();
        Ok((found.kind, port))
    }

    /// A port that was free a moment ago.
    async fn closed(kind: Kind) -> Known {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        Known { kind, port, start: "serve MODEL" }
    }

    #[tokio::test]
    async fn the_one_server_is_found_among_other_programs() {
        let server = listen(Kind::Ollama, VLLM).await;
        let known = [
            closed(Kind::LlamaCpp).await,
            listen(Kind::LlamaCpp, &[]).await,
            listen(Kind::Tgi, WEB_PAGE).await,
            listen(Kind::Vllm, LOCKED).await,
            server,
        ];
        let started = Instant::now();
        assert_eq!(discover(&known, None).await, Ok((Kind::Vllm, server.port)));
        assert!(started.elapsed().as_millis() < 2000, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn of_several_servers_the_one_with_the_named_model_is_taken() {
        let known = [listen(Kind::Ollama, TWO_MODELS).await, listen(Kind::Vllm, VLLM).await];
        assert_eq!(discover(&known, Some("a")).await, Ok((Kind::Other, known[0].port)));
        for model in [None, Some("b"), Some("c")] {
            let Err(GatewayError::Ambiguous { hints, .. }) = discover(&known, model).await else { panic!("{model:?}") };
            let want = [
                format!("`--endpoint http://{}` (OpenAI-compatible: a, b)", known[0].address()),
                format!("`--endpoint http://{}` (vLLM: b)", known[1].address()),
            ];
            assert_eq!(hints, want);
        }
    }

    #[tokio::test]
    async fn where_nobody_answers_the_way_on_is_shown() {
        let known = [closed(Kind::Ollama).await, listen(Kind::Vllm, LOCKED).await];
        let Err(GatewayError::Unreachable { message, hints }) = discover(&known, None).await else { panic!() };
        assert_eq!(message, "no model server answers on this machine");
        let want = [
            format!("tried {} (Ollama), {} (vLLM)", known[0].address(), known[1].address()),
            format!("`{}` wants an API key: name it with `--endpoint` and set `FAOS_API_KEY`", known[1].address()),
            "start Ollama: `serve MODEL`".to_owned(),
            "start vLLM: `serve MODEL`".to_owned(),
            "or name a server with `--endpoint URL`".to_owned(),
            "`faos demo` shows the program without a server".to_owned(),
        ];
        assert_eq!(hints, want);
    }
}
