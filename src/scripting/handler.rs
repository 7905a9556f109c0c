//! The events that a script can handle: their names, and which of them are gates.

use super::location::nearest;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    SessionStart,
    Prompt,
    Request,
    Reply,
    FileWrite,
    Validate,
    Run,
    RunResult,
    TurnEnd,
    Command,
    SessionEnd,
}

impl Event {
    pub const ALL: [Self; 11] = [
        Self::SessionStart,
        Self::Prompt,
        Self::Request,
        Self::Reply,
        Self::FileWrite,
        Self::Validate,
        Self::Run,
        Self::RunResult,
        Self::TurnEnd,
        Self::Command,
        Self::SessionEnd,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SessionStart => "on_session_start",
            Self::Prompt => "on_prompt",
            Self::Request => "on_request",
            Self::Reply => "on_reply",
            Self::FileWrite => "on_file_write",
            Self::Validate => "on_validate",
            Self::Run => "on_run",
            Self::RunResult => "on_run_result",
            Self::TurnEnd => "on_turn_end",
            Self::Command => "on_command",
            Self::SessionEnd => "on_session_end",
        }
    }

    /// Gates fail closed.
    pub fn is_gate(self) -> bool {
        match self {
            Self::Prompt | Self::Request | Self::FileWrite | Self::Run => true,
            Self::SessionStart
            | Self::Reply
            | Self::Validate
            | Self::RunResult
            | Self::TurnEnd
            | Self::Command
            | Self::SessionEnd => false,
        }
    }

    /// The event that a function of this name and number of parameters handles; `None` for an ordinary function.
    pub fn named(function: &str, parameters: usize) -> Result<Option<Self>, String> {
        if !function.starts_with("on_") {
            return Ok(None);
        }
        let names = Self::ALL.map(Self::name);
        let Some(event) = Self::ALL.into_iter().find(|event| event.name() == function) else {
            return Err(format!("there is no event `{function}`{}", nearest(function, &names)));
        };
        match parameters {
            1 => Ok(Some(event)),
            other => Err(format!("`{function}` takes one parameter, the event, not {other}")),
        }
    }
}
