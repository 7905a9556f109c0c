//! The loop of one request: ask the model, do what it asks for, tell it what came of it, until it is done.

use crate::base::report::FileChange;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::Event;
use crate::core::repeats::SAME_REPLY;
use crate::core::turn::{Turn, values};
use crate::core::verdict::{Ending, Next, Stopped};
use crate::core::view::Verdict;
use crate::scripting::{TurnEnd, TurnEndDecision};
use crate::session::record::Entry;

/// How often scripts may ask for more after the model was done.
const MOST_CONTINUES: u32 = 3;

impl Conversation {
    pub(super) async fn converse(&mut self, turn: &mut Turn) -> Result<Ending, Stopped> {
        loop {
            let most = self.parts.limits.max_turns;
            if turn.calls == most {
                self.settle_version(turn).await?;
                let text = format!("{most} turns are used up, and the model still asks to go on (--max-turns)");
                self.say_and_log(text).await;
                return Ok(Ending::OutOfTurns);
            }
            let reply = self.request(turn).await?;
            self.settle_version(turn).await?;
            if let Next::End(ending) = self.carry_out(turn, reply).await?
                && (ending != Ending::Done || !self.more(turn).await?)
            {
                return Ok(ending);
            }
            if self.parts.mode == Mode::DryRun {
                return Ok(Ending::Done);
            }
            if let Some(what) = turn.repeats.tired_of() {
                let text = format!("{what} came for the third time: the model does not get further");
                self.say_and_log(text).await;
                // Where all is well, a model that only repeats itself is done and has not noticed.
                let is_well = what == SAME_REPLY && turn.evidence.verdict() == Verdict::Passed;
                return Ok(if is_well { Ending::Done } else { Ending::GivenUp });
            }
        }
    }

    pub(super) async fn say_and_log(&mut self, text: String) {
        self.record(Entry::Note { text: text.clone(), feedback: None });
        self.emit(Event::Notice(text)).await;
    }

    /// Whether `on_turn_end` wants the model to go on.
    async fn more(&mut self, turn: &mut Turn) -> Result<bool, Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(false) };
        let end = TurnEnd {
            text: self.text_of(turn).to_owned(),
            files_changed: values(&self.files_changed(turn)),
            runs: values(&turn.runs),
            verdict: name_of(turn.evidence.verdict()),
            continues: turn.continues,
            continues_left: MOST_CONTINUES - turn.continues,
        };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_turn_end(&at, end, self.host(), &token).await?;
        match self.hooked(hooked).await {
            TurnEndDecision::Go { verdict } => {
                turn.verdict = match verdict.as_deref() {
                    Some("passed") => Some(Verdict::Passed),
                    Some("failed") => Some(Verdict::Failed),
                    Some("unchecked") => Some(Verdict::Unchecked),
                    Some(_) | None => None,
                };
                Ok(false)
            }
            TurnEndDecision::More { .. } if turn.continues == MOST_CONTINUES => Ok(false),
            TurnEndDecision::More { script, feedback } => {
                turn.continues += 1;
                self.record(Entry::Note { text: format!("`{script}` asks for more"), feedback: Some(feedback) });
                Ok(true)
            }
        }
    }

    /// What differs from the workspace before the request.
    pub(super) fn files_changed(&self, turn: &Turn) -> Vec<FileChange> {
        let versions = self.parts.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (turn.first_version, versions.newest()) {
            (Some(from), Some(to)) if from != to => versions.between(from, to).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn name_of(verdict: Verdict) -> String {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unchecked => "unchecked",
        Verdict::Error => "error",
        Verdict::Interrupted => "interrupted",
    }
    .to_owned()
}
