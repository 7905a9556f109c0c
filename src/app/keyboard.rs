//! A conversation at a terminal: the prompt opens at once, and what takes time is made ready beside it.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::app::home::{self, Home, Inside};
use crate::app::parts::{self, EVENTS, Outside, Ways};
use crate::base::fs;
use crate::base::printable::printable;
use crate::command::consent;
use crate::command::failure::Failure;
use crate::command::fork::fork;
use crate::command::job::{Job, Place, Words};
use crate::core::conversation::{Conversation, Kept};
use crate::core::event::Event;
use crate::core::op::{Answers, Ask, Interrupt, Op, Source, Topic};
use crate::frontend::repl::{self, Ends, OpenEditor, Repl};
use crate::frontend::slash::Leave;
use crate::gateway::{self, Gateway};
use crate::prompting::Prompts;
use crate::sandbox;
use crate::scripting::Scripts;
use crate::settings::Settings;

/// Things that may be asked for before the first is done.
const OPS: usize = 16;

/// One session after the other, until the user leaves.
pub async fn converse(mut job: Job, interrupt: Interrupt) -> Result<u8, Failure> {
    // Where the user came from, when another session was asked for that cannot be opened.
    let mut from: Option<Place> = None;
    // A project's own settings are those of its sessions alone.
    let mut settings = job.settings.clone();
    loop {
        job.settings = settings.clone();
        let ended = session(&mut job, &interrupt).await;
        // What was stopped in one session is no reason to stop in the next.
        interrupt.rearm();
        let (left, back) = match (ended, from.take()) {
            (Ok(ended), _) => ended,
            (Err(failure), Some(from)) => {
                job.place = from;
                job.notices = std::iter::once(failure.message).chain(failure.hints).collect();
                continue;
            }
            (Err(failure), None) => return Err(failure),
        };
        job.words = Words::None;
        job.notices.clear();
        settings.gateway = left.server;
        let Some((next, notice)) = next(left.leave, &back, &job.settings.folders.sessions) else {
            return Ok(left.exit_code);
        };
        job.notices.extend(notice);
        match next {
            Ok(place) => {
                job.place = place;
                from = Some(back);
            }
            // A conversation that cannot be gone over to is no reason to leave this one.
            Err(failure) => {
                job.place = back;
                job.notices = std::iter::once(failure.message).chain(failure.hints).collect();
            }
        }
    }
}

/// Where the user goes from here, and what is said there; `None` is out.
fn next(leave: Leave, here: &Place, sessions: &Path) -> Option<(Result<Place, Failure>, Option<String>)> {
    Some(match (leave, here) {
        (Leave::Quit, _) => return None,
        (Leave::Resume(prefix), _) => {
            (crate::session::find(sessions, &prefix).map(Place::saved).map_err(Failure::from), None)
        }
        (Leave::Fork(at), Place::Saved { folder, .. }) => (fork(sessions, folder, at).map(Place::saved), None),
        (Leave::Fork(_), Place::New { .. } | Place::Passing { .. }) => {
            let message = "nothing was said yet, or nothing is kept: there is nothing to fork".to_owned();
            (Err(Failure { message, hints: Vec::new(), exit_code: 2 }), None)
        }
        (Leave::Anew, Place::Saved { folder, .. }) => {
            let id = folder.file_name().unwrap_or_default().to_string_lossy();
            let notice = format!("a new conversation about the same files; the one before is {id}");
            (home::anew(sessions, here), Some(notice))
        }
        (Leave::Anew, Place::New { .. } | Place::Passing { .. }) => {
            (home::anew(sessions, here), Some("a new conversation".to_owned()))
        }
    })
}

/// How the user left.
struct Left {
    leave: Leave,
    exit_code: u8,
    /// With the model that was chosen meanwhile.
    server: gateway::Options,
}

/// One session, and the place to come back to it.
async fn session(job: &mut Job, interrupt: &Interrupt) -> Result<(Left, Place), Failure> {
    let place = home::checked(&job.place, &job.settings, job.mode)?;
    let (settings, notices) = allow(&place, job, interrupt).await?;
    job.settings = settings;
    job.notices.extend(notices);
    let job = &*job;
    // What the user wrote is read before the prompt opens: a fault in it is no surprise behind the first words.
    let written = parts::words_and_policy(job)?;
    let Home { inside, held: _held } = Home::open(&job.settings, &place)?;
    let folder = inside.session.folder().to_owned();
    let (events, shown) = mpsc::channel(EVENTS);
    let (ops, asked) = mpsc::channel(OPS);
    let (answer, answers) = Answers::channel();
    let ends = Ends { events: shown, ops, answer, interrupt: interrupt.clone() };
    let ways = Ways { events, interrupt: interrupt.clone(), answers: Some(answers) };
    fs::make_folders(&job.settings.folders.state)?;
    let frontend = &job.settings.frontend;
    let open_editor = frontend.editor.clone().map(|editor| -> OpenEditor {
        Arc::new(move |file: &Path| {
            sandbox::edit_with(&editor, file)
                .map_err(|why| format!("`{editor}` failed ({why}); the message is as it was"))
        })
    });
    let options = repl::Options {
        look: job.look,
        asks_ground: job.asks_ground,
        folder: job.settings.folders.state.clone(),
        open_editor,
        ring_after: frontend.ring_after,
    };
    let repl = Repl::new(ends, options).map_err(|error| Failure {
        message: format!("cannot use this terminal: {error}"),
        hints: vec!["`faos -p PROMPT` does one request without it".to_owned()],
        exit_code: 1,
    })?;
    let first = first_ops(&job.words, &place);
    let greeting = greeting(inside.workspace.root(), &job.notices);
    let conversation = attend(job, inside, written, asked, ways);
    let leaving = async {
        let leave = repl.run(&greeting, first).await;
        // Looked at here: what the conversation has to say to nobody afterwards is no reason to leave.
        let exit_code = if interrupt.is_ended() { interrupt.exit_code() } else { 0 };
        (leave, exit_code)
    };
    let ((leave, exit_code), ended) = tokio::join!(leaving, conversation);
    let is_empty = !matches!(ended, Ok((Kept::Session, _)));
    if is_empty && matches!(place, Place::New { .. }) {
        // An empty session tells nothing; where it cannot be removed, the list passes over it.
        let _ = fs::remove_folder(&folder);
    }
    let (_, server) = ended?;
    Ok((Left { leave, exit_code, server }, if is_empty { place } else { Place::saved(folder) }))
}

