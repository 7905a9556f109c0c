//! `faos sessions`: what is saved, found, shown, given away and removed.

mod export;
mod remove;
mod search;
mod show;

use std::path::{Path, PathBuf};

use crate::base::clock::to_the_minute;
use crate::base::fs;
use crate::cli::{Options, Sessions, SessionsCommand};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session::{self, Keys, Summary};
use crate::settings::Settings;

pub fn run(sessions: &Sessions, options: &Options) -> Result<Plan, Failure> {
    let settings = Settings::resolve(&chat::flags(options))?;
    let folder = &settings.folders.sessions;
    match &sessions.command {
        None | Some(SessionsCommand::List) => {
            let (summaries, problems) = session::list(folder)?;
            warn(&problems);
            output::print(&table(&summaries))
        }
        Some(SessionsCommand::Show { session, run }) => show::run(&named(folder, session.as_deref())?, *run),
        Some(SessionsCommand::Search { words }) => search::run(folder, words),
        Some(SessionsCommand::Rename { session, title }) => rename(folder, session, title),
        Some(SessionsCommand::Export { session, format, output, keep_keys }) => {
            let keys = if *keep_keys { Keys::Kept } else { Keys::Masked };
            export::run(&named(folder, session.as_deref())?, *format, output.as_deref(), keys)
        }
        Some(SessionsCommand::Import { archive }) => import(folder, archive),
        Some(SessionsCommand::Rm { sessions, dry_run }) => remove::rm(folder, sessions, *dry_run),
        Some(SessionsCommand::Gc { dry_run }) => remove::gc(folder, *dry_run),
    }
}

/// The session of this name, or the newest one.
fn named(sessions: &Path, name: Option<&str>) -> Result<PathBuf, Failure> {
    match name {
        Some(name) => Ok(session::find(sessions, name)?),
        None => session::newest(sessions, None)?
            .ok_or_else(|| Failure::usage("there is no session yet", "`faos PROMPT` begins one")),
    }
}

fn warn(problems: &[String]) {
    problems.iter().for_each(|problem| output::say(&format!("warning: {problem}")));
}

fn table(summaries: &[Summary]) -> String {
    if summaries.is_empty() {
        return "no sessions yet\n".to_owned();
    }
    summaries.iter().map(|summary| line(summary) + "\n").collect()
}

/// One session in one line.
fn line(summary: &Summary) -> String {
    let title: String = output::one_line(&summary.title).chars().take(60).collect();
    format!(
        "{}  {}  {:<11}  {:>2} {:<5}  {title}",
        summary.id,
        to_the_minute(&summary.changed),
        summary.verdict,
        summary.turns,
        if summary.turns == 1 { "turn" } else { "turns" }
    )
}

fn rename(sessions: &Path, name: &str, title: &str) -> Result<Plan, Failure> {
    let title = output::one_line(title).trim().to_owned();
    if title.is_empty() {
        return Err(Failure::usage("a title has words", "faos sessions rename ID \"a title\""));
    }
    session::rename(&session::find(sessions, name)?, &title)?;
    Ok(Plan::Done(0))
}

fn import(sessions: &Path, archive: &Path) -> Result<Plan, Failure> {
    let imported = if archive == Path::new("-") {
        session::import(sessions, std::io::stdin().lock())?
    } else {
        session::import(sessions, fs::open_to_read(archive).map_err(not_there)?)?
    };
    warn(&imported.notices);
    output::print(&format!("{}\n", imported.id))
}

/// A file that was named and is not there is a matter of usage.
fn not_there(error: fs::FsError) -> Failure {
    let exit_code = if error.is_not_found() { 2 } else { 1 };
    Failure { exit_code, ..Failure::from(error) }
}
