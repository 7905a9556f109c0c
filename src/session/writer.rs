//! The one thread that writes a session's log, and the queue before it.
//!
//! `append` is called for every token: it takes a lock that nobody holds while touching the disk, and mostly lengthens
//! a text that waits there. The thread is woken once for what comes within [`GATHER`], or at once for a `sync`.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::log::Log;
use super::record::{Entry, Record, VERSION};
use crate::base::clock;

/// How long a record may wait for others. The contract allows 100 ms until it is in the file.
const GATHER: Duration = Duration::from_millis(50);

/// Called once, with how the records before it fared.
pub type Acknowledge = Box<dyn FnOnce(Result<(), String>) + Send>;

pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Between the appenders and the thread; held for a few instructions only.
    queue: Mutex<Queue>,
    /// Signalled when the queue stops being empty, when a sync is asked for, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    records: Vec<Record>,
    next_seq: u64,
    /// When the oldest record came.
    since: Option<Instant>,
    syncs: Vec<Acknowledge>,
    closing: bool,
    /// The thread is gone, by closing or by a panic: nobody may wait for it.
    stopped: bool,
}

impl Writer {
    pub fn start(log: Log, next_seq: u64) -> io::Result<Self> {
        let queue = Queue { next_seq, ..Queue::default() };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("session-log".to_owned()).spawn(move || work(&own, log))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The `seq` of the record that the entry is in.
    pub fn append(&self, turn: u32, entry: Entry) -> u64 {
        let mut queue = self.shared.lock();
        if let Some(seq) = queue.join(turn, &entry) {
            return seq;
        }
        let seq = queue.next_seq;
        queue.next_seq = seq.saturating_add(1);
        queue.records.push(Record { v: VERSION, seq, time: clock::now(), turn, entry });
        if queue.since.is_none() {
            queue.since = Some(Instant::now());
            self.shared.changed.notify_one();
        }
        seq
    }

    /// The acknowledgement is dropped uncalled where the thread has stopped.
    pub fn sync(&self, acknowledge: Acknowledge) {
        let mut queue = self.shared.lock();
        if !queue.stopped {
            queue.syncs.push(acknowledge);
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing is left half-done under this lock, so what a panicking thread left is sound.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do, and takes all of it.
    fn next(&self) -> Queue {
        let mut queue = self.lock();
        while let Some(wait) = queue.time_left() {
            queue = self.changed.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let rest = Queue { next_seq: queue.next_seq, ..Queue::default() };
        mem::replace(&mut queue, rest)
    }
}

/// Tells the queue that its thread is gone, however it went.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.stopped = true;
        queue.syncs.clear();
    }
}

impl Queue {
    /// Lengthens the last record where it is the same stream's.
    fn join(&mut self, turn: u32, entry: &Entry) -> Option<u64> {
        let Entry::ReplyDelta { kind, text: more } = entry else { return None };
        let last = self.records.last_mut().filter(|last| last.turn == turn)?;
        match &mut last.entry {
            Entry::ReplyDelta { kind: of_last, text } if of_last == kind => text.push_str(more),
            _ => return None,
        }
        Some(last.seq)
    }

    /// `None` when the thread has to go to work now.
    fn time_left(&self) -> Option<Duration> {
        if self.closing || !self.syncs.is_empty() {
            return None;
        }
        let Some(since) = self.since else { return Some(Duration::MAX) };
        GATHER.checked_sub(since.elapsed()).filter(|left| !left.is_zero())
    }
}

fn work(shared: &Shared, mut log: Log) {
    let _farewell = Farewell(shared);
    loop {
        let Queue { records, syncs, closing, .. } = shared.next();
        log.write(&records);
        if closing || !syncs.is_empty() {
            let outcome = log.make_last();
            syncs.into_iter().for_each(|acknowledge| acknowledge(outcome.clone()));
        }
        if closing {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use super::Writer;
    use crate::base::{fs, ids::SessionId};
    use crate::session::LOG;
    use crate::session::identity::Identity;
    use crate::session::log::{Log, Pending};
    use crate::session::record::{DeltaKind, Entry, Record};
    use crate::session::recovery;

    fn start(folder: &Path) -> Writer {
        let file = fs::open_to_append(&folder.join(LOG)).unwrap();
        let identity = Identity::new(SessionId::generate(), None);
        let (folder, new_entries, pending) = (folder.to_owned(), Vec::new(), Pending::default());
        Writer::start(Log { file, folder, length: 0, dirty: false, new_entries, identity, pending }, 0).unwrap()
    }

    fn sync(writer: &Writer) {
        let (done, outcome) = mpsc::channel();
        writer.sync(Box::new(move |result| done.send(result).unwrap()));
        outcome.recv().unwrap().unwrap();
    }

    fn records(folder: &Path) -> Vec<Record> {
        let found = recovery::scan(folder).unwrap();
        assert_eq!(found.reports, Vec::<String>::new());
        assert!(!found.tail.is_torn());
        found.records
    }

    fn delta(kind: DeltaKind, text: &str) -> Entry {
        Entry::ReplyDelta { kind, text: text.into() }
    }

    #[test]
    fn a_record_reaches_the_file_without_being_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        writer.append(1, delta(DeltaKind::Text, "hello"));
        while records(folder.path()).is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn deltas_of_one_stream_become_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        let words = |kind, turn| ["a ", "b ", "c "].map(|word| writer.append(turn, delta(kind, word)));
        let seqs = [words(DeltaKind::Reasoning, 1), words(DeltaKind::Text, 1), words(DeltaKind::Text, 2)];
        sync(&writer);
        let records = records(folder.path());
        let text_of = |seq: u64, turn| match &records[seq as usize] {
            Record { turn: of, entry: Entry::ReplyDelta { text, .. }, .. } if *of == turn => text.clone(),
            record => panic!("{record:?}"),
        };
        for (seqs, turn) in seqs.iter().zip([1, 1, 2]) {
            // The thread may have taken the first ones already; whole and in order they are all the same.
            let mut own = seqs.to_vec();
            own.dedup();
            assert_eq!(own.iter().map(|seq| text_of(*seq, turn)).collect::<String>(), "a b c ");
        }
        assert!(records.len() < 9, "nothing was joined");
    }

    #[test]
    fn what_many_threads_append_and_sync_is_whole_and_in_each_ones_order() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        std::thread::scope(|scope| {
            for turn in 1..=4 {
                let (writer, folder) = (&writer, folder.path());
                scope.spawn(move || {
                    for number in 0..100 {
                        let seq = writer.append(turn, Entry::Renamed { title: number.to_string() });
                        if number % 25 == 24 {
                            sync(writer);
                            let synced = recovery::scan(folder).unwrap().records;
                            assert!(synced.iter().any(|record| record.seq == seq), "acknowledged and not there");
                        }
                    }
                });
            }
        });
        drop(writer);
        let records = records(folder.path());
        assert_eq!(records.len(), 400);
        for turn in 1..=4 {
            let titles: Vec<String> = (0..100).map(|number| number.to_string()).collect();
            let own = records.iter().filter(|record| record.turn == turn).map(|record| match &record.entry {
                Entry::Renamed { title } => title.clone(),
                entry => panic!("{entry:?}"),
            });
            assert_eq!(own.collect::<Vec<_>>(), titles);
        }
    }

    #[test]
    fn nobody_waits_for_a_thread_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = start(folder.path());
        writer.shared.lock().closing = true;
        writer.shared.changed.notify_one();
        writer.thread.take().unwrap().join().unwrap();
        let (done, outcome) = mpsc::channel();
        writer.sync(Box::new(move |result| done.send(result).unwrap()));
        outcome.recv().unwrap_err();
    }
}
