//! The one program that is started without a sandbox: the user's own, from the settings, which tells a secret.
//!
//! A password store needs the user's keys, agent and terminal. No word of a model, a project or a script comes here.

use std::process::{Command, Stdio};

/// What the command prints, without the newline at its end. Its errors go to the user's own stderr.
#[expect(clippy::disallowed_methods, reason = "the user's own settings name the command")]
pub fn told_by(command: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot start `sh`: {error}"))?;
    if !output.status.success() {
        return Err(format!("it failed: {}", output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| "what it prints is no text".to_owned())?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::told_by;

    #[test]
    fn a_commands_output_or_why_there_is_none() {
        assert_eq!(told_by("echo secret"), Ok("secret".to_owned()));
        assert_eq!(told_by("exit 3"), Err("it failed: exit status: 3".to_owned()));
        assert!(told_by("printf '\\377'").is_err());
    }
}
