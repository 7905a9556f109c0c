//! One model call: what is sent is computed from the log, and what comes is in the log before it is shown as done.

use futures_util::StreamExt;

use crate::base::usage::Usage;
use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::history::State;
use crate::core::tree::Tree;
use crate::core::turn::{MOST_CUTS, Turn};
use crate::core::verdict::Stopped;
use crate::core::view::DeltaKind;
use crate::gateway::{Delta, FinishReason, GatewayError};
use crate::reply::{Action, BlockEvent, BlockLabel, Ending, Parsed, Parser, from_tool_call};
use crate::session::record::{Entry, Finish};

/// A reply that has ended, one way or another.
pub struct Reply {
    pub text: String,
    pub reasoning: String,
    pub finish: Finish,
    pub parsed: Parsed,
}

/// A reply while it comes in.
struct Incoming {
    parser: Parser,
    text: String,
    reasoning: String,
    calls: Vec<(String, String)>,
    label: String,
}

impl Conversation {
    pub(super) async fn request(&mut self, turn: &mut Turn) -> Result<Reply, Stopped> {
        turn.calls += 1;
        let feedback = match self.history.state {
            State::Replied(_) | State::Acted | State::Ended => self.history.feedback(),
            State::Idle | State::Asked => None,
        };
        let model = self.server().map(|server| server.model.clone()).unwrap_or_default();
        let messages = self.history.messages().len() + usize::from(feedback.is_some());
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.record(Entry::RequestSent { request: turn.calls, messages, feedback, model });
        self.parts.session.sync().await?;

        let mut incoming = Incoming {
            parser: Parser::new(),
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            label: String::new(),
        };
        let Some(gateway) = &self.parts.gateway else {
            return Err(Stopped::Internal("no server was connected to".to_owned()));
        };
        let mut stream = gateway.chat(self.history.messages(), &self.parts.interrupt.token());
        while let Some(delta) = stream.next().await {
            match delta {
                Ok(Delta::Finished { reason, usage }) => {
                    drop(stream);
                    return self.reply_is_whole(turn, incoming, reason, usage).await;
                }
                Ok(delta) => self.take_in(delta, &mut incoming).await,
                Err(error) => {
                    drop(stream);
                    return self.reply_is_cut(turn, incoming, error).await;
                }
            }
        }
        drop(stream);
        let error = GatewayError::BrokenOff("the stream ended without a word".to_owned());
        self.reply_is_cut(turn, incoming, error).await
    }

    async fn take_in(&mut self, delta: Delta, incoming: &mut Incoming) {
        match delta {
            Delta::Text(text) => {
                self.record(Entry::ReplyDelta { kind: DeltaKind::Text, text: text.clone() });
                let blocks = incoming.parser.push(&text, &Tree::new(&self.parts.workspace));
                incoming.text.push_str(&text);
                self.emit(Event::Delta { kind: DeltaKind::Text, text }).await;
                for block in blocks {
                    self.emit(incoming.block(block)).await;
                }
            }
            Delta::Reasoning(text) => {
                self.record(Entry::ReplyDelta { kind: DeltaKind::Reasoning, text: text.clone() });
                incoming.reasoning.push_str(&text);
                self.emit(Event::Delta { kind: DeltaKind::Reasoning, text }).await;
            }
            Delta::ToolCall { name, arguments } => {
                let text =
                    format!("\n<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>\n");
                self.record(Entry::ReplyDelta { kind: DeltaKind::Tool, text });
                incoming.calls.push((name, arguments));
            }
            Delta::Retry { attempt, wait, reason } => {
                let wait_s = wait.as_secs_f64();
                self.record(Entry::Retry { attempt, wait_s, reason: reason.clone() });
                self.emit(Event::Retry { attempt, wait_s, reason }).await;
            }
            Delta::Notice(text) => self.emit(Event::Notice(text)).await,
            // Taken by the caller, which ends the reply.
            Delta::Finished { .. } => {}
        }
    }

