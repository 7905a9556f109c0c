//! `faos models`: every model of the named server, or of all that answer on this machine.

use crate::cli::Options;
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::key;
use crate::command::output::{self, one_line};
use crate::gateway::{self, Server, Survey};
use crate::settings::Settings;

pub fn run(options: &Options) -> Result<Plan, Failure> {
    let mut settings = Settings::resolve(&chat::flags(options))?;
    key::fetch(&mut settings)?;
    let Survey { servers, chosen } = ask(&settings.gateway)?;
    let models: Vec<&Server> = servers.iter().flat_map(|server| &server.models).collect();
    if models.is_empty()
        && let Err(error) = chosen
    {
        return Err(error.into());
    }
    let mut rows = vec![["MODEL", "CONTEXT WINDOW", "SERVER", ""].map(str::to_owned)];
    rows.extend(models.iter().map(|model| {
        let used = chosen.as_ref().is_ok_and(|chosen| chosen.endpoint == model.endpoint && chosen.model == model.model);
        let server = format!("{} at {}", model.kind, one_line(&model.endpoint));
        [one_line(&model.model), window(model.context_window), server, if used { "in use" } else { "" }.to_owned()]
    }));
    output::print(&output::table(&rows))
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
