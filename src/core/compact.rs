//! Compaction: before the window is full, a summary takes the place of what was said, and the conversation goes on.
//!
//! The model sums up, over the very prompt that its server has cached; where it cannot, the messages are shortened by rule. The
//! system prompt is made anew, with the files as they are. Nothing leaves the log: only what is sent becomes shorter.

use futures_util::StreamExt;
use serde_json::json;

use crate::base::clip::clip;
use crate::base::message::{Message, Role};
use crate::base::usage::Usage;
use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::history::State;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::gateway::{Delta, Gateway, GatewayError};
use crate::session::record::{Entry, GoesOn};

/// Tokens that are left for an answer, at most; of a small window a quarter.
const RESERVE: u64 = 16_384;
/// Characters of a summary by rule, where no window is known.
const BY_RULE: usize = 8_000;

impl Conversation {
    /// Sums up where the next request would leave too little room for its answer.
    pub(super) async fn compact_in_time(&mut self, turn: &mut Turn) -> Result<(), Stopped> {
        let Some(gateway) = &self.parts.gateway else { return Ok(()) };
        let Some(window) = gateway.server().context_window.filter(|_| !turn.compacted) else { return Ok(()) };
        let room = window - (window / 4).min(RESERVE);
        let pending = self.history.feedback().map(|text| Message::new(Role::User, text));
        let messages = [self.history.messages(), pending.as_slice()].concat();
        if gateway.estimate(&messages) < room / 2 {
            return Ok(());
        }
        // Counting and summing up are requests, too, and may take minutes: what the user said is on the disk before them.
        self.parts.session.sync().await?;
        let tokens = self.counted(gateway, &messages).await.unwrap_or_else(|| gateway.estimate(&messages));
        if tokens < room || !self.can_compact() {
            return Ok(());
        }
        let text = format!("{tokens} of the window's {window} tokens are used: the conversation is summed up");
        self.emit(Event::Notice(text)).await;
        self.compact(turn).await
    }

    /// There is something that a summary would shorten.
    pub(super) fn can_compact(&self) -> bool {
        let said = self.history.messages().len();
        // The system prompt, and what stays.
        said > 1 + self.kept() + usize::from(self.history.is_summed_up())
    }

    /// How many of the last messages stay as they are: what waits for its answer.
    fn kept(&self) -> usize {
        let last = self.history.messages().last().map(|message| message.role);
        match (self.history.reply().is_going_on(), last) {
            (Some(GoesOn::Instruction), _) => 3,
            (Some(GoesOn::Prefill), _) => 2,
            (None, Some(Role::Assistant)) if self.history.waits_for_its_rest() => 2,
            (None, Some(Role::User)) if self.history.state == State::Asked => 1,
            (None, _) => 0,
        }
    }

    /// By the user's word.
    pub(super) async fn compact_now(&mut self) -> Result<(), Stopped> {
        if !self.can_compact() {
            self.emit(Event::Notice("there is nothing to sum up".to_owned())).await;
            return Ok(());
        }
        self.connected().await?;
        self.compact(&mut Turn::default()).await
    }

    pub(super) async fn compact(&mut self, turn: &mut Turn) -> Result<(), Stopped> {
        let kept = self.kept();
        turn.compacted = true;
        let (summary, usage) = match self.summary_of_the_model(kept).await? {
            Some(told) => told,
            None => (self.summary_by_rule(kept), Usage::default()),
        };
        turn.usage.add(&usage);
        let summary = self.parts.prompts.render("summary", json!({ "summary": summary.trim() }))?;
        let up_to = self.last_record;
        let keeps = u32::try_from(kept).unwrap_or(u32::MAX);
        let system_prompt = self.system_prompt()?;
        self.record(Entry::Compacted { summary, up_to, keeps, system_prompt, usage });
        self.parts.session.sync().await?;
        let text = "summed up: the model goes on from its summary, and the log keeps everything".to_owned();
        self.emit(Event::Notice(text)).await;
        Ok(())
    }

