//! Reading a log that anything may have happened to, and mending its end.
//!
//! Only what follows the last whole JSON line is ever taken away, and it is set aside in `conversation.torn` first.
//! A damaged line in the middle stays where it is, is reported and passed over.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::LOG;
use super::record::{Damage, Record};
use crate::base::fs::{self, FsError};

pub(super) const TORN: &str = "conversation.torn";

/// More reports than this would hide each other.
const MOST_REPORTS: usize = 20;

/// What a log holds.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub records: Vec<Record>,
    /// What is wrong before the end, a sentence each.
    pub reports: Vec<String>,
    pub tail: Tail,
    /// The number that the next record gets.
    pub next_seq: u64,
    /// The newest version of any record.
    pub version: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Where the last whole line ends, without its newline where that is missing.
    pub whole: u64,
    pub length: u64,
    pub newline_missing: bool,
}

impl Tail {
    pub fn is_torn(self) -> bool {
        self.length > self.whole
    }
}

/// The log and its length.
pub fn open_log(folder: &Path) -> Result<Option<(File, u64)>, FsError> {
    let at = |source| FsError { operation: "read", path: folder.join(LOG), source };
    let Some(file) = fs::if_present(fs::open_to_read(&folder.join(LOG)))? else { return Ok(None) };
    // A device in its place could be read for ever.
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some((file, metadata.len()))),
        Ok(_) => Err(at(io::Error::other("it is no regular file"))),
        Err(source) => Err(at(source)),
    }
}

/// Reads the whole log, line by line. A missing log is an empty one.
pub fn scan(folder: &Path) -> Result<Found, FsError> {
    let Some((file, _)) = open_log(folder)? else { return Ok(Found::default()) };
    let at = |source| FsError { operation: "read", path: folder.join(LOG), source };
    scan_lines(BufReader::with_capacity(1 << 16, file)).map_err(at)
}

fn scan_lines(mut reader: impl BufRead) -> io::Result<Found> {
    let mut scan = Scan::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(scan.finish());
        }
        scan.line(&line);
    }
}

#[derive(Default)]
struct Scan {
    found: Found,
    line: u64,
    /// Lines since the last JSON one that are none; torn, unless JSON follows.
    broken: Vec<u64>,
    suppressed: usize,
}

impl Scan {
    fn line(&mut self, line: &[u8]) {
        self.line += 1;
        let start = self.found.tail.length;
        self.found.tail.length += line.len() as u64;
        let ended = line.ends_with(b"\n");
        // A power loss can leave a file long enough and its end unwritten: NUL.
        let body = if ended { &line[..line.len() - 1] } else { without_nuls(line) };
        let blank = body.iter().all(u8::is_ascii_whitespace);
        match Record::parse(body) {
            Err(_) if blank && ended => {
                if self.broken.is_empty() {
                    self.found.tail.whole = self.found.tail.length;
                }
                return;
            }
            Err(Damage::NotJson) => return self.broken.push(self.line),
            Ok(record) => {
                let missing_allowed = self.settle_broken();
                self.number(record.seq, missing_allowed);
                self.found.version = self.found.version.max(record.v);
                self.found.records.push(record);
            }
            Err(Damage::NoRecord { seq, reason }) => {
                let missing_allowed = self.settle_broken();
                self.report(format!("line {} of `{LOG}` is damaged and was passed over: {reason}", self.line));
                if let Some(seq) = seq {
                    self.number(seq, missing_allowed);
                }
            }
        }
        self.found.tail.whole = start + body.len() as u64 + u64::from(ended);
        self.found.tail.newline_missing = !ended;
    }

    /// JSON follows, so these lines are damage in the middle. Each may have been a record.
    fn settle_broken(&mut self) -> u64 {
        let lines = std::mem::take(&mut self.broken);
        for line in &lines {
            self.report(format!("line {line} of `{LOG}` is damaged and was passed over: it is no JSON"));
        }
        lines.len() as u64
    }

