//! One open conversation: its parts, its beginning, and one [`Op`] at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::base::fs;
use crate::base::path::RelPath;
use crate::core::event::{Event, Finished, SessionInfo};
use crate::core::history::{History, State};
use crate::core::op::{Answers, Interrupt, Op, Source, Topic};
use crate::core::turn::Turn;
use crate::core::verdict::{self, Ending, Next, Stopped};
use crate::core::view::Verdict;
use crate::gateway::{self, Gateway, GatewayError};
use crate::prompting::Prompts;
use crate::sandbox::Sandbox;
use crate::scripting::{PromptDecision, Scripts};
use crate::session::Session;
use crate::session::record::{Entry, Finish, Record, Started};
use crate::workspace::{Versions, Workspace};

/// Characters of the workspace's map and of `AGENTS.md` that the system prompt may hold (about four a token).
const MAP: usize = 4_000;
const AGENTS: usize = 8_000;

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
    resumed: bool,
    /// The newest record's number.
    pub(super) last_record: u64,
}

impl Conversation {
    /// Begins a new conversation, or goes on with the records of an old one.
    pub async fn begin(parts: Parts, records: &[Record]) -> Result<Self, Stopped> {
        let history = History::of(records);
        let last_record = records.last().map_or(0, |record| record.seq);
        let (events, interrupt) = (parts.events.clone(), parts.interrupt.clone());
        let watch = move |done: usize, all: usize| {
            // Told for the wait alone: where the front end is behind, it is not told.
            let _ = events.try_send(Event::Notice(format!("keeping a version of the files: {done} of {all}")));
            !interrupt.token().is_cancelled()
        };
        parts.versions.lock().unwrap_or_else(PoisonError::into_inner).watched_by(Box::new(watch));
        let mut conversation = Self { parts, history, resumed: !records.is_empty(), last_record };
        if conversation.history.reply_is_open() {
            conversation.record(Entry::ReplyFinished { reason: Finish::Interrupted, usage: Default::default() });
        }
        conversation.mend().await?;
        conversation.restore_scripts(records).await?;
        if conversation.is_connected() {
            conversation.emit(Event::Session(conversation.info())).await;
        }
        Ok(conversation)
    }

    /// Does one request. The last event is the returned one.
    pub async fn handle(&mut self, op: Op) -> Finished {
        let mut turn = Turn::default();
        let (words, said) = (words_of(&op), self.history.turn);
        let ended = self.work(op, &mut turn).await;
        if let (Err(_), Some(words)) = (&ended, words)
            && self.history.turn == said
        {
            self.emit(Event::GivenBack(words)).await;
        }
        let finished = self.finish(ended, &mut turn).await;
        self.emit(Event::Finished(Box::new(finished.clone()))).await;
        finished
    }

    /// Does one thing at the keyboard; the last event is `Ready`.
    pub async fn attend(&mut self, op: Op) {
        match op {
            Op::Retry if !self.history.has_message() => {
                self.emit(Event::Notice("there is no message to answer again".to_owned())).await;
            }
            Op::Say { .. } | Op::GoOn | Op::Retry => {
                self.handle(op).await;
            }
            Op::Run { .. }
            | Op::Undo
            | Op::Redo
            | Op::Restore { .. }
            | Op::Rename { .. }
            | Op::Archive { .. }
            | Op::UseModel { .. }
            | Op::Compact
            | Op::Show(_) => {
                if let Err(stopped) = self.beside(op).await {
                    self.error(&stopped, 0).await;
                }
            }
        }
        self.emit(Event::Ready).await;
    }

    /// Logs the end. What was acknowledged before is already on disk. Tells whether there is anything to go on with.
    pub async fn close(self, reason: &str) -> Kept {
        if self.history.system_prompt().is_none() {
            return Kept::Nothing;
        }
        self.parts.session.append(self.history.turn, Entry::SessionEnded { reason: reason.to_owned() });
        // A failure here was reported by the turn's own sync; there is nobody left to tell.
        let _ = self.parts.session.sync().await;
        Kept::Session
    }

