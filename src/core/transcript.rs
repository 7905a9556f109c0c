//! A conversation from its beginning to where it stands, as plain values for an export. What looks like a key is masked.

use std::path::Path;

use crate::base::path::RelPath;
use crate::base::printable::printable;
use crate::base::report::{ChangeKind, FileChange};
use crate::base::secrets::masked;
use crate::core::history::path;
use crate::core::view::{Piece, Run, Transcript};
use crate::session::record::{ActionKind, AttachedBy, DeltaKind, Entry, Record};
use crate::session::{self, SessionError};
use crate::workspace::{Versions, WorkspaceError, diff};

/// Lines of one version's differences; the rest is counted.
const DIFF_LINES: usize = 2_000;
/// Lines of what a run has shown.
const OUTPUT_LINES: usize = 400;

/// A saved session's, and what is wrong with its log. Where its versions cannot be read, they are named without differences.
pub fn of_session(folder: &Path) -> Result<(Transcript, Vec<String>), SessionError> {
    let (records, problems) = session::read(folder)?;
    let title = session::summary(folder)?.map(|summary| summary.title).unwrap_or_default();
    let repository = folder.join("versions");
    let versions = repository.join("HEAD").symlink_metadata().ok().and_then(|_| Versions::open(&repository).ok());
    Ok((of(&title, &records, versions.as_ref()), problems))
}

pub fn of(title: &str, records: &[Record], versions: Option<&Versions>) -> Transcript {
    let path = path(records);
    let mut out = Transcript { title: clean(title), ..Transcript::default() };
    let mut reply = String::new();
    let mut commands = Vec::new();
    for record in path {
        if let Entry::ReplyDelta { kind: DeltaKind::Text | DeltaKind::Tool, text } = &record.entry {
            reply.push_str(text);
            continue;
        }
        if !reply.is_empty() {
            out.pieces.push(Piece::Reply(clean(&std::mem::take(&mut reply))));
        }
        match &record.entry {
            Entry::SessionStarted(started) => {
                out.session = started.session.to_string();
                out.workspace = clean(&started.workspace.display().to_string());
                out.begun.clone_from(&record.time);
            }
            Entry::RequestSent { model, .. } => out.model = clean(model),
            Entry::ReplyFinished { usage, .. } => out.usage.add(usage),
            Entry::Compacted { summary, usage, .. } => {
                out.usage.add(usage);
                out.pieces.push(Piece::Summary(clean(summary)));
            }
            Entry::RunStarted { run, command, .. } => commands.push((*run, clean(command))),
            entry => out.pieces.extend(piece(entry, &commands, versions)),
        }
    }
    if !reply.is_empty() {
        out.pieces.push(Piece::Reply(clean(&reply)));
    }
    out
}

fn piece(entry: &Entry, commands: &[(u32, String)], versions: Option<&Versions>) -> Option<Piece> {
    Some(match entry {
        Entry::UserMessage { text } => Piece::Message(clean(text)),
        Entry::FileAttached { path, source: AttachedBy::User, .. } => {
            Piece::Remark(format!("attached {}", clean(path)))
        }
        Entry::FileAttached { path, .. } => Piece::Remark(format!("read {}", clean(path))),
        Entry::ActionApplied { kind: ActionKind::Run | ActionKind::Read, .. } => return None,
        Entry::ActionApplied { kind, path, .. } => Piece::Remark(format!("{} {}", kind.as_str(), clean(path))),
        Entry::ActionRefused { kind, path, reason, .. } => {
            Piece::Remark(format!("{} {}: refused: {}", kind.as_str(), clean(path), clean(reason)))
        }
        Entry::VersionKept { version, why, files, .. } if *version > 0 => Piece::Version {
            number: *version,
            why: clean(why),
            files: files.clone(),
            diff: versions.map(|versions| difference(versions, *version)).unwrap_or_default(),
        },
        Entry::RunFinished { run, report, feedback } => {
            let command = commands.iter().rev().find(|(number, _)| number == run).map(|(_, command)| command.clone());
            let command = command.unwrap_or_else(|| clean(&report.command));
            let output = first_lines(&clean(feedback), OUTPUT_LINES);
            Piece::Run(Box::new(Run { number: *run, command, report: (**report).clone(), output }))
        }
        Entry::Validated { version, outcome, script, feedback } => Piece::Check {
            version: *version,
            outcome: *outcome,
            script: clean(script),
            feedback: first_lines(&clean(feedback), OUTPUT_LINES),
        },
        Entry::Note { text, .. } => Piece::Remark(clean(text)),
        Entry::Error { message, .. } => Piece::Remark(format!("error: {}", clean(message))),
        Entry::TurnFinished { verdict, exit_code } => Piece::Verdict { verdict: *verdict, exit_code: *exit_code },
        _ => return None,
    })
}

