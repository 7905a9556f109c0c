//! A panic is one line and exit code 1: the report goes to the state folder, without any word of a prompt.

use std::panic::{self, AssertUnwindSafe};

use crate::base::{clock, fs};
use crate::command::failure::Failure;
use crate::frontend::repl::terminal;
use crate::settings::Folders;

/// Replaces the standard hook, which would print a backtrace over the user's screen.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        terminal::restore();
        // The message is left out: it may quote what the user or the model wrote.
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let version = env!("CARGO_PKG_VERSION");
        let trace = std::backtrace::Backtrace::force_capture();
        let report = format!("faos {version}\n{}\nthread {thread} at {place}\n{trace}\n", clock::now());
        tracing::error!(%place, "internal error");
        if let Ok(folders) = Folders::find() {
            let file = folders.state.join(format!("panic-{}.txt", clock::stamp()));
            // A report that cannot be written changes nothing: the line on screen names the place.
            let _ = fs::make_folders(&folders.state).and_then(|()| fs::replace(&file, report.as_bytes()));
        }
    }));
}

/// Turns a panic of the main thread into a failure; those of other threads arrive as errors of their own.
pub fn guard(work: impl FnOnce() -> Result<u8, Failure>) -> Result<u8, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure {
            message: "internal error: this is a fault of faos, and what was received until now is kept".to_owned(),
            hints: vec![
                "the report is in faos's state folder, without any text of yours; please send it in".to_owned(),
            ],
            exit_code: 1,
        })
    })
}
