//! `faos models`: every model of the named server, or of all that answer on this machine.

use crate::cli::Options;
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::key;
use crate::command::output::{self, one_line};
use crate::gateway::{self, Offer, Server, Survey};
use crate::settings::Settings;

pub fn run(options: &Options) -> Result<Plan, Failure> {
    let mut settings = Settings::resolve(&chat::flags(options))?;
    key::fetch(&mut settings)?;
    let Survey { servers, chosen } = ask(&settings.gateway)?;
    if servers.iter().all(|server| server.models.is_empty())
        && let Err(error) = chosen
    {
        return Err(error.into());
    }
    let mut rows = vec![["MODEL", "CONTEXT WINDOW", "TOKENS", "SERVER", ""].map(str::to_owned)];
    for server in &servers {
        rows.extend(server.models.iter().map(|model| row(server, model, chosen.as_ref().ok())));
    }
    output::print(&output::table(&rows))
}

fn row(server: &Offer, model: &Server, chosen: Option<&Server>) -> [String; 5] {
    let used = chosen.is_some_and(|chosen| chosen.endpoint == model.endpoint && chosen.model == model.model);
    let state = match (used, server.lists_unloaded && model.context_window.is_none()) {
        (true, _) => "in use",
        (false, true) => "not loaded",
        (false, false) => "",
    };
    let tokens = if server.counts { "counted" } else { "estimated" };
    let name = format!("{} at {}", one_line(&named(server)), one_line(&server.endpoint));
    [one_line(&model.model), window(model.context_window), tokens.to_owned(), name, state.to_owned()]
}

/// With its version, where it tells one.
pub fn named(server: &Offer) -> String {
    match &server.version {
        Some(version) => format!("{} {version}", server.kind),
        None => server.kind.clone(),
    }
}

/// Asks the servers, and waits for them.
pub fn ask(options: &gateway::Options) -> Result<Survey, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure {
        message: format!("cannot start the runtime: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    Ok(runtime.block_on(gateway::survey(options)))
}

pub fn window(tokens: Option<u64>) -> String {
    tokens.map_or_else(|| "unknown".to_owned(), |tokens| format!("{tokens} tokens"))
}