    fn number(&mut self, seq: u64, missing_allowed: u64) {
        let expected = self.found.next_seq;
        if seq < expected {
            self.report(format!("line {} of `{LOG}` has number {seq} again or out of order", self.line));
        } else if seq - expected > missing_allowed {
            let last = seq - 1;
            let which = if last == expected {
                format!("record {last} is")
            } else {
                format!("records {expected} to {last} are")
            };
            self.report(format!("{which} missing before line {} of `{LOG}`", self.line));
        }
        self.found.next_seq = expected.max(seq.saturating_add(1));
    }

    fn report(&mut self, sentence: String) {
        if self.found.reports.len() < MOST_REPORTS {
            self.found.reports.push(sentence);
        } else {
            self.suppressed += 1;
        }
    }

    fn finish(mut self) -> Found {
        if self.suppressed > 0 {
            self.found.reports.push(format!("{} more faults of `{LOG}` are not listed", self.suppressed));
        }
        self.found
    }
}

fn without_nuls(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    &line[..end]
}

/// Makes the log end with a whole line, and says what was done. Leaves the log's own fsync to the caller.
pub fn repair(folder: &Path, log: &mut File, tail: Tail) -> Result<Vec<String>, FsError> {
    let at = |source| FsError { operation: "repair", path: folder.join(LOG), source };
    let mut done = Vec::new();
    if tail.is_torn() {
        set_aside(folder, tail)?;
        log.set_len(tail.whole).map_err(at)?;
        done.push(format!("the last line was torn and is kept in {TORN}"));
    }
    if tail.newline_missing {
        log.write_all(b"\n").map_err(at)?;
        done.push("the last line was not ended; it is whole and was kept".to_owned());
    }
    Ok(done)
}

