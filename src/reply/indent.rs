//! A uniform shift of indentation between a section and the file.

/// How every line's indentation differs.
pub enum Shift {
    /// The file has this more in front.
    Add(String),
    /// The file has this less in front.
    Remove(String),
    /// So many spaces of the section are a tab of the file, behind these tabs.
    Tabs { width: usize, before: String },
    /// A tab of the section is so many spaces of the file, behind these spaces.
    Spaces { width: usize, before: String },
}

pub fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

impl Shift {
    /// `None` where no one shift makes all lines of the section those of the file.
    pub fn between(window: &[&str], search: &[&str]) -> Option<Self> {
        let is_text = |(own, given): &(&&str, &&str)| !(own.trim().is_empty() && given.trim().is_empty());
        let pairs = window.iter().zip(search).filter(is_text);
        let (first, searched) = pairs.clone().next()?;
        let fits = |shift: &Self| {
            pairs.clone().all(|(own, given)| shift.line(given).as_deref().map(str::trim_end) == Some(own.trim_end()))
        };
        let (own, given) = (indent_of(first), indent_of(searched));
        let more = own.strip_suffix(given).map(|more| Self::Add(more.to_owned()));
        let less = given.strip_suffix(own).map(|less| Self::Remove(less.to_owned()));
        if let Some(shift) = more.into_iter().chain(less).find(fits) {
            return Some(shift);
        }
        // The other kinds are for tabs on one side alone.
        if !pairs.clone().any(|(own, given)| own.starts_with('\t') || given.starts_with('\t')) {
            return None;
        }
        let kinds = [4, 2, 8, 3].into_iter().flat_map(|width| (0..=3).map(move |depth| (width, depth)));
        let kinds = kinds.flat_map(|(width, depth)| {
            [
                Self::Tabs { width, before: "\t".repeat(depth) },
                Self::Spaces { width, before: " ".repeat(width * depth) },
            ]
        });
        kinds.into_iter().find(fits)
    }

    /// The line as it would stand in the file; `None` where it cannot be shifted.
    pub fn line(&self, line: &str) -> Option<String> {
        if line.trim().is_empty() {
            return Some(String::new());
        }
        let (given, text) = (indent_of(line), line.trim_start());
        match self {
            Self::Add(more) => Some(format!("{more}{line}")),
            Self::Remove(less) => line.strip_prefix(less.as_str()).map(str::to_owned),
            Self::Tabs { width, before } => {
                let fits = given.chars().all(|c| c == ' ') && given.len().is_multiple_of(*width);
                fits.then(|| format!("{before}{}{text}", "\t".repeat(given.len() / width)))
            }
            Self::Spaces { width, before } => {
                let fits = given.chars().all(|c| c == '\t');
                fits.then(|| format!("{before}{}{text}", " ".repeat(given.len() * width)))
            }
        }
    }
}
