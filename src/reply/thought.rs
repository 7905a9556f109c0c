//! Thinking sections in the text: never parsed for actions. Also the signs that a server's template should have taken.

const TAGS: [&str; 4] = ["think", "thinking", "reasoning", "thought"];

/// What a chat template ends a message with. Some servers let it through, right behind the last fence.
const END_SIGNS: [&str; 8] =
    ["<|return|>", "<|end|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<end_of_turn>", "</s>"];

/// A channel's header is a few words; what has none of its end so soon is text about channels.
const LONGEST_HEADER: usize = 300;

/// Where a thought that begins here ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thought {
    /// Up to the closing tag of this name.
    Tag(&'static str),
    /// Up to the next message or channel of gpt-oss.
    Channel,
}

/// What the start of a line outside of any block means for thinking.
#[derive(Debug, PartialEq, Eq)]
pub enum Mark<'a> {
    None,
    /// A thought begins; the rest of the line belongs to it.
    Begins(Thought, &'a str),
    /// A closing tag whose opening one is missing: all before it was thought. The rest of the line is not.
    Ended(&'a str),
    /// A channel's header that is none of a thought: the rest of the line counts.
    Header(&'a str),
}

pub fn mark(line: &str) -> Mark<'_> {
    let text = line.trim_start();
    if !text.starts_with('<') {
        return Mark::None;
    }
    let tag = |text: &str| TAGS.iter().copied().find(|tag| text.strip_prefix(tag).is_some_and(|r| r.starts_with('>')));
    if let Some(name) = tag(&text[1..]) {
        return Mark::Begins(Thought::Tag(name), &text[name.len() + 2..]);
    }
    if let Some(name) = text.strip_prefix("</").and_then(tag) {
        return Mark::Ended(&text[name.len() + 3..]);
    }
    match channel(text) {
        Some((header, rest)) if header.split("<|channel|>").nth(1).is_some_and(is_final) => Mark::Header(rest),
        Some((_, rest)) => Mark::Begins(Thought::Channel, rest),
        None => Mark::None,
    }
}

fn is_final(channel: &str) -> bool {
    channel.split_whitespace().next() == Some("final")
}

/// The header of gpt-oss's next message and what follows it: `<|start|>assistant<|channel|>final<|message|>…`.
pub fn channel(text: &str) -> Option<(&str, &str)> {
    if !["<|channel|>", "<|start|>"].iter().any(|sign| text.starts_with(sign)) {
        return None;
    }
    let (near, message) = (text.floor_char_boundary(LONGEST_HEADER), "<|message|>");
    match text[..near].split_once(message) {
        Some((header, _)) => Some((header, &text[header.len() + message.len()..])),
        None => text[..near].contains("<|channel|>").then_some((&text[..near], &text[text.len()..])),
    }
}

impl Thought {
    /// What follows the thought on this line; `None` where it goes on.
    pub fn end<'a>(&self, line: &'a str) -> Option<&'a str> {
        match self {
            Self::Tag(name) => {
                let mut from = 0;
                loop {
                    let at = from + line[from..].find("</")? + 2;
                    match line[at..].strip_prefix(name).and_then(|rest| rest.strip_prefix('>')) {
                        Some(rest) => return Some(rest),
                        None => from = at,
                    }
                }
            }
            Self::Channel => {
                let at = ["<|channel|>", "<|start|>"].iter().filter_map(|sign| line.find(sign)).min()?;
                Some(&line[at..])
            }
        }
    }
}

/// The reply without the end signs of its template.
pub fn without_end_signs(text: &str) -> &str {
    let mut text = text;
    while let Some(shorter) = END_SIGNS.iter().find_map(|sign| text.trim_end().strip_suffix(sign)) {
        text = shorter;
    }
    text
}
