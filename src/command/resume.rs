//! `faos resume`: go on with a saved conversation, with new words or from where it stopped.

use std::path::{Path, PathBuf};

use crate::base::clock::to_the_minute;
use crate::cli::{Options, Resume};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::fork::fork;
use crate::command::input;
use crate::command::job::{Place, Plan};
use crate::command::output;
use crate::core::transcript;
use crate::core::view::Piece;
use crate::frontend::question;
use crate::session;
use crate::settings::Settings;

pub fn run(resume: &Resume, options: &Options) -> Result<Plan, Failure> {
    chat::refuse_dry_run(options)?;
    let settings = Settings::resolve(&chat::flags(options))?;
    let sessions = &settings.folders.sessions;
    let (folder, prompt) = match (&resume.session, resume.last) {
        (prompt, true) => {
            if resume.prompt.is_some() {
                return Err(Failure::usage("too many arguments after --last", "quote it: PROMPT is one argument"));
            }
            let newest = session::newest(sessions, None)?;
            let folder = newest.ok_or_else(|| Failure::usage("there is no session yet", "`faos PROMPT` begins one"))?;
            (folder, prompt.clone())
        }
        (Some(prefix), false) => (session::find(sessions, prefix)?, resume.prompt.clone()),
        (None, false) if input::is_terminal() && !options.print => (pick(sessions)?, None),
        (None, false) => {
            return Err(Failure::usage("which session?", "`faos resume --last`, or an id from `faos sessions list`"));
        }
    };
    let input = input::read(prompt)?;
    let folder = if resume.fork { fork(sessions, &folder, resume.at)? } else { folder };
    let workspace = options.workspace.as_deref().map(chat::absolute);
    Ok(Plan::Converse(Box::new(chat::job(options, settings, Place::Saved { folder, workspace }, input))))
}

/// The newest ones, by number.
fn pick(sessions: &Path) -> Result<PathBuf, Failure> {
    const SHOWN: usize = 12;
    let (summaries, _) = session::list(sessions)?;
    let recent: Vec<_> = summaries.into_iter().filter(|summary| !summary.title.is_empty()).take(SHOWN).collect();
    if recent.is_empty() {
        return Err(Failure::usage("there is no session yet", "`faos` begins one"));
    }
    let choice = |summary: &session::Summary| {
        let changed = to_the_minute(&summary.changed);
        let last = session::find(sessions, summary.id.as_str()).ok().and_then(|folder| preview(&folder));
        let last = last.map(|line| format!("\n       {line}")).unwrap_or_default();
        format!("{changed}  {:<11}  {}{last}", summary.verdict, output::one_line(&summary.title))
    };
    let choices: Vec<String> = recent.iter().map(choice).collect();
    match question::pick("which one?", &choices) {
        Some(at) => Ok(session::find(sessions, recent[at].id.as_str())?),
        None => Err(Failure::usage("no session was picked", "`faos resume --last` takes the newest")),
    }
}

/// The beginning of what was said last, where the end of the log tells.
fn preview(folder: &Path) -> Option<String> {
    const WIDTH: usize = 70;
    let transcript = transcript::of("", &session::last_records(folder).ok()?, None);
    let said = transcript.pieces.iter().rev().find_map(|piece| match piece {
        Piece::Message(text) => Some(("you", text)),
        Piece::Reply(text) => Some(("reply", text)),
        _ => None,
    });
    let (who, text) = said?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(format!("{who}: {}", output::one_line(line).chars().take(WIDTH).collect::<String>()))
}
