//! The programs that are started without a sandbox: the user's own, which tell a secret or edit a message.
//!
//! A password store and an editor need the user's keys, settings and terminal. No word of a model, a project or a script comes here.

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

/// Opens the file in the user's editor, at the terminal that we are at, and waits for its end.
#[expect(clippy::disallowed_methods, reason = "the user's own environment names the editor")]
pub fn edit_with(editor: &str, file: &Path) -> Result<(), String> {
    // An editor may be named with options, as in `code --wait`; the file's name is no part of the script.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file).status();
    let status = status.map_err(|error| format!("cannot start `sh`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{editor}` failed ({status}); the message is as it was")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{edit_with, told_by};

    #[test]
    fn a_commands_output_or_why_there_is_none() {
        assert_eq!(told_by("echo secret"), Ok("secret".to_owned()));
        assert_eq!(told_by("exit 3"), Err("it failed: exit status: 3".to_owned()));
        assert!(told_by("printf '\\377'").is_err());
    }

    #[test]
    fn an_editor_gets_the_file_as_one_argument() {
        let file = Path::new("/a b/$(x).md");
        assert_eq!(edit_with("test '/a b/$(x).md' =", file), Ok(()));
        assert!(edit_with("false", file).unwrap_err().starts_with("`false` failed"));
    }
}
