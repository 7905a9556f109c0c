//! What scripts do around the turns: when a session is opened and left, when one of them has changed, when the user says
//! something, and when a command of theirs is typed.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::op::{Ask, Source, Switch};
use crate::core::show::stats;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::core::view;
use crate::scripting::{CommandDecision, PromptDecision, PromptEvent, SessionEnd};
use crate::session::record::{Entry, Record};

/// Labels of the scripts that the user has switched off, in the log.
const OFF: &str = "scripts.off";

impl Conversation {
    /// Takes in scripts that have changed, and tells them once that the session is open.
    pub(super) async fn scripts_ready(&mut self) -> Result<(), Stopped> {
        self.reload_scripts().await;
        let Some(opening) = self.opening.take() else { return Ok(()) };
        let Some(scripts) = &self.parts.scripts else { return Ok(()) };
        let (at, token) = (self.setting(&Turn::default()), self.parts.interrupt.token());
        let hooked = scripts.on_session_start(&at, opening, self.host(), &token).await?;
        let added = self.hooked(hooked).await;
        self.added.extend(added.into_iter().map(|context| context.text));
        Ok(())
    }

    /// The scripts as they are on disk now; where one does not compile, all stay as they were.
    pub(super) async fn reload_scripts(&mut self) -> bool {
        let Some(scripts) = &self.parts.scripts else { return false };
        match scripts.reload().await {
            Ok(false) => false,
            Ok(true) => {
                self.emit(Event::Notice("scripts have changed and are loaded anew".to_owned())).await;
                true
            }
            Err(error) => {
                let hints = vec!["all scripts stay as they were until that is repaired".to_owned()];
                self.emit(Event::Error { message: error.to_string(), hints }).await;
                false
            }
        }
    }