/// What a version changed, as a unified diff.
fn difference(versions: &Versions, number: u32) -> String {
    let Some(before) = number.checked_sub(1) else { return String::new() };
    let Ok(text) = changes_between(versions, before, number, |_| true) else { return String::new() };
    first_lines(&clean(&text), DIFF_LINES)
}

/// What differs between two versions, as a unified diff.
pub(super) fn changes_between(
    versions: &Versions,
    from: u32,
    to: u32,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<String, WorkspaceError> {
    let changes = versions.between(from, to)?.into_iter().filter(|change| is_wanted(&change.path));
    unified(changes, |path| versions.read(from, path), |path| versions.read(to, path))
}

/// A unified diff of these changes; `before` and `after` give what a file holds on either side. What cannot be shown is
/// named.
pub(super) fn unified(
    changes: impl Iterator<Item = FileChange>,
    before: impl Fn(&RelPath) -> Result<Option<Vec<u8>>, WorkspaceError>,
    after: impl Fn(&RelPath) -> Result<Option<Vec<u8>>, WorkspaceError>,
) -> Result<String, WorkspaceError> {
    let mut text = String::new();
    for FileChange { path: name, kind } in changes {
        let Ok(path) = RelPath::parse(&name) else { continue };
        let before = before(&path)?;
        let after = if kind == ChangeKind::Deleted { Ok(None) } else { after(&path) };
        let after = match after {
            Ok(after) => after,
            Err(error @ (WorkspaceError::TooLarge { .. } | WorkspaceError::Io { .. })) => {
                text.push_str(&format!("{name}: differs, and is not shown: {error}\n"));
                continue;
            }
            Err(error) => return Err(error),
        };
        match (before.map(String::from_utf8).transpose(), after.map(String::from_utf8).transpose()) {
            (Ok(before), Ok(after)) => text.push_str(&diff(&name, before.as_deref(), after.as_deref())),
            (_, _) => text.push_str(&format!("{name}: differs, and is no text\n")),
        }
    }
    Ok(text)
}

fn first_lines(text: &str, most: usize) -> String {
    let count = text.lines().count();
    if count <= most {
        return text.to_owned();
    }
    let kept: String = text.split_inclusive('\n').take(most).collect();
    format!("{kept}[… {} lines more …]\n", count - most)
}

fn clean(text: &str) -> String {
    masked(&printable(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{first_lines, of};
    use crate::core::view::Piece;
    use crate::session::record::{DeltaKind, Entry, Record};

    #[test]
    fn what_was_undone_is_left_out_and_keys_are_masked() {
        let delta = |text: &str| Entry::ReplyDelta { kind: DeltaKind::Text, text: text.to_owned() };
        let said = |text: &str| Entry::UserMessage { text: text.to_owned() };
        let entries = [
            said("one"),
            delta("password = 'hunter2"),
            delta("hunter2' \u{1b}[2J"),
            said("two"),
            Entry::HeadMoved { to: 2, version: 0, why: "undo".to_owned() },
        ];
        let record = |(seq, entry)| Record { v: 1, seq, time: String::new(), turn: 1, entry };
        let records: Vec<Record> = (0..).zip(entries).map(record).collect();
        let transcript = of("a title", &records, None);
        let wanted = [Piece::Message("one".to_owned()), Piece::Reply("password = '[masked]' ".to_owned())];
        assert_eq!(transcript.pieces, wanted);
    }

    #[test]
    fn what_is_long_is_cut_and_counted() {
        assert_eq!(first_lines("a\nb\nc\n", 2), "a\nb\n[… 1 lines more …]\n");
        assert_eq!(first_lines("a\nb\n", 2), "a\nb\n");
    }
}
