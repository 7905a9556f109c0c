//! What is written into an archive with its keys blotted out: each byte of a key becomes a star, so that every length and
//! position that the session's records name stays true.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use crate::base::secrets::blotted;

/// What of a record tells whether its text is a piece of something longer.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "kind", default)]
    stream: String,
}

/// A string of the log, or a piece of one: a reply's text comes in many records.
struct Piece {
    /// The literal with its quotes.
    at: Range<usize>,
    text: String,
}

/// The log. A key may lie in several records of a reply.
pub fn log(text: &str) -> Cow<'_, str> {
    let mut new = Vec::new();
    let mut streams: HashMap<String, Vec<Piece>> = HashMap::new();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let head = serde_json::from_str::<Head>(line).ok();
        let of_a_reply = head.as_ref().filter(|head| head.kind == "reply_delta");
        if of_a_reply.is_none() {
            streams.drain().for_each(|(_, pieces)| join(pieces, &mut new));
        }
        let mut name = String::new();
        for literal in literals(text, from..from + line.len()) {
            let is_name = text[literal.at.end..].starts_with(':');
            match of_a_reply {
                Some(head) if !is_name && name == "text" => {
                    streams.entry(head.stream.clone()).or_default().push(literal);
                }
                _ => alone(literal, is_name, &mut name, &mut new),
            }
        }
        from += line.len();
    }
    streams.drain().for_each(|(_, pieces)| join(pieces, &mut new));
    with(text, new)
}

/// A file of JSON.
pub fn json(text: &str) -> Cow<'_, str> {
    let (mut new, mut name) = (Vec::new(), String::new());
    for literal in literals(text, 0..text.len()) {
        let is_name = text[literal.at.end..].starts_with(':');
        alone(literal, is_name, &mut name, &mut new);
    }
    with(text, new)
}

/// What a program printed, text or not.
pub fn output(bytes: &[u8]) -> Vec<u8> {
    let chunks = bytes.utf8_chunks();
    chunks.flat_map(|chunk| [blotted(chunk.valid()).as_bytes(), chunk.invalid()].concat()).collect()
}

/// The strings of a piece of JSON, damaged or not, in order.
fn literals(text: &str, within: Range<usize>) -> impl Iterator<Item = Piece> {
    let bytes = text.as_bytes();
    let mut at = within.start;
    std::iter::from_fn(move || {
        loop {
            let start = at + bytes[at..within.end].iter().position(|byte| *byte == b'"')?;
            let mut end = start + 1;
            while end < within.end && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            at = (end + 1).min(within.end);
            if let Some(text) = text.get(start..at).and_then(|literal| serde_json::from_str(literal).ok()) {
                return Some(Piece { at: start..at, text });
            }
        }
    })
}

/// A string by itself; a value beside its name, which may say that it is a key.
fn alone(literal: Piece, is_name: bool, name: &mut String, new: &mut Vec<(Range<usize>, String)>) {
    if is_name {
        name.clone_from(&literal.text);
        return join(vec![literal], new);
    }
    let named = format!("{name}=\"{}\"", literal.text);
    if let Cow::Owned(blotted) = blotted(&named) {
        let now = &blotted[blotted.len() - 1 - literal.text.len()..blotted.len() - 1];
        new.push((literal.at, serde_json::Value::from(now).to_string()));
    }
}

/// Adds what has to be written anew of these pieces of one text.
fn join(pieces: Vec<Piece>, new: &mut Vec<(Range<usize>, String)>) {
    let whole: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    let Cow::Owned(blotted) = blotted(&whole) else { return };
    let mut from = 0;
    for Piece { at, text } in pieces {
        // A border inside of a key lies between stars.
        let now = blotted.get(from..from + text.len()).unwrap_or_default();
        from += text.len();
        if now != text {
            new.push((at, serde_json::Value::from(now).to_string()));
        }
    }
}

fn with(text: &str, mut new: Vec<(Range<usize>, String)>) -> Cow<'_, str> {
    if new.is_empty() {
        return Cow::Borrowed(text);
    }
    new.sort_by_key(|(at, _)| at.start);
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, now) in new {
        out.push_str(&text[from..at.start]);
        out.push_str(&now);
        from = at.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{json, log, output};

    fn key() -> String {
        // Put together here, so that no tool takes this file for a leak.
        ["sk", "-proj-", "abcDEF123456ghiJKL7890"].concat()
    }

    fn delta(kind: &str, text: &str) -> String {
        format!("{}\n", serde_json::json!({"v": 1, "type": "reply_delta", "kind": kind, "text": text}))
    }

    #[test]
    fn a_key_in_many_records_goes_from_each_and_nothing_else_moves() {
        let key = key();
        let reply = ["say ", &key[..5], &key[5..12], &key[12..], " and\n\"more\""];
        let mut text = reply.map(|piece| delta("text", piece)).concat();
        text.insert_str(0, &delta("reasoning", &key[..9]));
        let between = text.find("\"more").map(|_| delta("reasoning", &key[9..])).unwrap_or_default();
        text.push_str(&between);
        let rest = "{\"v\":1,\"type\":\"user_message\",\"text\":\"plain \\u00e9\",\"new\":[1.50]}\n{torn \"x";
        text.push_str(rest);
        let found = log(&text);
        assert!(!found.contains("sk-") && !found.contains("JKL") && found.ends_with(rest), "{found}");
        let stars = "*".repeat(key.len());
        let said: String = found
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|record| record["kind"] == "text")
            .filter_map(|record| Some(record["text"].as_str()?.to_owned()))
            .collect();
        assert_eq!(said, format!("say {stars} and\n\"more\""));
        assert_eq!(log(&found), found);
    }

    #[test]
    fn a_quoted_key_in_a_report_and_in_an_output_goes() {
        let report = format!("{{\n  \"command\": \"export \\\"TOKEN\\\"=\\\"{}\\\"\"\n}}\n", key());
        let found = json(&report);
        assert!(!found.contains("abcDEF") && found.len() == report.len(), "{found}");
        let state = r#"{"type":"script_state","state":{"api_key":"q7w8e9r0t1y2"},"script":"q7w8e9r0t1y2"}"#;
        assert_eq!(log(state), state.replacen("q7w8e9r0t1y2", "************", 1));
        let printed = [b"\xff", key().as_bytes(), b"\xfe\n"].concat();
        assert_eq!(output(&printed), [b"\xff".as_slice(), "*".repeat(key().len()).as_bytes(), b"\xfe\n"].concat());
    }

    proptest! {
        #[test]
        fn what_holds_no_key_is_as_it_was(text in "([a-z{}\\[\\]:,0-9 \"\\\\\n]|\"text\":\"|\"type\":\"reply_delta\"|\u{e9}){0,60}") {
            prop_assert_eq!(log(&text), text.as_str());
            prop_assert_eq!(json(&text), text.as_str());
            prop_assert_eq!(output(text.as_bytes()), text.as_bytes());
        }
    }
}
