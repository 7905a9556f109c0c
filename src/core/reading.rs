//! What a `read` line shows the model: a file or a range of it with line numbers, a folder, or what a glob matches.

use std::fmt::Write as _;

use crate::base::path::RelPath;
use crate::base::printable::printable;
use crate::workspace::{Entry, Workspace};

const MOST_LINES: usize = 2_000;
const MOST_CHARACTERS: usize = 60_000;
const MOST_ENTRIES: usize = 500;
const LARGEST: u64 = 5 * 1024 * 1024;

/// The text for the model, and the first line of it alone where nothing could be read.
pub enum Reading {
    Shown(String),
    Refused(String),
}

pub fn read(workspace: &Workspace, what: &str) -> Reading {
    let what = what.trim();
    if matches!(what.trim_end_matches('/'), "" | ".") {
        return folder(workspace, ".", "");
    }
    if what.contains(['*', '?', '[']) && !is_file(workspace, what) {
        return glob(workspace, what);
    }
    let (name, range) = split_range(workspace, what);
    let path = match RelPath::parse(name) {
        Ok(path) => path,
        Err(why) => return Reading::Refused(format!("read {name}: {why}")),
    };
    match workspace.entry(&path) {
        Entry::Folder => folder(workspace, path.as_str(), &format!("{path}/")),
        Entry::File { .. } => file(workspace, &path, what, range),
        Entry::Absent => Reading::Refused(format!("read {path}: no such file")),
        Entry::Other => Reading::Refused(format!("read {path}: no regular file of the workspace")),
    }
}

fn is_file(workspace: &Workspace, name: &str) -> bool {
    RelPath::parse(name).is_ok_and(|path| matches!(workspace.entry(&path), Entry::File { .. }))
}

/// `path:10-40` and `path:10`, unless a file of that whole name exists. Lines count from 1.
fn split_range<'a>(workspace: &Workspace, what: &'a str) -> (&'a str, Option<(usize, usize)>) {
    if is_file(workspace, what) {
        return (what, None);
    }
    let parsed = what.rsplit_once(':').and_then(|(name, range)| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let from = from.trim().parse::<usize>().ok()?.max(1);
        let to = if to.trim().is_empty() { usize::MAX } else { to.trim().parse::<usize>().ok()? };
        Some((name, Some((from, to))))
    });
    parsed.unwrap_or((what, None))
}

fn file(workspace: &Workspace, path: &RelPath, what: &str, range: Option<(usize, usize)>) -> Reading {
    let bytes = match workspace.read(path, LARGEST) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Reading::Refused(format!("read {path}: no such file")),
        Err(error) => return Reading::Refused(format!("read {path}: {error}")),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Reading::Refused(format!("read {path}: no UTF-8 text"));
    };
    // A program's own formats may be valid UTF-8 by chance; no text holds this byte.
    if text.contains('\0') {
        return Reading::Refused(format!("read {path}: a binary file"));
    }
    let total = text.lines().count();
    let (from, to) = range.unwrap_or((1, usize::MAX));
    let mut out = format!("read {what} ({total} lines)\n");
    let mut shown = 0;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if number < from || number > to {
            continue;
        }
        if shown == MOST_LINES || out.len() > MOST_CHARACTERS {
            let _ = writeln!(out, "[… cut at line {number}; ask for `{path}:{number}-{total}` to see the rest …]");
            break;
        }
        shown += 1;
        // Lines go back as they are: what the model copies into SEARCH has to stand in the file.
        let _ = writeln!(out, "{number:>4} | {line}");
    }
    out.truncate(out.trim_end_matches('\n').len());
    Reading::Shown(out)
}

fn folder(workspace: &Workspace, name: &str, prefix: &str) -> Reading {
    let listing = match workspace.files() {
        Ok(listing) => listing,
        Err(error) => return Reading::Refused(format!("read {name}: {error}")),
    };
    let mut entries: Vec<String> = Vec::new();
    for listed in &listing.files {
        let Some(rest) = listed.path.as_str().strip_prefix(prefix) else { continue };
        let entry = match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        };
        if entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    // No path of ours names them; that they are there is worth knowing.
    entries.extend(listing.unnamed.iter().filter_map(|unnamed| {
        let rest = unnamed.strip_prefix(prefix)?;
        (!rest.contains('/')).then(|| format!("{rest} (its name is no text)"))
    }));
    list(&format!("read {name}: folder"), entries)
}

