//! Tool calls in a reply's text: the shapes that chat templates teach, where a server did not take them out, and JSON
//! that models write by themselves.

use serde_json::{Map, Value};

use super::json::{self, Meant};
use super::{NO_JSON, action, bare_name, is_tool, refused};
use crate::reply::thought;
use crate::reply::{Action, Ending};

/// What begins at a place of the text.
pub enum Read {
    /// These calls, of so many bytes; more may have been looked at.
    Calls { calls: Vec<Action>, used: usize, looked_at: usize },
    /// A call whose end the length limit took: the rest of the text belongs to it.
    Cut,
    /// No call; so many bytes were looked at to know it.
    NoCall(usize),
}

/// Calls as they were found.
struct Taken {
    calls: Vec<Action>,
    used: usize,
    /// Whether its own end was there.
    closed: bool,
    looked_at: usize,
}

impl Taken {
    fn new(calls: Vec<Action>, used: usize, closed: bool) -> Self {
        Self { calls, used, closed, looked_at: used }
    }
}

/// A sign that a call follows, and the one behind it.
const TAGS: [(&str, &str); 8] = [
    ("<tool_call>", "</tool_call>"),
    ("<tool_calls>", "</tool_calls>"),
    ("<function_call>", "</function_call>"),
    ("<TOOLCALL>", "</TOOLCALL>"),
    ("<|tool_call|>", "<|/tool_call|>"),
    // Mistral's and Llama's have no end of their own.
    ("[TOOL_CALLS]", ""),
    ("<|python_tag|>", ""),
    ("<|tool_call_begin|>", "<|tool_call_end|>"),
];

/// DeepSeek's. What stands around a group of calls is passed over.
const DEEPSEEK: (&str, &str, &str) = ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>");
const AROUND: [&str; 4] =
    ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"];

/// Between a call's name and its arguments: Mistral's and Kimi's.
const BEFORE_ARGUMENTS: [&str; 2] = ["[ARGS]", "<|tool_call_argument_begin|>"];

const FENCE: &str = "```";

/// How far a bare object is looked at for a tool's name.
const NEAR: usize = 120;

/// Whether a call may begin with the line at the start of this text, which is outside of any block.
pub fn begins(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t']);
    match text.as_bytes().first() {
        Some(b'<') => has_sign(text) || thought::channel(text).is_some_and(|(header, _)| header.contains("to=")),
        Some(b'[') => has_sign(text) || is_bare(text),
        Some(b'{') => is_bare(text),
        _ => false,
    }
}

/// Where in a line a call follows words that announce it.
pub fn after_words(line: &str) -> Option<usize> {
    let at = line.find(TAGS[0].0)?;
    let (words, call) = line.split_at(at);
    let body = call[TAGS[0].0.len()..].trim_start();
    let is_call = body.is_empty() || body.starts_with(['{', '[']);
    (is_call && !words.contains('`') && !words.trim().is_empty()).then_some(at)
}

fn has_sign(text: &str) -> bool {
    TAGS.iter().any(|(open, _)| text.strip_prefix(open).is_some_and(is_body))
        || ["<function=", "<invoke name=", DEEPSEEK.0].iter().chain(&AROUND).any(|sign| text.starts_with(sign))
}

/// Whether JSON, a tag, a fence or a name alone follows; else the sign is a word in a sentence.
fn is_body(text: &str) -> bool {
    let text = text.trim_start();
    let name = text.trim_start_matches(|c: char| c.is_alphanumeric() || "_-.:".contains(c));
    let after = name.trim_start_matches([' ', '\r']);
    text.is_empty()
        || text.starts_with(['{', '[', '<', '`'])
        || after.is_empty()
        || after.starts_with(['\n', '{', '[', '<'])
}

/// An object or a list of such with a tool's name near its start.
fn is_bare(text: &str) -> bool {
    let near = text.floor_char_boundary(NEAR);
    let start = text[..near].trim_start_matches(|c: char| c == '[' || c.is_whitespace());
    let Some(inner) = start.strip_prefix('{') else { return false };
    let mut words = inner.split(['"', '\'']);
    let is_key = inner.trim_start().starts_with(['"', '\'']);
    is_key && words.any(is_tool)
}

/// The calls at the start of the text.
pub fn read(text: &str, ending: Ending) -> Read {
    let body = text.trim_start();
    match taken(body) {
        Ok(Taken { closed: false, .. }) if ending == Ending::Cut => Read::Cut,
        Ok(Taken { calls, used, looked_at, .. }) => {
            let before = text.len() - body.len();
            Read::Calls { calls, used: before + used, looked_at: before + looked_at }
        }
        Err(looked_at) => Read::NoCall(looked_at),
    }
}

