//! One request without a REPL: everything is opened first, so that what is missing is told before anything is made.

use tokio::sync::mpsc;

use crate::app::home::{self, Home};
use crate::app::parts::{self, EVENTS, Outside, Ways};
use crate::command::consent;
use crate::command::failure::Failure;
use crate::command::job::{Job, Words};
use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::op::{Ask, Interrupt, Source};
use crate::frontend::headless;
use crate::gateway::{self, Gateway};
use crate::prompting::Prompts;
use crate::sandbox::Sandbox;

pub async fn converse(mut job: Job, interrupt: Interrupt) -> Result<u8, Failure> {
    let place = home::checked(&job.place, &job.settings, job.mode)?;
    if let Some(workspace) = consent::workspace_of(&place) {
        let (settings, notices) = consent::project(&workspace, &job.settings, job.asking)?;
        job.settings = settings;
        job.notices.extend(notices);
    }
    let (prompts, scripts) = parts::words_and_policy(&job)?;
    let sandbox = parts::sandbox(&job);
    let (events, shown) = mpsc::channel(EVENTS);
    let screen = tokio::spawn(headless::show(shown, job.show, interrupt.clone()));
    let server = parts::server(&job.settings, &events);
    let (gateway, sandbox) = side_by_side(&server, &interrupt, sandbox).await?;
    let Home { inside, held: _held } = Home::open(&job.settings, &place)?;
    let ask = ask_of(&job.words, &prompts)?;
    for notice in job.notices.iter().chain(&inside.repaired) {
        // The front end was started just now: it listens.
        let _ = events.send(Event::Notice(notice.clone())).await;
    }
    let outside = Outside { gateway: Some(gateway), sandbox, prompts, scripts };
    let (parts, records) = parts::join(&job, inside, outside, Ways { events, interrupt, answers: None });
    let mut conversation = Conversation::begin(parts, &records).await?;
    if ask == Ask::GoOn && !conversation.is_open() {
        return Err(Failure::usage(
            "the conversation came to its end: there is nothing to go on with",
            "say what you want next, as PROMPT",
        ));
    }
    let finished = conversation.handle_only(ask).await;
    conversation.close("done").await;
    // The conversation's end of the channel is closed now: the front end shows the rest and ends.
    let _ = screen.await;
    Ok(finished.exit_code)
}

/// The server is looked for while the sandbox tests itself.
async fn side_by_side(
    server: &gateway::Options,
    interrupt: &Interrupt,
    sandbox: parts::Testing,
) -> Result<(Gateway, Option<Sandbox>), Failure> {
    let token = interrupt.token();
    let gateway = tokio::select! {
        gateway = Gateway::connect(server) => gateway.map_err(Failure::from),
        () = token.cancelled() => {
            Err(Failure { message: "interrupted".to_owned(), hints: Vec::new(), exit_code: interrupt.exit_code() })
        }
    };
    // Waited for whatever came of the other: a self-test that is left in its middle leaves its folder behind.
    let sandbox = parts::tested(sandbox).await;
    Ok((gateway?, sandbox?))
}

fn ask_of(words: &Words, prompts: &Prompts) -> Result<Ask, Failure> {
    Ok(match words {
        Words::GoOn | Words::None => Ask::GoOn,
        Words::Say { prompt: Some(text), piped: None } => Ask::Say { text: text.clone(), source: Source::Argument },
        Words::Say { prompt: None, piped } => {
            Ask::Say { text: piped.clone().unwrap_or_default(), source: Source::Pipe }
        }
        Words::Say { prompt: Some(prompt), piped: Some(attachment) } => {
            let values = serde_json::json!({ "prompt": prompt, "attachment": attachment });
            Ask::Say { text: prompts.render("attachment", values)?, source: Source::Argument }
        }
    })
}
