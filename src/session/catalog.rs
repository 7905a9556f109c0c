//! All sessions of a folder: listed, and found by name or by age.
//!
//! A log may be large, so only its ends are read: the first user message from the front, the newest records from the
//! back. What can stand anywhere between, the user's own title, has a copy in `session.json`.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;

use super::ending::tail;
use super::identity::{self, Identity};
use super::record::{Entry, Record};
use super::{LOG, SessionError, recovery};
use crate::base::fs::{self, FsError};
use crate::base::ids::SessionId;

/// What is read from the back at first; more where that does not tell enough.
const BLOCK: u64 = 16 * 1024;

/// How long a title may be that is taken from a message, in characters.
const TITLE: usize = 80;

/// How many names an ambiguous prefix is answered with.
const CHOICES: usize = 5;

/// One line of `faos sessions list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: SessionId,
    /// Its name, or the beginning of the first user message.
    pub title: String,
    pub workspace: PathBuf,
    pub model: String,
    /// RFC 3339, of the newest record.
    pub changed: String,
    pub turns: u32,
    /// `passed`, `failed` …, or `open` where the last turn did not finish.
    pub verdict: String,
}

/// All sessions below the folder, newest first; what cannot be read is passed over and named in the second part.
pub fn list(sessions: &Path) -> Result<(Vec<Summary>, Vec<String>), SessionError> {
    let mut summaries = Vec::new();
    let mut unreadable = Vec::new();
    let folders = folders(sessions)?;
    for ((id, _), summary) in folders.iter().zip(across(&folders, summarize)) {
        match summary {
            Ok(Some(summary)) => summaries.push(summary),
            Ok(None) => unreadable.push(format!("session `{id}` holds no record")),
            Err(error) => unreadable.push(format!("session `{id}`: {error}")),
        }
    }
    summaries.sort_by_cached_key(|summary| Reverse((summary.changed.clone(), summary.id.clone())));
    Ok((summaries, unreadable))
}

/// The folder of the session that `name` names: its id, the beginning of it, its title, or a part of its title.
pub fn find(sessions: &Path, name: &str) -> Result<PathBuf, SessionError> {
    let mut matches = folders(sessions)?;
    matches.retain(|(id, _)| id.as_str().starts_with(name));
    if matches.is_empty() {
        matches = titled(sessions, name)?;
    }
    match matches.as_mut_slice() {
        [] => Err(SessionError::NotFound(name.to_owned())),
        [(_, folder)] => Ok(std::mem::take(folder)),
        several => Err(SessionError::Ambiguous { prefix: name.to_owned(), choices: choices(several) }),
    }
}

/// Those with this title, or where there is none, those whose title holds it; in whatever case.
fn titled(sessions: &Path, title: &str) -> Result<Vec<(SessionId, PathBuf)>, SessionError> {
    let wanted = title.trim().to_lowercase();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let titles = list(sessions)?.0.into_iter().map(|summary| (summary.title.to_lowercase(), summary.id));
    let holding: Vec<_> = titles.filter(|(title, _)| title.contains(&wanted)).collect();
    let is_exact = holding.iter().any(|(title, _)| *title == wanted);
    let chosen = holding.into_iter().filter(|(title, _)| !is_exact || *title == wanted);
    Ok(chosen.map(|(_, id)| (id.clone(), sessions.join(id.as_str()))).collect())
}

/// One session's line of the list; `None` where there is neither an identity nor a record.
pub fn summary(folder: &Path) -> Result<Option<Summary>, SessionError> {
    let Some(id) = identity::id_of(folder) else { return Ok(None) };
    Ok(summarize(&id, folder)?)
}

/// The session that was worked on last, of all or of those whose workspace this is.
pub fn newest(sessions: &Path, workspace: Option<&Path>) -> Result<Option<PathBuf>, SessionError> {
    let wanted = workspace.map(place);
    let candidates = folders(sessions)?.into_iter().filter_map(|(id, folder)| {
        let identity = identify(&folder).ok()??;
        if wanted.as_ref().is_some_and(|wanted| place(&identity.workspace_in(&folder)) != *wanted) {
            return None;
        }
        let changed = End::read(&folder, End::knows_time).ok()?.changed.unwrap_or(identity.created);
        Some(((changed, id), folder))
    });
    Ok(candidates.max().map(|(_, folder)| folder))
}

