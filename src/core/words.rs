//! The words that the conversation opens with, and which set of prompts they come from: chosen at the keyboard, kept in
//! the log.

use crate::base::path::RelPath;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::Event;
use crate::core::verdict::Stopped;
use crate::session::record::{Entry, Record};

/// The set's name in the log; `null` is without one.
const USED: &str = "prompts.use";

/// Characters of the workspace's map and of `AGENTS.md` that the system prompt may hold (about four a token).
const MAP: usize = 4_000;
const AGENTS: usize = 8_000;

impl Conversation {
    /// Rendered once, for the session's first record.
    pub(super) fn system_prompt(&self) -> Result<String, Stopped> {
        let window = self.server().and_then(|server| server.context_window);
        // Four characters a token, and never more than an eighth of the window for each of the two.
        let cap = |most: usize| window.map_or(most, |tokens| most.min(usize::try_from(tokens / 2).unwrap_or(most)));
        let listing = self.parts.workspace.files()?;
        let map = crate::workspace::map_with_signatures(&self.parts.workspace, &listing, cap(MAP));
        let values = serde_json::json!({
            "map": map,
            "agents": self.agents(cap(AGENTS))?,
            "wall_s": self.parts.limits.run.wall_s,
            "network": self.parts.limits.network,
            "run_blocks": self.parts.mode != Mode::NoRun,
        });
        Ok(self.parts.prompts.render("system", values)?)
    }

    fn agents(&self, most: usize) -> Result<String, Stopped> {
        let Ok(path) = RelPath::parse("AGENTS.md") else { return Ok(String::new()) };
        let bytes = self.parts.workspace.read(&path, 1 << 20)?.unwrap_or_default();
        Ok(crate::base::clip::clip(&String::from_utf8_lossy(&bytes), most, 0))
    }

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
