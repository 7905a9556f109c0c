//! One model call: what is sent is computed from the log, and what comes is in the log before it is shown as done.

use futures_util::StreamExt;
use serde_json::Value;

use crate::base::message::Message;
use crate::base::usage::Usage;
use crate::core::conversation::Conversation;
use crate::core::event::{BlockKind, Event};
use crate::core::history::State;
use crate::core::joined::{Joined, ending_of};
use crate::core::repeats::SAME_REPLY;
use crate::core::sending::Instead;
use crate::core::tree::Tree;
use crate::core::turn::Turn;
use crate::core::verdict::Stopped;
use crate::core::view::DeltaKind;
use crate::gateway::{Delta, FinishReason, Gateway, GatewayError};
use crate::reply::{BlockEvent, BlockLabel, Ending, Parsed, Parser, resume};
use crate::session::record::{Continues, Entry, Finish, GoesOn};

/// A reply that has ended, one way or another.
pub struct Reply {
    pub reasoning: String,
    pub finish: Finish,
    pub parsed: Parsed,
    /// Whole lines came.
    pub grew: bool,
}

/// A reply while it comes in.
struct Incoming {
    parser: Parser,
    /// Some text came.
    wrote: bool,
    reasoning: String,
    /// A tool was called in the server's own way.
    called: bool,
    /// Of the block that opened last.
    kind: BlockKind,
    label: String,
    /// It is the rest of a reply, and this is what waits for it.
    goes_on: Option<GoesOn>,
    before: String,
}

/// What is asked of the server.
#[derive(Debug, PartialEq)]
enum How {
    Anew,
    /// The rest of the last message.
    GoesOn,
    /// JSON of this schema.
    Shaped(Value),
}

impl Conversation {
    /// Asks the model: anew, or for the rest of a reply that was cut.
    pub(super) async fn request(&mut self, turn: &mut Turn) -> Result<Reply, Stopped> {
        turn.calls += 1;
        loop {
            self.compact_in_time(turn).await?;
            let (how, instead) = self.ask(turn).await?;
            let mut incoming = Incoming::after(self.history.reply(), &Tree::new(&self.parts.workspace));
            match self.listen(&mut incoming, &how, instead).await {
                Ok((reason, usage)) => return self.reply_is_whole(turn, incoming, reason, usage).await,
                // It answers, and cannot go on with a reply: it is told in words.
                Err(GatewayError::Refused { .. }) if how != How::Anew && incoming.is_empty() => {
                    turn.prefill_refused |= how == How::GoesOn;
                    turn.shape_refused |= how != How::GoesOn;
                    self.emit(Event::ReplyFinished { goes_on: false }).await;
                }
                // It counts in another way than we do.
                Err(GatewayError::Overflow { .. }) if incoming.is_empty() && !turn.compacted && self.can_compact() => {
                    self.emit(Event::Notice("the window is full: the conversation is summed up".to_owned())).await;
                    self.compact(turn).await?;
                }
                Err(error) => return self.reply_is_cut(turn, incoming, error).await,
            }
        }
    }

    /// Logs what is sent.
    async fn ask(&mut self, turn: &mut Turn) -> Result<(How, Option<Instead>), Stopped> {
        let going_on = self.going_on(turn)?;
        let lines_of = match (&going_on, self.history.state) {
            (Some(_), _) => None,
            // Asked again: nothing came.
            (None, State::Asked) => self.history.lines_of().map(str::to_owned),
            (None, _) => self.asks_for_lines(turn)?.map(String::from),
        };
        let feedback = match (&going_on, self.history.state) {
            (Some((_, words)), _) => words.clone(),
            (None, State::Replied(_) | State::Acted | State::Ended) => self.history.feedback(),
            (None, State::Idle | State::Asked) => None,
        };
        let continues = going_on.map(|(continues, _)| continues);
        if let Some(Continues { by, .. }) = &continues {
            self.tell_of_the_rest(*by).await;
        }
        let how = match (&continues, &lines_of) {
            (Some(Continues { by: GoesOn::Prefill, .. }), _) => How::GoesOn,
            (_, Some(path)) if !turn.shape_refused => {
                self.tell_of_lines(path).await;
                How::Shaped(self.schema_of_lines(path))
            }
            (_, Some(_) | None) => How::Anew,
        };
        let model = self.server().map(|server| server.model.clone()).unwrap_or_default();
        let messages = self.history.messages().len() + usize::from(feedback.is_some());
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        let sent = Entry::RequestSent { request: turn.calls, messages, feedback, model, continues, lines_of };
        let instead = self.instead(turn, &sent).await?;
        self.record(sent);
        self.parts.session.sync().await?;
        Ok((how, instead))
    }

