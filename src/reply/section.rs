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
    /// SEARCH half is the longest that stands in the file exactly once.
    pub fn halves(&self, file: Option<&str>) -> Option<(String, String)> {
        let first = *self.dividers.first()?;
        let once = |at: &&usize| file.is_some_and(|file| stands_once(file, &self.lines[..**at]));
        let at = self.dividers.iter().rev().find(once).copied().unwrap_or(first);
        Some((joined(&self.lines[..at]), joined(&self.lines[at + 1..])))
    }
}

fn stands_once(file: &str, lines: &[String]) -> bool {
    let file: Vec<&str> = file.lines().collect();
    if lines.is_empty() || lines.len() > file.len() {
        return false;
    }
    file.windows(lines.len()).filter(|window| window.iter().zip(lines).all(|(a, b)| *a == b)).count() == 1
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
