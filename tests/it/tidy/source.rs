//! One Rust file as the tidy rules see it: its tokens, which of them are test code, its functions, the paths it names.
//!
//! proc-macro2 reads the tokens, so that no string, character or comment can be mistaken for code. What a token means
//! is judged from its neighbours alone; nothing is expanded or type-checked.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub struct Source {
    /// Relative to the repository's root, with `/`.
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
}

/// Groups are laid flat: each bracket is a token that knows where its partner stands.
pub struct Token {
    pub text: String,
    /// From 1.
    pub line: usize,
    pub test: bool,
    partner: usize,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub lines: usize,
    pub bools: usize,
    pub test: bool,
    pub body: Range<usize>,
    /// Marked `#[test]`.
    pub is_test: bool,
}

/// A `mod name;` or `mod name { … }`.
pub struct Module {
    pub name: String,
    pub test: bool,
    /// The tokens between the braces; `None`: it is another file.
    pub body: Option<Range<usize>>,
}

/// A path as written, its names in order; an imported group gives one of each.
pub struct Named {
    pub names: Vec<String>,
    pub line: usize,
    pub at: usize,
    pub test: bool,
    /// What an import calls it here; `None`: it is no import.
    pub binds: Option<String>,
}

impl Source {
    pub fn parse(path: &str, text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error| format!("{path}:1: does not lex: {error}"))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let mut source = Self { path: path.to_owned(), text: text.to_owned(), tokens };
        for range in source.test_items().collect::<Vec<_>>() {
            source.tokens[range].iter_mut().for_each(|token| token.test = true);
        }
        Ok(source)
    }

    pub fn is(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.tokens.get(at + offset).is_some_and(|t| t.text == *word))
    }

    /// Marks all of it as test code: a file that only a `#[cfg(test)] mod` reaches.
    pub fn mark_as_test(&mut self) {
        self.tokens.iter_mut().for_each(|token| token.test = true);
    }

    /// Lines that hold test code, blank ones between included.
    pub fn test_lines(&self) -> usize {
        if !self.tokens.is_empty() && self.tokens.iter().all(|token| token.test) {
            return self.text.lines().count();
        }
        self.test_items().map(|range| self.tokens[range.end - 1].line + 1 - self.tokens[range.start].line).sum()
    }

    pub fn functions(&self) -> Vec<Function> {
        (0..self.tokens.len()).filter_map(|at| self.function(at)).collect()
    }

    pub fn modules(&self) -> Vec<Module> {
        let declared = (0..self.tokens.len()).filter(|at| self.tokens[*at].text == "mod").filter_map(|at| {
            let name = self.tokens.get(at + 1)?.text.clone();
            let body = match self.tokens.get(at + 2)?.text.as_str() {
                "{" => Some(at + 3..self.tokens[at + 2].partner),
                ";" => None,
                _ => return None,
            };
            Some(Module { name, test: self.tokens[at].test, body })
        });
        declared.collect()
    }

    /// Every path of two names or more, in code and in imports.
    pub fn paths(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if is_name(&self.tokens[at].text) && self.is(at + 1, &[":", ":"]) {
                let (before, import) = (found.len(), at > 0 && self.is(at - 1, &["use"]));
                at = self.read_path(at, &[], &mut found);
                if !import {
                    found[before..].iter_mut().for_each(|named| named.binds = None);
                }
            } else {
                at += 1;
            }
        }
        found
    }

    /// Reads the path that begins at `at`, below `prefix`; gives the index behind it.
    fn read_path(&self, mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
        let mut names = prefix.to_vec();
        let start = at;
        while let Some(token) = self.tokens.get(at) {
            if token.text == "{" && at > start {
                let end = token.partner;
                let mut part = at + 1;
                while part < end {
                    part = self.read_path(part, &names, found).max(part + 1);
                }
                return end + 1;
            }
            if !is_name(&token.text) && token.text != "*" {
                break;
            }
            names.push(token.text.clone());
            at += 1;
            if !self.is(at, &[":", ":"]) {
                break;
            }
            at += 2;
        }
        let renamed = self.is(at, &["as"]).then(|| self.tokens.get(at + 1)).flatten();
        if names.len() > prefix.len() && names.len() > 1 {
            let Token { line, test, .. } = self.tokens[start];
            let own = names.iter().rfind(|name| *name != "self").cloned();
            let binds = renamed.map(|token| token.text.clone()).or(own);
            found.push(Named { names, line, at: start, test, binds });
        }
        if renamed.is_some() { at + 2 } else { at }
    }

    /// What stands behind `#[cfg(test)]`, its attribute included.
    fn test_items(&self) -> impl Iterator<Item = Range<usize>> {
        let mut behind = 0;
        (0..self.tokens.len()).filter_map(move |at| {
            let marked = self.is(at, &["#", "[", "cfg", "(", "test", ")", "]"])
                || self.is(at, &["#", "[", "cfg", "(", "all", "(", "test", ","]);
            if at < behind || !marked {
                return None;
            }
            behind = self.end_of_item(at);
            Some(at..behind)
        })
    }

    /// The index behind the item whose first attribute stands at `at`: behind its `;` or its `{ … }`.
    fn end_of_item(&self, mut at: usize) -> usize {
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                ";" => return at + 1,
                "{" => return token.partner + 1,
                "(" | "[" => at = token.partner + 1,
                _ => at += 1,
            }
        }
        at
    }

    fn function(&self, at: usize) -> Option<Function> {
        let name = &self.tokens.get(at + 1)?.text;
        if self.tokens[at].text != "fn" || !is_name(name) {
            return None;
        }
        let parameters = self.parameters(at + 2)?;
        let end = self.end_of_item(parameters.end);
        let body = end.checked_sub(1).filter(|last| self.tokens[*last].text == "}")?;
        let bools = parameters.filter(|at| self.is(*at, &[":", "bool"]) && !self.is(at - 1, &[":"])).count();
        let line = self.tokens[at].line;
        Some(Function {
            name: name.clone(),
            line,
            lines: self.tokens[body].line + 1 - line,
            bools,
            test: self.tokens[at].test,
            body: self.tokens[body].partner..body,
            is_test: self.is_marked_test(at),
        })
    }

    /// The tokens between a function's parentheses, which stand behind its type parameters.
    fn parameters(&self, mut at: usize) -> Option<Range<usize>> {
        let mut angles = 0_usize;
        loop {
            match self.tokens.get(at)?.text.as_str() {
                "<" => angles += 1,
                ">" if !self.is(at - 1, &["-"]) => angles = angles.saturating_sub(1),
                "(" if angles == 0 => return Some(at + 1..self.tokens[at].partner),
                "(" | "[" | "{" => at = self.tokens[at].partner,
                _ => {}
            }
            at += 1;
        }
    }

    /// Whether an attribute that ends in `test` (`#[test]`, `#[tokio::test(…)]`) stands before the `fn` at `at`.
    fn is_marked_test(&self, at: usize) -> bool {
        let before = self.tokens[..at].iter().rposition(|t| matches!(t.text.as_str(), ";" | "}" | "{"));
        let start = before.map_or(0, |at| at + 1);
        (start..at).any(|at| self.is(at, &["test", "]"]) || self.is(at, &["test", "("]))
    }
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: String, line| out.push(Token { text, line, test: false, partner: 0 });
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open.to_owned(), line);
                let first = out.len() - 1;
                flatten(group.stream(), out);
                let line = group.span_close().end().line;
                out.push(Token { text: close.to_owned(), line, test: false, partner: first });
                out[first].partner = out.len() - 1;
            }
            TokenTree::Ident(name) => push(name.to_string(), line),
            TokenTree::Punct(mark) => push(mark.as_char().to_string(), line),
            TokenTree::Literal(literal) => push(literal.to_string(), line),
        }
    }
}

