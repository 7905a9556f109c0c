//! How the user wants to see it, and what the environment says of the terminal.

use super::values::Values;
use super::{keys, variable};

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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The terminal is asked.
    #[default]
    Auto,
    Dark,
    Light,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

impl Theme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

impl When {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// The table lets through no other words than these.
pub(super) fn of(values: &Values) -> Frontend {
    let (theme, color) = (values.text(&keys::THEME), values.text(&keys::COLOR));
    let themes = [Theme::Auto, Theme::Dark, Theme::Light];
    let times = [When::Auto, When::Always, When::Never];
    Frontend {
        theme: themes.into_iter().find(|name| Some(name.as_str()) == theme.as_deref()).unwrap_or_default(),
        color: times.into_iter().find(|name| Some(name.as_str()) == color.as_deref()).unwrap_or_default(),
        unfolded: values.flag(&keys::FOLD) == Some(false),
        ring_after: values.whole(&keys::NOTIFY_S),
        editor: super::editor(),
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
