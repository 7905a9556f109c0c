//! The log's one writer: a thread owns the file, records arrive by channel, and `sync` is answered when they last.
//!
//! Invariant: `seq` has no gap, and the file ends at a whole record, also after a write that failed.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::{clock, fs};
use crate::session::SessionError;
use crate::session::record::{DeltaKind, Entry, Record, VERSION};

/// How long a record may wait for others before it is written: a kill loses no more than this.
const PATIENCE: Duration = Duration::from_millis(40);

enum Order {
    Append { turn: u32, entry: Entry },
    Sync(oneshot::Sender<Result<(), String>>),
}

/// The other end of the thread. Dropping it writes and fsyncs what is there.
pub struct Writer {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Appends to a log that ends at a whole record; `next` is the number of the next one.
    pub fn start(path: PathBuf, next: u64) -> Result<Self, SessionError> {
        let file = fs::open_to_append(&path)?;
        let end = file.metadata().map_err(|error| SessionError::Write(error.to_string()))?.len();
        let (orders, received) = mpsc::channel();
        let log = Log { file, path, end, next, lines: Vec::new(), delta: None, failure: None };
        let thread = thread::Builder::new()
            .name("session-log".to_owned())
            .spawn(move || log.work(&received))
            .map_err(|error| SessionError::Write(format!("cannot start its writer: {error}")))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    pub fn append(&self, turn: u32, entry: Entry) {
        if let Some(orders) = &self.orders {
            // A writer that is gone is reported by the next `sync`.
            let _ = orders.send(Order::Append { turn, entry });
        }
    }

    pub async fn sync(&self) -> Result<(), SessionError> {
        let (done, answer) = oneshot::channel();
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(Order::Sync(done)).is_ok());
        let gone = || SessionError::Write("its writer is gone".to_owned());
        if !sent {
            return Err(gone());
        }
        answer.await.map_err(|_| gone())?.map_err(SessionError::Write)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

/// The file, and what is not in it yet.
struct Log {
    file: File,
    path: PathBuf,
    /// Bytes of whole records in the file.
    end: u64,
    next: u64,
    /// Records as lines, to be written in one piece.
    lines: Vec<u8>,
    /// Streamed text that may still grow before it becomes a record.
    delta: Option<(u32, DeltaKind, String)>,
    failure: Option<String>,
}

impl Log {
    fn work(mut self, orders: &Receiver<Order>) {
        let mut deadline: Option<Instant> = None;
        loop {
            let order = match deadline {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match order {
                Ok(Order::Append { turn, entry }) => {
                    self.take(turn, entry);
                    deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
                    continue;
                }
                Ok(Order::Sync(done)) => {
                    // Whoever asked may be gone; what it asked for is done all the same.
                    let _ = done.send(self.sync());
                }
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => {
                    // There is nobody left to tell of a failure.
                    let _ = self.sync();
                    return;
                }
            }
            deadline = None;
        }
    }

    fn take(&mut self, turn: u32, entry: Entry) {
        if let Entry::ReplyDelta { kind, text } = entry {
            match &mut self.delta {
                Some((of, same, so_far)) if *of == turn && *same == kind => so_far.push_str(&text),
                _ => {
                    self.end_delta();
                    self.delta = Some((turn, kind, text));
                }
            }
            return;
        }
        self.end_delta();
        self.line(turn, entry);
    }

    fn end_delta(&mut self) {
        if let Some((turn, kind, text)) = self.delta.take() {
            self.line(turn, Entry::ReplyDelta { kind, text });
        }
    }

    fn line(&mut self, turn: u32, entry: Entry) {
        let record = Record { v: VERSION, seq: self.next, time: clock::now(), turn, entry };
        let before = self.lines.len();
        match serde_json::to_writer(&mut self.lines, &record) {
            Ok(()) => {
                self.lines.push(b'\n');
                self.next += 1;
            }
            Err(error) => {
                self.lines.truncate(before);
                self.failure = Some(format!("a record cannot be written as JSON: {error}"));
            }
        }
    }

    /// Writes what is there. On failure the file is cut back to its last whole record, and the lines wait for the next try.
    fn write(&mut self) {
        self.end_delta();
        if self.lines.is_empty() {
            return;
        }
        match self.file.write_all(&self.lines) {
            Ok(()) => {
                self.end += self.lines.len() as u64;
                self.lines.clear();
                self.failure = None;
            }
            Err(error) => {
                // If this fails too, the torn line is repaired when the session is opened again.
                let _ = self.file.set_len(self.end);
                self.failure = Some(format!("cannot write `{}`: {error}", self.path.display()));
            }
        }
    }

    fn sync(&mut self) -> Result<(), String> {
        self.write();
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.file.sync_data().map_err(|error| format!("cannot sync `{}`: {error}", self.path.display()))
    }
}
