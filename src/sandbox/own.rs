//! The two programs that are started without a sandbox, both the user's own: the command of the settings that tells a
//! secret, and the editor.
//!
//! A password store needs the user's keys, agent and terminal, and so does an editor. No word of a model, a project or a
//! script comes here.

use std::path::Path;
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

/// Opens the file in the editor, a command as `EDITOR` holds it, and waits for its end.
#[expect(clippy::disallowed_methods, reason = "the user's own environment names the editor")]
pub fn edit_with(editor: &str, file: &Path) -> Result<(), String> {
    // The shell splits what the variable holds (`code --wait`); the path is a word of its own, whatever is in it.
    let script = format!("{editor} \"$1\"");
    let status = Command::new("sh").args(["-c", &script, "sh"]).arg(file).status();
    let status = status.map_err(|error| format!("cannot start `sh`: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::{edit_with, told_by};

    #[test]
    fn an_editor_is_a_command_and_the_file_a_word() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it's $HOME; here");
        assert_eq!(edit_with("touch --", &file), Ok(()));
        assert!(crate::base::fs::exists(&file));
        assert_eq!(edit_with("exit 3;", &file), Err("exit status: 3".to_owned()));
    }

    #[test]
    fn a_commands_output_or_why_there_is_none() {
        assert_eq!(told_by("echo secret"), Ok("secret".to_owned()));
        assert_eq!(told_by("exit 3"), Err("it failed: exit status: 3".to_owned()));
        assert!(told_by("printf '\\377'").is_err());
    }
}
