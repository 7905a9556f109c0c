//! What can be asked about a conversation without asking the model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use crate::base::clock;
use crate::base::message::Role;
use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::head::{message_of, version_before};
use crate::core::history::path;
use crate::core::op::Topic;
use crate::core::run::blocking;
use crate::core::transcript;
use crate::core::verdict::Stopped;
use crate::core::view::{
    Context, Handler, KeptVersion, Model, Prompt, Recap, SavedSession, Script, Stats, Transcript, View,
};
use crate::gateway::Gateway;
use crate::session::record::{Entry, Record};
use crate::session::{self, Keys};

/// Files whose differences are shown; the rest is named.
const LARGEST: u64 = 1024 * 1024;
/// Characters of English text and code that make a token, about.
const CHARACTERS: usize = 4;

impl Conversation {
    pub(super) async fn show(&mut self, topic: &Topic) -> Result<(), Stopped> {
        let view = match topic {
            Topic::Recap => View::Recap(self.recap().await?),
            Topic::Context => View::Context(self.context().await?),
            Topic::Files => self.files()?,
            Topic::Diff { version, to, only } => match self.diff(*version, *to, only.clone()).await? {
                Some(view) => view,
                None => return Ok(()),
            },
            Topic::Versions => View::Versions(kept_versions(&self.records().await?)),
            Topic::Sessions => View::Sessions(self.sessions()?),
            Topic::Models => View::Models(self.models().await?),
            Topic::Scripts => View::Scripts(self.scripts()),
            Topic::Commands => View::Commands(self.commands()),
            Topic::Prompts => View::Prompts(self.prompts()),
            Topic::Stats => View::Stats(stats(&self.records().await?)),
            Topic::Transcript => View::Transcript(Box::new(self.transcript().await?)),
        };
        self.emit(Event::Shown(view)).await;
        Ok(())
    }

    async fn transcript(&self) -> Result<Transcript, Stopped> {
        self.parts.session.sync().await?;
        let folder = self.parts.session.folder().to_owned();
        let (transcript, _) = blocking(move || transcript::of_session(&folder)).await??;
        Ok(transcript)
    }

    pub(super) async fn rename(&mut self, title: String) -> Result<(), Stopped> {
        self.record(Entry::Renamed { title });
        self.parts.session.sync().await?;
        Ok(())
    }

    pub(super) async fn archive(&self, file: PathBuf) -> Result<(), Stopped> {
        self.parts.session.sync().await?;
        let folder = self.parts.session.folder().to_owned();
        let text = format!("everything of this session is in `{}`", file.display());
        let exported = blocking(move || session::export_to(&folder, &file, Keys::Masked)).await??;
        for notice in std::iter::once(text).chain(exported.notices()) {
            self.emit(Event::Notice(notice)).await;
        }
        Ok(())
    }

    async fn recap(&self) -> Result<Recap, Stopped> {
        let records = self.records().await?;
        let message = path(&records).iter().rev().find_map(|record| message_of(record));
        let reply = if message.is_some() { self.history.last_reply().to_owned() } else { String::new() };
        Ok(Recap { message, reply, open: self.is_open(), version: self.history.version })
    }