/// Fsynced before the log is cut: a power loss in between leaves the piece twice, not nowhere.
fn set_aside(folder: &Path, tail: Tail) -> Result<(), FsError> {
    let path = folder.join(TORN);
    let mut torn = fs::open_to_append(&path)?;
    let mut source = fs::open_to_read(&folder.join(LOG))?;
    let mut copy = || -> io::Result<()> {
        source.seek(SeekFrom::Start(tail.whole))?;
        io::copy(&mut (&source).take(tail.length - tail.whole), &mut torn)?;
        torn.write_all(b"\n")?;
        torn.sync_all()
    };
    copy().map_err(|source| FsError { operation: "write", path: path.clone(), source })?;
    fs::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Found, scan_lines};
    use crate::session::record::{Entry, Record};

    fn line(seq: u64) -> String {
        let entry = Entry::UserMessage { text: format!("message {seq}, \"ä\"\n") };
        let record = Record { v: 1, seq, time: "2026-11-22T20:00:00.000Z".into(), turn: 1, entry };
        serde_json::to_string(&record).unwrap() + "\n"
    }

    fn found(log: impl AsRef<[u8]>) -> Found {
        scan_lines(log.as_ref()).unwrap()
    }

    fn seqs(found: &Found) -> Vec<u64> {
        found.records.iter().map(|record| record.seq).collect()
    }

    #[test]
    fn a_whole_log_has_nothing_to_report() {
        let log: String = (0..3).map(line).collect();
        let found = found(&log);
        assert_eq!((seqs(&found), found.next_seq, found.version), (vec![0, 1, 2], 3, 1));
        assert_eq!((found.tail.whole, found.tail.length), (log.len() as u64, log.len() as u64));
        assert_eq!(found.reports, Vec::<String>::new());
    }

    #[test]
    fn a_cut_at_any_byte_costs_the_cut_line_alone() {
        let lines: Vec<String> = (0..3).map(line).collect();
        let log = lines.concat();
        for nul in [0, 1, 5000] {
            for cut in 0..=log.len() {
                let mut bytes = log.as_bytes()[..cut].to_vec();
                bytes.resize(cut + nul, 0);
                let found = found(&bytes);
                // A line is whole with its last brace; the newline can be given back.
                let ends = (1..=3).map(|count| lines[..count].concat().len() - 1);
                let whole = ends.filter(|end| cut >= *end).count();
                assert_eq!(seqs(&found), (0..whole as u64).collect::<Vec<_>>(), "cut at {cut}");
                assert_eq!(found.next_seq, whole as u64);
                assert_eq!(found.reports, Vec::<String>::new(), "cut at {cut}");
                let (kept, rest) = bytes.split_at(found.tail.whole as usize);
                assert_eq!(kept.ends_with(b"}"), found.tail.newline_missing, "cut at {cut}");
                assert!(log.as_bytes().starts_with(kept));
                assert_eq!(found.tail.is_torn(), !rest.is_empty());
            }
        }
    }

    #[test]
    fn damage_in_the_middle_is_named_and_at_the_end_is_torn() {
        let log = [line(0), "gar\0bage\n".into(), line(2), "{\"v\":1,\"seq\":3}\n".into(), line(4)].concat();
        let middle = found(&log);
        assert_eq!(seqs(&middle), [0, 2, 4]);
        assert_eq!(
            middle.reports,
            [
                "line 2 of `conversation.jsonl` is damaged and was passed over: it is no JSON",
                "line 4 of `conversation.jsonl` is damaged and was passed over: missing field `time`",
            ]
        );
        let end = found(log + "\0\0\0\n\nxx\n");
        assert_eq!((end.records, end.reports), (middle.records, middle.reports));
        assert_eq!((end.tail.whole, end.tail.length), (middle.tail.whole, middle.tail.length + 8));
    }

    #[test]
    fn gaps_and_repetitions_are_named() {
        let log = [line(2), line(3), line(5), line(4), line(5), line(6)].concat();
        let found = found(&log);
        assert_eq!(found.next_seq, 7);
        assert_eq!(
            found.reports,
            [
                "records 0 to 1 are missing before line 1 of `conversation.jsonl`",
                "record 4 is missing before line 3 of `conversation.jsonl`",
                "line 4 of `conversation.jsonl` has number 4 again or out of order",
                "line 5 of `conversation.jsonl` has number 5 again or out of order",
            ]
        );
    }

    #[test]
    fn blank_lines_are_nothing_and_many_faults_are_counted() {
        let blank = found([line(0), "\n  \r\n".into(), line(1), "\n".into()].concat());
        assert_eq!((seqs(&blank), blank.reports.len(), blank.tail.is_torn()), (vec![0, 1], 0, false));
        let faults = found(format!("{}{}", "x\n".repeat(100), line(100)));
        assert_eq!(faults.reports.len(), 21);
        assert_eq!(faults.reports[20], "80 more faults of `conversation.jsonl` are not listed");
        assert_eq!(found([line(u64::MAX), line(0)].concat()).next_seq, u64::MAX);
    }

    proptest! {
        #[test]
        fn random_damage_costs_only_the_lines_it_hits(hits in prop::collection::vec((0usize..2000, any::<u8>()), 0..6)) {
            let lines: Vec<String> = (0..12).map(line).collect();
            let mut log = lines.concat().into_bytes();
            for (at, byte) in hits {
                let at = at % log.len();
                log[at] = byte;
            }
            let whole = lines.concat().into_bytes();
            let found = found(&log);
            let mut start = 0;
            for (seq, line) in lines.iter().enumerate() {
                let end = start + line.len();
                // Its own bytes and the newline before it are as they were.
                if log[start.saturating_sub(1)..end] == whole[start.saturating_sub(1)..end] {
                    prop_assert!(seqs(&found).contains(&(seq as u64)), "record {} is gone", seq);
                }
                start = end;
            }
            prop_assert!(found.next_seq >= found.records.len() as u64);
        }

        #[test]
        fn any_bytes_can_be_scanned_and_the_kept_part_reads_the_same(log: Vec<u8>) {
            let first = found(&log);
            let again = found(&log[..first.tail.whole as usize]);
            prop_assert_eq!(again.records, first.records);
            prop_assert_eq!(again.reports, first.reports);
        }
    }
}