    /// `None` where it gives none, and that was said.
    async fn summary_of_the_model(&self, kept: usize) -> Result<Option<(String, Usage)>, Stopped> {
        let Some(gateway) = &self.parts.gateway else { return Ok(None) };
        let words = self.parts.prompts.render("compact", json!({}))?;
        let all = self.history.messages();
        let mut messages = all[..all.len() - kept].to_vec();
        messages.push(Message::new(Role::User, words));
        let mut told = self.listen_to_summary(gateway, &messages).await;
        if matches!(told, Err(GatewayError::Overflow { .. })) {
            told = self.listen_to_summary(gateway, &halved(&messages)).await;
        }
        let why = match told {
            Ok((text, usage)) if !text.trim().is_empty() => return Ok(Some((text, usage))),
            Ok(_) => "it says nothing".to_owned(),
            Err(GatewayError::Cancelled) => return Err(Stopped::Interrupted),
            Err(error) => error.to_string(),
        };
        self.emit(Event::Notice(format!("the model did not sum up ({why}): it is done by rule"))).await;
        Ok(None)
    }

    async fn listen_to_summary(
        &self,
        gateway: &Gateway,
        messages: &[Message],
    ) -> Result<(String, Usage), GatewayError> {
        let mut stream = gateway.chat(messages, &self.parts.interrupt.token());
        let mut text = String::new();
        while let Some(delta) = stream.next().await {
            match delta? {
                Delta::Text(piece) => text.push_str(&piece),
                Delta::Finished { usage, .. } => return Ok((said(text), usage)),
                Delta::Notice(notice) => self.emit(Event::Notice(notice)).await,
                Delta::Reading { processed, total } => self.emit(Event::Reading { processed, total }).await,
                Delta::Reasoning(_) | Delta::ToolCall { .. } | Delta::Retry { .. } => {}
            }
        }
        Err(GatewayError::BrokenOff("the stream ended without a word".to_owned()))
    }

    /// What the user wants first, then the newest of the rest, each shortened.
    fn summary_by_rule(&self, kept: usize) -> String {
        let window = self.server().and_then(|server| server.context_window);
        // Four characters a token: a quarter of the window.
        let most = window.map_or(BY_RULE, |tokens| usize::try_from(tokens).unwrap_or(BY_RULE));
        let messages = self.history.messages();
        shortened(&messages[1.min(messages.len())..messages.len() - kept], most)
    }
}

/// Without what was thought before it.
fn said(text: String) -> String {
    match text.rsplit_once("</think>") {
        Some((_, said)) => said.to_owned(),
        None => text,
    }
}

/// The conversation at half its length: what is long in it loses its middle.
fn halved(messages: &[Message]) -> Vec<Message> {
    let most = messages.iter().map(|message| message.content.len()).sum::<usize>() / 2 / messages.len().max(1);
    let clipped = |message: &Message| Message::new(message.role, clip(&message.content, most * 2 / 3, most / 3));
    match messages {
        [system, said @ .., words] => {
            let said = said.iter().map(clipped);
            std::iter::once(system.clone()).chain(said).chain([words.clone()]).collect()
        }
        _ => messages.to_vec(),
    }
}

fn shortened(messages: &[Message], most: usize) -> String {
    let Some((first, later)) = messages.split_first() else { return String::new() };
    let line = |message: &Message, most: usize| {
        let who = if message.role == Role::Assistant { "you" } else { "user and outcomes" };
        format!("{who}: {}\n\n", clip(message.content.trim(), most * 2 / 3, most / 3))
    };
    let begin = line(first, most / 4);
    let mut left = most.saturating_sub(begin.len());
    let mut newest = Vec::new();
    for message in later.iter().rev() {
        let line = line(message, most / 8);
        if line.len() > left {
            break;
        }
        left -= line.len();
        newest.push(line);
    }
    newest.push(begin);
    newest.reverse();
    newest.concat()
}

#[cfg(test)]
mod tests {
    use super::shortened;
    use crate::base::message::{Message, Role};

    #[test]
    fn by_rule_the_first_wish_and_the_newest_stay() {
        let mut messages = vec![Message::new(Role::User, "a parser, please")];
        for n in 0..50 {
            messages.push(Message::new(Role::Assistant, format!("reply {n} {}", "x".repeat(200))));
            messages.push(Message::new(Role::User, format!("outcome {n}")));
        }
        let text = shortened(&messages, 2_000);
        assert!(text.starts_with("user and outcomes: a parser, please"), "{text}");
        assert!(text.contains("outcome 49") && text.contains("reply 49") && !text.contains("outcome 3\n"), "{text}");
        assert!(text.len() <= 2_000, "{}", text.len());
        assert_eq!(shortened(&[], 100), "");
    }
}