/// A fence without a path: `json` of that shape, `tool_call`, or any of the shapes in a fence of no language.
pub fn in_fence(language: &str, lines: &[&str], ending: Ending) -> Option<Vec<Action>> {
    let named = matches!(language, "tool_call" | "tool_code" | "tool" | "function_call");
    if !(named || matches!(language, "json" | "xml" | "")) {
        return None;
    }
    let text = lines.join("\n");
    let mut rest = text.trim();
    let mut calls = Vec::new();
    while !rest.is_empty() {
        let used = if has_sign(rest) || is_bare(rest) {
            let Read::Calls { calls: found, used, .. } = read(rest, ending) else { return None };
            calls.extend(found);
            used
        } else if named {
            let Meant { value, used, .. } = json::read(rest).ok()?;
            calls.extend(of_value(&value));
            used
        } else {
            return None;
        };
        rest = rest[used..].trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
    }
    Some(calls).filter(|calls| !calls.is_empty())
}

fn taken(text: &str) -> Result<Taken, usize> {
    if let Some((open, close)) = TAGS.iter().find(|(open, _)| text.starts_with(open)) {
        return Ok(tagged(text, open, close));
    }
    if let Some(sign) = AROUND.iter().find(|sign| text.starts_with(**sign)) {
        return Ok(Taken::new(Vec::new(), sign.len(), true));
    }
    if text.starts_with("<function=") || text.starts_with("<invoke name=") {
        return Ok(tags(text));
    }
    if let Some(call) = text.strip_prefix(DEEPSEEK.0) {
        return Ok(deepseek(text, call));
    }
    if let Some((header, body)) = thought::channel(text) {
        return channel(text, header, body);
    }
    let Meant { value, used, closed } = json::read(text)?;
    match names(&value) {
        names if !names.is_empty() && names.iter().all(|name| is_tool(name)) => {
            Ok(Taken::new(of_value(&value), used, closed))
        }
        _ => Err(used),
    }
}

/// A sign, then JSON, a name and JSON, or tags.
fn tagged(text: &str, open: &str, close: &str) -> Taken {
    let rest = after_fence(text[open.len()..].trim_start());
    let (calls, rest, closed) = if rest.starts_with(['{', '[']) {
        match json::read(rest) {
            Ok(Meant { value, used, closed }) => (of_value(&value), &rest[used..], closed),
            Err(looked_at) => return unread(text, (open, close), None, text.len() - rest.len() + looked_at),
        }
    } else if rest.starts_with("<function=") {
        let Taken { calls, used, closed, .. } = tags(rest);
        (calls, &rest[used..], closed)
    } else {
        let name = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || "_-.:".contains(c))).unwrap_or(rest.len())];
        let arguments = before_arguments(&rest[name.len()..]);
        if arguments.starts_with("<arg_key>") {
            let (arguments, rest) = pairs(arguments);
            (vec![action(bare_name(name), &arguments)], rest, !rest.is_empty())
        } else {
            let begun = text.len() - arguments.len();
            match arguments.starts_with('{').then(|| json::read(arguments)) {
                Some(Ok(Meant { value: Value::Object(map), used, closed })) => {
                    (vec![action(bare_name(name), &map)], &arguments[used..], closed)
                }
                Some(Err(looked_at)) => return unread(text, (open, close), Some(name), begun + looked_at),
                _ => return unread(text, (open, close), None, begun),
            }
        }
    };
    // Closers too many, the end of a fence inside, `;` between two of Llama's calls.
    let is_filling = |c: char| c.is_whitespace() || matches!(c, '}' | ']' | ';');
    let behind = rest.trim_start_matches(is_filling);
    let is_fenced = text[open.len()..].trim_start().starts_with(FENCE);
    let behind = behind.strip_prefix(FENCE).filter(|_| is_fenced).map_or(behind, |rest| rest.trim_start());
    match behind.strip_prefix(close) {
        Some(after) if !close.is_empty() => Taken::new(calls, text.len() - after.len(), true),
        _ if open == "<|python_tag|>" && is_bare(behind) => {
            let used = text.len() - behind.len();
            let Ok(more) = taken(behind) else { return Taken::new(calls, used, closed) };
            let calls = calls.into_iter().chain(more.calls).collect();
            Taken::new(calls, used + more.used, more.closed)
        }
        _ => {
            let closed = closed && (close.is_empty() || !behind.is_empty());
            Taken::new(calls, text.len() - behind.len(), closed)
        }
    }
}

