//! `faos sessions rm` and `faos sessions gc`: what goes, and how much room that makes.

use std::path::Path;

use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session;

pub fn rm(sessions: &Path, names: &[String], only_say: bool) -> Result<Plan, Failure> {
    // All names are looked up first: a slip in the last one removes nothing.
    let mut folders = names.iter().map(|name| session::find(sessions, name)).collect::<Result<Vec<_>, _>>()?;
    folders.sort();
    folders.dedup();
    let mut out = String::new();
    for folder in &folders {
        let summary = session::summary(folder)?;
        let size = size(session::size_of(folder));
        if !only_say {
            session::remove(folder)?;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let what = summary.map_or_else(|| name.into_owned(), |summary| super::line(&summary));
        out.push_str(&format!("{} {size:>9}  {what}\n", done(only_say)));
    }
    output::print(&out)
}

pub fn gc(sessions: &Path, only_say: bool) -> Result<Plan, Failure> {
    let leftovers = session::leftovers(sessions)?;
    let mut out = String::new();
    let mut total = 0;
    for leftover in &leftovers {
        if !only_say && !session::collect(leftover)? {
            output::say(&format!("{}: in use, and left alone", leftover.what));
            continue;
        }
        total += leftover.size;
        out.push_str(&format!("{} {:>9}  {}\n", done(only_say), size(leftover.size), leftover.what));
    }
    out.push_str(&format!("{} {:>9}  in all\n", done(only_say), size(total)));
    output::print(&out)
}

fn done(only_say: bool) -> &'static str {
    if only_say { "would remove" } else { "removed" }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
