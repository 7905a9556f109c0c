//! JSON as it was meant. What is valid is read by `serde_json`; what is damaged by a reader of our own, which knows the
//! faults of models: raw line breaks, quotes that are not escaped, other quotes, trailing commas, comments, Python's
//! words, missing closers.

use serde_json::{Map, Value};

/// A value and how it ended.
#[derive(Debug, PartialEq)]
pub struct Meant {
    pub value: Value,
    /// Bytes of the text that it took.
    pub used: usize,
    /// Whether its own last closer was there; where it was not, the text may have been cut.
    pub closed: bool,
}

/// The value at the text's start; `Err` says how far the text was looked at in vain.
pub fn read(text: &str) -> Result<Meant, usize> {
    let mut strict = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Some(Ok(value)) = strict.next() {
        return Ok(Meant { value, used: strict.byte_offset(), closed: true });
    }
    let mut reader = Lenient { text, at: 0, depth: 0, closed: true };
    match reader.value(Place::Item) {
        Some(value) => Ok(Meant { value, used: reader.at, closed: reader.closed }),
        None => Err(reader.at.max(strict.byte_offset())),
    }
}

/// Where a string stands, which decides whether a quote may end it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    /// A member's value.
    Member,
    /// In a list, or alone.
    Item,
}

struct Lenient<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    closed: bool,
}

impl<'a> Lenient<'a> {
    const DEEPEST: usize = 64;

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// White space and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let text = rest.trim_start();
            self.at += rest.len() - text.len();
            let end = match () {
                () if text.starts_with("//") || text.starts_with('#') => text.find('\n').unwrap_or(text.len()),
                () if text.starts_with("/*") => text.find("*/").map_or(text.len(), |at| at + 2),
                () => return,
            };
            self.at += end;
        }
    }

    fn skip(&mut self, sign: char) {
        self.space();
        if self.peek() == Some(sign) {
            self.at += sign.len_utf8();
        }
    }

    fn value(&mut self, place: Place) -> Option<Value> {
        self.space();
        match self.peek()? {
            '{' | '[' if self.depth == Self::DEEPEST => None,
            '{' => self.object(),
            '[' => self.list(),
            '"' | '\'' | '`' => self.string(place).map(Value::String),
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
                Some('"' | '\'') => {
                    let key = self.string(Place::Key)?;
                    self.member(&mut map, key)?;
                }
                Some(c) if c.is_alphabetic() || c == '_' => {
                    let name = name_at(self.rest());
                    self.at += name.len();
                    if !self.rest().trim_start().starts_with(':') {
                        return None;
                    }
                    self.member(&mut map, name.to_owned())?;
                }
                // A closer of something further out, a tag's end, or the text's: this one is missing.
                Some(']' | '<') => break,
                None => {
                    self.closed = false;
                    break;
                }
                Some(_) => return None,
            }
        }
        self.depth -= 1;
        Some(Value::Object(map))
    }

    fn member(&mut self, map: &mut Map<String, Value>, key: String) -> Option<()> {
        self.skip(':');
        map.insert(key, self.value(Place::Member)?);
        Some(())
    }

    fn list(&mut self) -> Option<Value> {
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
                Some('}' | '<') => break,
                None => {
                    self.closed = false;
                    break;
                }
                Some(_) => items.push(self.value(Place::Item)?),
            }
        }
        self.depth -= 1;
        Some(Value::Array(items))
    }

    /// A string in any quotes; raw line breaks and tabs are taken as they are. A quote that nothing of JSON follows is
    /// text: code with quotes of its own, not escaped.
    fn string(&mut self, place: Place) -> Option<String> {
        let rest = self.rest();
        let quote = match ["\"\"\"", "'''"].into_iter().find(|triple| rest.starts_with(triple)) {
            Some(triple) if !ends_here(&rest[2..], place) => triple,
            _ => &rest[..1],
        };
        self.at += quote.len();
        let mut out = String::new();
        loop {
            let text = self.rest();
            let Some(plain) = text.find(['\\', '\r', '"', '\'', '`']) else {
                self.at = self.text.len();
                return None;
            };
            out.push_str(&text[..plain]);
            self.at += plain;
            let text = &text[plain..];
            if text.starts_with('\\') {
                self.escape(&mut out);
            } else if text.starts_with("\r\n") {
                self.at += 1;
            } else if text.starts_with(quote) && (quote.len() > 1 || ends_here(&text[1..], place)) {
                self.at += quote.len();
                return Some(out);
            } else {
                out.push(char::from(text.as_bytes()[0]));
                self.at += 1;
            }
        }
    }

    /// What JSON does not know (`\d`, a line that goes on) was a backslash of the text.
    fn escape(&mut self, out: &mut String) {
        self.at += 1;
        let Some(c) = self.peek() else { return out.push('\\') };
        self.at += c.len_utf8();
        match c {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            '"' | '\\' | '/' | '\'' | '`' => out.push(c),
            'u' => match unicode(self.rest()) {
                Some((c, used)) => {
                    out.push(c);
                    self.at += used;
                }
                None => out.push_str("\\u"),
            },
            other => out.extend(['\\', other]),
        }
    }

    /// A number, `true`, `None` and their like; other words are strings whose quotes are missing.
    fn word(&mut self) -> Option<Value> {
        let rest = self.rest();
        let end = rest.find([',', '}', ']', '\n', '#']).unwrap_or(rest.len());
        self.at += end;
        self.closed &= end < rest.len();
        match rest[..end].trim() {
            "" => None,
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" | "undefined" => Some(Value::Null),
            word if word.contains(['{', '[', '"', ':', '<']) => None,
            word => Some(serde_json::from_str(word).unwrap_or_else(|_| word.into())),
        }
    }
}

