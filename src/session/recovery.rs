//! Reading a log that a kill, a power loss or somebody's editor may have damaged, and mending its end.
//!
//! Nothing that is whole is ever written again: a torn end is set aside, damage in the middle is passed over and told.

use std::io::Write;
use std::path::Path;

use crate::base::fs;
use crate::session::SessionError;
use crate::session::record::{Record, VERSION};

/// What a log holds.
#[derive(Debug, Default)]
pub struct Log {
    pub records: Vec<Record>,
    /// A plain sentence for each thing that is wrong.
    pub problems: Vec<String>,
    /// Bytes up to the end of the last line that is a record.
    whole: usize,
    /// The last record's line has no newline.
    unended: bool,
    /// The newest record version in the log.
    pub version: u32,
}

impl Log {
    /// The number of the next record.
    pub fn next(&self) -> u64 {
        self.records.iter().map(|record| record.seq + 1).max().unwrap_or(0)
    }
}

/// Reads the log as it is.
pub fn read(path: &Path) -> Result<Log, SessionError> {
    Ok(parse(&fs::read(path)?))
}

/// Sets a torn end aside in `conversation.torn`, so that the log ends at a whole record.
pub fn mend(path: &Path, log: &mut Log) -> Result<(), SessionError> {
    let bytes = fs::read(path)?;
    if log.unended {
        append(path, b"\n")?;
        log.unended = false;
        return Ok(());
    }
    if log.whole == bytes.len() {
        return Ok(());
    }
    let torn = path.with_extension("torn");
    append(&torn, &bytes[log.whole..])?;
    append(&torn, b"\n")?;
    fs::truncate(path, log.whole as u64)?;
    let count = bytes.len() - log.whole;
    log.problems.push(format!("the log's end was torn: {count} bytes are set aside in `{}`", torn.display()));
    Ok(())
}

fn append(path: &Path, bytes: &[u8]) -> Result<(), SessionError> {
    let mut file = fs::open_to_append(path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| SessionError::Write(format!("cannot write `{}`: {error}", path.display())))
}

fn parse(bytes: &[u8]) -> Log {
    let mut log = Log::default();
    let mut at = 0;
    // Damaged lines since the last record: in the middle once another record follows, else the torn end.
    let mut damaged: Vec<String> = Vec::new();
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        at += line.len();
        let ended = line.ends_with(b"\n");
        let text = std::str::from_utf8(line).map_err(|error| error.to_string());
        match text.and_then(|text| Record::parse(text.trim_end_matches(['\n', '\r']))) {
            Ok(record) => {
                log.problems.append(&mut damaged);
                follow(&mut log, &record);
                log.version = log.version.max(record.v);
                log.records.push(record);
                log.whole = at;
                log.unended = !ended;
            }
            Err(why) => damaged.push(format!("line {} of the log is damaged and passed over ({why})", number + 1)),
        }
    }
    // A damaged line that is complete may be somebody's edit: it stays where it is, and is told.
    if bytes.last() == Some(&b'\n') && !damaged.is_empty() && !bytes[log.whole..].contains(&0) {
        log.problems.append(&mut damaged);
        log.whole = bytes.len();
    }
    log
}

fn follow(log: &mut Log, record: &Record) {
    let Some(last) = log.records.last() else { return };
    if record.seq == last.seq {
        log.problems.push(format!("record {} stands twice in the log", record.seq));
    } else if record.seq != last.seq + 1 {
        log.problems.push(format!("records are missing between {} and {}", last.seq, record.seq));
    }
}

/// A log that a later program wrote can be read and not gone on with.
pub fn is_newer(log: &Log) -> bool {
    log.version > VERSION
}
