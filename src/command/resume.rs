//! `faos resume`: go on with a saved conversation, with new words or from where it stopped.

use crate::cli::{Options, Resume};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::input;
use crate::command::job::{Place, Plan};
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
        (None, false) => {
            return Err(Failure::usage("which session?", "`faos resume --last`, or an id from `faos sessions list`"));
        }
    };
    let input = input::read(prompt)?;
    Ok(Plan::Converse(Box::new(chat::job(options, settings, Place::Saved { folder }, input))))
}
