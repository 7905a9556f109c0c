//! The return contract: `()` is no opinion, everything else a map that is decoded strictly into the event's own type.
//!
//! Helpers build such maps. They add nothing of their own: `deny("no")` is `#{deny: "no"}`.

use rhai::{Dynamic, Engine, Map};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::location::nearest;
use super::plain;
use super::{Params, RunRequest};
use crate::base::message::Message;

/// Each helper, its parameter if it has one, and what it says.
pub(super) const HELPERS: &[Helper] = &[
    Helper { name: "allow", takes: "", says: "Yes, in the log. It ends nothing and undoes no denial" },
    Helper { name: "deny", takes: "why", says: "No, and why: for the user, and where there is one, for the model" },
    Helper { name: "context", takes: "text", says: "Adds a text to what the model is sent, below the user's" },
    Helper { name: "retry", takes: "feedback", says: "Sends the reply back to the model with this feedback" },
    Helper { name: "stop", takes: "why", says: "Ends the turn, and why" },
    Helper { name: "handled", takes: "text", says: "The answer to a prompt or a command: no model is asked" },
    Helper { name: "pass", takes: "", says: "A validator's yes" },
    Helper { name: "fail", takes: "feedback", says: "A validator's no: what the model is told of the fault" },
    Helper { name: "none", takes: "why", says: "A validator that cannot tell, and why: `needs flask`" },
    Helper { name: "more", takes: "feedback", says: "Goes on with the turn: what the model is told" },
];

pub(super) struct Helper {
    pub name: &'static str,
    /// The name of the one text that it takes; empty where it takes none.
    pub takes: &'static str,
    pub says: &'static str,
}

pub(super) fn register(engine: &mut Engine) {
    for helper in HELPERS {
        let name = helper.name;
        if helper.takes.is_empty() {
            engine.register_fn(name, move || one(name, true.into()));
        } else {
            engine.register_fn(name, move |text: &str| one(name, text.into()));
        }
    }
    engine.register_fn("modify", |changes: Map| changes);
}

fn one(name: &str, value: Dynamic) -> Map {
    Map::from([(name.into(), value)])
}

/// What a handler has returned, decoded; `None` is no opinion.
pub(super) fn decode<T: for<'de> Deserialize<'de>>(value: &Dynamic) -> Result<Option<T>, String> {
    if value.is_unit() {
        return Ok(None);
    }
    if !value.is_map() {
        return Err(format!("returned a value of type {}, not () or a map", value.type_name()));
    }
    let value = plain::to_json(value).map_err(|what| format!("returned a map that cannot be used: {what}"))?;
    serde_json::from_value(value).map(Some).map_err(|error| {
        let error = error.to_string();
        format!("returned a map that cannot be used: {error}{}", meant(&error))
    })
}

/// Of an unknown key, the known one that is nearest: serde quotes the unknown one first.
fn meant(error: &str) -> String {
    let quoted: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if error.starts_with("unknown field") => nearest(unknown, known),
        _ => String::new(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionStart {
    pub context: OneOrMany,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    pub allow: Yes,
    pub deny: Option<String>,
    pub messages: Option<Vec<Message>>,
    pub params: Option<Params>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Command {
    pub handled: Option<String>,
    pub text: Option<String>,
}

/// Nothing can be decided any more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionEnd {}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prompt {
    pub allow: Yes,
    pub deny: Option<String>,
    pub handled: Option<String>,
    pub text: Option<String>,
    pub context: OneOrMany,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reply {
    pub retry: Option<String>,
    pub stop: Option<String>,
    pub actions: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Write {
    pub allow: Yes,
    pub deny: Option<String>,
    pub retry: Option<String>,
    pub content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Validate {
    pub pass: Yes,
    pub fail: Option<String>,
    pub none: Option<String>,
    pub runs: Option<Vec<RunRequest>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Run {
    pub allow: Yes,
    pub deny: Option<String>,
    pub command: Option<String>,
    pub limits: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outcome {
    pub stop: Option<String>,
    pub feedback: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct End {
    pub more: Option<String>,
    pub verdict: Option<Verdict>,
}

/// From the strictest on: a project's script may go down, never up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Failed,
    Unchecked,
    Passed,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unchecked => "unchecked",
            Self::Passed => "passed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Failed, Self::Unchecked, Self::Passed].into_iter().find(|verdict| verdict.name() == name)
    }
}

/// `true` or absent: an answer `#{allow: false}` would be read one way by its author and another way by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Yes(pub bool);

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self(true)),
            false => Err(serde::de::Error::custom("only `true` can stand here; say no with `deny` or `fail`")),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text or a list of texts")]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::One(text) => vec![text],
            Either::Many(texts) => texts,
        }))
    }
}

/// At most one of these may be given: a handler that says two things at once is broken.
pub(super) fn only_one(given: &[(&str, bool)]) -> Result<(), String> {
    let said: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match said.as_slice() {
        [] | [_] => Ok(()),
        more => Err(format!("returned {} together; only one of them can hold", more.join(" and "))),
    }
}
