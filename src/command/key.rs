//! The API key that a file or a command of the user's tells, such as a password store: read when a server is asked, so that
//! what asks none does not fail for want of it.

use crate::base::fs;
use crate::base::secrets::masked;
use crate::command::failure::Failure;
use crate::sandbox;
use crate::settings::{KeySource, Settings};

pub fn fetch(settings: &mut Settings) -> Result<(), Failure> {
    let (key, setting, from) = match &settings.api_key {
        KeySource::Nowhere | KeySource::Variable(_) => return Ok(()),
        KeySource::File(path) => {
            let text = fs::read_text(path).map_err(|error| error.to_string());
            (text.map(|text| text.trim().to_owned()), "api_key_file", path.display().to_string())
        }
        KeySource::Command(command) => (sandbox::told_by(command), "api_key_command", command.clone()),
    };
    let key = key.and_then(|key| if key.is_empty() { Err("it is empty".to_owned()) } else { Ok(key) });
    let key = key.map_err(|problem| {
        Failure::usage(
            // The key itself may have been put where the file or the command belongs.
            masked(&format!("no API key from `{from}`: {problem}")),
            format!("it is `{setting}` in `{}`", settings.file.display()),
        )
    })?;
    settings.gateway.api_key = Some(key.into());
    settings.api_key = KeySource::Nowhere;
    Ok(())
}
