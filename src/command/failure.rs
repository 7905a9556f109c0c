//! Every error that ends a command, in one shape: a line, hints, an exit code.

use crate::base::fs;
use crate::core::op::Interrupt;
use crate::core::verdict::{self, Stopped};
use crate::sandbox::SandboxError;
use crate::session::SessionError;
use crate::settings::SettingsError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub hints: Vec<String>,
    pub exit_code: u8,
}

impl Failure {
    /// Something in what was typed or configured.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hints: vec![hint.into()], exit_code: 2 }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let hint = match &error {
            SettingsError::File { .. } => Some("`faos config edit` opens it, `faos config check` names every fault"),
            SettingsError::Project { .. } => Some("mend it; until you trust it again it is left out"),
            SettingsError::Fs(_) | SettingsError::Flag { .. } | SettingsError::NoHome => None,
        };
        Self { message: error.to_string(), hints: hint.map(str::to_owned).into_iter().collect(), exit_code: 2 }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let (exit_code, hint) = match &error {
            SessionError::NotFound(_) | SessionError::Ambiguous { .. } => {
                (2, Some("`faos sessions list` shows them all"))
            }
            SessionError::Held { .. } | SessionError::WorkspaceHeld { .. } => {
                (1, Some("wait for it, or end that process"))
            }
            SessionError::Newer { .. } => (1, Some("install the faos that wrote it, or a newer one")),
            SessionError::NoVersion { .. } => (2, Some("`faos sessions show ID` names its versions")),
            SessionError::Archive(_) => {
                (2, Some("`faos sessions export ID -o FILE.tar` makes one; nothing of this was kept"))
            }
            SessionError::Fs(_) | SessionError::Write(_) => (1, fs::hint(&error.to_string())),
        };
        Self { message: error.to_string(), hints: hint.map(str::to_owned).into_iter().collect(), exit_code }
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        let (_, exit_code, hints) = verdict::of_stop(&stopped, &Interrupt::default(), 0);
        Self { message: stopped.to_string(), hints, exit_code }
    }
}

macro_rules! failure_through_stopped {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Stopped::from(error).into()
            }
        })*
    };
}
failure_through_stopped!(
    SandboxError,
    crate::gateway::GatewayError,
    crate::workspace::WorkspaceError,
    crate::prompting::PromptError
);

impl From<crate::scripting::ScriptError> for Failure {
    fn from(error: crate::scripting::ScriptError) -> Self {
        // At the start a script that does not load is a matter of configuration.
        Self {
            message: error.to_string(),
            hints: vec!["`--no-scripts` goes on without scripts".to_owned()],
            exit_code: 2,
        }
    }
}

impl From<fs::FsError> for Failure {
    fn from(error: fs::FsError) -> Self {
        let message = error.to_string();
        let hints = fs::hint(&message).into_iter().map(str::to_owned).collect();
        Self { message, hints, exit_code: 1 }
    }
}
