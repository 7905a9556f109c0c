//! Which server stands at an address, which models it offers, and how much of a conversation each can read.
//!
//! Every question is a small GET. A named endpoint is asked with the key; where none is named, the known loopback ports
//! are asked side by side, without it. The window is what the server says of this launch, never what the model was
//! trained for.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::Server;
use super::ask::{Answer, Asker};
use super::client::{Address, client};
use super::error::{GatewayError, NO_HTTP, sentence};
use super::key::ApiKey;
use super::listener::{Listener, Told};
use super::retry::{Again, Budget, Failure, Limits};
use super::servers::{Kind, Known, Model, Settled};
use super::wire::Wire;

/// A server that answers.
#[derive(Debug)]
pub(super) struct Found {
    pub ask: Asker,
    /// Where the routes are: `…/v1`, or the root itself.
    pub api: String,
    pub kind: Kind,
    pub wire: Wire,
    pub models: Vec<Model>,
}

/// For a program on a known port to say what it is.
const LOOPBACK_PATIENCE: Duration = Duration::from_millis(300);

/// How long an answer is waited for, and who hears of it.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub limits: Limits,
    pub listener: &'a Listener,
}

/// The server that the user named.
pub(super) async fn named(endpoint: &str, key: Option<&ApiKey>, patience: Patience<'_>) -> Result<Found, GatewayError> {
    let address = Address::parse(endpoint)?;
    let client = client(&address, key, patience.limits.connect)?;
    let ask = Asker { client, root: address.root };
    let found = async {
        let answer = first_answer(&ask, patience).await?;
        identify(ask.clone(), &answer).await
    };
    found.await.map_err(|error| ApiKey::hidden(key, error))
}