/// The question is asked on another thread: a signal has to end the program while nobody answers.
/// Then the project's own are let in, or left out.
async fn allow(place: &Place, job: &Job, interrupt: &Interrupt) -> Result<(Settings, Vec<String>), Failure> {
    let (place, settings, asking) = (place.clone(), job.settings.clone(), job.asking);
    let asked = tokio::task::spawn_blocking(move || {
        consent::ask(&place, &settings.folders)?;
        match consent::workspace_of(&place) {
            Some(workspace) => consent::project(&workspace, &settings, asking),
            None => Ok((settings, Vec::new())),
        }
    });
    let token = interrupt.token();
    tokio::select! {
        asked = asked => asked.unwrap_or_else(|error| Err(Failure {
            message: format!("cannot ask: {error}"),
            hints: Vec::new(),
            exit_code: 1,
        })),
        () = token.cancelled() => Err(Failure {
            message: "interrupted".to_owned(),
            hints: Vec::new(),
            exit_code: interrupt.exit_code(),
        }),
    }
}

/// Makes everything ready, and does what is asked for until nobody can ask any more.
async fn attend(
    job: &Job,
    inside: Inside,
    (prompts, scripts): (Prompts, Option<Scripts>),
    mut asked: mpsc::Receiver<Op>,
    ways: Ways,
) -> Result<(Kept, gateway::Options), Failure> {
    let sandbox = parts::tested(parts::sandbox(job)).await?;
    for notice in &inside.repaired {
        // A front end that is gone is noticed by the conversation itself.
        let _ = ways.events.send(Event::Notice(notice.clone())).await;
    }
    let outside = Outside { gateway: None, sandbox, prompts, scripts };
    let (parts, records) = parts::join(job, inside, outside, ways);
    let mut conversation = Conversation::begin(parts, &records).await?;
    let server = conversation.server_options().clone();
    let mut looking = Some(Box::pin(Gateway::connect(&server)));
    loop {
        let found = async {
            match &mut looking {
                Some(looking) => looking.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            found = found => {
                looking = None;
                conversation.found(found).await;
            }
            op = asked.recv() => {
                let Some(op) = op else { break };
                // Two searches at once are one too many for a server that takes one connection at a time.
                if conversation.is_connected() || op.asks_a_server() {
                    looking = None;
                }
                conversation.attend(op).await;
            }
        }
    }
    let server = conversation.server_options().clone();
    Ok((conversation.close("left").await, server))
}

fn first_ops(words: &Words, place: &Place) -> Vec<Op> {
    let mut ops = Vec::new();
    if let Place::Saved { .. } = place {
        ops.push(Op::Show(Topic::Recap));
    }
    if let Words::Say { prompt: Some(text), .. } = words {
        ops.push(Op::Ask(Ask::Say { text: text.clone(), source: Source::Argument }));
    }
    ops
}

fn greeting(workspace: &Path, notices: &[String]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(
        "faos {version} · files in {} · /help lists the commands\n",
        printable(&workspace.display().to_string())
    );
    for notice in notices {
        out.push_str(&format!("{}\n", printable(notice)));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::next;
    use crate::command::job::Place;
    use crate::frontend::slash::Leave;

    /// Each way to another conversation may fail, and then the user is where they were, and is told.
    #[test]
    fn a_conversation_that_cannot_be_gone_over_to_is_no_end() {
        let nowhere = tempfile::tempdir().unwrap();
        let sessions = nowhere.path().join("sessions");
        let here = Place::saved(sessions.join("20261126-010203-abcd"));
        for leave in [Leave::Anew, Leave::Fork(None), Leave::Resume("2026".to_owned())] {
            let Some((Err(failure), _)) = next(leave.clone(), &here, &sessions) else { panic!("{leave:?}") };
            assert!(!failure.message.is_empty(), "{leave:?}");
        }
        let new = Place::New { workspace: None };
        assert!(matches!(next(Leave::Fork(Some(1)), &new, Path::new("/")), Some((Err(_), _))));
        assert!(matches!(next(Leave::Anew, &new, Path::new("/")), Some((Ok(Place::New { .. }), Some(_)))));
        assert!(next(Leave::Quit, &here, &sessions).is_none());
    }
}