    async fn reply_is_whole(
        &mut self,
        turn: &mut Turn,
        incoming: Incoming,
        reason: FinishReason,
        usage: Usage,
    ) -> Result<Reply, Stopped> {
        let finish = match reason {
            FinishReason::Stop => Finish::Stop,
            FinishReason::Length => Finish::Length,
            FinishReason::ToolCalls => Finish::ToolCalls,
        };
        if let Some(window) = self.server().and_then(|server| server.context_window)
            && usage.prompt_tokens + usage.completion_tokens >= window
        {
            self.emit(Event::Notice(format!("the model's context window of {window} tokens is full"))).await;
        }
        self.end_reply(turn, incoming, finish, usage).await
    }

    /// What came is kept. Text makes it a partial reply to go on from; without any there is nothing but the error.
    async fn reply_is_cut(
        &mut self,
        turn: &mut Turn,
        incoming: Incoming,
        error: GatewayError,
    ) -> Result<Reply, Stopped> {
        // The server tells what a reply cost at its end.
        let uncounted = Usage { requests: 1, ..Usage::default() };
        let nothing_came = incoming.text.is_empty() && incoming.calls.is_empty();
        if error == GatewayError::Cancelled {
            if !nothing_came || !incoming.reasoning.is_empty() {
                self.end_reply(turn, incoming, Finish::Interrupted, uncounted).await?;
            }
            return Err(Stopped::Interrupted);
        }
        if nothing_came {
            return Err(error.into());
        }
        let notice = format!("{error}: what came so far is kept");
        let reply = self.end_reply(turn, incoming, Finish::BrokenOff, uncounted).await?;
        self.emit(Event::Notice(notice)).await;
        // The one more than the limit: `carry_out` counts this cut too.
        if turn.cuts >= MOST_CUTS {
            return Err(error.into());
        }
        Ok(reply)
    }

    async fn end_reply(
        &mut self,
        turn: &mut Turn,
        incoming: Incoming,
        finish: Finish,
        usage: Usage,
    ) -> Result<Reply, Stopped> {
        turn.usage.add(&usage);
        self.record(Entry::ReplyFinished { reason: finish, usage });
        self.parts.session.sync().await?;
        self.emit(Event::ReplyFinished).await;
        self.emit(Event::Usage(usage)).await;
        turn.text.clone_from(&incoming.text);
        let ending = ending_of(finish);
        if ending == Ending::Whole {
            // A server that cuts each reply at the same place is no model in a loop; `turn.cuts` counts those.
            turn.repeats.note("the same reply", incoming.text.trim());
        }
        let mut parsed = incoming.parser.finish(ending, &Tree::new(&self.parts.workspace));
        let cut = ending == Ending::Cut;
        let calls = incoming.calls.iter().map(|(name, arguments)| from_tool_call(name, arguments, cut));
        parsed.actions.extend(calls.collect::<Vec<Action>>());
        Ok(Reply { text: incoming.text, reasoning: incoming.reasoning, finish, parsed })
    }
}

/// Whether the text of a reply may be taken as all that the model wanted to say.
pub fn ending_of(finish: Finish) -> Ending {
    match finish {
        Finish::Stop | Finish::ToolCalls => Ending::Whole,
        Finish::Length | Finish::Interrupted | Finish::BrokenOff => Ending::Cut,
    }
}

/// What a block will become, for people and for the model.
pub fn label_of(label: &BlockLabel) -> String {
    match label {
        BlockLabel::File(path) => path.to_string(),
        BlockLabel::Edit(path) => format!("edit of {path}"),
        BlockLabel::Run => "run".to_owned(),
        BlockLabel::Read => "read".to_owned(),
        BlockLabel::Delete => "delete".to_owned(),
        BlockLabel::Move => "move".to_owned(),
        BlockLabel::Shown => "a block without a path".to_owned(),
    }
}

impl Incoming {
    fn block(&mut self, event: BlockEvent) -> Event {
        match event {
            BlockEvent::Opened(label) => {
                self.label = label_of(&label);
                Event::Block { label: self.label.clone(), lines: 0, closed: false }
            }
            BlockEvent::Grew(lines) => Event::Block { label: self.label.clone(), lines, closed: false },
            BlockEvent::Closed { lines } => Event::Block { label: self.label.clone(), lines, closed: true },
        }
    }
}
