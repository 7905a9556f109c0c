//! What is really sent: the conversation as it is, or what scripts make of it for this one request.
//!
//! The exception to "the prompt only grows": such a change is in the log in full, is shown, and is gone with the next
//! request.

use crate::base::message::Message;
use crate::core::conversation::Conversation;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::gateway::Sampling;
use crate::scripting::{Changed, Params, RequestDecision, RequestEvent};
use crate::session::record::Entry;

/// What goes out in the conversation's place.
pub struct Instead {
    pub messages: Vec<Message>,
    pub sampling: Sampling,
}

impl Conversation {
    /// Asks `on_request` about the request that this record tells of, before it is logged.
    pub(super) async fn instead(&mut self, turn: &Turn, request: &Entry) -> Result<Option<Instead>, Stopped> {
        let Some(scripts) = self.parts.scripts.as_ref().filter(|scripts| scripts.handles("on_request")) else {
            return Ok(None);
        };
        let mut next = self.history.clone();
        next.apply(next.turn, request);
        let Sampling { temperature, seed, max_tokens } = self.parts.server.sampling.clone();
        let event = RequestEvent {
            messages: next.messages().to_vec(),
            params: Params { temperature, seed, max_tokens },
            est_tokens: self.parts.gateway.as_ref().map_or(0, |gateway| gateway.estimate(next.messages())),
            context_limit: self.server().and_then(|server| server.context_window),
            goes_on: next.reply().is_going_on() == Some(crate::session::record::GoesOn::Prefill),
        };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_request(&at, event, self.host(), &token).await?;
        match self.hooked(hooked).await {
            RequestDecision::Go(None) => Ok(None),
            RequestDecision::Go(Some(changed)) => {
                self.record(told(&changed, next.messages()));
                let Params { temperature, seed, max_tokens } = changed.params;
                let sampling = Sampling { temperature, seed, max_tokens };
                Ok(Some(Instead { messages: changed.messages, sampling }))
            }
            RequestDecision::Denied { script, why } => Err(Stopped::Denied(format!("{why} (`{script}`)"))),
        }
    }
}

/// Only what differs is in the record.
fn told(changed: &Changed, messages: &[Message]) -> Entry {
    let same = |(one, other): &(&Message, &Message)| one == other;
    let first = changed.messages.iter().zip(messages).take_while(same).count();
    let ends = changed.messages[first..].iter().rev().zip(messages[first..].iter().rev());
    let last = ends.take_while(same).count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Entry::RequestChanged {
        scripts: changed.scripts.clone(),
        first: count(first),
        messages: changed.messages[first..changed.messages.len() - last].to_vec(),
        last: count(last),
        params: serde_json::to_value(&changed.params).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::told;
    use crate::base::message::{Message, Role};
    use crate::scripting::{Changed, Params};
    use crate::session::record::Entry;

    #[test]
    fn the_record_holds_what_differs() {
        let messages = |texts: &[&str]| texts.iter().map(|text| Message::new(Role::User, *text)).collect::<Vec<_>>();
        for (sent, want) in [
            (&["a", "b", "c"][..], (3, vec![], 0)),
            (&["a", "x", "c"][..], (1, vec!["x"], 1)),
            (&["c"][..], (0, vec![], 1)),
            (&["a", "c", "c"][..], (1, vec!["c"], 1)),
            (&["a", "b", "c", "c"][..], (3, vec!["c"], 0)),
        ] {
            let changed = Changed { scripts: vec![], messages: messages(sent), params: Params::default() };
            let Entry::RequestChanged { first, messages: between, last, .. } =
                told(&changed, &messages(&["a", "b", "c"]))
            else {
                panic!("another record")
            };
            let between: Vec<&str> = between.iter().map(|message| message.content.as_str()).collect();
            assert_eq!((first, between, last), want, "{sent:?}");
        }
    }
}
