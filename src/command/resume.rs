//! `faos resume`: go on with a saved conversation, with new words or from where it stopped.

use std::path::{Path, PathBuf};

use crate::base::clock::to_the_minute;
use crate::cli::{Options, Resume};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::input;
use crate::command::job::{Place, Plan};
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
    Ok(Plan::Converse(Box::new(chat::job(options, settings, Place::Saved { folder }, input))))
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
        format!("{changed}  {:<11}  {}", summary.verdict, summary.title)
    };
    let choices: Vec<String> = recent.iter().map(choice).collect();
    match question::pick("which one?", &choices) {
        Some(at) => Ok(session::find(sessions, recent[at].id.as_str())?),
        None => Err(Failure::usage("no session was picked", "`faos resume --last` takes the newest")),
    }
}
