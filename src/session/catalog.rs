//! Finding sessions again: by id or prefix, by workspace, by last change. Logs are read at their two ends alone.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::base::fs;
use crate::base::ids::SessionId;
use crate::session::identity::Identity;
use crate::session::record::{Entry, Record, Verdict};
use crate::session::{LOG, SessionError};

/// Bytes of each end of a log that a listing reads.
const END: u64 = 64 * 1024;

/// One line of `faos sessions list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: SessionId,
    /// The beginning of the first user message.
    pub title: String,
    pub workspace: PathBuf,
    pub model: String,
    /// RFC 3339, of the newest record.
    pub changed: String,
    pub turns: u32,
    /// `passed`, `failed` …, or `open` where the last turn did not finish.
    pub verdict: String,
}

/// All sessions below the folder, newest change first; what cannot be read is named in the second part.
pub fn list(sessions: &Path) -> Result<(Vec<Summary>, Vec<String>), SessionError> {
    let mut summaries = Vec::new();
    let mut problems = Vec::new();
    for folder in folders(sessions) {
        match summary(&folder) {
            Ok(summary) => summaries.push(summary),
            Err(error) => problems.push(format!("`{}`: {error}", folder.display())),
        }
    }
    summaries.sort_by(|a, b| (&b.changed, &b.id).cmp(&(&a.changed, &a.id)));
    Ok((summaries, problems))
}

/// The folder of the session that `prefix` names.
pub fn find(sessions: &Path, prefix: &str) -> Result<PathBuf, SessionError> {
    let named = |folder: &PathBuf| name(folder).is_some_and(|name| name.starts_with(prefix));
    let mut found: Vec<PathBuf> = folders(sessions).into_iter().filter(named).collect();
    match found.len() {
        0 => Err(SessionError::NotFound(prefix.to_owned())),
        1 => Ok(found.remove(0)),
        _ => {
            let choices: Vec<&str> = found.iter().filter_map(|folder| name(folder)).collect();
            Err(SessionError::Ambiguous { prefix: prefix.to_owned(), choices: choices.join(", ") })
        }
    }
}

/// The session that was worked on last, of all or of those whose workspace this is.
pub fn newest(sessions: &Path, workspace: Option<&Path>) -> Result<Option<PathBuf>, SessionError> {
    let wanted = workspace.map(|path| fs::canonical(path).unwrap_or_else(|_| path.to_owned()));
    let of_it = |folder: &Path| match &wanted {
        None => true,
        Some(wanted) => workspace_of(folder).is_some_and(|path| fs::canonical(&path).is_ok_and(|path| path == *wanted)),
    };
    let mut best: Option<(String, PathBuf)> = None;
    for folder in folders(sessions).into_iter().filter(|folder| of_it(folder)) {
        let Ok(tail) = tail(&folder) else { continue };
        let Some(last) = tail.last() else { continue };
        if best.as_ref().is_none_or(|(time, other)| (last.time.as_str(), &folder) > (time.as_str(), other)) {
            best = Some((last.time.clone(), folder));
        }
    }
    Ok(best.map(|(_, folder)| folder))
}

/// Where the session's files are; `None` where its `session.json` cannot be read.
pub fn workspace_of(folder: &Path) -> Option<PathBuf> {
    let identity = Identity::read(folder)?;
    Some(identity.workspace.unwrap_or_else(|| folder.join("workspace")))
}

fn folders(sessions: &Path) -> Vec<PathBuf> {
    let walk = WalkDir::new(sessions).min_depth(1).max_depth(1).sort_by_file_name();
    let entries = walk.into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_dir());
    entries.map(walkdir::DirEntry::into_path).filter(|path| name(path).and_then(SessionId::parse).is_some()).collect()
}

fn name(folder: &Path) -> Option<&str> {
    folder.file_name()?.to_str()
}

fn summary(folder: &Path) -> Result<Summary, SessionError> {
    let (head, tail) = (head(folder)?, tail(folder)?);
    let id =
        name(folder).and_then(SessionId::parse).ok_or_else(|| SessionError::NotFound(folder.display().to_string()))?;
    let title = head.iter().find_map(|record| match &record.entry {
        Entry::UserMessage { text } => Some(text.clone()),
        _ => None,
    });
    let model = tail.iter().chain(&head).rev().find_map(|record| match &record.entry {
        Entry::RequestSent { model, .. } => Some(model.clone()),
        _ => None,
    });
    let ended = tail.iter().rev().find_map(|record| match &record.entry {
        Entry::TurnFinished { verdict, .. } => Some(Some(*verdict)),
        Entry::UserMessage { .. } | Entry::RequestSent { .. } => Some(None),
        _ => None,
    });
    let last = tail.last().or(head.last());
    Ok(Summary {
        id,
        title: title.unwrap_or_default(),
        workspace: workspace_of(folder).unwrap_or_else(|| folder.join("workspace")),
        model: model.unwrap_or_default(),
        changed: last.map(|record| record.time.clone()).unwrap_or_default(),
        turns: last.map(|record| record.turn).unwrap_or_default(),
        verdict: ended.flatten().map_or("open", verdict_name).to_owned(),
    })
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unchecked => "unchecked",
        Verdict::Error => "error",
        Verdict::Interrupted => "interrupted",
    }
}

fn head(folder: &Path) -> Result<Vec<Record>, SessionError> {
    ends(folder, SeekFrom::Start(0))
}

fn tail(folder: &Path) -> Result<Vec<Record>, SessionError> {
    let length = fs::open_to_read(&folder.join(LOG))?.metadata().map(|data| data.len()).unwrap_or_default();
    ends(folder, SeekFrom::Start(length.saturating_sub(END)))
}

/// The whole records of a block; its first and last line may be cut.
fn ends(folder: &Path, from: SeekFrom) -> Result<Vec<Record>, SessionError> {
    let path = folder.join(LOG);
    let mut file = fs::open_to_read(&path)?;
    let mut bytes = Vec::new();
    file.seek(from)
        .and_then(|_| file.take(END).read_to_end(&mut bytes))
        .map_err(|error| SessionError::Write(format!("cannot read `{}`: {error}", path.display())))?;
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    Ok(lines.filter_map(|line| Record::parse(line).ok()).collect())
}
