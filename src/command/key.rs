//! The API key that a command of the user's tells, such as a password store: asked for when a server is.

use crate::command::failure::Failure;
use crate::sandbox;
use crate::settings::Settings;

pub fn fetch(settings: &mut Settings) -> Result<(), Failure> {
    let Some(command) = settings.api_key_command.take() else { return Ok(()) };
    let failed = |problem: String| {
        Failure::usage(format!("no API key from `{command}`: {problem}"), "it is `api_key_command` in the settings")
    };
    let key = sandbox::told_by(&command).map_err(failed)?;
    if key.is_empty() {
        return Err(failed("it prints nothing".to_owned()));
    }
    settings.gateway.api_key = Some(key.into());
    Ok(())
}
