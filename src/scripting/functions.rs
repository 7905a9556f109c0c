//! Pure host functions: text, patterns, data. Every one takes the text first, so that `ev.text.re_find(p)` reads well.
//!
//! Rhai checks the size of a result only once it exists, and a replacement can grow a text a millionfold: what can grow
//! is bounded here while it grows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ignore::overrides::OverrideBuilder;
use regex::{Captures, Regex, RegexBuilder};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use super::location::raise;
use super::meter::{MAX_ARRAY, MAX_STRING, Meter};
use super::world::Desk;
use super::{plain, text};
use crate::base::digest::sha256;

type Failure = Box<EvalAltResult>;

/// Compiled patterns, and texts and matches looked at since; enough for the scripts of one program.
const MAX_PATTERNS: usize = 200;

pub(super) fn register(engine: &mut Engine, desk: &Arc<Desk>) {
    patterns(engine, desk.meter());
    data(engine);
    bounded(engine);
    engine.register_fn("tokens", |text: &str| text::tokens(text));
    engine.register_fn("head", |text: &str, characters: i64| text::head(text, characters).to_owned());
    engine.register_fn("tail", |text: &str, characters: i64| text::tail(text, characters).to_owned());
    engine.register_fn("diff", |old: &str, new: &str| text::diff(old, new));
    engine.register_fn("fences", |text: &str| -> Array {
        text::fences(text)
            .into_iter()
            .map(|(lang, content)| Map::from([("lang".into(), lang.into()), ("content".into(), content.into())]).into())
            .collect()
    });
}

fn patterns(engine: &mut Engine, meter: &Arc<Meter>) {
    let cache = Arc::new(Patterns { compiled: Mutex::default(), meter: Arc::clone(meter) });
    let (find, find_all, replace) = (Arc::clone(&cache), Arc::clone(&cache), cache);
    engine.register_fn("re_find", move |text: &str, pattern: &str| -> Result<Dynamic, Failure> {
        let found = find.get(pattern)?;
        Ok(found.captures(text).map_or(Dynamic::UNIT, |captures| groups(&captures).into()))
    });
    engine.register_fn("re_find_all", move |text: &str, pattern: &str| find_all.find_all(text, pattern));
    engine.register_fn("re_replace", move |text: &str, pattern: &str, with: &str| replace.replace(text, pattern, with));
    engine.register_fn("glob_match", |path: &str, glob: &str| -> Result<bool, Failure> {
        let mut builder = OverrideBuilder::new("");
        let globs = builder.add(glob).and_then(|builder| builder.build());
        let globs = globs.map_err(|error| raise(format!("`{glob}` is no glob: {error}")))?;
        Ok(globs.matched(path, false).is_whitelist())
    });
}

struct Patterns {
    /// Shared by three functions of one thread, for one look-up at a time.
    compiled: Mutex<HashMap<String, Regex>>,
    meter: Arc<Meter>,
}

impl Patterns {
    fn get(&self, pattern: &str) -> Result<Regex, Failure> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = compiled.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| raise(format!("`{pattern}` is no pattern: {}", last_line(&error.to_string()))))?;
        if compiled.len() >= MAX_PATTERNS {
            compiled.clear();
        }
        compiled.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    fn find_all(&self, text: &str, pattern: &str) -> Result<Array, Failure> {
        let mut found = Array::new();
        for captures in self.get(pattern)?.captures_iter(text) {
            self.go_on(found.len())?;
            found.push(groups(&captures).into());
        }
        Ok(found)
    }

    fn replace(&self, text: &str, pattern: &str, with: &str) -> Result<String, Failure> {
        let mut out = String::new();
        let mut at = 0;
        for (count, captures) in self.get(pattern)?.captures_iter(text).enumerate() {
            self.go_on(count % MAX_ARRAY)?;
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(&text[at..whole.start()]);
            captures.expand(with, &mut out);
            at = whole.end();
            fits(out.len())?;
        }
        out.push_str(&text[at..]);
        fits(out.len())?;
        Ok(out)
    }

    /// A pattern can take long between two operations of the script.
    fn go_on(&self, count: usize) -> Result<(), Failure> {
        if count >= MAX_ARRAY {
            return Err(raise(format!("more than {MAX_ARRAY} matches")));
        }
        match (count % 64 == 63).then(|| self.meter.verdict()).flatten() {
            Some(why) => Err(raise(why)),
            None => Ok(()),
        }
    }
}

/// The whole match, then each group; one that took no part is empty.
fn groups(captures: &Captures<'_>) -> Array {
    captures.iter().map(|group| group.map_or("", |group| group.as_str()).into()).collect()
}

fn data(engine: &mut Engine) {
    engine.register_fn("sha256", |text: &str| sha256(text.as_bytes()));
    engine.register_fn("parse_json", |text: &str| -> Result<Dynamic, Failure> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| raise(format!("the text is no JSON: {error}")))?;
        Ok(plain::to_script(value))
    });
    engine.register_fn("to_json", |value: Dynamic| -> Result<String, Failure> {
        plain::to_json(&value).map(|value| value.to_string()).map_err(raise)
    });
}

/// Rhai's own versions of these build the whole result before anyone looks at its size.
fn bounded(engine: &mut Engine) {
    engine.register_fn("replace", |text: &mut ImmutableString, old: &str, new: &str| replace(text, old, new));
    engine.register_fn("replace", |text: &mut ImmutableString, old: char, new: &str| {
        replace(text, old.encode_utf8(&mut [0; 4]), new)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, old: &str, new: char| {
        replace(text, old, new.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("split", |text: &mut ImmutableString, by: &str| pieces(text.split(by)));
    engine.register_fn("split", |text: &mut ImmutableString, by: char| pieces(text.split(by)));
    engine.register_fn("split", |text: &mut ImmutableString| pieces(text.split_whitespace()));
    engine.register_fn("to_chars", |text: &mut ImmutableString| -> Result<Array, Failure> {
        countable(text.chars().count())?;
        Ok(text.chars().map(Dynamic::from).collect())
    });
}

fn replace(text: &mut ImmutableString, old: &str, new: &str) -> Result<(), Failure> {
    let growth = text.matches(old).count().saturating_mul(new.len().saturating_sub(old.len()));
    fits(text.len().saturating_add(growth))?;
    *text = text.replace(old, new).into();
    Ok(())
}

fn pieces<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Array, Failure> {
    let parts: Array = parts.take(MAX_ARRAY + 1).map(Into::into).collect();
    countable(parts.len())?;
    Ok(parts)
}

fn countable(count: usize) -> Result<(), Failure> {
    if count > MAX_ARRAY { Err(raise(format!("the text has more than {MAX_ARRAY} parts"))) } else { Ok(()) }
}

fn fits(length: usize) -> Result<(), Failure> {
    if length > MAX_STRING { Err(raise(format!("the text would be over {} MiB", MAX_STRING >> 20))) } else { Ok(()) }
}

/// The regex crate draws the pattern first; what is wrong stands in the last line.
fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or(text).trim_start_matches("error: ")
}
