//! The streams of a run, kept within bounds: of each a file up to a limit, head and tail in memory, and a count of it
//! all; and of both in which order they came.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::base::fs::{self, FsError};
use crate::base::streams::{ORDER, Piece};

/// Bytes of a stream kept on disk.
const ON_DISK: u64 = 8 << 20;
const HEAD: usize = 64 << 10;
const TAIL: usize = 192 << 10;
/// Lines of the order: a program that prints letter by letter on both streams in turn is told in part.
const MOST_PIECES: u32 = 16_384;
/// Seconds. What comes from one stream within them is one piece.
const TOGETHER: f64 = 0.05;

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

    /// How many of the bytes are kept on disk.
    pub fn take(&mut self, bytes: &[u8]) -> u64 {
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
        fits as u64
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

/// In which order what is kept of both streams came.
pub struct Index {
    file: Option<File>,
    /// Longer when more comes soon.
    open: Option<Piece>,
    left: u32,
}

impl Index {
    pub fn new(folder: Option<&Path>) -> Result<Self, FsError> {
        let file = folder.map(|folder| fs::open_to_append(&folder.join(ORDER))).transpose()?;
        Ok(Self { file, open: None, left: MOST_PIECES })
    }

    pub fn note(&mut self, piece: Piece) {
        if piece.bytes == 0 {
            return;
        }
        match &mut self.open {
            Some(open) if open.stream == piece.stream && piece.at_s - open.at_s < TOGETHER => open.bytes += piece.bytes,
            _ => {
                self.write();
                self.open = Some(piece);
            }
        }
    }

    fn write(&mut self) {
        let (Some(file), Some(piece)) = (&mut self.file, self.open.take()) else { return };
        let line = serde_json::to_string(&piece).unwrap_or_default() + "\n";
        self.left -= 1;
        // Of what a full disk did not take, and of all that follows, no order is known.
        if file.write_all(line.as_bytes()).is_err() || self.left == 0 {
            self.file = None;
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.write();
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, HEAD, Index, MOST_PIECES, ON_DISK, TAIL};
    use crate::base::fs;
    use crate::base::streams::{ORDER, Piece, Stream};

    #[test]
    fn the_order_of_both_streams_is_kept_in_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut index = Index::new(Some(folder.path())).expect("a file");
        let both = [Stream::Stdout, Stream::Stderr];
        for (seq, at_s, stream) in [(1, 0.01, 0), (2, 0.02, 0), (3, 0.03, 1), (4, 0.04, 0), (5, 0.1, 0)] {
            index.note(Piece { seq, at_s, stream: both[stream], bytes: 10 });
        }
        index.note(Piece { seq: 6, at_s: 0.1, stream: Stream::Stderr, bytes: 0 });
        drop(index);
        let text = fs::read_text(&folder.path().join(ORDER)).expect("a file");
        let lines: Vec<Piece> = text.lines().map(|line| serde_json::from_str(line).expect("a piece")).collect();
        let seen: Vec<_> = lines.iter().map(|piece| (piece.seq, piece.stream as usize, piece.bytes)).collect();
        assert_eq!(seen, [(1, 0, 20), (3, 1, 10), (4, 0, 10), (5, 0, 10)]);

        let folder = tempfile::tempdir().expect("a folder");
        let mut index = Index::new(Some(folder.path())).expect("a file");
        (0..100_000).for_each(|seq| index.note(Piece { seq, at_s: 0.0, stream: both[seq as usize % 2], bytes: 1 }));
        drop(index);
        let text = fs::read_text(&folder.path().join(ORDER)).expect("a file");
        assert_eq!(text.lines().count(), MOST_PIECES as usize);
    }

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
