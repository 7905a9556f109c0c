//! Thinking sections in the text: never parsed for actions.

const TAGS: [&str; 4] = ["think", "thinking", "reasoning", "thought"];

/// Where a thought that begins here ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// Up to this closing tag.
    Tag(String),
    /// Up to gpt-oss's final channel.
    Channel,
}

/// What a line outside of any block means for thinking.
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
    for tag in TAGS {
        if let Some(rest) =
            text.strip_prefix('<').and_then(|rest| rest.strip_prefix(tag)).and_then(|rest| rest.strip_prefix('>'))
        {
            return Mark::Begins(Thought::Tag(format!("</{tag}>")), rest);
        }
        if let Some(rest) =
            text.strip_prefix("</").and_then(|rest| rest.strip_prefix(tag)).and_then(|rest| rest.strip_prefix('>'))
        {
            return Mark::Ended(rest);
        }
    }
    if let Some(at) = text.find("<|channel|>") {
        let header = &text[at + "<|channel|>".len()..];
        let (channel, rest) = header.split_once("<|message|>").unwrap_or((header, ""));
        if channel.trim() == "final" {
            return Mark::Header(rest);
        }
        return Mark::Begins(Thought::Channel, rest);
    }
    Mark::None
}

impl Thought {
    /// What follows the thought on this line; `None` where it goes on.
    pub fn end<'a>(&self, line: &'a str) -> Option<&'a str> {
        match self {
            Self::Tag(closing) => line.find(closing.as_str()).map(|at| &line[at + closing.len()..]),
            Self::Channel => {
                let at = line.find("<|channel|>final")?;
                let rest = &line[at..];
                Some(rest.split_once("<|message|>").map_or("", |(_, rest)| rest))
            }
        }
    }
}
