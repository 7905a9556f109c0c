//! Tool calls: those that arrive as text in the shapes that models write, and native ones. Damaged JSON is read as it
//! was meant by a parser of our own: it accepts raw line breaks in strings, trailing commas and missing closers, and
//! no well-kept crate does just that.

use serde_json::{Map, Value};

use crate::base::path::RelPath;

use super::edit::text_of;
use super::{Action, Ending};

const TOOLS: [&str; 6] = ["write_file", "edit_file", "run", "read_file", "delete_file", "move_file"];

/// A native tool call as an action. One that was cut is refused, as is a tool that is not known.
pub fn from_tool_call(name: &str, arguments: &str, cut: bool) -> Action {
    let refused = |reason: &str| Action::Refused { what: format!("call {name}"), reason: reason.to_owned() };
    if cut {
        return refused("the call was cut: send it again");
    }
    match lenient(arguments) {
        Some((Value::Object(arguments), _)) => action(name, &arguments),
        Some((Value::Null, _)) | None if arguments.trim().is_empty() => action(name, &Map::new()),
        _ => refused("its arguments are no JSON object"),
    }
}

/// Whether a line outside of any block begins a call.
pub fn begins(line: &str) -> bool {
    let text = line.trim_start();
    ["<tool_call>", "<function=", "[TOOL_CALLS]"].iter().any(|sign| text.starts_with(sign)) || is_bare_call(text)
}

fn is_bare_call(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).take(40).collect();
    TOOLS.iter().any(|tool| compact.starts_with(&format!("{{\"name\":\"{tool}\"")))
}

/// The calls that begin on the first of these lines, and how many lines they take; `None` where one was cut.
pub fn read(lines: &[&str], ending: Ending) -> (Option<Vec<Action>>, usize) {
    let first = lines[0].trim_start();
    let closing = if first.starts_with("<tool_call>") {
        "</tool_call>"
    } else if first.starts_with("<function=") {
        "</function>"
    } else {
        return read_bare(lines, ending);
    };
    let end = lines.iter().position(|line| line.contains(closing));
    let taken = end.map_or(lines.len(), |at| at + 1);
    if end.is_none() && ending == Ending::Cut {
        return (None, taken);
    }
    let text = lines[..taken].join("\n");
    let body = text.trim().trim_start_matches("<tool_call>");
    let body = body.split("</tool_call>").next().unwrap_or(body).trim();
    (Some(calls(body)), taken)
}

fn read_bare(lines: &[&str], ending: Ending) -> (Option<Vec<Action>>, usize) {
    let text = lines.join("\n");
    let body = text.trim_start();
    let offset = text.len() - body.len();
    let marked = body.strip_prefix("[TOOL_CALLS]");
    let json = marked.unwrap_or(body);
    let json_at = offset + body.len() - json.len();
    // `[TOOL_CALLS]name{…}`
    let name: String = json.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let arguments = &json[name.len()..];
    let Some((value, used)) = lenient(arguments) else { return (Some(Vec::new()), 1) };
    let taken = text[..json_at + name.len() + used].matches('\n').count() + 1;
    if ending == Ending::Cut && used >= arguments.trim_end().len() && !arguments.trim_end().ends_with(['}', ']']) {
        return (None, taken);
    }
    let actions = match (name.is_empty(), value) {
        (false, Value::Object(arguments)) => vec![action(&name, &arguments)],
        (_, value) => of_value(&value),
    };
    (Some(actions), taken)
}

/// A fence without a path: `json` of that shape, or `tool_call`.
pub fn in_fence(language: &str, lines: &[&str], ending: Ending) -> Option<Vec<Action>> {
    let named = matches!(language, "tool_call" | "tool_code" | "tool" | "function_call");
    if !(named || language == "json" || language.is_empty()) || ending == Ending::Cut && lines.is_empty() {
        return None;
    }
    let text = lines.join("\n");
    let text = text.trim();
    if !named && !is_bare_call(text.trim_start_matches('[')) {
        return None;
    }
    let (value, _) = lenient(text)?;
    Some(of_value(&value)).filter(|actions| !actions.is_empty())
}

fn calls(body: &str) -> Vec<Action> {
    if body.starts_with("<function=") {
        return vec![xml(body)];
    }
    match lenient(body) {
        Some((value, _)) => of_value(&value),
        None => {
            vec![Action::Refused { what: "call (no name)".to_owned(), reason: "the tool call is no JSON".to_owned() }]
        }
    }
}

/// `{"name": …, "arguments": …}`, or a list of such.
fn of_value(value: &Value) -> Vec<Action> {
    match value {
        Value::Array(calls) => calls.iter().flat_map(of_value).collect(),
        Value::Object(call) => {
            let inner = call.get("function").and_then(Value::as_object).unwrap_or(call);
            let Some(name) = inner.get("name").and_then(Value::as_str) else { return Vec::new() };
            let arguments = inner.get("arguments").or_else(|| inner.get("parameters"));
            let parsed = match arguments {
                Some(Value::Object(arguments)) => Some(arguments.clone()),
                Some(Value::String(text)) => lenient(text).and_then(|(value, _)| value.as_object().cloned()),
                _ => None,
            };
            vec![action(name, &parsed.unwrap_or_default())]
        }
        _ => Vec::new(),
    }
}

