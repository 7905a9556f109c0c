//! Lines of ours in a narrow window: broken between words, and indented like the column that they go on in.

use unicode_width::UnicodeWidthStr;

/// Below these go on with so many spaces where the line has no column of its own to keep to.
const HANGING: usize = 4;

/// The least that a second column is kept for.
const ROOM: usize = 16;

/// What a run printed, which stays as it is.
const OUTPUT: &str = "  | ";

/// Printable text without styles, in lines that fit into the columns. A word that is longer than a line is left to the
/// terminal, so that it can be copied as one.
pub fn wrapped(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_end().width() <= columns || line.starts_with(OUTPUT) {
            out.push_str(line);
        } else {
            wrap(line.trim_end(), columns, &mut out);
            out.push_str(if line.ends_with('\n') { "\n" } else { "" });
        }
    }
    out
}

fn wrap(line: &str, columns: usize, out: &mut String) {
    let indent = indent(line, columns);
    let (mut end, mut column) = (0, 0);
    for (start, piece) in pieces(line, columns.saturating_sub(indent)) {
        let gap = &line[end..start];
        end = start + piece.len();
        let (here, below) = (column + gap.width() + piece.width(), indent + piece.width());
        if here > columns && column > indent && below <= columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            out.push_str(piece);
            column = below;
        } else {
            out.push_str(gap);
            out.push_str(piece);
            column = if here > columns { here % columns } else { here };
        }
    }
}

/// Where the second column begins, if that leaves room for it.
fn indent(line: &str, columns: usize) -> usize {
    let leading = line.len() - line.trim_start().len();
    let second = line[leading..].find("  ").map(|gap| {
        let gap = leading + gap;
        let text = line[gap..].trim_start();
        line[..line.len() - text.len()].width()
    });
    match second.filter(|second| second + ROOM <= columns) {
        Some(second) => second,
        // It stands in a second column already.
        None if leading >= ROOM && leading + ROOM <= columns => leading,
        None if leading > 0 || second.is_some() => (leading + HANGING).min(columns / 2),
        None => 0,
    }
}

/// Words with their places. What stands between two `·` belongs together where it fits into the columns.
fn pieces(line: &str, columns: usize) -> Vec<(usize, &str)> {
    let is_list = line.contains(" · ");
    let mut pieces: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for word in line.split(' ') {
        let start = at;
        at += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        if let Some((first, piece)) = pieces.last_mut().filter(|_| is_list && word != "·") {
            let joined = &line[*first..start + word.len()];
            if joined.width() <= columns {
                *piece = joined;
                continue;
            }
        }
        pieces.push((start, word));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::wrapped;

    #[test]
    fn lines_are_broken_between_words_and_go_on_in_their_column() {
        let help = "  /undo       take back the last message, its replies and its files\n";
        assert_eq!(
            wrapped(help, 40),
            "  /undo       take back the last\n              message, its replies and\n              its files\n"
        );
        assert_eq!(wrapped(help, 80), help);
        assert_eq!(wrapped("one two three\nfour\n", 8), "one two\nthree\nfour\n");
    }

    #[test]
    fn what_a_run_printed_and_long_words_stay_whole() {
        assert_eq!(wrapped("  | one two three\n", 8), "  | one two three\n");
        assert_eq!(wrapped("files: /a/long/path/of/somebody", 12), "files: /a/long/path/of/somebody");
    }

    #[test]
    fn parts_of_a_list_stay_together() {
        let line = "session 1234 · qwen3 · llama.cpp at http://x · window 32768";
        assert_eq!(wrapped(line, 30), "session 1234 · qwen3\n· llama.cpp at http://x\n· window 32768");
    }

    proptest! {
        #[test]
        fn no_word_is_lost(text in "[ a-z·日\n]{0,120}", columns in 2usize..60) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&wrapped(&text, columns)), words(&text));
        }
    }
}
