//! How a request ends: verdict and exit code, decided in one place.

use thiserror::Error;

use crate::base::fs;
use crate::core::op::{Interrupt, Stop};
use crate::core::view::Verdict;
use crate::gateway::GatewayError;
use crate::prompting::PromptError;
use crate::sandbox::SandboxError;
use crate::scripting::ScriptError;
use crate::session::SessionError;
use crate::workspace::WorkspaceError;

/// The model's work came to an end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// Failed validations were fed back as often as allowed, or the same failure came three times.
    GivenUp,
    /// The model still asked to go on.
    OutOfTurns,
}

/// Whether the model has to be asked again after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Ask,
    End(Ending),
}

/// The work was stopped.
#[derive(Debug, Error)]
pub enum Stopped {
    #[error("interrupted")]
    Interrupted,
    /// By a script or the user: the request as a whole.
    #[error("denied: {0}")]
    Denied(String),
    #[error(transparent)]
    Gateway(GatewayError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Workspace(WorkspaceError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    Script(ScriptError),
    /// A part of the program is gone; the text says which.
    #[error("{0}")]
    Internal(String),
}

impl From<WorkspaceError> for Stopped {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::Stopped => Self::Interrupted,
            error @ (WorkspaceError::Io { .. } | WorkspaceError::TooLarge { .. } | WorkspaceError::Versions(_)) => {
                Self::Workspace(error)
            }
        }
    }
}

impl From<ScriptError> for Stopped {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Cancelled => Self::Interrupted,
            error @ (ScriptError::Load(_) | ScriptError::Gone(_)) => Self::Script(error),
        }
    }
}

impl From<GatewayError> for Stopped {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Cancelled => Self::Interrupted,
            error @ (GatewayError::Unreachable { .. }
            | GatewayError::Misnamed { .. }
            | GatewayError::Ambiguous { .. }
            | GatewayError::Refused { .. }
            | GatewayError::Overflow { .. }
            | GatewayError::BrokenOff(_)) => Self::Gateway(error),
        }
    }
}

/// What is known of the final workspace: the last validation of its version, else the request's last run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    pub validation: Option<bool>,
    pub last_run: Option<bool>,
}

impl Evidence {
    pub fn verdict(self) -> Verdict {
        match self.validation.or(self.last_run) {
            Some(true) => Verdict::Passed,
            Some(false) => Verdict::Failed,
            None => Verdict::Unchecked,
        }
    }
}

/// Verdict and exit code of work that ended by itself; `verdict` is what the evidence or a script says.
pub fn of_ending(ending: Ending, verdict: Verdict) -> (Verdict, u8) {
    match (ending, verdict) {
        (Ending::OutOfTurns, _) => (Verdict::Error, 7),
        (Ending::GivenUp, _) | (Ending::Done, Verdict::Failed) => (Verdict::Failed, 3),
        (Ending::Done, verdict) => (verdict, 0),
    }
}

/// The same for work that was stopped, with the hints to show below the error's line.
pub fn of_stop(stopped: &Stopped, interrupt: &Interrupt, calls: u32) -> (Verdict, u8, Vec<String>) {
    let (code, hints) = match stopped {
        Stopped::Interrupted => {
            let code = interrupt.exit_code();
            let verdict = if code == Stop::OutputFailed as u8 { Verdict::Error } else { Verdict::Interrupted };
            return (verdict, code, Vec::new());
        }
        Stopped::Denied(_) => (6, Vec::new()),
        Stopped::Gateway(error) => {
            let code = match error {
                GatewayError::Misnamed { .. } => 2,
                // A window that fills up in the middle of the work is a resource that ran out, not a missing model.
                GatewayError::Overflow { .. } if calls > 1 => 7,
                GatewayError::Overflow { .. }
                | GatewayError::Unreachable { .. }
                | GatewayError::Ambiguous { .. }
                | GatewayError::Refused { .. }
                | GatewayError::BrokenOff(_)
                | GatewayError::Cancelled => 4,
            };
            (code, gateway_hints(error))
        }
        Stopped::Sandbox(SandboxError::Unavailable { hints, .. }) => (5, hints.clone()),
        Stopped::Prompt(_) => (2, Vec::new()),
        Stopped::Sandbox(SandboxError::Io(_))
        | Stopped::Session(_)
        | Stopped::Workspace(_)
        | Stopped::Script(_)
        | Stopped::Internal(_) => {
            let hint = fs::hint(&stopped.to_string());
            (1, hint.into_iter().map(str::to_owned).collect())
        }
    };
    (Verdict::Error, code, hints)
}

fn gateway_hints(error: &GatewayError) -> Vec<String> {
    match error {
        GatewayError::Unreachable { hints, .. }
        | GatewayError::Misnamed { hints, .. }
        | GatewayError::Ambiguous { hints, .. }
        | GatewayError::Refused { hints, .. } => hints.clone(),
        GatewayError::Overflow { prompt_tokens, window } => {
            let numbers = match (prompt_tokens, window) {
                (Some(prompt), Some(window)) => format!("the prompt has {prompt} tokens, the window {window}; "),
                (None, Some(window)) => format!("the window has {window} tokens; "),
                (Some(_) | None, None) => String::new(),
            };
            vec![format!("{numbers}start the server with a larger context window, or begin a new session")]
        }
        GatewayError::BrokenOff(_) | GatewayError::Cancelled => {
            vec!["what came so far is kept: `faos resume --last` goes on from it".to_owned()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Evidence, Stopped, of_ending, of_stop};
    use crate::core::op::{Interrupt, Stop};
    use crate::core::view::Verdict;
    use crate::gateway::GatewayError;

    #[test]
    fn validation_stands_before_the_last_run() {
        for (validation, last_run, verdict) in [
            (Some(true), Some(false), Verdict::Passed),
            (Some(false), Some(true), Verdict::Failed),
            (None, Some(false), Verdict::Failed),
            (None, Some(true), Verdict::Passed),
            (None, None, Verdict::Unchecked),
        ] {
            assert_eq!(Evidence { validation, last_run }.verdict(), verdict);
        }
    }

    #[test]
    fn endings_and_their_codes() {
        for (ending, verdict, code) in [
            (Ending::Done, Verdict::Passed, 0),
            (Ending::Done, Verdict::Unchecked, 0),
            (Ending::Done, Verdict::Failed, 3),
            (Ending::GivenUp, Verdict::Passed, 3),
            (Ending::OutOfTurns, Verdict::Failed, 7),
        ] {
            assert_eq!(of_ending(ending, verdict).1, code, "{ending:?} {verdict:?}");
        }
    }

    #[test]
    fn a_full_window_is_no_missing_model_once_work_began() {
        let full = Stopped::Gateway(GatewayError::Overflow { prompt_tokens: Some(9), window: Some(8) });
        assert_eq!(of_stop(&full, &Interrupt::default(), 1).1, 4);
        assert_eq!(of_stop(&full, &Interrupt::default(), 2).1, 7);
    }

    #[test]
    fn the_first_reason_to_stop_counts() {
        let interrupt = Interrupt::default();
        interrupt.stop(Stop::Terminated);
        interrupt.stop(Stop::Interrupted);
        assert_eq!(of_stop(&Stopped::Interrupted, &interrupt, 0).1, 143);
    }
}
