//! One stream of a run, kept within bounds: a file up to a limit, head and tail in memory, and a count of it all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::base::fs::{self, FsError};

/// Bytes of a stream kept on disk.
const ON_DISK: u64 = 8 << 20;
const HEAD: usize = 64 << 10;
const TAIL: usize = 192 << 10;

pub struct Capture {
    file: Option<File>,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    pub total: u64,
    /// The file could not take it all.
    pub truncated: bool,
}

impl Capture {
    pub fn new(path: Option<&Path>) -> Result<Self, FsError> {
        let file = path.map(fs::open_to_append).transpose()?;
        Ok(Self { file, head: Vec::new(), tail: VecDeque::new(), total: 0, truncated: false })
    }

    pub fn take(&mut self, bytes: &[u8]) {
        let room = ON_DISK.saturating_sub(self.total);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        // A disk that is full makes the file shorter; the run itself goes on.
        let lost = self.file.as_mut().is_some_and(|file| file.write_all(&bytes[..fits]).is_err());
        self.truncated |= lost || fits < bytes.len();
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(HEAD.saturating_sub(self.head.len()).min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// What is kept in memory, with a line between head and tail where something is missing.
    pub fn into_text(self) -> String {
        let kept = (self.head.len() + self.tail.len()) as u64;
        let mut bytes = self.head;
        if self.total > kept {
            bytes.extend_from_slice(format!("\n[… {} bytes left out …]\n", self.total - kept).as_bytes());
        }
        bytes.extend(self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, HEAD, ON_DISK, TAIL};

    #[test]
    fn long_output_keeps_its_two_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stdout.log");
        let mut capture = Capture::new(Some(&path)).expect("a file");
        capture.take(b"begin\n");
        for _ in 0..10 {
            capture.take(&vec![b'x'; 1 << 20]);
        }
        capture.take(b"\nend\n");
        assert_eq!((capture.total, capture.truncated), (6 + (10 << 20) + 5, true));
        assert!(path.metadata().expect("a file").len() <= ON_DISK);
        let text = capture.into_text();
        assert!(text.starts_with("begin\nxxx") && text.ends_with("xxx\nend\n"));
        assert!(text.contains("bytes left out") && text.len() < HEAD + TAIL + 100);
    }

    #[test]
    fn short_output_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut capture = Capture::new(Some(&folder.path().join("x"))).expect("a file");
        capture.take(b"a\xff");
        capture.take(b"b");
        assert!(!capture.truncated);
        assert_eq!(capture.into_text(), "a\u{fffd}b");
    }
}
