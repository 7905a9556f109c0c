//! SEARCH/REPLACE sections: their markers, and the two halves between them.

/// One section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where each possible divider stands among the lines.
    dividers: Vec<usize>,
    lines: Vec<String>,
}

const SEARCH: [&str; 4] = ["SEARCH", "ORIGINAL", "HEAD", "OLD"];

/// 5 to 9 of the sign, then perhaps words.
fn marker(line: &str, sign: char) -> Option<&str> {
    let text = line.trim();
    let count = text.chars().take_while(|c| *c == sign).count();
    (5..=9).contains(&count).then(|| text[count..].trim())
}

pub fn is_search(line: &str) -> bool {
    marker(line, '<').is_some_and(|word| {
        let word = word.to_uppercase();
        SEARCH.iter().any(|known| word == *known || word.starts_with(&format!("{known} ")))
    })
}

/// Closing markers carry any words: git writes the branch there.
pub fn is_replace(line: &str) -> bool {
    marker(line, '>').is_some_and(|word| !word.is_empty() || line.trim().len() >= 5)
}

fn is_divider(line: &str) -> bool {
    marker(line, '=').is_some_and(str::is_empty)
}

/// The sections of a block, in order. A missing last marker ends the section with the block.
pub fn sections(lines: &[&str]) -> Vec<Section> {
    let mut found = Vec::new();
    let mut open: Option<Section> = None;
    for line in lines {
        if is_search(line) {
            found.extend(open.replace(Section { dividers: Vec::new(), lines: Vec::new() }));
        } else if is_replace(line) {
            found.extend(open.take());
        } else if let Some(section) = &mut open {
            if is_divider(line) {
                section.dividers.push(section.lines.len());
            }
            section.lines.push((*line).to_owned());
        }
    }
    found.extend(open);
    found
}

impl Section {
    /// Both halves as text, each line with its newline; `None` without a divider. Of several dividers the one whose
    /// SEARCH half is the longest that stands in the file exactly once; only then the file is asked for.
    pub fn halves(&self, file: impl FnOnce() -> Option<String>) -> Option<(String, String)> {
        let first = *self.dividers.first()?;
        let at = match (self.dividers.len(), file) {
            (1, _) => first,
            (_, file) => file().and_then(|file| self.divider(&file)).unwrap_or(first),
        };
        Some((joined(&self.lines[..at]), joined(&self.lines[at + 1..])))
    }

    /// Without a divider that stands where nothing but the last marker should. In Markdown it may underline a title.
    pub fn without_last_divider(mut self) -> Self {
        let end = self.lines.iter().rposition(|line| !line.trim().is_empty());
        if self.dividers.len() > 1 && self.dividers.last().copied() == end {
            self.lines.truncate(end.unwrap_or_default());
            self.dividers.pop();
        }
        self
    }

    fn divider(&self, file: &str) -> Option<usize> {
        let own = self.lines.iter().map(|line| Some(line.as_str()));
        let both: Vec<Option<&str>> = own.chain([None]).chain(file.lines().map(Some)).collect();
        // How many lines of the section stand at each line of the file, and how many lines of it do so often.
        let mut places = vec![0_usize; self.lines.len() + 2];
        prefixes(&both)[self.lines.len() + 1..].iter().for_each(|length| places[*length] += 1);
        for length in (0..places.len() - 1).rev() {
            places[length] += places[length + 1];
        }
        self.dividers.iter().rev().copied().find(|at| *at > 0 && places[*at] == 1)
    }
}

/// For each place how many items from there on are those at the start: the Z function, in linear time.
fn prefixes<T: PartialEq>(items: &[T]) -> Vec<usize> {
    let mut lengths = vec![0; items.len()];
    let (mut from, mut to) = (0, 0);
    for at in 1..items.len() {
        let mut length = if at < to { lengths[at - from].min(to - at) } else { 0 };
        while at + length < items.len() && items[length] == items[at + length] {
            length += 1;
        }
        if at + length > to {
            (from, to) = (at, at + length);
        }
        lengths[at] = length;
    }
    lengths
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