fn glob(workspace: &Workspace, pattern: &str) -> Reading {
    match matching(workspace, pattern) {
        Ok(paths) if paths.is_empty() => Reading::Refused(format!("read {pattern}: no file matches")),
        Ok(paths) => list(&format!("read {pattern}: {} files", paths.len()), paths),
        Err(why) => Reading::Refused(format!("read {pattern}: {why}")),
    }
}

/// Versioned files that the glob matches, sorted; `**` crosses folders, `*` does not.
pub fn matching(workspace: &Workspace, pattern: &str) -> Result<Vec<String>, String> {
    let mut globs = ignore::overrides::OverrideBuilder::new("");
    globs.add(&format!("/{}", pattern.trim_start_matches("./"))).map_err(|error| error.to_string())?;
    let globs = globs.build().map_err(|error| error.to_string())?;
    let listing = workspace.files().map_err(|error| error.to_string())?;
    let paths = listing.files.into_iter().map(|listed| String::from(listed.path));
    Ok(paths.filter(|path| globs.matched(path, false).is_whitelist()).collect())
}

fn list(head: &str, mut entries: Vec<String>) -> Reading {
    entries.sort();
    entries.dedup();
    let more = entries.len().saturating_sub(MOST_ENTRIES);
    entries.truncate(MOST_ENTRIES);
    let mut out = head.to_owned();
    for entry in entries {
        out.push('\n');
        out.push_str(&printable(&entry));
    }
    if more > 0 {
        let _ = write!(out, "\n[… {more} more …]");
    }
    Reading::Shown(out)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Reading, matching, read};
    use crate::base::path::RelPath;
    use crate::workspace::{FileOp, Workspace};

    fn workspace(folder: &Path, files: &[(&str, &str)]) -> Workspace {
        let workspace = Workspace::open(folder).expect("a folder");
        let write = |(path, text): &(&str, &str)| FileOp::Write {
            path: RelPath::parse(path).expect("a path"),
            content: text.as_bytes().to_vec(),
        };
        workspace.apply(&files.iter().map(write).collect::<Vec<_>>()).expect("written");
        workspace
    }

    fn shown(workspace: &Workspace, what: &str) -> String {
        match read(workspace, what) {
            Reading::Shown(text) => text,
            Reading::Refused(text) => format!("REFUSED {text}"),
        }
    }

    #[test]
    fn files_ranges_folders_and_globs() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [
            ("a.py", "one\ntwo\nthree\n"),
            ("src/b.py", "x\n"),
            ("src/c.txt", ""),
            ("src/in/d.py", "y\n"),
            ("z.bin", "a\0b"),
        ];
        let workspace = workspace(folder.path(), &files);
        for (what, wanted) in [
            ("a.py", "read a.py (3 lines)\n   1 | one\n   2 | two\n   3 | three"),
            ("a.py:2-3", "read a.py:2-3 (3 lines)\n   2 | two\n   3 | three"),
            ("a.py:3", "read a.py:3 (3 lines)\n   3 | three"),
            (".", "read .: folder\na.py\nsrc/\nz.bin"),
            ("z.bin", "REFUSED read z.bin: a binary file"),
            ("src", "read src: folder\nb.py\nc.txt\nin/"),
            ("src/*.py", "read src/*.py: 1 files\nsrc/b.py"),
            ("**/*.py", "read **/*.py: 3 files\na.py\nsrc/b.py\nsrc/in/d.py"),
            ("src/c.txt", "read src/c.txt (0 lines)"),
            ("no.py", "REFUSED read no.py: no such file"),
            ("*.rs", "REFUSED read *.rs: no file matches"),
            ("../x", "REFUSED read ../x: the path leaves the workspace (`..`)"),
        ] {
            assert_eq!(shown(&workspace, what), wanted, "{what}");
        }
        assert_eq!(matching(&workspace, "src/**").expect("a glob").len(), 3);
    }

    #[test]
    fn long_files_say_how_to_see_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "line\n".repeat(3_000);
        let workspace = workspace(folder.path(), &[("long.txt", &text)]);
        let shown = shown(&workspace, "long.txt");
        assert!(shown.ends_with("[… cut at line 2001; ask for `long.txt:2001-3000` to see the rest …]"));
    }
}