/// What says that it is a call and cannot be read as one: up to its end, or else the lines that were looked at.
fn unread(text: &str, (open, close): (&str, &str), name: Option<&str>, looked_at: usize) -> Taken {
    let begun = open.len().min(text.len());
    let own = text.get(begun..).and_then(|rest| rest.find(open)).map_or(text, |at| &text[..begun + at]);
    let end = if close.is_empty() { None } else { own.find(close).map(|at| at + close.len()) };
    let near = looked_at.min(own.len());
    let line_end = own.as_bytes()[near..].iter().position(|byte| *byte == b'\n').map(|at| near + at);
    let used = end.or(line_end).unwrap_or(own.len());
    let call = match name.map(bare_name).filter(|name| !name.is_empty()) {
        Some(name) if !is_tool(name) => action(name, &Map::new()),
        name => refused(name.unwrap_or_default(), NO_JSON),
    };
    Taken { calls: vec![call], used, closed: end.is_some() || used < text.len(), looked_at }
}

/// A fence's opener inside a tag is passed over.
fn after_fence(text: &str) -> &str {
    match text.strip_prefix(FENCE) {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start(),
        None => text,
    }
}

fn before_arguments(text: &str) -> &str {
    let text = text.trim_start();
    // Mistral's number of a call.
    let text = match text.strip_prefix("[CALL_ID]") {
        Some(rest) => rest.find('[').map_or(rest, |at| &rest[at..]),
        None => text,
    };
    let text = BEFORE_ARGUMENTS.iter().find_map(|sign| text.strip_prefix(sign)).unwrap_or(text);
    after_fence(text.trim_start())
}

/// GLM's: `<arg_key>path</arg_key><arg_value>a.py</arg_value>`, and what follows.
fn pairs(text: &str) -> (Map<String, Value>, &str) {
    let mut arguments = Map::new();
    let mut rest = text;
    while let Some(pair) = rest.trim_start().strip_prefix("<arg_key>") {
        let Some((key, value)) = pair.split_once("</arg_key>") else { return (arguments, "") };
        let value = value.trim_start().strip_prefix("<arg_value>").unwrap_or(value);
        let Some((value, after)) = value.split_once("</arg_value>") else { return (arguments, "") };
        arguments.insert(key.trim().to_owned(), without_own_breaks(value).into());
        rest = after;
    }
    (arguments, rest)
}

/// `<function=name><parameter=key>value</parameter></function>`, or with JSON inside, or as `<invoke name="name">`.
fn tags(text: &str) -> Taken {
    let (open, key_open, close) = match text.starts_with("<function=") {
        true => ("<function=", "<parameter=", "</function>"),
        false => ("<invoke name=", "<parameter name=", "</invoke>"),
    };
    let end = text.find(close);
    let body = &text[open.len()..end.unwrap_or(text.len())];
    let used = end.map_or(text.len(), |at| at + close.len());
    let (name, mut rest) = body.split_once('>').unwrap_or((body, ""));
    let name = bare_name(name);
    let mut arguments = Map::new();
    if rest.trim_start().starts_with('{') {
        let Ok(Meant { value: Value::Object(map), .. }) = json::read(rest.trim_start()) else {
            return Taken::new(vec![refused(name, NO_JSON)], used, end.is_some());
        };
        arguments = map;
    }
    while let Some(at) = rest.find(key_open) {
        let (key, value) = rest[at + key_open.len()..].split_once('>').unwrap_or_default();
        let (value, after) = parameter(value, key_open);
        arguments.insert(bare_name(key).to_owned(), without_own_breaks(value).into());
        rest = after;
    }
    Taken::new(vec![action(name, &arguments)], used, end.is_some())
}

/// A parameter's value and what follows it. It ends at the last closing tag before the next parameter.
fn parameter<'a>(text: &'a str, key_open: &str) -> (&'a str, &'a str) {
    const CLOSE: &str = "</parameter>";
    let is_next = |at: &usize| text[..*at].ends_with('\n') || text[..*at].trim_end().ends_with(CLOSE);
    let next = text.match_indices(key_open).map(|(at, _)| at).find(is_next).unwrap_or(text.len());
    (text[..next].rfind(CLOSE).map_or(&text[..next], |end| &text[..end]), &text[next..])
}

/// One line break behind a tag and one before the next are the tags' own.
fn without_own_breaks(value: &str) -> &str {
    let breaks = |text: &str| text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).map(str::len);
    let value = &value[value.len() - breaks(value).unwrap_or(value.len())..];
    let value = value.strip_suffix('\n').unwrap_or(value);
    value.strip_suffix('\r').unwrap_or(value)
}

