//! Names that are like what was typed: by their beginning, by the beginning of their last part, or by some of their
//! characters in order.

/// Those that begin so, or whose last part does; in the order in which they are given.
pub fn beginning(names: &[String], typed: &str, most: usize) -> Vec<String> {
    let last = |name: &str| name.rsplit('/').next().is_some_and(|last| !typed.is_empty() && last.starts_with(typed));
    names.iter().filter(|name| name.starts_with(typed) || last(name)).take(most).cloned().collect()
}

/// Those that have these characters in this order, in whatever case; the likeliest first.
pub fn like(names: &[String], typed: &str, most: usize) -> Vec<String> {
    let wanted: Vec<char> = typed.chars().flat_map(char::to_lowercase).collect();
    let mut found: Vec<(usize, &String)> =
        names.iter().filter_map(|name| Some((distance(name, &wanted)?, name))).collect();
    found.sort_by_key(|(distance, name)| (*distance, name.len()));
    found.into_iter().take(most).map(|(_, name)| name.clone()).collect()
}

/// How far the characters are from standing together at the beginning of a word; `None` where one is missing.
fn distance(name: &str, wanted: &[char]) -> Option<usize> {
    let (mut left, mut sum, mut gap, mut before) = (wanted.iter().peekable(), 0, 0, '/');
    for c in name.chars() {
        let Some(next) = left.peek() else { break };
        if c.to_lowercase().eq(std::iter::once(**next)) {
            let begins_a_word = !before.is_alphanumeric() || before.is_lowercase() && c.is_uppercase();
            sum += if begins_a_word { 0 } else { gap };
            gap = 0;
            left.next();
        } else {
            gap += 1;
        }
        before = c;
    }
    left.peek().is_none().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::{beginning, like};

    #[test]
    fn the_likeliest_comes_first() {
        let names: Vec<String> =
            ["src/database.rs", "src/data/base.rs", "docs/db.md", "README.md"].map(str::to_owned).to_vec();
        assert_eq!(beginning(&names, "db", 9), ["docs/db.md"]);
        assert_eq!(beginning(&names, "src/d", 9), ["src/database.rs", "src/data/base.rs"]);
        assert_eq!(like(&names, "sdb", 9), ["src/data/base.rs", "docs/db.md", "src/database.rs"]);
        assert_eq!(like(&names, "rdme", 9), ["README.md"]);
        assert!(like(&names, "xyz", 9).is_empty());
    }
}
