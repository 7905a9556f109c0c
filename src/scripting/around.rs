//! The events around the turns: a session begins, a command of a script's is typed, the session ends.

use rhai::{Dynamic, Map};

use super::answer::{self, only_one};
use super::chain::{Call, Chain, Taken};
use super::handler::Event;
use super::{CommandDecision, Context, SessionEnd, SessionStart, plain};

#[derive(Clone)]
pub(super) struct Start {
    event: SessionStart,
    /// Labels, in the order in which they are asked.
    scripts: Vec<String>,
    context: Vec<Context>,
}

impl Start {
    pub fn new(event: SessionStart, scripts: Vec<String>) -> Self {
        Self { event, scripts, context: Vec::new() }
    }
}

impl Chain for Start {
    const EVENT: Event = Event::SessionStart;
    type Decision = Vec<Context>;

    fn fields(&self) -> Map {
        Map::from([
            ("resumed".into(), self.event.resumed.into()),
            ("forked_from".into(), plain::to_script(&self.event.forked_from)),
            ("scripts".into(), plain::to_script(&self.scripts)),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::SessionStart>(self.fields())? else { return Ok(None) };
        if answer.context.0.is_empty() {
            return Ok(None);
        }
        let script = call.script().to_owned();
        self.context.extend(answer.context.0.into_iter().map(|text| Context { script: script.clone(), text }));
        Ok(Some(Taken::goes_on("changed")))
    }

    fn decide(self) -> Vec<Context> {
        self.context
    }
}

/// Only the script that has the command is asked.
#[derive(Clone)]
pub(super) struct Command {
    owner: String,
    command: String,
    text: String,
    decision: CommandDecision,
}

impl Command {
    pub fn new(owner: &str, command: &str, text: &str) -> Self {
        let (owner, command, text) = (owner.to_owned(), command.to_owned(), text.to_owned());
        Self { owner, command, text, decision: CommandDecision::Nothing }
    }
}

impl Chain for Command {
    const EVENT: Event = Event::Command;
    type Decision = CommandDecision;

    fn fields(&self) -> Map {
        Map::from([
            ("command".into(), Dynamic::from(self.command.clone())),
            ("text".into(), Dynamic::from(self.text.clone())),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        if call.script() != self.owner {
            return Ok(None);
        }
        let Some(answer) = call.ask::<answer::Command>(self.fields())? else { return Ok(None) };
        only_one(&[("handled", answer.handled.is_some()), ("text", answer.text.is_some())])
            .map_err(|what| call.wrong(&what))?;
        let (decision, outcome) = match (answer.handled, answer.text) {
            (Some(text), _) => (CommandDecision::Handled { text }, "handled"),
            (None, Some(text)) => (CommandDecision::Say { text }, "changed"),
            (None, None) => return Ok(None),
        };
        self.decision = decision;
        Ok(Some(Taken::ends(outcome, "")))
    }

    fn decide(self) -> CommandDecision {
        self.decision
    }
}

#[derive(Clone)]
pub(super) struct End {
    event: SessionEnd,
}

impl End {
    pub fn new(event: SessionEnd) -> Self {
        Self { event }
    }
}

impl Chain for End {
    const EVENT: Event = Event::SessionEnd;
    type Decision = ();

    fn fields(&self) -> Map {
        Map::from([
            ("reason".into(), Dynamic::from(self.event.reason.clone())),
            ("totals".into(), plain::to_script(&self.event.totals)),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        call.ask::<answer::SessionEnd>(self.fields())?;
        Ok(None)
    }

    fn decide(self) {}
}
