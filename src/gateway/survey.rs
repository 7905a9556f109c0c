//! Everything that answers, for someone who wants to know why it works or does not.

use std::time::Duration;

use serde_json::Value;

use super::error::{GatewayError, sentence};
use super::probe::{self, Found, Patience};
use super::retry::Limits;
use super::servers::KNOWN;
use super::{Options, Server};

/// For all questions together: a server that says nothing for so long is told of, not waited for.
const PATIENCE: Duration = Duration::from_secs(6);

/// What stands at the named endpoint, or on the known loopback ports.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    pub servers: Vec<Offer>,
    /// The model that a request would go to, or why there is none.
    pub chosen: Result<Server, GatewayError>,
}

/// A server and its models. Names and version are as the server gives them: not yet printable.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub kind: String,
    pub endpoint: String,
    /// `None` where it does not say.
    pub version: Option<String>,
    pub models: Vec<Server>,
    /// It counts the tokens of a conversation; else they are estimated.
    pub counts: bool,
    /// A model without a window is one that it would have to load first.
    pub lists_unloaded: bool,
}

/// Asks once and soon gives up: a server that is loading its model is not waited for.
pub async fn survey(options: &Options) -> Survey {
    match tokio::time::timeout(PATIENCE, ask(options)).await {
        Ok(Ok(survey)) => survey,
        Ok(Err(error)) => Survey { servers: Vec::new(), chosen: Err(error) },
        Err(_) => {
            let whom = options.endpoint.as_deref().map_or("a server on this machine".to_owned(), sentence);
            let message = format!("no answer from `{whom}` within {} s", PATIENCE.as_secs());
            let hints = vec!["is it loading a model, or busy? try again".to_owned()];
            Survey { servers: Vec::new(), chosen: Err(GatewayError::Unreachable { message, hints }) }
        }
    }
}

async fn ask(options: &Options) -> Result<Survey, GatewayError> {
    let limits = Limits { loading: Duration::from_secs(2), ..Limits::default() };
    let patience = Patience { limits, listener: &options.listener };
    let found = match &options.endpoint {
        Some(endpoint) => vec![probe::named(endpoint, options.api_key.as_ref(), patience).await?],
        None => probe::all(&KNOWN, patience).await?,
    };
    let mut servers = Vec::new();
    for one in &found {
        servers.push(Offer {
            kind: one.kind.name().to_owned(),
            endpoint: one.ask.root.clone(),
            version: version(one).await,
            models: one.models.iter().map(|model| one.server(model.clone())).collect(),
            counts: one.kind.adapter().counting().is_some(),
            lists_unloaded: one.kind.adapter().lists_unloaded(),
        });
    }
    Ok(Survey { servers, chosen: chosen(found, options).await })
}

async fn chosen(found: Vec<Found>, options: &Options) -> Result<Server, GatewayError> {
    let model = options.model.as_deref();
    let one = probe::the_one(found, model, &KNOWN)?;
    one.settle(model, options.context, None).await.map(|(server, _)| server)
}

async fn version(found: &Found) -> Option<String> {
    let (path, field) = found.kind.adapter().version()?;
    found.ask.page(path).await.get(field).and_then(Value::as_str).map(str::to_owned)
}
