//! `on_request`: what is sent may differ from the conversation, for one request. The conversation stays what it is.

use rhai::Map;

use super::answer::{self, only_one};
use super::chain::{Call, Chain, Taken};
use super::handler::Event;
use super::{Changed, Params, RequestDecision, RequestEvent, plain};
use crate::base::message::Message;

#[derive(Clone)]
pub(super) struct Request {
    event: RequestEvent,
    changed_by: Vec<String>,
    end: Option<RequestDecision>,
}

impl Request {
    pub fn new(event: RequestEvent) -> Self {
        Self { event, changed_by: Vec::new(), end: None }
    }

    /// Takes the place of what is there; the error says what cannot be sent.
    fn change(&mut self, messages: Option<Vec<Message>>, params: Option<&Params>) -> Result<String, String> {
        let mut told = Vec::new();
        if let Some(messages) = messages {
            let before = self.event.messages.last();
            match (messages.last(), before) {
                (None, _) => return Err("returned no message: there would be nothing to answer".to_owned()),
                (last, before) if self.event.goes_on && last != before => {
                    return Err("changed the reply that the server goes on with, the last message".to_owned());
                }
                (Some(last), Some(before)) if last.role != before.role => {
                    return Err("returned messages whose last one is not the one to be answered".to_owned());
                }
                (Some(_), _) => {}
            }
            let same = messages.iter().filter(|message| self.event.messages.contains(message)).count();
            told.push(format!("{} of {} messages are other ones", messages.len() - same, messages.len()));
            self.event.messages = messages;
        }
        if let Some(&Params { temperature, seed, max_tokens }) = params {
            let own = &mut self.event.params;
            told.extend(temperature.map(|value| format!("temperature {value}")));
            told.extend(seed.map(|value| format!("seed {value}")));
            told.extend(max_tokens.map(|value| format!("max_tokens {value}")));
            own.temperature = temperature.or(own.temperature);
            own.seed = seed.or(own.seed);
            own.max_tokens = max_tokens.or(own.max_tokens);
        }
        Ok(told.join(", "))
    }
}

impl Chain for Request {
    const EVENT: Event = Event::Request;
    type Decision = RequestDecision;

    fn fields(&self) -> Map {
        Map::from([
            ("messages".into(), plain::to_script(&self.event.messages)),
            ("params".into(), plain::to_script(&self.event.params)),
            ("est_tokens".into(), i64::try_from(self.event.est_tokens).unwrap_or(i64::MAX).into()),
            ("context_limit".into(), plain::to_script(self.event.context_limit)),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Request>(self.fields())? else { return Ok(None) };
        let changes = answer.messages.is_some() || answer.params.is_some();
        only_one(&[("deny", answer.deny.is_some()), ("a change", changes)]).map_err(|what| call.wrong(&what))?;
        if let Some(why) = answer.deny {
            let taken = Taken::ends("denied", &why);
            self.end = Some(RequestDecision::Denied { script: call.script().to_owned(), why });
            return Ok(Some(taken));
        }
        if changes {
            let note = self.change(answer.messages, answer.params.as_ref()).map_err(|what| call.wrong(&what))?;
            self.changed_by.push(call.script().to_owned());
            return Ok(Some(Taken { note, ..Taken::goes_on("changed") }));
        }
        Ok((answer.allow.0 && call.may_loosen()).then(|| Taken::goes_on("allowed")))
    }

    fn broken(&mut self, script: &str, why: &str) {
        self.end = Some(RequestDecision::Denied { script: script.to_owned(), why: why.to_owned() });
    }

    fn decide(self) -> RequestDecision {
        let Self { event: RequestEvent { messages, params, .. }, changed_by: scripts, end } = self;
        let changed = (!scripts.is_empty()).then_some(Changed { scripts, messages, params });
        end.unwrap_or(RequestDecision::Go(changed))
    }
}