/// Literals begin with a quote, a digit or a prefix and its quote; a name holds none of these.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '#')
        && text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::Source;

    const TRICKY: &str = r###"//! Opens well.
use crate::base::{fs, path::{RelPath, PathRefusal as Why}};
fn plain<F: Fn(bool) -> bool>(f: F, deep: bool, [a, b]: [u8; 2]) -> [u8; { 1 + 1 }] {
    let text = "fn in_string() { // not a comment";
    let raw = r#"} .unwrap() "quoted" {"#;
    let c = '{'; let quote = '\''; let lifetime: &'static str = "}";
    /* fn in_comment() { /* nested { */ } */
    let r#fn = b"}" as &[u8]; let c_string = c"{";
    crate::gateway::Options::default(); // .unwrap()
    [a, b]
}
trait T { fn no_body(&self, x: bool); fn one(&self) {} }
#[cfg(test)]
mod tests {
    #[test]
    fn marked() { None::<u8>.unwrap(); }

    #[tokio::test(flavor = "current_thread")]
    async fn also() { return; }
}
#[cfg(test)]
mod elsewhere;
mod here { pub use super::plain; }
"###;

    fn tricky() -> Source {
        Source::parse("x.rs", TRICKY).unwrap()
    }

    #[test]
    fn functions_are_found_and_measured() {
        let source = tricky();
        let found: Vec<_> =
            source.functions().into_iter().map(|f| (f.name, f.line, f.lines, f.bools, f.test, f.is_test)).collect();
        let want = [
            ("plain", 3, 9, 1, false, false),
            ("one", 12, 1, 0, false, false),
            ("marked", 16, 1, 0, true, true),
            ("also", 19, 1, 0, true, true),
        ];
        let want: Vec<_> =
            want.map(|(name, line, lines, bools, t, m)| (name.to_owned(), line, lines, bools, t, m)).into();
        assert_eq!(found, want);
    }

    #[test]
    fn paths_are_found_in_imports_and_in_code() {
        let source = tricky();
        let found: Vec<_> = source.paths().into_iter().map(|p| (p.names.join("::"), p.line, p.binds)).collect();
        let want = [
            ("crate::base::fs", 2, Some("fs")),
            ("crate::base::path::RelPath", 2, Some("RelPath")),
            ("crate::base::path::PathRefusal", 2, Some("Why")),
            ("crate::gateway::Options::default", 9, None),
            ("tokio::test", 18, None),
            ("super::plain", 23, Some("plain")),
        ];
        assert_eq!(found, want.map(|(name, line, binds)| (name.to_owned(), line, binds.map(str::to_owned))));
    }

    #[test]
    fn test_code_is_told_apart() {
        let source = tricky();
        assert_eq!(source.test_lines(), 8 + 2);
        let unwraps: Vec<_> = (0..source.tokens.len())
            .filter(|at| source.is(*at, &[".", "unwrap", "("]))
            .map(|at| source.tokens[at].test)
            .collect();
        assert_eq!(unwraps, [true]);
    }

    #[test]
    fn modules_are_told_apart() {
        let source = tricky();
        let found: Vec<_> = source.modules().into_iter().map(|m| (m.name, m.test, m.body.is_some())).collect();
        let want = [("tests", true, true), ("elsewhere", true, false), ("here", false, true)];
        assert_eq!(found, want.map(|(name, test, inline)| (name.to_owned(), test, inline)));
    }

    #[test]
    fn what_does_not_lex_is_an_error() {
        assert!(Source::parse("x.rs", "fn f() { \"open").is_err());
    }
}
