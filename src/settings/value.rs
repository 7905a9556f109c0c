//! What a setting can be: its value, and the kind of value that a key takes.

use std::fmt;

use toml::de::{DeInteger, DeValue};

/// More than any machine has, and far from where a count of bytes would not fit.
pub const MOST: i64 = 1 << 30;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Texts(Vec<String>),
    Flag(bool),
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    OneOf(&'static [&'static str]),
    Texts,
    SomeOf(&'static [&'static str]),
    /// From here to there, both included.
    Whole(i64, i64),
    Seconds,
    Number,
    Flag,
}

impl Kind {
    /// The value, or what it must be.
    pub fn read(self, value: &DeValue<'_>) -> Result<Value, String> {
        let read = match (self, value) {
            // Every text is a name, an address, a path or a command, and none of them is nothing.
            (Self::Text, DeValue::String(text)) if text.trim().is_empty() => {
                return Err(format!("{self} that is not empty"));
            }
            (Self::Text, DeValue::String(text)) => Some(Value::Text(text.to_string())),
            (Self::OneOf(known), DeValue::String(text)) => {
                known.contains(&&**text).then(|| Value::Text(text.to_string()))
            }
            (Self::Texts | Self::SomeOf(_), DeValue::Array(list)) => {
                let texts = list.iter().map(|text| text.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<Vec<_>>>().filter(|texts| self.knows(texts)).map(Value::Texts)
            }
            (Self::Whole(least, most), DeValue::Integer(number)) => {
                whole(number).filter(|number| (least..=most).contains(number)).map(Value::Whole)
            }
            (Self::Seconds | Self::Number, DeValue::Integer(number)) => {
                whole(number).map(|number| number as f64).filter(|number| self.allows(*number)).map(Value::Number)
            }
            (Self::Seconds | Self::Number, DeValue::Float(number)) => {
                number.as_str().parse().ok().filter(|number| self.allows(*number)).map(Value::Number)
            }
            (Self::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Self::Text | Self::OneOf(_) | Self::Texts | Self::SomeOf(_), _)
            | (Self::Whole(..) | Self::Seconds | Self::Number | Self::Flag, _) => None,
        };
        read.ok_or_else(|| self.to_string())
    }

    fn knows(self, texts: &[String]) -> bool {
        match self {
            Self::SomeOf(known) => texts.iter().all(|text| known.contains(&text.as_str())),
            Self::Text | Self::OneOf(_) | Self::Texts => true,
            Self::Whole(..) | Self::Seconds | Self::Number | Self::Flag => true,
        }
    }

    fn allows(self, number: f64) -> bool {
        match self {
            Self::Seconds => number > 0.0 && number <= MOST as f64,
            Self::Text | Self::OneOf(_) | Self::Texts | Self::SomeOf(_) => number.is_finite(),
            Self::Whole(..) | Self::Number | Self::Flag => number.is_finite(),
        }
    }
}

/// As in "must be …".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text in quotes"),
            Self::OneOf(known) => write!(f, "{}", quoted(known, "or")),
            Self::Texts => f.write_str("a list of texts in quotes"),
            Self::SomeOf(known) => write!(f, "a list of {}", quoted(known, "and")),
            Self::Whole(i64::MIN, i64::MAX) => f.write_str("a whole number"),
            Self::Whole(least, i64::MAX) => write!(f, "a whole number from {least} on"),
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Seconds => f.write_str("a number of seconds above 0"),
            Self::Number => f.write_str("a number"),
            Self::Flag => f.write_str("true or false"),
        }
    }
}

fn quoted(words: &[&str], last: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [front @ .., end] if !front.is_empty() => format!("{} {last} {end}", front.join(", ")),
        words => words.concat(),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", toml::Value::from(text.as_str())),
            Self::Whole(number) => write!(f, "{number}"),
            // Seconds are seldom broken; what is whole is shown so.
            Self::Number(number) => write!(f, "{number}"),
            Self::Texts(texts) => write!(f, "{}", toml::Value::from(texts.clone())),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

/// What is more than TOML can hold is the most that it can.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number.try_into().unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::{Kind, Value};

    fn read(kind: Kind, text: &str) -> Result<Value, String> {
        let line = format!("x = {text}");
        let table = DeTable::parse(&line).unwrap();
        kind.read(table.get_ref()["x"].get_ref())
    }

    #[test]
    fn a_value_is_of_its_kind_or_told_what_it_must_be() {
        let whole = Kind::Whole(1, 9);
        for (kind, text, value) in [
            (Kind::Text, "'a'", Ok("a".into())),
            (Kind::Text, "1", Err("text in quotes")),
            (Kind::Text, "\"\"", Err("text in quotes that is not empty")),
            (Kind::Text, "' '", Err("text in quotes that is not empty")),
            (Kind::OneOf(&["a", "b"]), "\"b\"", Ok("b".into())),
            (Kind::OneOf(&["a", "b", "c"]), "\"d\"", Err("\"a\", \"b\" or \"c\"")),
            (Kind::Texts, "[]", Ok(Value::Texts(Vec::new()))),
            (Kind::Texts, "[1]", Err("a list of texts in quotes")),
            (Kind::SomeOf(&["a", "b"]), "['b']", Ok(Value::Texts(vec!["b".to_owned()]))),
            (Kind::SomeOf(&["a", "b"]), "['c']", Err("a list of \"a\" and \"b\"")),
            (whole, "9", Ok(Value::Whole(9))),
            (whole, "0x9", Ok(Value::Whole(9))),
            (whole, "10", Err("a whole number from 1 to 9")),
            (whole, "1.5", Err("a whole number from 1 to 9")),
            (whole, "99999999999999999999", Err("a whole number from 1 to 9")),
            (Kind::Whole(0, i64::MAX), "-1", Err("a whole number from 0 on")),
            (Kind::Seconds, "2", Ok(Value::Number(2.0))),
            (Kind::Seconds, "0.5", Ok(Value::Number(0.5))),
            (Kind::Seconds, "0", Err("a number of seconds above 0")),
            (Kind::Seconds, "nan", Err("a number of seconds above 0")),
            (Kind::Seconds, "1e300", Err("a number of seconds above 0")),
            (Kind::Number, "-1", Ok(Value::Number(-1.0))),
            (Kind::Number, "inf", Err("a number")),
            (Kind::Flag, "true", Ok(Value::Flag(true))),
            (Kind::Flag, "1", Err("true or false")),
        ] {
            assert_eq!(read(kind, text), value.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_value_is_shown_as_it_would_be_typed() {
        for (kind, text) in [
            (Kind::Text, r#""a \"b\"""#),
            (Kind::Number, "0.7"),
            (Kind::Seconds, "60"),
            (Kind::Whole(0, 9), "3"),
            (Kind::Texts, r#"["A", "B"]"#),
            (Kind::Flag, "false"),
        ] {
            let shown = read(kind, text).unwrap().to_string();
            assert_eq!(read(kind, &shown), read(kind, text), "{shown}");
        }
        assert_eq!(Value::from(60.0).to_string(), "60");
    }
}
