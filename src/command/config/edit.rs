//! `faos config edit`: the user's settings file in the user's own editor, read again afterwards.

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::{Whose, faults, faulty, told};
use crate::base::fs;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::sandbox;
use crate::settings::{editor, reference};

pub fn run(path: &Path) -> Result<Plan, Failure> {
    let Some(editor) = editor() else {
        return Err(Failure {
            message: "no editor is named".to_owned(),
            hints: vec![
                "name one in VISUAL or EDITOR: EDITOR=nano faos config edit".to_owned(),
                format!("or write to `{}` by other means, then `faos config check`", path.display()),
            ],
            exit_code: 2,
        });
    };
    if !fs::exists(path) {
        if let Some(folder) = path.parent() {
            fs::make_folders(folder)?;
        }
        fs::write_new(path, reference::template().as_bytes())?;
    }
    opened(&editor, path)?;
    let text = fs::read_text(path)?;
    match faults(Whose::Users, &text) {
        Ok(_) => output::print(&format!("{}: sound\n", one_line(&path.display().to_string()))),
        // It is the user's text: it stays as it is, and is told of.
        Err(faults) => output::print_then(&told(path, &faults), faulty(path, &faults)),
    }
}

/// Waits for the editor. Ctrl-C is a key of the editor's, and does not end this program beside it.
fn opened(editor: &str, path: &Path) -> Result<(), Failure> {
    let failed = |problem: String| Failure {
        message: format!("the editor `{editor}` did not end well: {problem}"),
        hints: vec![format!("`{}` is as the editor left it", path.display())],
        exit_code: 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    runtime.block_on(async {
        // Whoever listens to a signal is not ended by it.
        let _deaf = signal(SignalKind::interrupt()).map_err(|error| failed(error.to_string()))?;
        sandbox::edit_with(editor, path).map_err(failed)
    })
}