fn deepseek<'a>(text: &'a str, call: &'a str) -> Taken {
    let (_, separator, close) = DEEPSEEK;
    let ends = (DEEPSEEK.0, close);
    let Some((kind, rest)) = call.split_once(separator) else { return unread(text, ends, None, DEEPSEEK.0.len()) };
    // The older form writes the kind first, then name and a fence.
    let (name, rest) =
        if kind.trim() == "function" { rest.split_once('\n').unwrap_or((rest, "")) } else { (kind, rest) };
    let arguments = after_fence(rest.trim_start());
    match json::read(arguments) {
        Ok(Meant { value: Value::Object(map), used, closed }) => {
            let behind = arguments[used..].trim_start();
            let behind = behind.strip_prefix(FENCE).filter(|_| rest.trim_start().starts_with(FENCE)).unwrap_or(behind);
            let after = behind.trim_start().strip_prefix(close).unwrap_or(behind);
            Taken::new(vec![action(bare_name(name), &map)], text.len() - after.len(), closed)
        }
        Ok(_) => unread(text, ends, Some(name), text.len() - arguments.len()),
        Err(looked_at) => unread(text, ends, Some(name), text.len() - arguments.len() + looked_at),
    }
}

/// gpt-oss: `<|channel|>commentary to=functions.run <|constrain|>json<|message|>{…}<|call|>`.
fn channel(text: &str, header: &str, body: &str) -> Result<Taken, usize> {
    let to = header.split("to=").nth(1).ok_or(header.len())?;
    let name = bare_name(to.split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default());
    let ends = ["<|call|>", "<|end|>"];
    match json::read(body) {
        Ok(Meant { value: Value::Object(map), used, closed }) => {
            let behind = body[used..].trim_start();
            let after = ends.iter().find_map(|end| behind.strip_prefix(end)).unwrap_or(behind);
            Ok(Taken::new(vec![action(name, &map)], text.len() - after.len(), closed))
        }
        Ok(_) => Ok(unread(text, ("<|start|>", ends[0]), Some(name), text.len() - body.len())),
        Err(looked_at) => Ok(unread(text, ("<|start|>", ends[0]), Some(name), text.len() - body.len() + looked_at)),
    }
}

/// The names of the tools that a value calls, as far as it has that shape.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(calls) => calls.iter().flat_map(names).collect(),
        Value::Object(call) => match call.get("tool_calls") {
            Some(calls) => names(calls),
            None => name_and_arguments(call).into_iter().map(|(name, _)| name).collect(),
        },
        _ => Vec::new(),
    }
}

fn of_value(value: &Value) -> Vec<Action> {
    match value {
        Value::Array(calls) => calls.iter().flat_map(of_value).collect(),
        Value::Object(call) => match (call.get("tool_calls"), name_and_arguments(call)) {
            (Some(calls), _) => of_value(calls),
            (None, Some((name, Some(arguments)))) => vec![action(name, &arguments)],
            (None, Some((name, None))) => vec![refused(name, NO_JSON)],
            (None, None) => vec![refused("", "the tool call names no tool")],
        },
        _ => vec![refused("", "the tool call names no tool")],
    }
}

/// `{"name": …, "arguments": {…}}` in its variants; `None` for arguments that are none.
fn name_and_arguments(call: &Map<String, Value>) -> Option<(&str, Option<Map<String, Value>>)> {
    const NAMES: [&str; 5] = ["name", "tool", "tool_name", "function", "recipient_name"];
    const ARGUMENTS: [&str; 6] = ["arguments", "parameters", "args", "params", "input", "tool_input"];
    if let Some(Value::Object(inner)) = call.get("function") {
        return name_and_arguments(inner);
    }
    // `{"write_file": {…}}`
    if let (1, Some((name, Value::Object(arguments)))) = (call.len(), call.iter().next())
        && is_tool(name)
    {
        return Some((name, Some(arguments.clone())));
    }
    let (key, name) = NAMES.iter().find_map(|key| Some((*key, call.get(*key)?.as_str()?)))?;
    let arguments = match ARGUMENTS.iter().find_map(|key| call.get(*key)) {
        Some(Value::Object(arguments)) => Some(arguments.clone()),
        Some(Value::String(text)) => json::read(text).ok().and_then(|meant| meant.value.as_object().cloned()),
        Some(Value::Null) => Some(Map::new()),
        Some(_) => None,
        // The arguments beside the name.
        None => Some(call.iter().filter(|(other, _)| *other != key).map(|(k, v)| (k.clone(), v.clone())).collect()),
    };
    Some((bare_name(name), arguments))
}
