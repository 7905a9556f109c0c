//! `faos replay`: a saved conversation through today's scripts and prompts. The model's replies are the recorded ones, so
//! no model is needed; everything else is done anew, in a workspace that goes afterwards.
//!
//! What came out is held against what was recorded, or against what was accepted since (`replay.json`): each message's
//! verdict, the files behind it, and what the model was told. Times and sizes of runs are no difference.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::base::digest::sha256;
use crate::base::fs;
use crate::base::path::RelPath;
use crate::base::report::ChangeKind;
use crate::base::temporary::TemporaryFolder;
use crate::cli::{Options, Replay};
use crate::command::chat;
use crate::command::consent;
use crate::command::failure::Failure;
use crate::command::job::{Asking, Plan};
use crate::command::output;
use crate::command::signals;
use crate::core::conversation::{Conversation, Limits, Mode, Parts};
use crate::core::counting;
use crate::core::event::Event;
use crate::core::op::{Ask, Interrupt, Source};
use crate::gateway::{self, Gateway};
use crate::playback::{Player, Reply, Step};
use crate::prompting::Prompts;
use crate::sandbox::Sandbox;
use crate::scripting::Scripts;
use crate::session::record::{DeltaKind, Entry, Finish, GoesOn, Record};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::workspace::{FileOp, Versions, Workspace, diff};

/// Beside the log: what was accepted.
const ACCEPTED: &str = "replay.json";
/// Something comes out differently.
const DIFFERS: u8 = 3;

/// One message of the user as it was recorded.
#[derive(Default)]
struct Recorded {
    text: String,
    replies: Vec<(Said, Finish)>,
    outcome: Outcome,
}

#[derive(Clone, Default)]
struct Said {
    text: String,
    reasoning: String,
}

/// What came of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Outcome {
    verdict: String,
    /// What the model was told, in order.
    feedback: Vec<String>,
    /// What differs from the workspace before the first message; `None` is a file that went.
    files: BTreeMap<String, Option<String>>,
}

pub fn run(replay: &Replay, options: &Options) -> Result<Plan, Failure> {
    let settings = Settings::resolve(&chat::flags(options))?;
    let folder = session::find(&settings.folders.sessions, &replay.session)?;
    let (records, problems) = session::read(&folder)?;
    problems.iter().for_each(|problem| output::say(&format!("warning: {problem}")));
    let versions = Versions::open(&folder.join("versions"))?;
    let recorded = recorded(&records, &versions)?;
    if recorded.is_empty() {
        return Err(Failure::usage(
            "nothing was said in this session",
            "`faos sessions list` shows what was said in which",
        ));
    }
    let workspace = session::workspace_of(&folder).unwrap_or_default();
    let asking = if options.trust_scripts { Asking::Needless } else { Asking::Nobody };
    let (settings, notices) = consent::project(&workspace, &settings, asking)?;
    notices.iter().for_each(|notice| output::say(notice));
    let before = first_files(&versions)?;
    let replayed = replayed(&settings, options, &before, &recorded)?;
    let accepted = folder.join(ACCEPTED);
    if replay.accept {
        let text = serde_json::to_vec_pretty(&replayed).unwrap_or_default();
        fs::replace(&accepted, &text)?;
        return output::print(&format!(
            "accepted: what came out now is what is compared with\n{}\n",
            accepted.display()
        ));
    }
    let wanted: Vec<Outcome> = match fs::read_text_if_present(&accepted)? {
        Some(text) => serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!("`{}` cannot be read: {error}", accepted.display()), "`--accept` writes it anew")
        })?,
        None => recorded.iter().map(|message| message.outcome.clone()).collect(),
    };
    tell(&wanted, &replayed, replay.diff)
}

