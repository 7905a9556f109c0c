//! Which set of prompts counts in this session: chosen at the keyboard, kept in the log.

use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::verdict::Stopped;
use crate::session::record::{Entry, Record};

/// The set's name in the log; `null` is without one.
const USED: &str = "prompts.use";

impl Conversation {
    /// The system prompt stays what it was once something was said: the model's server has read it.
    pub(super) async fn use_prompts(&mut self, set: Option<String>) -> Result<(), Stopped> {
        match self.parts.prompts.with_set(set.as_deref()) {
            Ok(prompts) => self.parts.prompts = prompts,
            Err(error) => {
                self.emit(Event::Notice(error.to_string())).await;
                return Ok(());
            }
        }
        let named = match &set {
            Some(set) => format!("the prompts of `{set}` count"),
            None => "the usual prompts count".to_owned(),
        };
        let from = match self.history.system_prompt() {
            Some(_) => "from now on; the system prompt stays as it was",
            None => "in this session",
        };
        self.emit(Event::Notice(format!("{named} {from}"))).await;
        self.started()?;
        self.record(Entry::SettingChanged { key: USED.to_owned(), value: set.into() });
        self.parts.session.sync().await?;
        Ok(())
    }

    /// A set that is gone is told of; the usual prompts count then.
    pub(super) async fn restore_prompts(&mut self, records: &[Record]) {
        let used = records.iter().rev().find_map(|record| match &record.entry {
            Entry::SettingChanged { key, value } if key == USED => Some(value.as_str().map(str::to_owned)),
            _ => None,
        });
        let Some(Some(set)) = used else { return };
        match self.parts.prompts.with_set(Some(&set)) {
            Ok(prompts) => self.parts.prompts = prompts,
            Err(error) => self.emit(Event::Notice(format!("{error}; the usual ones count"))).await,
        }
    }
}
