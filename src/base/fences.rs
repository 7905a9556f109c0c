//! A text's fenced blocks, for whoever only shows or counts them. What a reply's blocks do is `reply`'s to say.

/// In the order in which they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Prose(&'a str),
    Block(Block<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What stands behind the opening fence.
    pub info: &'a str,
    /// Without the fences. A fence inside a longer one is text.
    pub text: &'a str,
}

impl<'a> Block<'a> {
    /// The first word of the info string: a language, mostly.
    pub fn word(&self) -> &'a str {
        self.info.split_whitespace().next().unwrap_or_default()
    }
}

struct Fence<'a> {
    mark: char,
    length: usize,
    info: &'a str,
}

/// The text taken apart; a block that is not closed goes to the end.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut from, mut at): (_, usize, usize) = (Vec::new(), 0, 0);
    let mut open: Option<Fence<'_>> = None;
    for line in text.split_inclusive('\n') {
        let begins = at;
        at += line.len();
        let Some(fence) = fence(line) else { continue };
        match &open {
            Some(opener) if fence.length >= opener.length && fence.mark == opener.mark && fence.info.is_empty() => {
                parts.push(Part::Block(Block { info: opener.info, text: &text[from..begins] }));
                open = None;
            }
            Some(_) => continue,
            None => {
                if begins > from {
                    parts.push(Part::Prose(&text[from..begins]));
                }
                open = Some(fence);
            }
        }
        from = at;
    }
    match open {
        Some(Fence { info, .. }) => parts.push(Part::Block(Block { info, text: &text[from..] })),
        None if from < text.len() => parts.push(Part::Prose(&text[from..])),
        None => {}
    }
    parts
}

/// The blocks alone.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let block = |part| match part {
        Part::Block(block) => Some(block),
        Part::Prose(_) => None,
    };
    parts(text).into_iter().filter_map(block).collect()
}

fn fence(line: &str) -> Option<Fence<'_>> {
    let line = line.trim();
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let info = line.trim_start_matches(mark);
    let length = line.len() - info.len();
    (length >= 3 && !info.contains('`')).then(|| Fence { mark, length, info: info.trim() })
}

#[cfg(test)]
mod tests {
    use super::{Block, Part, blocks, parts};

    #[test]
    fn blocks_and_what_stands_between() {
        let text = "a\n```py x\n1\n```\nb\n~~~~\n```\n~~~\n~~~~\n";
        let block = |info, text| Part::Block(Block { info, text });
        assert_eq!(
            parts(text),
            [Part::Prose("a\n"), block("py x", "1\n"), Part::Prose("b\n"), block("", "```\n~~~\n")]
        );
        assert_eq!(parts(text).len(), 4);
        let Part::Block(first) = &parts(text)[1] else { panic!("a block") };
        assert_eq!(first.word(), "py");
    }

    #[test]
    fn an_open_block_goes_to_the_end_and_code_in_a_line_is_none() {
        assert_eq!(blocks("```\nopen"), [Block { info: "", text: "open" }]);
        assert_eq!(blocks("```a``` b\n"), []);
        assert_eq!(parts(""), []);
    }
}
