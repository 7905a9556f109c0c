//! `config.toml` as typed: known keys with values of their kinds, or every fault with its line.

use std::fmt;

use toml::de::{DeTable, DeValue, Error};

use super::keys::{self, Key};
use super::value::Value;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// A key with what stands behind it, and the line that it stands in.
#[derive(Clone, Debug)]
pub struct Typed {
    pub key: &'static Key,
    pub value: Value,
    pub line: usize,
}

/// In the order of the lines, and so are the faults.
pub fn read(text: &str) -> Result<Vec<Typed>, Vec<Fault>> {
    let table = DeTable::parse(text).map_err(|error| vec![syntax(text, &error)])?;
    let mut reader = Reader { text, typed: Vec::new(), faults: Vec::new() };
    reader.table(table.get_ref(), "");
    let Reader { mut typed, mut faults, .. } = reader;
    typed.sort_by_key(|typed| typed.line);
    faults.sort_by_key(|fault| fault.line);
    if faults.is_empty() { Ok(typed) } else { Err(faults) }
}

struct Reader<'a> {
    text: &'a str,
    typed: Vec<Typed>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (name, value) in table {
            let full = format!("{prefix}{}", name.get_ref());
            let line = line(self.text, name.span().start);
            let problem = match (Key::find(&full), value.get_ref()) {
                (Some(key), value) => match key.kind.read(value) {
                    Ok(value) => {
                        self.typed.push(Typed { key, value, line });
                        continue;
                    }
                    Err(must_be) => format!("`{full}` must be {must_be}"),
                },
                (None, DeValue::Table(inner)) if keys::is_table(&full) => {
                    self.table(inner, &format!("{full}."));
                    continue;
                }
                (None, _) if keys::is_table(&full) => format!("`{full}` must be a table: `[{full}]`"),
                (None, _) => format!("unknown key `{full}`; the nearest known one is `{}`", keys::nearest(&full)),
            };
            self.faults.push(Fault { line, problem });
        }
    }
}

fn syntax(text: &str, error: &Error) -> Fault {
    let what: Vec<&str> = error.message().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Fault { line: line(text, error.span().map_or(0, |span| span.start)), problem: what.join(", ") }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::settings::keys::KEYS;

    #[track_caller]
    fn faults(text: &str) -> Vec<String> {
        read(text).map(|_| ()).expect_err(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest_one() {
        for (text, wanted) in [
            (
                "[loop]\nmax_turn = 3\n",
                "line 2: unknown key `loop.max_turn`; the nearest known one is `loop.max_turns`",
            ),
            // It is known, in another table.
            (
                "[model]\n\nmax_turns = 3\n",
                "line 3: unknown key `model.max_turns`; the nearest known one is `loop.max_turns`",
            ),
            (
                "[sandbox.limit]\nwall_s = 3\n",
                "line 1: unknown key `sandbox.limit`; the nearest known one is `sandbox.limits`",
            ),
            ("modle.name = 'x'\n", "line 1: unknown key `modle`; the nearest known one is `model`"),
            ("sandbox = 'off'\n", "line 1: `sandbox` must be a table: `[sandbox]`"),
            ("[model.name]\nx = 1\n", "line 1: `model.name` must be text in quotes"),
        ] {
            assert_eq!(faults(text), [wanted], "{text}");
        }
    }

    #[test]
    fn every_fault_is_told_in_the_order_of_the_lines() {
        let told = faults("[sandbox]\nnetwork = 'on'\n[loop]\nmax_turns = 0\nmax_repair = 1\n");
        let wanted = [
            "line 2: `sandbox.network` must be \"off\" or \"full\"",
            "line 4: `loop.max_turns` must be a whole number from 1 to 1073741824",
            "line 5: unknown key `loop.max_repair`; the nearest known one is `loop.max_repairs`",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        assert_eq!(faults("[model\n"), ["line 1: unclosed table, expected `]`"]);
        assert_eq!(faults("\n[model]\nname = x\n").len(), 1);
        assert!(faults("[model]\nseed = 1\nseed = 2\n")[0].starts_with("line 3: duplicate key"));
    }

    #[test]
    fn every_key_takes_its_default_or_its_example() {
        for key in KEYS {
            let (table, name) = key.parts();
            let value = super::super::reference::shown(key);
            let typed = read(&format!("[{table}]\n{name} = {value}\n")).expect(key.name);
            assert_eq!((typed.len(), typed[0].key.name, typed[0].line), (1, key.name, 2));
        }
    }
}
