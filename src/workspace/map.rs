//! The workspace for the prompt: which files there are, in as many characters as there is room for.

use std::collections::BTreeMap;

use crate::workspace::Listing;

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
