//! The file `conversation.jsonl` while it is written: whole lines only, and made to last.
//!
//! Invariant: the file ends with a whole record after every operation here that can still reach the disk. What could
//! not be written waits in memory and is tried again. After a failed fsync the log is still written, but nothing is
//! acknowledged any more: the kernel may have dropped the pages that the fsync stood for.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::record::Record;
use crate::base::fs;

pub struct Log {
    pub file: File,
    /// The session's folder.
    pub folder: PathBuf,
    /// Up to here the file consists of whole records.
    pub length: u64,
    /// Something was written (or repaired) that no fsync covers yet.
    pub dirty: bool,
    /// Folders whose entries have to last before the first record can.
    pub new_entries: Vec<PathBuf>,
    /// Kept beside the log, to follow it.
    pub identity: Identity,
    pub pending: Pending,
}

/// What is still owed to the disk, and why.
#[derive(Default)]
pub struct Pending {
    /// Whole lines.
    lines: Vec<u8>,
    /// Why they could not be written at the last try.
    fault: Option<String>,
    /// A part of a line stands behind `length` and has to go first.
    torn: bool,
    /// `session.json` does not say what the log does yet.
    identity: bool,
    /// Why nothing can be made to last any more.
    lost: Option<String>,
}

impl Log {
    /// Writes the records, or keeps them for the next try.
    pub fn write(&mut self, records: &[Record]) {
        for record in records {
            let start = self.pending.lines.len();
            if let Err(error) = serde_json::to_writer(&mut self.pending.lines, record) {
                self.pending.lines.truncate(start);
                self.pending.lost = Some(format!("record {} is no JSON: {error}", record.seq));
                continue;
            }
            self.pending.lines.push(b'\n');
            self.pending.identity |= self.identity.follow(&record.entry);
        }
        self.flush();
    }

    /// Everything written so far survives a power loss, or the reason why not.
    pub fn make_last(&mut self) -> Result<(), String> {
        self.flush();
        if let Some(lost) = &self.pending.lost {
            return Err(lost.clone());
        }
        if !self.pending.lines.is_empty() {
            return Err(self.pending.fault.clone().unwrap_or_default());
        }
        if self.dirty {
            let path = self.folder.join(super::LOG);
            fs::sync_data(&self.file, &path).map_err(|error| self.lose(self.told("sync", &error)))?;
            self.dirty = false;
        }
        while let Some(folder) = self.new_entries.first() {
            match fs::sync_folder(folder) {
                Err(error) if !cannot_be_synced(&error) => return Err(self.lose(error.to_string())),
                Ok(()) | Err(_) => self.new_entries.remove(0),
            };
        }
        if self.pending.identity {
            // After the log: a title that is seen is one that was said.
            self.identity.store(&self.folder).map_err(|error| error.to_string())?;
            self.pending.identity = false;
        }
        Ok(())
    }

    fn flush(&mut self) {
        if self.pending.lines.is_empty() {
            return;
        }
        self.pending.fault = self.write_lines().err().map(|error| self.told("write", &error));
    }

    /// Writes all lines; after a fault those that went in whole stay, and the beginning of the next is taken back.
    fn write_lines(&mut self) -> io::Result<()> {
        self.take_back()?;
        let path = self.folder.join(super::LOG);
        let (written, outcome) = write_some(&mut self.file, &path, &self.pending.lines);
        let lines = &self.pending.lines[..written];
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.length += whole as u64;
        self.dirty |= whole > 0;
        self.pending.lines.drain(..whole);
        self.pending.torn = written > whole;
        self.take_back().and(outcome)
    }

    fn take_back(&mut self) -> io::Result<()> {
        if self.pending.torn {
            self.file.set_len(self.length)?;
            self.pending.torn = false;
        }
        Ok(())
    }

    fn lose(&mut self, reason: String) -> String {
        self.pending.lost = Some(reason.clone());
        reason
    }

    fn told(&self, operation: &str, error: &io::Error) -> String {
        format!("cannot {operation} `{}`: {error}", self.folder.join(super::LOG).display())
    }
}

/// Some storage has no fsync for folders, and a folder may be one's to enter but not to read.
fn cannot_be_synced(folder: &fs::FsError) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(folder.source.kind(), InvalidInput | PermissionDenied | Unsupported)
}

fn write_some(file: &mut File, path: &Path, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match fs::write_some(file, path, &bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::{Log, Pending};
    use crate::base::{fs, ids::SessionId};
    use crate::session::identity::Identity;
    use crate::session::record::{Entry, Record};

    fn log(folder: &Path, file: File) -> Log {
        let identity = Identity::new(SessionId::generate(), None);
        let (folder, new_entries, pending) = (folder.to_owned(), Vec::new(), Pending::default());
        Log { file, folder, length: 0, dirty: false, new_entries, identity, pending }
    }

    fn message(seq: u64) -> Record {
        let entry = Entry::UserMessage { text: "hi".into() };
        Record { v: 1, seq, time: "t".into(), turn: 1, entry }
    }

    #[test]
    fn a_full_disk_is_told_with_path_and_cause_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(folder.path(), fs::open_to_append(Path::new("/dev/full")).unwrap());
        for seq in 0..2 {
            log.write(&[message(seq)]);
            let path = folder.path().join("conversation.jsonl");
            let told = format!("cannot write `{}`: No space left on device (os error 28)", path.display());
            assert_eq!(log.make_last(), Err(told.clone()));
            assert!(fs::hint(&told).is_some_and(|hint| hint.starts_with("make room")));
        }
        let path = folder.path().join("conversation.jsonl");
        log.file = fs::open_to_append(&path).unwrap();
        log.write(&[message(2)]);
        assert_eq!(log.make_last(), Ok(()));
        let lines = fs::read_text(&path).unwrap();
        let seqs: Vec<u64> = lines.lines().map(|line| Record::parse(line.as_bytes()).unwrap().seq).collect();
        assert_eq!(seqs, [0, 1, 2]);
    }

    #[test]
    fn what_cannot_be_made_to_last_stays_lost() {
        let folder = tempfile::tempdir().unwrap();
        // A pipe takes what is written and knows no fsync.
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut log = log(folder.path(), File::from(std::os::fd::OwnedFd::from(writer)));
        log.write(&[message(0)]);
        let error = log.make_last().unwrap_err();
        assert!(error.starts_with("cannot sync `"), "{error}");
        let other = folder.path().join("other");
        log.file = fs::open_to_append(&other).unwrap();
        log.write(&[message(1)]);
        assert_eq!(log.make_last(), Err(error));
        assert_eq!(fs::read_text(&other).unwrap().lines().count(), 1, "a kill it still survives");
    }
}