    /// Takes in the stream up to its end.
    async fn listen(
        &mut self,
        incoming: &mut Incoming,
        how: &How,
        instead: Option<Instead>,
    ) -> Result<(FinishReason, Usage), GatewayError> {
        let (other, sampling) = instead.map(|instead| (instead.messages, instead.sampling)).unzip();
        self.fits(other.as_deref().unwrap_or(self.history.messages())).await?;
        let messages = other.as_deref().unwrap_or(self.history.messages());
        let token = self.parts.interrupt.token();
        let Some(gateway) = &mut self.parts.gateway else { return Err(GatewayError::Cancelled) };
        let usual = sampling.map(|sampling| gateway.use_sampling(sampling));
        let mut stream = match how {
            How::Anew => gateway.chat(messages, &token),
            How::GoesOn => gateway.go_on(messages, &token),
            How::Shaped(schema) => gateway.answer(messages, schema, &token),
        };
        usual.map(|usual| gateway.use_sampling(usual));
        while let Some(delta) = stream.next().await {
            match delta? {
                Delta::Finished { reason, usage } => return Ok((reason, usage)),
                delta => self.take_in(delta, incoming).await,
            }
        }
        Err(GatewayError::BrokenOff("the stream ended without a word".to_owned()))
    }

    /// What is surely too long is not sent: some servers read it for minutes first, and some cut it without a word.
    async fn fits(&self, messages: &[Message]) -> Result<(), GatewayError> {
        let Some(gateway) = &self.parts.gateway else { return Ok(()) };
        let Some(window) = gateway.server().context_window else { return Ok(()) };
        if gateway.estimate(messages) < window / 10 * 9 {
            return Ok(());
        }
        match self.counted(gateway, messages).await {
            Some(tokens) if tokens >= window => {
                Err(GatewayError::Overflow { prompt_tokens: Some(tokens), window: Some(window) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Tokens of these messages, where the server counts them.
    pub(super) async fn counted(&self, gateway: &Gateway, messages: &[Message]) -> Option<u64> {
        let token = self.parts.interrupt.token();
        tokio::select! {
            counted = gateway.count(messages) => counted,
            () = token.cancelled() => None,
        }
    }

    async fn take_in(&mut self, delta: Delta, incoming: &mut Incoming) {
        match delta {
            Delta::Text(text) => {
                self.record(Entry::ReplyDelta { kind: DeltaKind::Text, text: text.clone() });
                incoming.wrote = true;
                let events = incoming.take(&text, &Tree::new(&self.parts.workspace));
                for event in events {
                    self.emit(event).await;
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
                incoming.called = true;
            }
            Delta::Retry { attempt, wait, reason } => {
                let wait_s = wait.as_secs_f64();
                self.record(Entry::Retry { attempt, wait_s, reason: reason.clone() });
                self.emit(Event::Retry { attempt, wait_s, reason }).await;
            }
            Delta::Reading { processed, total } => self.emit(Event::Reading { processed, total }).await,
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
        turn.broken = None;
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
        if error == GatewayError::Cancelled {
            if !incoming.is_empty() || !incoming.reasoning.is_empty() {
                self.end_reply(turn, incoming, Finish::Interrupted, uncounted).await?;
            }
            return Err(Stopped::Interrupted);
        }
        if incoming.is_empty() {
            return Err(error.into());
        }
        let notice = format!("{error}: what came so far is kept");
        let reply = self.end_reply(turn, incoming, Finish::BrokenOff, uncounted).await?;
        self.emit(Event::Notice(notice)).await;
        turn.broken = Some(error);
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
        turn.compacted = false;
        self.record(Entry::ReplyFinished { reason: finish, usage });
        self.parts.session.sync().await?;
        let goes_on = matches!(finish, Finish::Length | Finish::BrokenOff) && self.can_prefill(turn);
        self.emit(Event::ReplyFinished { goes_on }).await;
        self.emit(Event::Usage(usage)).await;
        turn.replied = true;
        let ending = ending_of(finish);
        if ending == Ending::Whole {
            // A server that cuts each reply at the same place is no model in a loop; `turn.cuts` counts those.
            turn.repeats.note(SAME_REPLY, self.history.last_reply().trim());
        }
        let grew = incoming.grew(self.history.reply_text());
        let parsed = if incoming.goes_on.is_some() || incoming.called || self.history.lines_of().is_some() {
            // Calls stand in the text that the log has, and nowhere else.
            self.parsed(finish)
        } else {
            incoming.parser.finish(ending, &Tree::new(&self.parts.workspace))
        };
        Ok(Reply { reasoning: incoming.reasoning, finish, parsed, grew })
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
    /// A new reply, or the rest of the one that waits: its blocks are shown as they go on.
    fn after(reply: &Joined, files: &Tree<'_>) -> Self {
        let mut incoming = Self {
            parser: Parser::new(),
            wrote: false,
            reasoning: String::new(),
            called: false,
            label: String::new(),
            kind: BlockKind::Other,
            goes_on: reply.is_going_on(),
            before: reply.waiting().to_owned(),
        };
        if reply.is_going_on() == Some(GoesOn::Prefill) {
            for block in incoming.parser.push(reply.waiting(), files) {
                incoming.block(block);
            }
        }
        incoming
    }

    fn is_empty(&self) -> bool {
        !self.wrote && !self.called
    }

    /// Whether more of the reply is there than before.
    fn grew(&self, now: &str) -> bool {
        match self.goes_on {
            Some(GoesOn::Prefill) => now.trim_end().len() > self.before.trim_end().len(),
            Some(GoesOn::Instruction) | None => {
                resume::whole_lines(now).len() > resume::whole_lines(&self.before).len()
            }
        }
    }

    /// The text, taken apart where a block begins or ends, and what becomes of its blocks. How far one grew is told once.
    fn take(&mut self, text: &str, files: &Tree<'_>) -> Vec<Event> {
        let (mut events, mut rest, mut grew) = (Vec::new(), String::new(), None);
        let delta = |text: &mut String| Event::Delta { kind: DeltaKind::Text, text: std::mem::take(text) };
        for line in text.split_inclusive('\n') {
            rest.push_str(line);
            for block in self.parser.push(line, files) {
                match block {
                    BlockEvent::Grew(_) => grew = Some(block),
                    BlockEvent::Opened(_) | BlockEvent::Closed { .. } => {
                        if !rest.is_empty() {
                            events.push(delta(&mut rest));
                        }
                        grew = None;
                        events.push(self.block(block));
                    }
                }
            }
        }
        if !rest.is_empty() {
            events.push(delta(&mut rest));
        }
        events.extend(grew.map(|block| self.block(block)));
        events
    }

    fn block(&mut self, event: BlockEvent) -> Event {
        let (lines, closed) = match event {
            BlockEvent::Opened(label) => {
                self.kind = match label {
                    BlockLabel::File(_) | BlockLabel::Edit(_) => BlockKind::File,
                    BlockLabel::Run | BlockLabel::Read | BlockLabel::Delete | BlockLabel::Move | BlockLabel::Shown => {
                        BlockKind::Other
                    }
                };
                self.label = label_of(&label);
                (0, false)
            }
            BlockEvent::Grew(lines) => (lines, false),
            BlockEvent::Closed { lines } => (lines, true),
        };
        Event::Block { kind: self.kind, label: self.label.clone(), lines, closed }
    }
}
