//! `faos doctor`: whether faos can work here, and if not, what is missing and how to get it.
//!
//! Everything is tried, nothing is guessed. The exit code is the one that a request would end with.

mod checkup;
mod outside;
mod own;

use self::checkup::Checkup;
use crate::cli::Options;
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::key;
use crate::command::{models, output};
use crate::sandbox::Sandbox;

pub fn run(options: &Options) -> Result<Plan, Failure> {
    let mut settings = chat::settings_here(options)?;
    key::fetch(&mut settings)?;
    // The server and the sandbox are asked side by side: each may take its time.
    let (survey, sandbox) = std::thread::scope(|scope| {
        let sandbox =
            scope.spawn(|| Sandbox::open(&settings.sandbox).map(|sandbox| outside::try_out(&sandbox, &settings)));
        (models::ask(&settings.gateway), sandbox.join())
    });
    let sandbox = sandbox.map_err(|_| Failure {
        message: "the sandbox's self-test ended in the middle".to_owned(),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    let mut checkup = Checkup::default();
    outside::model(&mut checkup, &survey?, &settings.gateway);
    if options.no_run && options.no_scripts {
        outside::no_sandbox(&mut checkup);
    } else {
        outside::sandbox(&mut checkup, sandbox, &settings.sandbox);
    }
    own::scripts(&mut checkup, &settings.scripting, options.no_scripts);
    own::prompts(&mut checkup, &settings.prompting);
    own::folders(&mut checkup, &settings.folders, options.config.as_deref());
    own::terminal(&mut checkup, chat::look(options, &settings.frontend).0);
    output::print_with_code(&format!("{}\n\n{checkup}", here()), checkup.exit_code())
}

/// What a report of a fault should begin with.
fn here() -> String {
    let kernel = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let (version, system) = (env!("CARGO_PKG_VERSION"), part(kernel.sysname()));
    format!("faos {version} on {system} {}, {}", part(kernel.release()), part(kernel.machine()))
}
