//! What changed in a file, in one line.

use std::fmt::Write as _;

use super::style::{Look, Style};

/// `todo.py  +34 -2`, without a newline; a count of nothing is left out.
pub fn diffstat(look: Look, path: &str, added: usize, removed: usize) -> String {
    let mut line = look.paint(Style::Path, path);
    let mut gap = "  ";
    for (sign, count, style) in [('+', added, Style::Good), ('-', removed, Style::Bad)] {
        if count > 0 {
            let _ = write!(line, "{gap}{}", look.paint(style, &format!("{sign}{count}")));
            gap = " ";
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Look, diffstat};

    #[test]
    fn the_path_and_what_there_is() {
        let plain = Look { color: false, motion: false };
        assert_eq!(diffstat(plain, "todo.py", 34, 2), "todo.py  +34 -2");
        assert_eq!(diffstat(plain, "a\x1b[2Jb", 0, 2), "ab  -2");
        assert_eq!(diffstat(plain, "new", 1, 0), "new  +1");
    }
}