    async fn context(&self) -> Result<Context, Stopped> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for message in self.history.messages() {
            let name = match message.role {
                Role::System => "system prompt",
                Role::User => "messages and outcomes",
                Role::Assistant => "replies",
            };
            *sums.entry(name).or_default() += tokens(&message.content);
        }
        let order = ["system prompt", "messages and outcomes", "replies"];
        let parts = order.iter().map(|name| ((*name).to_owned(), sums.get(name).copied().unwrap_or_default()));
        let now = match &self.parts.gateway {
            Some(gateway) if !self.history.messages().is_empty() => {
                self.counted(gateway, self.history.messages()).await
            }
            Some(_) | None => None,
        };
        let records = self.records().await?;
        let before = path(&records).iter().rev().find_map(|record| match record.entry {
            Entry::ReplyFinished { usage, .. } if usage.prompt_tokens > 0 => {
                Some(usage.prompt_tokens + usage.completion_tokens)
            }
            _ => None,
        });
        let window = self.server().and_then(|server| server.context_window);
        Ok(Context { parts: parts.collect(), window, counted: now.or(before).unwrap_or_default() })
    }

    fn files(&self) -> Result<View, Stopped> {
        let listing = self.parts.workspace.files()?;
        let files = listing.files.into_iter().map(|file| (file.path.into(), file.size)).collect();
        Ok(View::Files { files, unnamed: listing.unnamed, truncated: listing.truncated })
    }

    /// `None` where there is no such version, and that was said.
    async fn diff(&self, from: Option<u32>, to: Option<u32>, only: Option<String>) -> Result<Option<View>, Stopped> {
        let records = self.records().await?;
        let path = path(&records);
        let last = path.iter().rposition(|record| message_of(record).is_some());
        let before = last.and_then(|at| version_before(&path, at));
        let newest = self.parts.versions.lock().unwrap_or_else(PoisonError::into_inner).newest();
        let missing = [from, to].into_iter().flatten().find(|version| newest.is_none_or(|newest| *version > newest));
        let (None, Some(version)) = (missing, from.or(before)) else {
            let text = match missing {
                Some(version) => format!("there is no version {version}; `/versions` lists them"),
                None => "nothing was said yet, so there is nothing to compare with".to_owned(),
            };
            self.emit(Event::Notice(text)).await;
            return Ok(None);
        };
        let (versions, workspace) = (self.parts.versions.clone(), self.parts.workspace.clone());
        let text = blocking(move || {
            let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
            let is_wanted = |path: &str| only.as_ref().is_none_or(|only| Path::new(path).starts_with(only));
            match to {
                Some(to) => transcript::changes_between(&versions, version, to, is_wanted),
                None => {
                    let changes = versions.since(&workspace, version)?;
                    let wanted = changes.into_iter().filter(|change| is_wanted(&change.path));
                    transcript::unified(
                        wanted,
                        |path| versions.read(version, path),
                        |path| workspace.read(path, LARGEST),
                    )
                }
            }
        })
        .await??;
        Ok(Some(View::Diff { version, to, text }))
    }

    fn sessions(&self) -> Result<Vec<SavedSession>, Stopped> {
        let Some(sessions) = self.parts.session.folder().parent() else { return Ok(Vec::new()) };
        let (summaries, _) = session::list(sessions)?;
        let saved = summaries.into_iter().filter(|summary| !summary.title.is_empty()).map(|summary| SavedSession {
            here: summary.id == *self.parts.session.id(),
            id: summary.id.to_string(),
            title: summary.title,
            changed: summary.changed,
            turns: summary.turns,
            verdict: summary.verdict,
        });
        Ok(saved.collect())
    }

    async fn models(&self) -> Result<Vec<Model>, Stopped> {
        let used = self.server();
        let found = Gateway::models(&self.parts.server).await?;
        let models = found.into_iter().map(|server| Model {
            in_use: used.is_some_and(|used| used.model == server.model && used.endpoint == server.endpoint),
            server: format!("{} at {}", server.kind, server.endpoint),
            name: server.model,
            context_window: server.context_window,
        });
        Ok(models.collect())
    }

    fn scripts(&self) -> Vec<Script> {
        let Some(scripts) = &self.parts.scripts else { return Vec::new() };
        let off = scripts.off();
        let script = |loaded: crate::scripting::Loaded| {
            let (origin, name) = loaded.label.split_once('/').unwrap_or(("", &loaded.label));
            let tallies = scripts.tallies(&loaded.label);
            let handler = |event: &&'static str| {
                let tally = tallies.iter().find(|tally| tally.event == *event).cloned().unwrap_or_default();
                Handler { event: (*event).to_owned(), calls: tally.calls, time: tally.time, outcome: tally.outcome }
            };
            Script {
                name: name.to_owned(),
                origin: origin.to_owned(),
                events: loaded.events.iter().map(handler).collect(),
                off: off.contains(&loaded.label),
                commands: loaded.commands,
            }
        };
        scripts.list().into_iter().map(script).collect()
    }

    fn prompts(&self) -> Vec<Prompt> {
        let sources = self.parts.prompts.sources().iter();
        sources.map(|(name, file)| Prompt { name: (*name).to_owned(), origin: file.clone() }).collect()
    }
}

/// A rough count: the server's own is taken where it gives one.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(CHARACTERS)).unwrap_or(u64::MAX)
}

fn kept_versions(records: &[Record]) -> Vec<KeptVersion> {
    // A version that was found without its record gets it later, so one may be told twice: the last word counts.
    let last: BTreeMap<u32, u64> = records
        .iter()
        .filter_map(|record| match record.entry {
            Entry::VersionKept { version, .. } => Some((version, record.seq)),
            _ => None,
        })
        .collect();
    let is_last = |record: &&Record| match record.entry {
        Entry::VersionKept { version, .. } => last.get(&version) == Some(&record.seq),
        _ => false,
    };
    let outcome = |number: u32| {
        records.iter().rev().find_map(|record| match &record.entry {
            Entry::Validated { version, outcome, .. } if *version == number => Some(*outcome),
            _ => None,
        })
    };
    let kept = records.iter().filter(is_last).filter_map(|record| match &record.entry {
        Entry::VersionKept { version, why, files, .. } => Some(KeptVersion {
            version: *version,
            time: record.time.clone(),
            why: why.clone(),
            files: files.clone(),
            outcome: outcome(*version),
        }),
        _ => None,
    });
    kept.collect()
}

pub fn stats(records: &[Record]) -> Stats {
    let mut stats = Stats::default();
    let mut verdicts: BTreeMap<&str, u32> = BTreeMap::new();
    // When the open request was sent, and when the first of its reply came.
    let (mut sent, mut came): (Option<&str>, Option<&str>) = (None, None);
    let since = |from: Option<&str>, record: &Record| {
        from.and_then(|from| clock::seconds_between(from, &record.time)).unwrap_or(0.0)
    };
    for record in records {
        match &record.entry {
            Entry::UserMessage { .. } => stats.messages += 1,
            Entry::RequestSent { .. } => (sent, came) = (Some(record.time.as_str()), None),
            Entry::ReplyDelta { .. } if came.is_none() => {
                stats.prefill_s += since(sent, record);
                came = Some(record.time.as_str());
            }
            Entry::ReplyFinished { usage, .. } => {
                stats.generation_s += since(came.take(), record);
                stats.usage.add(usage);
            }
            Entry::Compacted { usage, .. } => stats.usage.add(usage),
            Entry::RunFinished { report, .. } => {
                stats.runs += 1;
                stats.run_s += report.wall_s;
            }
            Entry::VersionKept { .. } => stats.versions += 1,
            Entry::TurnFinished { verdict, .. } => *verdicts.entry(verdict.as_str()).or_default() += 1,
            _ => {}
        }
    }
    stats.verdicts = verdicts.into_iter().map(|(verdict, count)| (verdict.to_owned(), count)).collect();
    stats
}