/// The messages that count, with their replies and what came of them.
fn recorded(records: &[Record], versions: &Versions) -> Result<Vec<Recorded>, Failure> {
    let mut messages: Vec<Recorded> = Vec::new();
    let (mut said, mut goes_on, mut newest) = (Said::default(), false, None);
    for record in counting(records) {
        if let Entry::UserMessage { text } = &record.entry {
            messages.push(Recorded { text: text.clone(), ..Recorded::default() });
        }
        if let Entry::VersionKept { version, .. } = &record.entry {
            newest = Some(*version);
        }
        let Some(message) = messages.last_mut() else { continue };
        match &record.entry {
            Entry::RequestSent { feedback, continues, .. } => {
                message.outcome.feedback.extend(feedback.as_deref().map(plain));
                goes_on = continues.as_ref().is_some_and(|continues| continues.by == GoesOn::Prefill);
                said = Said::default();
            }
            Entry::ReplyDelta { kind: DeltaKind::Text | DeltaKind::Tool, text } => said.text.push_str(text),
            Entry::ReplyDelta { kind: DeltaKind::Reasoning, text } => said.reasoning.push_str(text),
            Entry::ReplyFinished { reason, .. } => match message.replies.last_mut().filter(|_| goes_on) {
                // Played back as the one reply that it was: without the white space that came again.
                Some((before, finish)) => {
                    before.text.truncate(before.text.trim_end().len());
                    before.text.push_str(&said.text);
                    *finish = *reason;
                }
                None => message.replies.push((std::mem::take(&mut said), *reason)),
            },
            Entry::TurnFinished { verdict, .. } => {
                verdict.as_str().clone_into(&mut message.outcome.verdict);
                message.outcome.files = files(versions, newest)?;
            }
            _ => {}
        }
    }
    Ok(messages)
}

/// The workspace before the first message.
fn first_files(versions: &Versions) -> Result<Vec<FileOp>, Failure> {
    if versions.newest().is_none() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for change in versions.version(0)?.changes {
        let Ok(path) = RelPath::parse(&change.path) else { continue };
        if let Some(content) = versions.read(0, &path)? {
            files.push(FileOp::Write { path, content });
        }
    }
    Ok(files)
}

/// What a version holds that differs from the first one.
fn files(versions: &Versions, version: Option<u32>) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let mut files = BTreeMap::new();
    let Some(version) = version else { return Ok(files) };
    for change in versions.between(0, version)? {
        let Ok(path) = RelPath::parse(&change.path) else { continue };
        let content = match change.kind {
            ChangeKind::Deleted => None,
            ChangeKind::Created | ChangeKind::Modified => versions.read(version, &path)?,
        };
        let text = content.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => format!("(no text, SHA-256 {})\n", sha256(error.as_bytes())),
        });
        files.insert(change.path, text);
    }
    Ok(files)
}

/// Without what differs from run to run.
fn plain(feedback: &str) -> String {
    let Ok(measured) = Regex::new(r"\b\d+(?:\.\d+)? ?(ms|s|seconds?|[kKMG]i?B)\b") else { return feedback.to_owned() };
    measured.replace_all(feedback, "N $1").into_owned()
}

