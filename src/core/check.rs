//! Validation: every validator's opinion of the current version, formed on a scratch copy.

use std::collections::HashMap;

use crate::base::path::RelPath;
use crate::core::conversation::{Conversation, Mode};
use crate::core::event::Event;
use crate::core::feedback::is_repetition;
use crate::core::host::Sees;
use crate::core::run::blocking;
use crate::core::turn::{Turn, values};
use crate::core::verdict::Stopped;
use crate::core::view::ValidationOutcome;
use crate::scripting::{Opinion, Validation};
use crate::session::record::Entry;
use crate::workspace::Version;

impl Conversation {
    /// Validates the current version unless that was done. Whether it failed is in `turn.evidence`.
    pub(super) async fn validate(&mut self, turn: &mut Turn) -> Result<(), Stopped> {
        let Some(scripts) = &self.parts.scripts else { return Ok(()) };
        let version = self.history.version.unwrap_or_default();
        let unchanged = turn.first_version == Some(version) && turn.runs.is_empty();
        if turn.validated == Some(version) || unchanged || self.parts.mode == Mode::DryRun {
            return Ok(());
        }
        let files = self.parts.workspace.files()?.files.into_iter().map(|listed| listed.path.into()).collect();
        let changed = values(&self.files_changed(turn));
        let (at, token) = (self.setting(turn), self.parts.interrupt.token());
        let hooked = scripts.on_validate(&at, changed, files, self.host_that(Sees::ScratchCopy), &token).await?;
        let took: HashMap<String, u64> = hooked.hooks.iter().map(|hook| (hook.script.clone(), hook.ms)).collect();
        let opinions = self.hooked(hooked).await;
        if token.is_cancelled() {
            return Err(Stopped::Interrupted);
        }
        turn.validated = Some(version);
        turn.evidence.validation = None;
        for opinion in opinions {
            let ms = took.get(&opinion.script).copied();
            self.take_opinion(turn, (version, ms), opinion).await?;
        }
        self.parts.session.sync().await?;
        Ok(())
    }

    async fn take_opinion(
        &mut self,
        turn: &mut Turn,
        (version, ms): (u32, Option<u64>),
        opinion: Validation,
    ) -> Result<(), Stopped> {
        let Validation { script, outcome, feedback } = opinion;
        let outcome = match outcome {
            Opinion::Passed => ValidationOutcome::Passed,
            Opinion::Failed => ValidationOutcome::Failed,
            Opinion::None => ValidationOutcome::None,
        };
        match outcome {
            ValidationOutcome::Passed => turn.evidence.validation = turn.evidence.validation.or(Some(true)),
            ValidationOutcome::Failed => turn.evidence.validation = Some(false),
            ValidationOutcome::None => {}
        }
        let told = match outcome {
            ValidationOutcome::Failed => self.failure(&script, &feedback)?,
            ValidationOutcome::Passed | ValidationOutcome::None => feedback.clone(),
        };
        self.record(Entry::Validated { version, outcome, script: script.clone(), feedback: told });
        self.emit(Event::Validation { outcome, script, feedback, ms }).await;
        Ok(())
    }

    /// A failure as the model is told of it: short where a run of the same reply has just shown it all.
    fn failure(&self, script: &str, feedback: &str) -> Result<String, Stopped> {
        let shown = self.history.feedback().unwrap_or_default();
        if is_repetition(feedback, &shown) {
            return Ok(format!("check {script}: failed too, with the output above"));
        }
        let values = serde_json::json!({ "script": script, "feedback": feedback });
        Ok(self.parts.prompts.render("repair", values)?)
    }

    /// Begins to keep a version while something else goes on.
    pub(super) fn keep_version_beside(&mut self, why: &'static str, turn: &mut Turn) {
        if self.parts.mode == Mode::DryRun {
            return;
        }
        let (versions, workspace) = (self.parts.versions.clone(), self.parts.workspace.clone());
        let logged = self.history.version;
        turn.keeping = Some(tokio::task::spawn_blocking(move || {
            let mut versions = versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kept = versions.keep(&workspace, why)?;
            let newest = versions.newest();
            // The program ended between a version and its record.
            let unlogged = newest.filter(|newest| kept.is_none() && logged.is_none_or(|logged| logged < *newest));
            let found = unlogged.map(|number| versions.version(number)).transpose()?;
            Ok((kept.or(found), newest))
        }));
    }

    /// Waits for that version and logs it.
    pub(super) async fn settle_version(&mut self, turn: &mut Turn) -> Result<(), Stopped> {
        let Some(keeping) = turn.keeping.take() else { return Ok(()) };
        let kept = keeping.await.map_err(|error| Stopped::Internal(format!("a worker thread ended: {error}")))?;
        let (version, newest) = kept?;
        turn.first_version = turn.since.or(newest);
        self.history.version = newest;
        self.version_kept(version, "before the message").await
    }

    /// Keeps the workspace as the model left it.
    pub(super) async fn keep_version(&mut self, why: &str) -> Result<(), Stopped> {
        let (versions, workspace, text) = (self.parts.versions.clone(), self.parts.workspace.clone(), why.to_owned());
        let kept = blocking(move || {
            let mut versions = versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            versions.keep(&workspace, &text)
        })
        .await??;
        self.version_kept(kept, why).await
    }

    /// In a workspace of which only touched files are versioned, these are touched from now on: as they are now first.
    pub(super) async fn keep_before(&mut self, files: &[(RelPath, Option<Vec<u8>>)]) -> Result<(), Stopped> {
        {
            let mut versions = self.parts.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !versions.is_partial() {
                return Ok(());
            }
            versions.adopt(files.iter().map(|(path, _)| path.clone()));
        }
        self.keep_version("before the files are changed").await
    }

    pub(super) async fn version_kept(&mut self, version: Option<Version>, why: &str) -> Result<(), Stopped> {
        let notice = self.parts.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner).notice();
        if let Some(notice) = notice {
            self.emit(Event::Notice(notice)).await;
        }
        let Some(Version { number, commit, changes }) = version else { return Ok(()) };
        self.record(Entry::VersionKept {
            version: number,
            commit: commit.clone(),
            why: why.to_owned(),
            files: changes.clone(),
        });
        self.parts.session.sync().await?;
        self.emit(Event::Version { version: number, commit, files: changes }).await;
        Ok(())
    }
}
