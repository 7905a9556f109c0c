//! One open conversation: its parts, its beginning, and one [`Op`] at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::base::fs;
use crate::core::event::{Event, Finished, SessionInfo};
use crate::core::history::{History, State};
use crate::core::op::{Answers, Ask, Interrupt, Op, Source};
use crate::core::turn::Turn;
use crate::core::verdict::{self, Ending, Next, Stopped};
use crate::core::view::Verdict;
use crate::gateway::{self, Gateway};
use crate::prompting::Prompts;
use crate::sandbox::Sandbox;
use crate::scripting::{Scripts, SessionStart};
use crate::session::Session;
use crate::session::record::{Entry, Finish, Record, Started};
use crate::workspace::{Progress, Versions, Workspace};

/// The error is one line for the user.
pub type KeepModel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What a conversation is made of; the composition root fills it in.
pub struct Parts {
    pub session: Arc<Session>,
    /// `None` until a server is found; it is looked for again before each message.
    pub gateway: Option<Gateway>,
    /// Where it is looked for, and with which model.
    pub server: gateway::Options,
    pub workspace: Workspace,
    /// Git runs on threads of its own, one call at a time: the lock is held for one version.
    pub versions: Arc<Mutex<Versions>>,
    /// `None` where nothing may run.
    pub sandbox: Option<Arc<Sandbox>>,
    pub prompts: Prompts,
    /// `None` with `--no-scripts`.
    pub scripts: Option<Scripts>,
    pub limits: Limits,
    pub mode: Mode,
    /// Writes the model's name into the user's settings.
    pub keep_model: KeepModel,
    /// `None` where nobody sits at a terminal and can be asked.
    pub answers: Option<Answers>,
    pub events: mpsc::Sender<Event>,
    pub interrupt: Interrupt,
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Model calls for one request.
    pub max_turns: u32,
    /// Failed validations that are fed back.
    pub max_repairs: u32,
    pub run: crate::sandbox::Limits,
    pub network: crate::base::report::Network,
}

/// What is really done with what the model asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Work,
    /// Files are written, `run` blocks are not run.
    NoRun,
    /// One model call; actions are shown with their diffs, nothing is done.
    DryRun,
}

/// The state of a conversation beside the log: nothing here that the log could not give again.
pub struct Conversation {
    pub(super) parts: Parts,
    pub(super) history: History,
    pub(super) resumed: bool,
    /// The newest record's number.
    pub(super) last_record: u64,
    /// What scripts are told when they are asked for the first time.
    pub(super) opening: Option<SessionStart>,
    /// What they want to be sent with the next message.
    pub(super) added: Vec<String>,
    /// They were told that the session is left.
    pub(super) ended: bool,
}

impl Conversation {
    /// Begins a new conversation, or goes on with the records of an old one.
    pub async fn begin(parts: Parts, records: &[Record]) -> Result<Self, Stopped> {
        let history = History::of(records);
        let last_record = records.last().map_or(0, |record| record.seq);
        let resumed = !records.is_empty();
        let opening = Some(SessionStart { resumed, forked_from: forked_from(records) });
        let (events, interrupt) = (parts.events.clone(), parts.interrupt.clone());
        let watch = move |progress: Progress| {
            let text = match progress {
                Progress::Found(entries) => format!("looking for files to keep a version of: {entries} so far"),
                Progress::Read { done, all } => format!("keeping a version of the files: {done} of {all}"),
            };
            // Told for the wait alone: where the front end is behind, it is not told.
            let _ = events.try_send(Event::Notice(text));
            !interrupt.token().is_cancelled()
        };
        parts.versions.lock().unwrap_or_else(PoisonError::into_inner).watched_by(Box::new(watch));
        let mut conversation = Self { parts, history, resumed, last_record, opening, added: Vec::new(), ended: false };
        if conversation.history.reply_is_open() {
            conversation.record(Entry::ReplyFinished { reason: Finish::Interrupted, usage: Default::default() });
        }
        conversation.adopt_what_was_written();
        conversation.mend().await?;
        conversation.restore_scripts(records).await?;
        conversation.restore_prompts(records).await;
        if conversation.is_connected() {
            conversation.emit(Event::Session(conversation.info())).await;
        }
        Ok(conversation)
    }

    /// Does one request. The last event is the returned one.
    pub async fn handle(&mut self, ask: Ask) -> Finished {
        let finished = self.request_of(ask).await;
        self.emit(Event::Finished(Box::new(finished.clone()))).await;
        finished
    }

    /// Does the only request there is: scripts are told of the session's end before the last event.
    pub async fn handle_only(&mut self, ask: Ask) -> Finished {
        let finished = self.request_of(ask).await;
        self.session_ends("done").await;
        self.emit(Event::Finished(Box::new(finished.clone()))).await;
        finished
    }