/// Whether what follows a quote is what follows a string's end.
fn ends_here(after: &str, place: Place) -> bool {
    let text = after.trim_start();
    let Some(next) = text.chars().next() else { return true };
    match (place, next) {
        (Place::Key, _) => true,
        (Place::Item, ',' | ']') => true,
        (Place::Member, ',') => {
            let member = text[1..].trim_start();
            member.is_empty() || member.starts_with(['}', '#']) || member.starts_with("//") || is_key(member)
        }
        // The closer of an object of the code would be followed by more code.
        (_, '}') => {
            let behind = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '}' | ']' | ',' | ';'));
            let closers = &text[..text.len() - behind.len()];
            behind.is_empty()
                || behind.starts_with(['<', '[', '`'])
                || (closers.contains(',') && (behind.starts_with('{') || is_key(behind)))
                || (closers.contains('\n') && !behind.starts_with(|c: char| c.is_alphanumeric() || "_\\".contains(c)))
        }
        (Place::Member, '"' | '\'') => is_key(text),
        (Place::Member, '#') => true,
        (Place::Member, '/') => text.starts_with("//") || text.starts_with("/*"),
        _ => false,
    }
}

/// `"name":`, in any quotes or none.
fn is_key(text: &str) -> bool {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.map_or(text, |_| &text[1..]);
    let name = name_at(inner);
    let rest = &inner[name.len()..];
    let rest = quote.map_or(Some(rest), |quote| rest.strip_prefix(quote));
    !name.is_empty() && rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

pub fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    &text[..end]
}

