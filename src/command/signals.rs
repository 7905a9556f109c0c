//! SIGINT, SIGTERM and SIGHUP: the work ends in order, with what was received kept.

use tokio::signal::unix::{SignalKind, signal};

use crate::command::failure::Failure;
use crate::core::op::{Interrupt, Stop};

/// Hands every signal on to the interrupt, for as long as the runtime lives. Called inside of it.
pub fn watch(interrupt: &Interrupt) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure {
        message: format!("cannot watch for signals: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    };
    for (kind, why) in [
        (SignalKind::interrupt(), Stop::Interrupted),
        (SignalKind::terminate(), Stop::Terminated),
        (SignalKind::hangup(), Stop::Terminated),
    ] {
        let mut signals = signal(kind).map_err(failed)?;
        let interrupt = interrupt.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupt.stop(why);
            }
        });
    }
    Ok(())
}
