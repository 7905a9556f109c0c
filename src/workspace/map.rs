//! The workspace for the prompt: which files there are and what they offer, in as many characters as there is room for.

use std::collections::BTreeMap;

use crate::workspace::signatures::{is_known, signatures};
use crate::workspace::{Listing, Workspace};

/// What is read for signatures: of each file, and in how many files.
const LARGEST: u64 = 128 * 1024;
const MOST_READ: usize = 400;

/// One file a line with its size; where that is too long, the deepest folders are summed up first. Never over `most`
/// characters; empty for an empty workspace.
pub fn map(listing: &Listing, most: usize) -> String {
    let deepest = listing.files.iter().map(|file| file.path.as_str().matches('/').count()).max().unwrap_or(0);
    for depth in (0..=deepest).rev() {
        let text = lines(listing, depth);
        if text.chars().count() <= most {
            return text;
        }
    }
    let all = format!("{} files in many folders\n", listing.files.len());
    if all.chars().count() <= most { all } else { String::new() }
}

/// The same with what the files of known languages offer, where every file has a line and there is room left.
pub fn map_with_signatures(workspace: &Workspace, listing: &Listing, most: usize) -> String {
    let plain = map(listing, most);
    let mut left = most.saturating_sub(plain.chars().count());
    if plain.lines().count() < listing.files.len() {
        return plain;
    }
    let mut offers = BTreeMap::new();
    for file in listing.files.iter().filter(|file| is_known(file.path.as_str()) && file.size <= LARGEST).take(MOST_READ)
    {
        // What cannot be read, or is no text, offers nothing.
        let Ok(Some(bytes)) = workspace.read(&file.path, LARGEST) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let found = signatures(file.path.as_str(), &text);
        let shown: String =
            found.iter().map(|line| format!("  {}\n", crate::base::printable::printable(line))).collect();
        let length = shown.chars().count();
        if length > left {
            break;
        }
        left -= length;
        offers.insert(crate::base::printable::printable(file.path.as_str()), shown);
    }
    let with_offers = |line: &str| {
        let path = line.rsplit_once(" (").map_or(line, |(path, _)| path);
        format!("{line}\n{}", offers.get(path).map_or("", String::as_str))
    };
    plain.lines().map(with_offers).collect()
}

/// Files down to that depth; folders below it by their number of files.
fn lines(listing: &Listing, depth: usize) -> String {
    let mut entries: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for file in &listing.files {
        let path = file.path.as_str();
        let name = match path.match_indices('/').nth(depth) {
            Some((cut, _)) => path[..=cut].to_owned(),
            None => path.to_owned(),
        };
        let entry = entries.entry(name).or_default();
        entry.0 += 1;
        entry.1 += file.size;
    }
    let mut out = String::new();
    for (name, (files, size)) in entries {
        let name = crate::base::printable::printable(&name);
        if name.ends_with('/') {
            out.push_str(&format!("{name} ({files} files)\n"));
        } else {
            out.push_str(&format!("{name} ({})\n", readable(size)));
        }
    }
    if listing.truncated {
        out.push_str("(and more that were not looked at)\n");
    }
    out
}

fn readable(size: u64) -> String {
    match size {
        0..10_000 => format!("{size} bytes"),
        10_000..10_000_000 => format!("{} kB", size / 1_000),
        _ => format!("{} MB", size / 1_000_000),
    }
}
