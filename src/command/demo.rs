//! `faos demo`: the whole way with a recorded model. The server on loopback is a recording; everything else is real.

use std::time::Duration;

use crate::cli::{Demo, Options};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::input::{self, Input};
use crate::command::job::{Manner, Plan};
use crate::playback::{Player, Reply};
use crate::settings::{self, KeySource, Settings};

/// A conversation as it was recorded: the user's words and the model's replies.
struct Recording {
    name: &'static str,
    about: &'static str,
    description: &'static str,
    replies: &'static [&'static str],
}

macro_rules! recorded {
    ($session:literal, $file:literal) => {
        include_str!(concat!("../../examples/sessions/", $session, "/", $file))
    };
}

const RECORDINGS: [Recording; 2] = [
    Recording {
        name: "01-todo",
        about: "a to-do list in Python: two tests fail, the model repairs them",
        description: recorded!("01-todo", "description.md"),
        replies: &[
            recorded!("01-todo", "01.reply.md"),
            recorded!("01-todo", "02.reply.md"),
            recorded!("01-todo", "03.reply.md"),
        ],
    },
    Recording {
        name: "06-backup-rotate",
        about: "a backup script in Bash: a failing test, a refused edit, both repaired",
        description: recorded!("06-backup-rotate", "description.md"),
        replies: &[
            recorded!("06-backup-rotate", "01.reply.md"),
            recorded!("06-backup-rotate", "02.reply.md"),
            recorded!("06-backup-rotate", "03.reply.md"),
            recorded!("06-backup-rotate", "04.reply.md"),
        ],
    },
];

/// For a person at a terminal: about as fast as a small model on a good graphics card.
const PACE: Duration = Duration::from_millis(4);

pub fn run(demo: &Demo, options: &Options) -> Result<Plan, Failure> {
    let recording = find(demo.name.as_deref())?;
    let pace = if input::is_terminal() { PACE } else { Duration::ZERO };
    let replies = recording.replies.iter().map(|text| Reply::text(text)).collect();
    let player = Player::start("recorded-demo", replies, pace).map_err(|error| Failure {
        message: format!("cannot open a port on loopback: {error}"),
        hints: Vec::new(),
        exit_code: 1,
    })?;
    let mut settings = Settings::resolve(&chat::flags(options))?;
    settings.gateway = crate::gateway::Options { endpoint: Some(player.url().to_owned()), ..Default::default() };
    // The recording wants no key, so nobody is asked for one.
    settings.api_key = KeySource::Nowhere;
    // What was recorded was made with the built-in ones; a fault in the user's own is not the demo's to trip over.
    settings.scripting.user = None;
    settings.prompting.user = None;
    let place = chat::new(options, options.workspace.clone());
    let input = Input { prompt: Some(recording.description.trim_end().to_owned()), ..Input::default() };
    let mut job = chat::job(options, settings, place, input);
    job.notices.insert(0, format!("demo {}: {}", recording.name, recording.about));
    job.notices.insert(1, "the model is a recording, played back on loopback; all else is real".to_owned());
    job.notices.insert(2, format!("> {}", recording.description.trim_end().replace('\n', "\n> ")));
    job.manner = Manner::AtOnce;
    job.player = Some(player);
    Ok(Plan::Converse(Box::new(job)))
}

/// What can be played, and what happens in it.
pub fn recordings() -> impl Iterator<Item = (&'static str, &'static str)> {
    RECORDINGS.iter().map(|recording| (recording.name, recording.about))
}

fn find(name: Option<&str>) -> Result<&'static Recording, Failure> {
    let Some(name) = name else {
        // Without Python the first one would be a demonstration of what is missing.
        return Ok(if settings::is_on_path("python3") { &RECORDINGS[0] } else { &RECORDINGS[1] });
    };
    RECORDINGS.iter().find(|recording| recording.name == name).ok_or_else(|| {
        let known: Vec<&str> = RECORDINGS.iter().map(|recording| recording.name).collect();
        Failure::usage(format!("no recording is named `{name}`"), format!("there are {}", known.join(" and ")))
    })
}
