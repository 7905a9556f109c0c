//! A reply that was cut, and its rest: what waits, how it is asked for, and how both become one reply.
//!
//! The blocks that were whole are done at once. What stands behind them waits; the rest comes by prefill, where the server
//! writes on from the very byte, or by instruction, where the model is told where it stopped. The log says from which
//! byte to which, so that reading it gives the same reply.

use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::joined::ending_of;
use crate::core::request::label_of;
use crate::core::turn::{MOST_CUTS, Turn};
use crate::core::verdict::{Ending, Next, Stopped};
use crate::reply::{self, BlockLabel, Parsed, resume};
use crate::session::record::{Continues, Finish, GoesOn};

/// Whether a reply waits for its rest: a fence that is open at the end was cut too, whatever the server says. One that
/// becomes nothing is only shown, and needs no end.
pub fn is_cut(finish: Finish, open: Option<&BlockLabel>) -> bool {
    ending_of(finish) == reply::Ending::Cut || open.is_some_and(|open| *open != BlockLabel::Shown)
}

impl Conversation {
    /// The reply was cut: what was whole is done, the rest is asked for. `grew`: it has more whole lines than before.
    pub(super) async fn ask_for_the_rest(&mut self, turn: &mut Turn, grew: bool) -> Result<Next, Stopped> {
        // What was thought and not said is gone: the same again is tried once.
        let cost = if self.history.last_reply().is_empty() { 2 } else { 1 };
        turn.cuts = if grew { 1 } else { turn.cuts + cost };
        if turn.cuts > MOST_CUTS {
            if let Some(error) = turn.broken.take() {
                return Err(error.into());
            }
            let text = "the reply is cut again and again and brings nothing new: more room for it may help (--max-tokens, a larger window)";
            self.say_and_log(text.to_owned()).await;
            return Ok(Next::End(Ending::OutOfTurns));
        }
        turn.goes_on = true;
        Ok(Next::Ask)
    }

    /// How the next request goes on with the reply before, and the words for it; `None` for a new reply.
    pub(super) fn going_on(&mut self, turn: &mut Turn) -> Result<Option<(Continues, Option<String>)>, Stopped> {
        let asked = self.history.reply().is_going_on();
        let Some(finish) = self.history.finish.filter(|_| std::mem::take(&mut turn.goes_on) || asked.is_some()) else {
            return Ok(None);
        };
        let Parsed { open, whole_until: from, last_edited, .. } = self.parsed(finish);
        let text = self.history.reply_text();
        let last_edited = last_edited.map(String::from);
        if asked != Some(GoesOn::Instruction) && self.can_prefill(turn) {
            // Templates trim the end of a message; what is trimmed comes again.
            let to = text.trim_end().len().max(from);
            return Ok(Some((Continues { by: GoesOn::Prefill, from, to, last_edited }, None)));
        }
        let continues = Continues { by: GoesOn::Instruction, from, to: text.len(), last_edited };
        if asked == Some(GoesOn::Instruction) {
            return Ok(Some((continues, None)));
        }
        let last_line = resume::last_line(text.get(from..).unwrap_or_default());
        // A file may be long; what else a block asks for is short, and half a section means nothing.
        let is_file = matches!(open, Some(BlockLabel::File(_)));
        let open = open.as_ref().map(label_of).unwrap_or_default();
        let applied = &self.history.done().applied;
        let waits = self.waits_for_the_end();
        let values = serde_json::json!({
            "open": open, "is_file": is_file, "applied": applied, "waits": waits, "last_line": last_line
        });
        Ok(Some((continues, Some(self.parts.prompts.render("continue", values)?))))
    }

    pub(super) async fn tell_of_the_rest(&self, by: GoesOn) {
        let how = match by {
            GoesOn::Prefill => "it goes on from there",
            GoesOn::Instruction => "the model is asked for the rest",
        };
        self.emit(Event::Notice(format!("the reply was cut: {how}"))).await;
    }

    pub(super) fn can_prefill(&self, turn: &Turn) -> bool {
        let goes_on = self.parts.gateway.as_ref().and_then(crate::gateway::Gateway::continues);
        goes_on.is_some() && !turn.prefill_refused && !self.history.last_reply().trim().is_empty()
    }
}
