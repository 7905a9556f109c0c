//! How the user wants to see it, and what the environment says of the terminal.

use serde::Deserialize;

use super::variable;

/// How the user wants to see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontend {
    pub theme: Theme,
    pub color: When,
    /// Files and thoughts are shown as they come, and not as one line each.
    pub unfolded: bool,
    /// The terminal rings for a turn of so many seconds or more.
    pub ring_after: Option<u64>,
    /// As the environment names it.
    pub editor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// The terminal is asked.
    #[default]
    Auto,
    Dark,
    Light,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Table {
    theme: Theme,
    color: When,
    fold: Option<bool>,
    notify_s: Option<u64>,
}

pub(super) fn of(file: &Table) -> Frontend {
    Frontend {
        theme: file.theme,
        color: file.color,
        unfolded: file.fold == Some(false),
        ring_after: file.notify_s,
        editor: variable("VISUAL").or_else(|| variable("EDITOR")),
    }
}

/// What the environment says of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalWishes {
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// `TERM=dumb`, or none: a terminal that only prints.
    pub dumb: bool,
    /// The locale is UTF-8.
    pub utf8: bool,
    /// A locale is named, and it is another one.
    pub not_utf8: bool,
    /// It has more than its own sixteen colours.
    pub many_colors: bool,
    /// It takes a question about its ground for one: not the kernel's own console.
    pub answers: bool,
}

impl TerminalWishes {
    pub fn find() -> Self {
        let term = variable("TERM");
        // The first of them that is set counts, as it does for the C library.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default().to_lowercase();
        let utf8 = locale.ends_with("utf-8") || locale.ends_with("utf8");
        let term = term.unwrap_or_else(|| "dumb".to_owned());
        Self {
            no_color: variable("NO_COLOR").is_some(),
            many_colors: term.contains("256color") || term.contains("direct") || variable("COLORTERM").is_some(),
            answers: !["dumb", "linux"].contains(&term.as_str()),
            dumb: term == "dumb",
            not_utf8: !utf8 && !locale.is_empty(),
            utf8,
        }
    }
}