/// Four hexadecimal digits, or a pair of such for a character beyond them; and how many bytes they take.
fn unicode(text: &str) -> Option<(char, usize)> {
    let four = |text: &str| {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = four(text)?;
    let second = text[4..].strip_prefix("\\u").and_then(four).filter(|low| (0xdc00..0xe000).contains(low));
    match second {
        Some(low) if (0xd800..0xdc00).contains(&first) => {
            Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))?, 10))
        }
        _ => Some((char::from_u32(first).unwrap_or('\u{fffd}'), 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::{Value, json};

    fn value(text: &str) -> Option<Value> {
        read(text).ok().map(|meant| meant.value)
    }

    #[test]
    fn damaged_json_is_read_as_it_was_meant() {
        for (text, wanted) in [
            (r#"{"a": 1}"#, json!({"a": 1})),
            // Commas, closers, quotes.
            (r#"{"a": [1, 2,], }"#, json!({"a": [1, 2]})),
            (r#"{"a": {"b": "c""#, json!({"a": {"b": "c"}})),
            (r#"{"a": [1, 2}"#, json!({"a": [1, 2]})),
            (r#"{"a": "b" "c": "d"}"#, json!({"a": "b", "c": "d"})),
            (r#"{'a': 'b', 'c': "it's"}"#, json!({"a": "b", "c": "it's"})),
            (r#"{'a': 'it's so', 'c': 1}"#, json!({"a": "it's so", "c": 1})),
            (r#"{a: 1, b_c: "x"}"#, json!({"a": 1, "b_c": "x"})),
            (r#"{"a": app.py, "b": 1}"#, json!({"a": "app.py", "b": 1})),
            // Text as it is.
            ("{\"a\": \"x\n\ty\r\nz\"}", json!({"a": "x\n\ty\nz"})),
            ("{\"a\": \"\"\"x = \"y\"\nz\"\"\"}", json!({"a": "x = \"y\"\nz"})),
            ("{\"a\": `x \"y\"\nz`}", json!({"a": "x \"y\"\nz"})),
            ("{\"a\": \"\", }", json!({"a": ""})),
            (r#"{"a": "\d+ \$x \'y\' é \u12 😀",}"#, json!({"a": "\\d+ \\$x 'y' é \\u12 😀"})),
            ("{\"a\": \"x \\\n  y\"}", json!({"a": "x \\\n  y"})),
            // Quotes that should have been escaped.
            (r#"{"a": "print("x")", "b": 1}"#, json!({"a": "print(\"x\")", "b": 1})),
            (r#"{"a": "print("x", "y")\n", "b": 1}"#, json!({"a": "print(\"x\", \"y\")\n", "b": 1})),
            (r#"{"a": "d = {"k": "v"}\nprint(d)\n"}"#, json!({"a": "d = {\"k\": \"v\"}\nprint(d)\n"})),
            (r#"{"a": "d["k"]"}"#, json!({"a": "d[\"k\"]"})),
            // Words and comments.
            ("{\"a\": True, \"b\": None, \"c\": False}", json!({"a": true, "b": null, "c": false})),
            ("{\"a\": 1, // one\n /* two */ \"b\": 2 # three\n}", json!({"a": 1, "b": 2})),
            ("{\"a\": \"x\", // why\n\"b\": 2}", json!({"a": "x", "b": 2})),
        ] {
            assert_eq!(value(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in ["", "{", "hello", "{\"a", "{\"a\": \"b", "{a}", "[[[", "{\"a\": }"] {
            let read = read(text);
            assert!(read.as_ref().map_or(true, |meant| !meant.closed || meant.value.is_string()), "{text}: {read:?}");
        }
        assert!(value(&"[".repeat(10_000)).is_none());
        assert!(value(&"{\"a\":".repeat(10_000)).is_none());
    }

    #[test]
    fn a_missing_last_closer_is_told() {
        let closed = |text: &str| read(text).map(|meant| meant.closed);
        assert_eq!(closed(r#"{"a": {"b": 1,}}"#), Ok(true));
        assert_eq!(closed(r#"{"a": {"b": 1,}"#), Ok(false));
        assert_eq!(closed(r#"{"a": "x""#), Ok(false));
        assert_eq!(closed(r#"{"a": 12"#), Ok(false));
    }

    #[test]
    fn valid_json_is_taken_to_its_end_and_no_further() {
        let meant = read(r#"{"a": "}"} and {more}"#).expect("a value");
        assert_eq!((meant.used, meant.closed), (10, true));
    }
}