/// Where a saved session's files are; `None` where neither its identity nor its log tells.
pub fn workspace_of(folder: &Path) -> Option<PathBuf> {
    Some(identify(folder).ok()??.workspace_in(folder))
}

/// The path without links; a workspace that is gone goes by its name.
fn place(workspace: &Path) -> PathBuf {
    let named = || std::path::absolute(workspace).unwrap_or_else(|_| workspace.to_owned());
    fs::canonical(workspace).unwrap_or_else(|_| named())
}

/// The same work for all sessions, on as many threads as there are processors; the answers are in the sessions' order.
pub(super) fn across<T: Send>(
    sessions: &[(SessionId, PathBuf)],
    work: impl Fn(&SessionId, &Path) -> T + Sync,
) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = sessions.len().div_ceil(threads).max(1);
    let work = &work;
    thread::scope(|scope| {
        let part =
            |part: &'_ [(SessionId, PathBuf)]| part.iter().map(|(id, folder)| work(id, folder)).collect::<Vec<T>>();
        let parts: Vec<_> = sessions.chunks(share).map(|of| scope.spawn(move || part(of))).collect();
        let joined = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    })
}

/// In no order. A folder that is missing holds none.
pub(super) fn folders(sessions: &Path) -> Result<Vec<(SessionId, PathBuf)>, FsError> {
    if !fs::exists(sessions) {
        return Ok(Vec::new());
    }
    let folders = fs::folders(sessions)?.into_iter();
    Ok(folders.filter_map(|folder| Some((identity::id_of(&folder)?, folder))).collect())
}

fn choices(several: &mut [(SessionId, PathBuf)]) -> String {
    several.sort();
    let names: Vec<String> = several.iter().rev().take(CHOICES).map(|(id, _)| format!("`{id}`")).collect();
    let more = several.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// `None` where there is neither an identity nor a record.
pub(super) fn summarize(id: &SessionId, folder: &Path) -> Result<Option<Summary>, FsError> {
    let Some(identity) = identify(folder)? else { return Ok(None) };
    let Log { end, words } = Log::read(folder, identity.title.is_none())?;
    let title = identity.title.clone().unwrap_or(words);
    Ok(Some(Summary {
        id: id.clone(),
        title,
        workspace: identity.workspace_in(folder),
        model: end.model.unwrap_or_default(),
        changed: end.changed.unwrap_or(identity.created),
        turns: end.turns,
        verdict: end.verdict.unwrap_or("open").to_owned(),
    }))
}

/// As `session.json` tells, else as the whole log does: nothing is written here.
fn identify(folder: &Path) -> Result<Option<Identity>, FsError> {
    if let Some(identity) = Identity::load(folder)? {
        return Ok(Some(identity));
    }
    let found = recovery::scan(folder)?;
    Ok((!found.records.is_empty()).then(|| Identity::rebuild(folder, &found.records)))
}

/// What a log's two ends tell.
#[derive(Default)]
struct Log {
    end: End,
    /// The beginning of the first user message.
    words: String,
}

impl Log {
    /// A small log is read once, of a large one its ends are.
    fn read(folder: &Path, with_words: bool) -> Result<Self, FsError> {
        let Some((mut file, length)) = recovery::open_log(folder)? else { return Ok(Self::default()) };
        let failed = |source| at(folder, source);
        if length <= BLOCK {
            // With its end in sight no more is asked of the file system than its bytes.
            let mut whole = Vec::with_capacity(BLOCK as usize);
            (&file).take(BLOCK).read_to_end(&mut whole).map_err(failed)?;
            let words = if with_words { first_words(&whole[..]).map_err(failed)? } else { String::new() };
            return Ok(Self { end: End::gather(&whole, End::knows_all), words });
        }
        let words = if with_words { first_words(BufReader::new(&file)).map_err(failed)? } else { String::new() };
        Ok(Self { end: End::read_of(&mut file, length, End::knows_all).map_err(failed)?, words })
    }
}

/// The first user message stands before the first request.
fn first_words(mut reader: impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || is_of_type(&line, "request_sent") {
            return Ok(String::new());
        }
        if is_of_type(&line, "user_message")
            && let Ok(Record { entry: Entry::UserMessage { text }, .. }) = Record::parse(&line)
        {
            return Ok(title_from(&text));
        }
    }
}