    /// What `on_prompt` makes of the user's text; `None` where a script has answered it.
    pub(super) async fn prompt(
        &mut self,
        text: &str,
        source: Source,
        turn: &mut Turn,
    ) -> Result<Option<String>, Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(Some(text.to_owned())) };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let files = if source == Source::Keyboard { self.files_named(text) } else { Vec::new() };
        let event = PromptEvent { text: text.to_owned(), source: source.name().to_owned(), files };
        let hooked = scripts.on_prompt(&at, event, self.host(), &token).await?;
        match self.hooked(hooked).await {
            PromptDecision::Go { text, context } => {
                let pieces: Vec<String> = std::iter::once(text).chain(context).collect();
                Ok(Some(pieces.join("\n\n")))
            }
            PromptDecision::Denied { script, why } => Err(Stopped::Denied(format!("{why} (`{script}`)"))),
            PromptDecision::Handled { text } => {
                self.emit(Event::Notice(text.clone())).await;
                turn.answer = text;
                Ok(None)
            }
        }
    }

    /// The user's words, and below them what scripts had to say at the session's beginning.
    pub(super) fn with_added(&mut self, text: String) -> String {
        let added = std::mem::take(&mut self.added);
        std::iter::once(text).chain(added).collect::<Vec<_>>().join("\n\n")
    }

    /// A command that a script has added.
    pub(super) async fn command(&mut self, name: &str, text: &str) -> Result<(), Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(()) };
        let Some(command) = scripts.commands().into_iter().find(|command| command.name == name) else {
            self.emit(Event::Notice(format!("no script has the command `/{name}` any more"))).await;
            return Ok(());
        };
        let (at, token) = (self.setting(&Turn::default()), self.parts.interrupt.token());
        let hooked = scripts.on_command(&at, (&command, text), self.host(), &token).await?;
        match self.hooked(hooked).await {
            CommandDecision::Nothing => {}
            CommandDecision::Handled { text } => self.emit(Event::Notice(text)).await,
            CommandDecision::Say { text } => {
                self.handle(Ask::Say { text, source: Source::Command }).await;
            }
        }
        self.keep_script_state().await;
        Ok(())
    }

    /// For the rest of the session, whoever goes on with it.
    pub(super) async fn switch(&mut self, switch: &Switch) -> Result<(), Stopped> {
        let Some(scripts) = &self.parts.scripts else {
            self.emit(Event::Notice("no script runs (--no-scripts)".to_owned())).await;
            return Ok(());
        };
        let (name, on) = match switch {
            Switch::On(name) => (name, true),
            Switch::Off(name) => (name, false),
            Switch::Reload => {
                if !self.reload_scripts().await {
                    self.emit(Event::Notice("the scripts in use are as they were".to_owned())).await;
                }
                return Ok(());
            }
        };
        let labels: Vec<String> = scripts.list().into_iter().map(|script| script.label).collect();
        let named: Vec<&String> = labels.iter().filter(|label| is_named(label, name)).collect();
        let mut off: BTreeSet<String> = scripts.off().into_iter().collect();
        for label in &named {
            if on {
                off.remove(*label)
            } else {
                off.insert((*label).clone())
            };
        }
        let text = match named.as_slice() {
            [] => format!("there is no script `{name}`; `/scripts` lists them"),
            _ if on => format!("`{name}` is asked again"),
            _ => format!("`{name}` is not asked any more in this session; `/scripts on {name}` asks it again"),
        };
        if !named.is_empty() {
            scripts.switch_off(off.iter().cloned());
            let value = off.into_iter().collect::<Vec<_>>().into();
            self.record(Entry::SettingChanged { key: OFF.to_owned(), value });
            self.parts.session.sync().await?;
        }
        self.emit(Event::Notice(text)).await;
        Ok(())
    }

    /// Each script's `this` as it was left, and the ones that were switched off.
    pub(super) async fn restore_scripts(&mut self, records: &[Record]) -> Result<(), Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(()) };
        // The newest state of each script is the last one.
        let mut newest = BTreeMap::new();
        for record in records {
            match &record.entry {
                Entry::ScriptState { script, state } => drop(newest.insert(script.clone(), state.clone())),
                Entry::SettingChanged { key, value } if key == OFF => {
                    let off = value.as_array().into_iter().flatten().filter_map(|label| label.as_str());
                    scripts.switch_off(off.map(str::to_owned));
                }
                _ => {}
            }
        }
        if !newest.is_empty() {
            scripts.restore(newest.into_iter().collect()).await?;
        }
        Ok(())
    }

    pub(super) fn commands(&self) -> Vec<view::Command> {
        let commands = self.parts.scripts.as_ref().map(crate::scripting::Scripts::commands).unwrap_or_default();
        let command = |command: crate::scripting::Command| view::Command { name: command.name, about: command.about };
        commands.into_iter().map(command).collect()
    }

    /// Tells scripts that the session is left. An interruption stops none of them: each has its own budget.
    pub(super) async fn session_ends(&mut self, reason: &str) {
        if std::mem::replace(&mut self.ended, true) || self.history.system_prompt().is_none() {
            return;
        }
        let Some(scripts) = self.parts.scripts.as_ref().filter(|scripts| scripts.handles("on_session_end")) else {
            return;
        };
        let Ok(records) = self.records().await else { return };
        let totals = serde_json::to_value(stats(&records)).unwrap_or_default();
        let token = Some(self.parts.interrupt.token()).filter(|token| !token.is_cancelled()).unwrap_or_default();
        let at = self.setting(&Turn::default());
        let end = SessionEnd { reason: reason.to_owned(), totals };
        // Where the engine is gone there is nothing left to be asked.
        let Ok(hooked) = scripts.on_session_end(&at, end, self.host(), &token).await else { return };
        self.log_hooks(&hooked.hooks);
        for event in hooked.hooks.into_iter().map(crate::core::hooks::shown) {
            // At the keyboard nobody is left to see it: then it is in the log.
            let _ = self.parts.events.send(event).await;
        }
        self.keep_script_state().await;
    }
}

/// By its label, its file name, or that without its ending.
fn is_named(label: &str, name: &str) -> bool {
    let file = label.split_once('/').map_or(label, |(_, file)| file);
    [label, file].iter().any(|known| *known == name || known.strip_suffix(".rhai") == Some(name))
}
