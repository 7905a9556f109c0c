//! Which value holds for a key, and who said so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::keys::{Key, Usual};
use super::value::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The user's own settings.
    User(PathBuf),
    /// Of the project that is worked on; it has tightened what held.
    Project(PathBuf),
    Variable(&'static str),
    Flag(&'static str),
}

impl Origin {
    /// The user's word for this one start of the program.
    pub fn is_for_now(&self) -> bool {
        match self {
            Self::Variable(_) | Self::Flag(_) => true,
            Self::Default | Self::User(_) | Self::Project(_) => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User(path) => write!(f, "{}", path.display()),
            Self::Project(path) => write!(f, "{} (the project's)", path.display()),
            Self::Variable(name) => write!(f, "{name} (environment)"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// What was said by anybody; of each key the last word.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, (Value, Origin)>);

impl Values {
    pub fn put(&mut self, key: &Key, value: Value, origin: Origin) {
        self.0.insert(key.name, (value, origin));
    }

    /// Where it was said.
    pub fn put_if(&mut self, key: &Key, value: Option<impl Into<Value>>, origin: Origin) {
        if let Some(value) = value {
            self.put(key, value.into(), origin);
        }
    }

    /// What holds, the default where nobody said anything; `None`: it is not set.
    pub fn in_force(&self, key: &Key) -> (Option<Value>, Origin) {
        match (self.0.get(key.name), &key.default) {
            (Some((value, origin)), _) => (Some(value.clone()), origin.clone()),
            (None, Usual::Value(value)) => (Some(value()), Origin::Default),
            (None, Usual::Unset(_)) => (None, Origin::Default),
        }
    }

    pub fn text(&self, key: &Key) -> Option<String> {
        match self.said(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::Whole(_) | Value::Number(_) | Value::Texts(_) | Value::Flag(_)) | None => None,
        }
    }

    pub fn whole<T: TryFrom<i64>>(&self, key: &Key) -> Option<T> {
        match self.said(key) {
            Some(Value::Whole(number)) => T::try_from(*number).ok(),
            Some(Value::Text(_) | Value::Number(_) | Value::Texts(_) | Value::Flag(_)) | None => None,
        }
    }

    pub fn number(&self, key: &Key) -> Option<f64> {
        match self.said(key) {
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Text(_) | Value::Whole(_) | Value::Texts(_) | Value::Flag(_)) | None => None,
        }
    }

    pub fn texts(&self, key: &Key) -> Option<&[String]> {
        match self.said(key) {
            Some(Value::Texts(texts)) => Some(texts),
            Some(Value::Text(_) | Value::Whole(_) | Value::Number(_) | Value::Flag(_)) | None => None,
        }
    }

    pub fn flag(&self, key: &Key) -> Option<bool> {
        match self.said(key) {
            Some(Value::Flag(flag)) => Some(*flag),
            Some(Value::Text(_) | Value::Whole(_) | Value::Number(_) | Value::Texts(_)) | None => None,
        }
    }

    fn said(&self, key: &Key) -> Option<&Value> {
        self.0.get(key.name).map(|(value, _)| value)
    }
}