/// A message's title: its first line that has words, without the marks of a heading, a list or a quotation; cut
/// between words.
fn title_from(text: &str) -> String {
    let bare = |line: &'_ str| line.trim().trim_start_matches(['#', '>', '*', '-', ' ']).to_owned();
    let has_words = |line: &String| line.chars().any(char::is_alphanumeric);
    let line = text.lines().map(bare).find(has_words).unwrap_or_else(|| text.trim().chars().take(TITLE).collect());
    let Some((cut, _)) = line.char_indices().nth(TITLE) else { return line };
    let kept = &line[..cut];
    // A text without spaces, or with one long word at its end, is cut in that word.
    let between = kept.rfind(char::is_whitespace).filter(|at| *at > cut / 2).unwrap_or(cut);
    format!("{}…", kept[..between].trim_end())
}

/// What the newest records tell, gathered from the last one backwards.
#[derive(Default)]
struct End {
    changed: Option<String>,
    turns: u32,
    verdict: Option<&'static str>,
    model: Option<String>,
}

impl End {
    fn read(folder: &Path, enough: fn(&Self) -> bool) -> Result<Self, FsError> {
        let Some((mut file, length)) = recovery::open_log(folder)? else { return Ok(Self::default()) };
        Self::read_of(&mut file, length, enough).map_err(|source| at(folder, source))
    }

    /// Reads blocks from the back, each time larger, until the records tell enough or there are no more.
    fn read_of(file: &mut File, length: u64, enough: fn(&Self) -> bool) -> io::Result<Self> {
        let mut size = BLOCK;
        loop {
            let end = Self::gather(&tail(file, length, size)?, enough);
            if enough(&end) || size >= length {
                return Ok(end);
            }
            size = size.saturating_mul(8);
        }
    }

    fn gather(lines: &[u8], enough: fn(&Self) -> bool) -> Self {
        let mut end = Self::default();
        for line in lines.rsplit(|byte| *byte == b'\n') {
            if end.changed.is_some() && is_of_type(line, "reply_delta") {
                continue;
            }
            if let Ok(record) = Record::parse(line) {
                end.before(record);
            }
            if enough(&end) {
                break;
            }
        }
        end
    }

    /// Takes in the record before those that were taken in.
    fn before(&mut self, record: Record) {
        if self.changed.is_none() {
            self.changed = Some(record.time);
            self.turns = record.turn;
        }
        match record.entry {
            Entry::TurnFinished { verdict, .. } => {
                self.verdict.get_or_insert(verdict.as_str());
            }
            Entry::UserMessage { .. } => {
                self.verdict.get_or_insert("open");
            }
            Entry::RequestSent { model, .. } => {
                self.model.get_or_insert(model);
            }
            _ => {}
        }
    }

    fn knows_time(&self) -> bool {
        self.changed.is_some()
    }

    fn knows_all(&self) -> bool {
        self.changed.is_some() && self.verdict.is_some() && self.model.is_some()
    }
}

/// Told by the line's beginning, without reading all of it; inside a text the quotes would be escaped. Pieces of
/// replies make up most of a log.
pub(super) fn is_of_type(line: &[u8], name: &str) -> bool {
    const MARK: &[u8] = br#""type":""#;
    let head = &line[..line.len().min(160)];
    let at = head.windows(MARK.len()).position(|part| part == MARK);
    let rest = at.map_or(&[][..], |at| &line[at + MARK.len()..]);
    rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""))
}

fn at(folder: &Path, source: io::Error) -> FsError {
    FsError { operation: "read", path: folder.join(LOG), source }
}
