//! What scripts are told of where they are, and what the log and the screen are told of scripts.

use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::host::{Person, ScriptHost, Sees};
use crate::core::run::Runner;
use crate::core::turn::Turn;
use crate::scripting::{HookRun, Hooked, Host, Setting};
use crate::session::record::Entry;

impl Conversation {
    pub(super) fn setting(&self, turn: &Turn) -> Setting {
        Setting {
            session: self.parts.session.id().to_string(),
            turn: self.history.turn,
            attempt: turn.calls,
            workspace: self.parts.workspace.root().display().to_string(),
            model: self.server().map(|server| server.model.clone()).unwrap_or_default(),
            headless: self.parts.answers.is_none(),
        }
    }

    /// Logs and shows each call that had an opinion or broke, and hands on the decision.
    pub(super) async fn hooked<T>(&mut self, hooked: Hooked<T>) -> T {
        self.log_hooks(&hooked.hooks);
        for hook in hooked.hooks {
            self.emit(shown(hook)).await;
        }
        hooked.decision
    }

    pub(super) fn log_hooks(&mut self, hooks: &[HookRun]) {
        for HookRun { script, event, outcome, ms, note } in hooks.iter().cloned() {
            self.record(Entry::HookRan { script, event, outcome, ms, note });
        }
    }

    /// What a script may do outside validation.
    pub(super) fn host(&self) -> Box<dyn Host> {
        self.host_that(Sees::Workspace)
    }

    pub(super) fn host_that(&self, sees: Sees) -> Box<dyn Host> {
        let person = Person { events: self.parts.events.clone(), answers: self.parts.answers.clone() };
        Box::new(ScriptHost::new(self.parts.workspace.clone(), self.runner(), person, sees))
    }

    /// `None` where nothing may run.
    pub(super) fn runner(&self) -> Option<Runner> {
        let sandbox = self.parts.sandbox.clone()?;
        Some(Runner {
            session: self.parts.session.clone(),
            sandbox,
            workspace: self.parts.workspace.clone(),
            versions: self.parts.versions.clone(),
            limits: self.parts.limits.run.clone(),
            network: self.parts.limits.network,
            cancel: self.parts.interrupt.token(),
            events: self.parts.events.clone(),
            turn: self.history.turn,
        })
    }
}

pub fn shown(HookRun { script, event, outcome, ms, note }: HookRun) -> Event {
    Event::Hook { script, event, outcome, ms, note }
}
