//! `faos sessions rm` and `faos sessions gc`: what goes, and how much room that makes.

use std::path::Path;

use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session::{self, SessionError};

pub fn rm(sessions: &Path, names: &[String], only_say: bool) -> Result<Plan, Failure> {
    // All names are looked up first: a slip in the last one removes nothing.
    let mut folders = names.iter().map(|name| session::find(sessions, name)).collect::<Result<Vec<_>, _>>()?;
    folders.sort();
    folders.dedup();
    let lines = folders.iter().map(|folder| {
        let name = || folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let what = session::summary(folder)?.map_or_else(name, |summary| super::line(&summary));
        let size = size(session::size_of(folder));
        if !only_say {
            session::remove(folder)?;
        }
        Ok(format!("{} {size:>9}  {what}\n", done(only_say)))
    });
    tell(lines, |out| out)
}

pub fn gc(sessions: &Path, only_say: bool) -> Result<Plan, Failure> {
    let mut total = 0;
    let lines = session::leftovers(sessions)?.into_iter().map(|leftover| {
        if !only_say && !session::collect(&leftover)? {
            output::say(&format!("{}: in use, and left alone", leftover.what));
            return Ok(String::new());
        }
        total += leftover.size;
        Ok(format!("{} {:>9}  {}\n", done(only_say), size(leftover.size), leftover.what))
    });
    let lines: Vec<_> = lines.collect();
    tell(lines.into_iter(), |out| format!("{out}{} {:>9}  in all\n", done(only_say), size(total)))
}

/// What went is told also where something else could not be removed; the first failure counts.
fn tell(
    lines: impl Iterator<Item = Result<String, SessionError>>,
    end: impl FnOnce(String) -> String,
) -> Result<Plan, Failure> {
    let (mut out, mut failed) = (String::new(), None);
    for line in lines {
        match line {
            Ok(line) => out.push_str(&line),
            Err(error) if failed.is_none() => failed = Some(error),
            Err(error) => output::say(&format!("error: {error}")),
        }
    }
    let out = end(out);
    match failed {
        None => output::print(&out),
        Some(error) => output::print_then(&out, error.into()),
    }
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