    async fn work(&mut self, op: Op, turn: &mut Turn) -> Result<Ending, Stopped> {
        self.connected().await?;
        self.started()?;
        match op {
            Op::Say { text, source } => {
                let Some(text) = self.prompt(&text, source, turn).await? else { return Ok(Ending::Done) };
                if let State::Replied(finish) = self.history.state
                    && finish != Finish::Interrupted
                {
                    // The program ended between a reply and what it asks for: that comes first.
                    self.keep_version_beside("before going on", turn);
                    self.take_up(turn, finish).await?;
                    turn.goes_on = false;
                }
                self.history.turn += 1;
                if source == Source::Keyboard {
                    self.attach(&text).await?;
                }
                self.record(Entry::UserMessage { text });
                // The version before the message is made while the model reads it.
                self.keep_version_beside("before the message", turn);
            }
            Op::Retry if !self.is_open() => {
                self.take_back_the_answer(turn).await?;
            }
            Op::GoOn | Op::Retry => {
                self.keep_version_beside("before going on", turn);
                if let Next::End(ending) = self.go_on(turn).await? {
                    return Ok(ending);
                }
            }
            Op::Run { .. }
            | Op::Undo
            | Op::Redo
            | Op::Restore { .. }
            | Op::Rename { .. }
            | Op::Archive { .. }
            | Op::UseModel { .. }
            | Op::Compact
            | Op::Show(_) => {
                return Err(Stopped::Internal("this is no request of the model".to_owned()));
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
        self.started()?;
        match op {
            Op::Run { command, told, network } => self.user_run(&command, told, network).await,
            Op::Undo => self.undo().await,
            Op::Compact => self.compact_now().await,
            Op::Redo => self.redo().await,
            Op::Restore { version, only } if only.is_empty() => self.restore(version).await,
            Op::Restore { version, only } => self.restore_only(version, &only).await,
            Op::Rename { title } => self.rename(title).await,
            Op::Archive { file } => self.archive(file).await,
            Op::Say { .. } | Op::GoOn | Op::Retry | Op::UseModel { .. } | Op::Show(_) => Ok(()),
        }
    }

    /// The server is looked for where it was not found before.
    pub(super) async fn connected(&mut self) -> Result<(), Stopped> {
        if self.parts.gateway.is_none() {
            self.connect().await?;
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), Stopped> {
        let token = self.parts.interrupt.token();
        let gateway = tokio::select! {
            gateway = Gateway::connect(&self.parts.server) => gateway?,
            () = token.cancelled() => return Err(Stopped::Interrupted),
        };
        self.take_gateway(gateway).await;
        Ok(())
    }

    async fn take_gateway(&mut self, gateway: Gateway) {
        let model = gateway.server().model.clone();
        self.parts.gateway = Some(gateway);
        self.emit(Event::Session(self.info())).await;
        if self.resumed && !self.history.model.is_empty() && self.history.model != model {
            let text = format!("the conversation was with `{}` until now", self.history.model);
            self.emit(Event::Notice(text)).await;
        }
    }

    async fn use_model(&mut self, name: String, save: bool) -> Result<(), Stopped> {
        let before = self.parts.server.model.replace(name.clone());
        if let Err(stopped) = self.connect().await {
            self.parts.server.model = before;
            return Err(stopped);
        }
        let listed = Gateway::models(&self.parts.server).await.unwrap_or_default();
        if !listed.is_empty() && !listed.iter().any(|server| server.model == name) {
            self.emit(Event::Notice(format!("the server does not list `{name}`; `/model` shows what it has"))).await;
        }
        if save {
            let text = match (self.parts.keep_model)(&name) {
                Ok(()) => format!("`{name}` is the model of later sessions too"),
                Err(problem) => format!("the model is not saved: {problem}"),
            };
            self.emit(Event::Notice(text)).await;
        }
        if self.history.system_prompt().is_some() {
            self.record(Entry::SettingChanged { key: "model.name".to_owned(), value: name.into() });
            self.parts.session.sync().await?;
        }
        Ok(())
    }

    /// The session's first record, with the system prompt as it will stay.
    fn started(&mut self) -> Result<(), Stopped> {
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

    /// What the search beside an open prompt came to.
    pub async fn found(&mut self, found: Result<Gateway, GatewayError>) {
        match found {
            Ok(gateway) => self.take_gateway(gateway).await,
            // Never guessed: the user is asked, by a list to choose from.
            Err(GatewayError::Ambiguous { message, .. }) => {
                self.emit(Event::Notice(message)).await;
                if let Err(stopped) = self.show(&Topic::Models).await {
                    self.error(&stopped, 0).await;
                }
                self.emit(Event::Notice("`/model NAME` chooses one, and then you can begin".to_owned())).await;
            }
            Err(error) => {
                self.error(&error.into(), 0).await;
                self.emit(Event::Notice("it is looked for again when you say something".to_owned())).await;
            }
        }
    }

    /// Where the server is looked for, with the model that was chosen last.
    pub fn server_options(&self) -> &gateway::Options {
        &self.parts.server
    }

    pub fn is_connected(&self) -> bool {
        self.parts.gateway.is_some()
    }

    /// Whether there is something to go on with, without a word of the user.
    pub fn is_open(&self) -> bool {
        !matches!(self.history.state, State::Idle | State::Ended)
    }

    /// What `on_prompt` makes of the user's text; `None` where a script has answered it.
    async fn prompt(&mut self, text: &str, source: Source, turn: &mut Turn) -> Result<Option<String>, Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(Some(text.to_owned())) };
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_prompt(&at, text, source.name(), self.host(), &token).await?;
        match self.hooked(hooked).await {
            PromptDecision::Go { text, context } => {
                let pieces: Vec<String> = std::iter::once(text).chain(context).collect();
                Ok(Some(pieces.join("\n\n")))
            }
            PromptDecision::Denied { script, why } => Err(Stopped::Denied(format!("{why} (`{script}`)"))),
            PromptDecision::Handled { text } => {
                self.emit(Event::Notice(text.clone())).await;
                turn.answer = text;
                Ok(None)
            }
        }
    }

    pub(super) fn system_prompt(&self) -> Result<String, Stopped> {
        let window = self.server().and_then(|server| server.context_window);
        // Four characters a token, and never more than an eighth of the window for each of the two.
        let cap = |most: usize| window.map_or(most, |tokens| most.min(usize::try_from(tokens / 2).unwrap_or(most)));
        let listing = self.parts.workspace.files()?;
        let map = crate::workspace::map_with_signatures(&self.parts.workspace, &listing, cap(MAP));
        let values = serde_json::json!({
            "map": map,
            "agents": self.agents(cap(AGENTS))?,
            "wall_s": self.parts.limits.run.wall_s,
            "network": self.parts.limits.network,
            "run_blocks": self.parts.mode != Mode::NoRun,
        });
        Ok(self.parts.prompts.render("system", values)?)
    }

    fn agents(&self, most: usize) -> Result<String, Stopped> {
        let Ok(path) = RelPath::parse("AGENTS.md") else { return Ok(String::new()) };
        let bytes = self.parts.workspace.read(&path, 1 << 20)?.unwrap_or_default();
        Ok(crate::base::clip::clip(&String::from_utf8_lossy(&bytes), most, 0))
    }

    async fn restore_scripts(&mut self, records: &[Record]) -> Result<(), Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(()) };
        let states = records.iter().filter_map(|record| match &record.entry {
            Entry::ScriptState { script, state } => Some((script.clone(), state.clone())),
            _ => None,
        });
        // The newest state of each script is the last one.
        let newest: std::collections::BTreeMap<_, _> = states.collect();
        if !newest.is_empty() {
            scripts.restore(newest.into_iter().collect()).await?;
        }
        Ok(())
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
            Ok(()) => (verdict, exit_code),
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

    /// The last reply of this request.
    pub(super) fn text_of<'a>(&'a self, turn: &'a Turn) -> &'a str {
        if turn.replied { self.history.last_reply() } else { &turn.answer }
    }

    /// Logs and shows why the work stopped, unless the user has stopped it.
    async fn error(&mut self, stopped: &Stopped, calls: u32) {
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

    async fn keep_script_state(&mut self) {
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

    pub(super) fn server(&self) -> Option<&gateway::Server> {
        self.parts.gateway.as_ref().map(Gateway::server)
    }

    fn info(&self) -> SessionInfo {
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

fn words_of(op: &Op) -> Option<String> {
    match op {
        Op::Say { text, source: Source::Keyboard } => Some(text.clone()),
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