    async fn request_of(&mut self, ask: Ask) -> Finished {
        let mut turn = Turn::default();
        let (words, said) = (words_of(&ask), self.history.turn);
        let ended = self.work(ask, &mut turn).await;
        if let (Err(_), Some(words)) = (&ended, words)
            && self.history.turn == said
        {
            self.emit(Event::GivenBack(words)).await;
        }
        self.finish(ended, &mut turn).await
    }

    /// Does one thing at the keyboard; the last event is `Ready`.
    pub async fn attend(&mut self, op: Op) {
        if let Op::Ask(ask) = op {
            if ask == Ask::Retry && !self.history.has_message() {
                self.emit(Event::Notice("there is no message to answer again".to_owned())).await;
            } else {
                self.handle(ask).await;
            }
        } else if let Err(stopped) = Box::pin(self.beside(op)).await {
            // A command may become a message, and that asks for this again.
            self.error(&stopped, 0).await;
        }
        self.emit(Event::Ready).await;
    }

    /// Logs the end. What was acknowledged before is already on disk. Tells whether there is anything to go on with.
    pub async fn close(mut self, reason: &str) -> Kept {
        if self.history.system_prompt().is_none() {
            return Kept::Nothing;
        }
        self.session_ends(reason).await;
        self.parts.session.append(self.history.turn, Entry::SessionEnded { reason: reason.to_owned() });
        // A failure here was reported by the turn's own sync; there is nobody left to tell.
        let _ = self.parts.session.sync().await;
        Kept::Session
    }

    async fn work(&mut self, ask: Ask, turn: &mut Turn) -> Result<Ending, Stopped> {
        self.connected().await?;
        self.started()?;
        self.scripts_ready().await?;
        match ask {
            Ask::Say { text, source } => {
                let Some(text) = self.prompt(&text, source, turn).await? else { return Ok(Ending::Done) };
                let text = self.with_added(text);
                if let State::Replied(finish) = self.history.state
                    && finish != Finish::Interrupted
                {
                    // The program ended between a reply and what it asks for: that comes first.
                    self.keep_version_beside("before going on", turn);
                    self.take_up(turn, finish).await?;
                    turn.goes_on = false;
                }
                self.tell_of_what_was_not_begun();
                self.history.turn += 1;
                if source == Source::Keyboard {
                    self.attach(&text).await?;
                }
                self.record(Entry::UserMessage { text });
                // The version before the message is made while the model reads it.
                self.keep_version_beside("before the message", turn);
            }
            Ask::Retry if !self.is_open() => {
                self.take_back_the_answer(turn).await?;
            }
            Ask::GoOn | Ask::Retry => {
                turn.since = self.version_before_the_message().await?;
                self.keep_version_beside("before going on", turn);
                if let Next::End(ending) = self.go_on(turn).await? {
                    return Ok(ending);
                }
            }
        }
        self.converse(turn).await
    }

    /// What does not ask the model.
    async fn beside(&mut self, op: Op) -> Result<(), Stopped> {
        if let Op::Show(topic) = &op {
            return self.show(topic).await;
        }
        if let Op::UseModel { name, save } = op {
            return self.use_model(name, save).await;
        }
        if let Op::UsePrompts(set) = op {
            return self.use_prompts(set).await;
        }
        self.started()?;
        if !matches!(op, Op::Scripts(_)) {
            self.scripts_ready().await?;
        }
        match op {
            Op::Command { name, text } => self.command(&name, &text).await,
            Op::Scripts(switch) => self.switch(&switch).await,
            Op::Run { command, told, network } => self.user_run(&command, told, network).await,
            Op::Undo => self.undo().await,
            Op::Compact => self.compact_now().await,
            Op::Redo => self.redo().await,
            Op::Restore { version, only } if only.is_empty() => self.restore(version).await,
            Op::Restore { version, only } => self.restore_only(version, &only).await,
            Op::Rename { title } => self.rename(title).await,
            Op::Archive { file } => self.archive(file).await,
            Op::Ask(_) | Op::UsePrompts(_) | Op::UseModel { .. } | Op::Show(_) => Ok(()),
        }
    }

    /// The session's first record, with the system prompt as it will stay.
    pub(super) fn started(&mut self) -> Result<(), Stopped> {
        if self.history.system_prompt().is_some() {
            return Ok(());
        }
        let started = Started {
            session: self.parts.session.id().clone(),
            workspace: self.parts.workspace.root().to_owned(),
            program: concat!("faos ", env!("CARGO_PKG_VERSION")).to_owned(),
            system_prompt: self.system_prompt()?,
            forked_from: None,
        };
        self.record(Entry::SessionStarted(started));
        Ok(())
    }

    /// Whether there is something to go on with, without a word of the user.
    pub fn is_open(&self) -> bool {
        !matches!(self.history.state, State::Idle | State::Ended)
    }

