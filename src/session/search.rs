//! Words looked for in every message of every session.
//!
//! A message is the user's, or all text of one reply. It is found where it holds all words, in whatever case.

use std::io::Read;
use std::path::Path;

use super::catalog::{self, folders};
use super::record::{DeltaKind, Entry, Record};
use super::{LOG, SessionError, recovery};
use crate::base::fs::FsError;
use crate::base::ids::SessionId;

/// Characters of a line that are shown around what was found.
const AROUND: usize = 60;

/// A message that holds the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub session: SessionId,
    pub title: String,
    /// The user's message, or the one that is answered.
    pub turn: u32,
    pub author: Author,
    /// The line with most of the words, cut around the first of them.
    pub line: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    User,
    Model,
}

/// All hits, those of the newest session first; what cannot be read is named in the second part.
pub fn search(sessions: &Path, words: &[String]) -> Result<(Vec<Hit>, Vec<String>), SessionError> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect();
    let mut folders = folders(sessions)?;
    folders.sort_by(|a, b| b.cmp(a));
    let found = catalog::across(&folders, |id, folder| {
        let hits = in_session(id, folder, &words);
        hits.map_err(|error| format!("session `{id}`: {error}"))
    });
    let (mut hits, mut unreadable) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(found) => hits.extend(found),
            Err(problem) => unreadable.push(problem),
        }
    }
    Ok((hits, unreadable))
}

fn in_session(id: &SessionId, folder: &Path, words: &[String]) -> Result<Vec<Hit>, FsError> {
    let Some((mut file, _)) = recovery::open_log(folder)? else { return Ok(Vec::new()) };
    let mut log = Vec::new();
    let failed = |source| FsError { operation: "read", path: folder.join(LOG), source };
    file.read_to_end(&mut log).map_err(failed)?;
    let mut found: Vec<(u32, Author, String)> = Vec::new();
    for (turn, author, text) in messages(&log) {
        found.extend(line_with(&text, words).map(|line| (turn, author, line)));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let title = catalog::summarize(id, folder)?.map(|summary| summary.title).unwrap_or_default();
    let hit = |(turn, author, line)| Hit { session: id.clone(), title: title.clone(), turn, author, line };
    Ok(found.into_iter().map(hit).collect())
}

/// Each message with its turn. Damaged lines are passed over here: opening the session tells of them.
fn messages(log: &[u8]) -> Vec<(u32, Author, String)> {
    let mut messages = Vec::new();
    let mut reply = String::new();
    let mut reply_turn = 0;
    for line in log.split(|byte| *byte == b'\n') {
        let is_delta = catalog::is_of_type(line, "reply_delta");
        if !reply.is_empty() && !is_delta {
            messages.push((reply_turn, Author::Model, std::mem::take(&mut reply)));
        }
        if !is_delta && !catalog::is_of_type(line, "user_message") {
            continue;
        }
        match Record::parse(line) {
            Ok(Record { turn, entry: Entry::UserMessage { text }, .. }) => messages.push((turn, Author::User, text)),
            Ok(Record { turn, entry: Entry::ReplyDelta { kind: DeltaKind::Text, text }, .. }) => {
                reply_turn = turn;
                reply.push_str(&text);
            }
            Ok(_) | Err(_) => {}
        }
    }
    if !reply.is_empty() {
        messages.push((reply_turn, Author::Model, reply));
    }
    messages
}

/// `None` where a word is missing.
fn line_with(text: &str, words: &[String]) -> Option<String> {
    let folded = text.to_lowercase();
    if words.is_empty() || !words.iter().all(|word| folded.contains(word)) {
        return None;
    }
    let count = |line: &&str| {
        let folded = line.to_lowercase();
        words.iter().filter(|word| folded.contains(*word)).count()
    };
    // Of equal ones the first.
    let line = text.lines().rev().max_by_key(count)?;
    Some(cut_around(line.trim(), words))
}

fn cut_around(line: &str, words: &[String]) -> String {
    let characters: Vec<char> = line.chars().collect();
    // Lower case may have another length; a cut that is off by some characters is still around the word.
    let folded = line.to_lowercase();
    let at = words.iter().filter_map(|word| folded.find(word)).min().unwrap_or(0);
    let at = folded[..at].chars().count();
    let start = at.saturating_sub(AROUND / 2).min(characters.len());
    let end = (start + 2 * AROUND).min(characters.len());
    let cut: String = characters[start..end].iter().collect();
    format!("{}{}{}", if start > 0 { "…" } else { "" }, cut.trim(), if end < characters.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::{Author, line_with, messages};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_message_is_found_by_all_its_words_and_shown_by_one_line() {
        let text = "Write a tool.\nIt ROTATES backups, and äöü.\n";
        assert_eq!(line_with(text, &words(&["backups", "rotate"])).as_deref(), Some("It ROTATES backups, and äöü."));
        assert_eq!(line_with(text, &words(&["backups", "restore"])), None);
        let long = format!("{} needle {}", "a ".repeat(100), "b ".repeat(100));
        let line = line_with(&long, &words(&["needle"])).unwrap();
        assert!(line.starts_with('…') && line.ends_with('…') && line.contains(" needle "), "{line}");
        assert!(line.chars().count() < 130);
    }

    #[test]
    fn a_reply_is_one_message_however_it_came() {
        let line = |seq: u32, rest: &str| format!("{{\"v\":1,\"seq\":{seq},\"time\":\"t\",\"turn\":1,{rest}}}\n");
        let delta = |text: &str| format!("\"type\":\"reply_delta\",\"kind\":\"text\",\"text\":\"{text}\"");
        let log = [
            line(0, "\"type\":\"user_message\",\"text\":\"hi\""),
            line(1, &delta("split wo")),
            line(2, &delta("rds")),
            line(3, "\"type\":\"turn_finished\",\"verdict\":\"passed\",\"exit_code\":0"),
            "torn".to_owned(),
        ];
        let wanted = [(1, Author::User, "hi".to_owned()), (1, Author::Model, "split words".to_owned())];
        assert_eq!(messages(log.concat().as_bytes()), wanted);
    }
}