/// `<function=name><parameter=key>value</parameter></function>`.
fn xml(body: &str) -> Action {
    let rest = body.trim_start_matches("<function=");
    let (name, rest) = rest.split_once('>').unwrap_or((rest, ""));
    let mut arguments = Map::new();
    for parameter in rest.split("<parameter=").skip(1) {
        let (key, value) = parameter.split_once('>').unwrap_or((parameter, ""));
        let value = value.split("</parameter>").next().unwrap_or(value);
        // One line break behind the tag and one before the next are the tags' own.
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        arguments.insert(key.trim().to_owned(), value.into());
    }
    action(name.trim(), &arguments)
}

fn action(name: &str, arguments: &Map<String, Value>) -> Action {
    let refused = |reason: String| Action::Refused { what: format!("call {name}"), reason };
    let text =
        |key: &str| names_of(key).find_map(|name| arguments.get(name)).and_then(Value::as_str).map(str::to_owned);
    let needed = |key: &str| text(key).ok_or_else(|| refused(format!("`{key}` is missing")));
    let path = |key: &str, word: &str| {
        let path = needed(key)?;
        RelPath::parse(&path).map_err(|why| Action::Refused { what: format!("{word} {path}"), reason: why.to_string() })
    };
    let made = || -> Result<Action, Action> {
        Ok(match name {
            "write_file" => Action::Write { path: path("path", "write")?, content: whole(&needed("content")?) },
            "edit_file" => Action::Edit {
                path: path("path", "edit")?,
                search: needed("search")?,
                replace: needed("replace")?,
                number: 1,
                of: 1,
            },
            "run" => Action::Run { script: needed("script")?.trim_end().to_owned() },
            "read_file" => {
                let what = needed("path")?;
                if !matches!(what.as_str(), "." | "./") {
                    path("path", "read")?;
                }
                Action::Read { what }
            }
            "delete_file" => Action::Delete { path: path("path", "delete")? },
            "move_file" => Action::Move { from: path("from", "move")?, to: path("to", "move")? },
            _ => return Err(refused(format!("no tool is named `{name}`; there are {}", TOOLS.join(", ")))),
        })
    };
    made().unwrap_or_else(|refused| refused)
}

/// A parameter's name, and what models call it too.
fn names_of(key: &str) -> impl Iterator<Item = &str> {
    let others: &[&str] = match key {
        "path" => &["file_path", "filename", "file", "name"],
        "content" => &["contents", "text", "file_text"],
        "search" => &["old_string", "old_str", "old", "old_text"],
        "replace" => &["new_string", "new_str", "new", "new_text"],
        "script" => &["command", "cmd", "code"],
        "from" => &["source", "old_path", "src"],
        "to" => &["destination", "new_path", "dest", "dst"],
        _ => &[],
    };
    std::iter::once(key).chain(others.iter().copied())
}

fn whole(content: &str) -> String {
    text_of(&content.split('\n').collect::<Vec<_>>())
}

/// A JSON value as it was meant, and how many bytes it took; `None` where none begins here.
fn lenient(text: &str) -> Option<(Value, usize)> {
    let mut reader = Lenient { text, at: 0, depth: 0 };
    let value = reader.value()?;
    Some((value, reader.at))
}

struct Lenient<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Lenient<'_> {
    const DEEPEST: usize = 64;

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn skip(&mut self, sign: char) -> bool {
        self.space();
        let there = self.peek() == Some(sign);
        self.at += if there { sign.len_utf8() } else { 0 };
        there
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.peek()? {
            '{' | '[' if self.depth == Self::DEEPEST => None,
            '{' => self.object(),
            '[' => self.array(),
            '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.at += 1;
        self.depth += 1;
        let mut map = Map::new();
        loop {
            self.space();
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    break;
                }
                Some(',') => self.at += 1,
                Some('"') => {
                    let key = self.string()?;
                    self.skip(':');
                    map.insert(key, self.value()?);
                }
                // A closer of something further out, or the end: this one is missing.
                Some(']') | None => break,
                Some(_) => return None,
            }
        }
        self.depth -= 1;
        Some(Value::Object(map))
    }

    fn array(&mut self) -> Option<Value> {
        self.at += 1;
        self.depth += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(']') => {
                    self.at += 1;
                    break;
                }
                Some(',') => self.at += 1,
                Some('}') | None => break,
                Some(_) => items.push(self.value()?),
            }
        }
        self.depth -= 1;
        Some(Value::Array(items))
    }

    /// Raw line breaks and tabs are taken as they are.
    fn string(&mut self) -> Option<String> {
        self.at += 1;
        let mut out = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Some(out);
                }
                '\\' => match characters.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => out.push(unicode(&mut characters)?),
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let end = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
        let value = serde_json::from_str(rest[..end].trim()).ok()?;
        self.at += end;
        Some(value)
    }
}

/// Four hexadecimal digits, or a pair of such for a character beyond them.
fn unicode(characters: &mut std::str::CharIndices<'_>) -> Option<char> {
    let mut four = || (0..4).try_fold(0, |sum, _| Some(sum * 16 + characters.next()?.1.to_digit(16)?));
    let first = four()?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).or(Some('\u{fffd}'));
    }
    let mut rest = characters.clone();
    if rest.next()?.1 != '\\' || rest.next()?.1 != 'u' {
        return Some('\u{fffd}');
    }
    *characters = rest;
    let mut four = || (0..4).try_fold(0, |sum, _| Some(sum * 16 + characters.next()?.1.to_digit(16)?));
    let second = four()?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)).or(Some('\u{fffd}'))
}