    async fn finish(&mut self, ended: Result<Ending, Stopped>, turn: &mut Turn) -> Finished {
        // A version that was begun is in git: the log has to know it too. What its own failure was is told below.
        let ended = match self.settle_version(turn).await {
            Err(stopped) if ended.is_ok() => Err(stopped),
            Ok(()) | Err(_) => ended,
        };
        let (verdict, exit_code) = match &ended {
            Ok(ending) => verdict::of_ending(*ending, turn.verdict.unwrap_or_else(|| turn.evidence.verdict())),
            Err(stopped) => {
                let (verdict, code, _) = verdict::of_stop(stopped, &self.parts.interrupt, turn.calls);
                self.error(stopped, turn.calls).await;
                (verdict, code)
            }
        };
        if self.history.system_prompt().is_some() {
            self.keep_script_state().await;
            self.record(Entry::TurnFinished { verdict, exit_code });
        }
        let (verdict, exit_code) = match self.parts.session.sync().await {
            Ok(()) => {
                #[cfg(debug_assertions)]
                self.log_is_the_truth().await;
                (verdict, exit_code)
            }
            Err(error) => {
                let message = error.to_string();
                let hints = fs::hint(&message).into_iter().map(str::to_owned).collect();
                self.emit(Event::Error { message, hints }).await;
                // An interruption stands before the failure to keep it.
                if verdict == Verdict::Interrupted { (verdict, exit_code) } else { (Verdict::Error, 1) }
            }
        };
        Finished {
            verdict,
            exit_code,
            session: self.parts.session.id().clone(),
            workspace: self.parts.workspace.root().to_owned(),
            files: self.files_changed(turn),
            runs: turn.runs.clone(),
            usage: turn.usage,
            text: self.text_of(turn).to_owned(),
        }
    }

    /// What is known here is what the log gives: whatever a later start would not know shows here, in every test.
    #[cfg(debug_assertions)]
    async fn log_is_the_truth(&self) {
        if let Ok(records) = self.records().await {
            debug_assert_eq!(History::of(&records), self.history, "the log gives the left one");
        }
    }

    /// The last reply of this request.
    pub(super) fn text_of<'a>(&'a self, turn: &'a Turn) -> &'a str {
        if turn.replied { self.history.last_reply() } else { &turn.answer }
    }

    /// Logs and shows why the work stopped, unless the user has stopped it.
    pub(super) async fn error(&mut self, stopped: &Stopped, calls: u32) {
        let (verdict, _, hints) = verdict::of_stop(stopped, &self.parts.interrupt, calls);
        // Whoever interrupted the work has said why.
        if verdict == Verdict::Error && !matches!(stopped, Stopped::Interrupted) {
            let message = stopped.to_string();
            if self.history.system_prompt().is_some() {
                self.record(Entry::Error { message: message.clone(), hints: hints.clone() });
            }
            self.emit(Event::Error { message, hints }).await;
        }
    }

    pub(super) async fn keep_script_state(&mut self) {
        let Some(scripts) = &self.parts.scripts else { return };
        for (script, state) in scripts.state().await.unwrap_or_default() {
            self.record(Entry::ScriptState { script, state });
        }
    }

    /// Logs, and folds into what the next request needs.
    pub(super) fn record(&mut self, entry: Entry) {
        self.history.apply(self.history.turn, &entry);
        self.last_record = self.parts.session.append(self.history.turn, entry);
    }

    /// Tells the front end. One that is gone cannot be shown anything: the work is stopped as by SIGTERM.
    pub(super) async fn emit(&self, event: Event) {
        if self.parts.events.send(event).await.is_err() {
            self.parts.interrupt.stop(crate::core::op::Stop::OutputClosed);
        }
    }

    pub(super) fn info(&self) -> SessionInfo {
        let server = self.server();
        SessionInfo {
            id: self.parts.session.id().clone(),
            folder: self.parts.session.folder().to_owned(),
            workspace: self.parts.workspace.root().to_owned(),
            resumed: self.resumed,
            turn: self.history.turn + u32::from(!self.is_open()),
            model: server.map(|server| server.model.clone()).unwrap_or_default(),
            server: server.map(|server| format!("{} at {}", server.kind, server.endpoint)).unwrap_or_default(),
            context_window: server.and_then(|server| server.context_window),
        }
    }
}

fn forked_from(records: &[Record]) -> Option<String> {
    records.iter().find_map(|record| match &record.entry {
        Entry::SessionStarted(started) => started.forked_from.as_ref().map(ToString::to_string),
        _ => None,
    })
}

fn words_of(ask: &Ask) -> Option<String> {
    match ask {
        Ask::Say { text, source: Source::Keyboard } => Some(text.clone()),
        _ => None,
    }
}

/// What a conversation leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing was said: there is no session to go on with.
    Nothing,
    Session,
}