fn replayed(
    settings: &Settings,
    options: &Options,
    before: &[FileOp],
    recorded: &[Recorded],
) -> Result<Vec<Outcome>, Failure> {
    let passing = TemporaryFolder::make("faos-replay-")?;
    let session = Session::create(passing.path(), None)?;
    let workspace = Workspace::open(session.workspace())?;
    workspace.apply(before)?;
    let versions = Arc::new(Mutex::new(Versions::open(&session.folder().join("versions"))?));
    let sandbox = if options.no_run { None } else { Some(Arc::new(Sandbox::open(&settings.sandbox)?)) };
    let (events, shown) = mpsc::channel(64);
    let interrupt = Interrupt::default();
    let log = session.folder().to_owned();
    let parts = Parts {
        session: Arc::new(session),
        gateway: None,
        server: gateway::Options::default(),
        workspace,
        versions: Arc::clone(&versions),
        sandbox,
        prompts: Prompts::load(&settings.prompting)?,
        scripts: if options.no_scripts { None } else { Some(Scripts::load(&settings.scripting)?) },
        limits: Limits {
            max_turns: settings.max_turns,
            max_repairs: settings.max_repairs,
            run: settings.sandbox.limits.clone(),
            network: settings.sandbox.network,
        },
        mode: if options.no_run { Mode::NoRun } else { Mode::Work },
        keep_model: Box::new(|_| Ok(())),
        answers: None,
        events,
        interrupt: interrupt.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    runtime.block_on(async {
        tokio::spawn(listen(shown));
        signals::watch(&interrupt)?;
        converse(parts, recorded).await?;
        if interrupt.token().is_cancelled() {
            let (message, exit_code) = ("stopped before its end".to_owned(), interrupt.exit_code());
            return Err(Failure { message, hints: Vec::new(), exit_code });
        }
        let versions = versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        outcomes(&log, &versions)
    })
}

/// What is told of a replay is told at its end.
async fn listen(mut shown: mpsc::Receiver<Event>) {
    while shown.recv().await.is_some() {}
}

/// Says each message, with a model that has its recorded replies and no other.
async fn converse(parts: Parts, recorded: &[Recorded]) -> Result<(), Failure> {
    let token = parts.interrupt.clone();
    let mut conversation = Conversation::begin(parts, &[]).await?;
    for message in recorded {
        let replies = message.replies.iter().map(|(said, finish)| as_sent(said, *finish)).collect();
        let player = Player::start("recorded", replies, Duration::ZERO).map_err(|error| failed(&error))?;
        let server = gateway::Options { endpoint: Some(player.url().to_owned()), ..gateway::Options::default() };
        conversation.found(Gateway::connect(&server).await).await;
        conversation.handle(Ask::Say { text: message.text.clone(), source: Source::Keyboard }).await;
        if token.token().is_cancelled() {
            break;
        }
    }
    conversation.close("replayed").await;
    Ok(())
}

fn as_sent(said: &Said, finish: Finish) -> Reply {
    let Reply { mut steps, .. } = Reply::text(&said.text);
    if finish == Finish::Length {
        steps.pop();
        steps.push(Step::Finish("length".to_owned()));
    }
    if !said.reasoning.is_empty() {
        steps.insert(0, Step::Reasoning(said.reasoning.clone()));
    }
    Reply::stream(steps)
}

fn outcomes(log: &Path, versions: &Versions) -> Result<Vec<Outcome>, Failure> {
    let (records, _) = session::read(log)?;
    Ok(recorded(&records, versions)?.into_iter().map(|message| message.outcome).collect())
}

fn failed(error: &std::io::Error) -> Failure {
    Failure { message: format!("cannot play the replies back: {error}"), hints: Vec::new(), exit_code: 1 }
}

/// A line for each message, and where asked for what differs.
fn tell(wanted: &[Outcome], replayed: &[Outcome], with_diff: bool) -> Result<Plan, Failure> {
    let (mut out, mut differing) = (String::new(), 0);
    for number in 0..wanted.len().max(replayed.len()) {
        let none = Outcome::default();
        let (before, now) = (wanted.get(number).unwrap_or(&none), replayed.get(number).unwrap_or(&none));
        let what = differences(before, now);
        differing += usize::from(!what.is_empty());
        let told = if what.is_empty() { "as recorded".to_owned() } else { what.join(", ") };
        out.push_str(&format!("message {}: {}; {told}\n", number + 1, now.verdict));
        if with_diff {
            out.push_str(&shown(before, now));
        }
    }
    if differing == 0 {
        return output::print(&out);
    }
    let hint = if with_diff { "`--accept` keeps what came out now" } else { "`--diff` shows what differs" };
    output::print_then(
        &out,
        Failure {
            message: format!("{differing} of {} messages come out differently", wanted.len()),
            hints: vec![hint.to_owned()],
            exit_code: DIFFERS,
        },
    )
}

fn differences(before: &Outcome, now: &Outcome) -> Vec<String> {
    let mut what = Vec::new();
    if before.verdict != now.verdict {
        what.push(format!("the verdict was {}", before.verdict));
    }
    let names = before.files.keys().chain(now.files.keys()).collect::<std::collections::BTreeSet<_>>();
    let count = names.into_iter().filter(|name| before.files.get(*name) != now.files.get(*name)).count();
    if count > 0 {
        what.push(format!("{count} {} differ", if count == 1 { "file" } else { "files" }));
    }
    if before.feedback != now.feedback {
        what.push("the model is told something else".to_owned());
    }
    what
}

fn shown(before: &Outcome, now: &Outcome) -> String {
    let mut out = String::new();
    if before.verdict != now.verdict {
        out.push_str(&format!("-verdict {}\n+verdict {}\n", before.verdict, now.verdict));
    }
    let names = before.files.keys().chain(now.files.keys()).collect::<std::collections::BTreeSet<_>>();
    for name in names {
        let text = |outcome: &Outcome| outcome.files.get(name).cloned().flatten();
        out.push_str(&diff(name, text(before).as_deref(), text(now).as_deref()));
    }
    for at in 0..before.feedback.len().max(now.feedback.len()) {
        let (old, new) = (before.feedback.get(at), now.feedback.get(at));
        out.push_str(&diff(&format!("feedback {}", at + 1), old.map(String::as_str), new.map(String::as_str)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_run_measured_is_no_difference() {
        let told = |time: &str, memory: &str| format!("run 1: exit code 1, {time}, {memory} at most\nRan 3 tests");
        assert_eq!(plain(&told("0.21 s", "14.2 MB")), plain(&told("1.9 s", "9 MB")));
        assert!(plain(&told("1 s", "2 MB")).contains("Ran 3 tests"));
    }
}