/// The one server, with the model asked for, that answers on the known ports.
pub(super) async fn discovered(
    known: &[Known],
    model: Option<&str>,
    patience: Patience<'_>,
) -> Result<Found, GatewayError> {
    the_one(all(known, patience).await?, model, known)
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
pub(super) async fn all(known: &[Known], patience: Patience<'_>) -> Result<Vec<Found>, GatewayError> {
    // All of them are loopback addresses, so one client serves for all.
    let client = client(&Address::parse("127.0.0.1")?, None, patience.limits.connect)?;
    let asked = join_all(known.iter().map(|known| look(client.clone(), known, patience))).await;
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

async fn look(client: Client, known: &Known, patience: Patience<'_>) -> Seen {
    let ask = Asker { client, root: format!("http://{}", known.address()) };
    let asked = ask.get("/v1/models");
    let Ok(Ok(mut answer)) = tokio::time::timeout(LOOPBACK_PATIENCE, asked).await else { return Seen::Nothing };
    if answer.fault().is_loading() {
        match first_answer(&ask, patience).await {
            Ok(loaded) => answer = loaded,
            Err(_) => return Seen::Nothing,
        }
    }
    if answer.is_locked() {
        return Seen::Locked;
    }
    // Other programs like these ports too: without a list of models it must say otherwise who it is.
    match identify(ask, &answer).await {
        Ok(found) if !found.models.is_empty() || found.kind != Kind::Other => Seen::Server(found),
        Ok(_) | Err(_) => Seen::Nothing,
    }
}

/// The answer to `/v1/models`, once the server has loaded its model. That takes minutes now and then, and is told.
async fn first_answer(ask: &Asker, patience: Patience<'_>) -> Result<Answer, GatewayError> {
    let (mut budget, mut told) = (Budget::new(patience.limits), Told::new(patience.limits.notice));
    loop {
        let answer = ask.get("/v1/models").await.map_err(|cause| unreachable_server(&ask.root, &cause))?;
        if !answer.fault().is_loading() {
            return Ok(answer);
        }
        let failure = Failure::Fault(answer.fault());
        match budget.again(&failure) {
            Some(Again { wait, reason, .. }) => {
                if told.is_due() {
                    patience.listener.tell(format!("`{}`: {reason}", ask.root));
                }
                tokio::time::sleep(wait).await;
            }
            None => return Err(failure.into_error(&ask.root)),
        }
    }
}

async fn identify(ask: Asker, answer: &Answer) -> Result<Found, GatewayError> {
    if answer.is_locked() {
        return Err(answer.fault().into_error(false));
    }
    if answer.status.is_redirection() {
        return Err(redirected(&ask.root, &answer.location));
    }
    let (mut api, mut models) = (format!("{}/v1", ask.root), listed(&answer.body));
    if models.is_none() && answer.status == StatusCode::NOT_FOUND {
        // Some proxies have the routes without `/v1`.
        models = ask.get("/models").await.ok().and_then(|answer| listed(&answer.body));
        if models.is_some() {
            api.clone_from(&ask.root);
        }
    }
    let mut models = models.unwrap_or_default();
    let kind = kind_of(&ask, answer).await;
    let adapter = kind.adapter();
    adapter.ask_models(&ask, &mut models).await;
    let wire = adapter.wire(&ask).await;
    Ok(Found { ask, api, kind, wire, models })
}

impl Found {
    /// The chosen model with the window that it gets; `wished` is what the user set. With `patience` it is loaded for that
    /// where the server does so on demand; without, nothing is loaded.
    pub async fn settle(
        &self,
        named: Option<&str>,
        wished: Option<u64>,
        patience: Option<Duration>,
    ) -> Result<(Server, Option<String>), GatewayError> {
        let mut model = self.choose(named)?;
        if let Some(patience) = patience
            && wished.or(model.window).is_none()
        {
            model.window = self.kind.adapter().load(&self.ask, &model, patience).await;
        }
        let Settled { window, notice } = self.kind.adapter().settle(&self.ask, &model, wished).await;
        Ok((Server { context_window: window, ..self.server(model) }, notice))
    }

    /// The model as the rest of the program knows it.
    pub fn server(&self, model: Model) -> Server {
        Server {
            kind: self.kind.name().to_owned(),
            endpoint: self.ask.root.clone(),
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
                message: format!("`{}` ({}) lists no model", self.ask.root, self.kind.name()),
                hints: vec![
                    "name one with `--model NAME`".to_owned(),
                    "is that the address of a model server?".to_owned(),
                ],
            }),
            several => Err(GatewayError::Ambiguous {
                message: format!("`{}` ({}) offers several models", self.ask.root, self.kind.name()),
                hints: several
                    .iter()
                    .map(|model| format!("`--model {}`", sentence(&model.id)))
                    .chain(std::iter::once(
                        "`name` below `[model]` in the settings keeps one: `faos config edit`".to_owned(),
                    ))
                    .collect(),
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
        format!("`--endpoint {}` ({}: {}{more})", self.ask.root, self.kind.name(), names.join(", "))
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

/// Who the server is: by its list of models, else by the routes that only one kind has, asked side by side.
async fn kind_of(ask: &Asker, list: &Answer) -> Kind {
    if let Some(kind) = Kind::NAMED.into_iter().find(|kind| kind.adapter().is_told_by(list)) {
        return kind;
    }
    let pages =
        Kind::NAMED.into_iter().flat_map(|kind| kind.adapter().own_pages().iter().map(move |page| (kind, page)));
    let asked = pages.map(async |(kind, (path, is_it))| is_it(&ask.page(path).await).then_some(kind));
    join_all(asked).await.into_iter().flatten().next().unwrap_or_default()
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
    let hint = if plain {
        format!("the server answers without TLS: name it as `{}`", root.replacen("https:", "http:", 1))
    } else if cause == NO_HTTP && root.starts_with("http:") {
        format!("a port for TLS answers so: try `{}`", root.replacen("http:", "https:", 1))
    } else {
        "is the server running, and is that its address?".to_owned()
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

    use super::{GatewayError, Kind, Known, Limits, Listener, Patience, discovered};

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
        let patience = Patience { limits: Limits::default(), listener: &Listener::default() };
        let found = discovered(known, model, patience).await?;
        found.choose(model)?;
        let port = found.ask.root.rsplit(':').next().unwrap().parse().unwrap();
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
