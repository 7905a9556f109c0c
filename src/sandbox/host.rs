//! The host's side of a run: starts the helper, feeds it, reads both streams as they come, and makes the report.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio_util::sync::CancellationToken;

use super::output::{Capture, Index};
use super::wire::{self, Order, Outcome, Word};
use super::{Chunk, SandboxError, Stream, helper};
use crate::base::streams::Piece;

/// How soon a cancellation is seen.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long pipes are drained after the run's end: nobody is left who could write.
const DRAIN: Duration = Duration::from_millis(100);

/// A run that has ended, or was never begun.
pub struct Told {
    pub outcome: Outcome,
    pub stdout: Capture,
    pub stderr: Capture,
}

pub struct Channels<'a> {
    /// Where both streams are spooled, if they are.
    pub folder: Option<&'a Path>,
    /// Bytes of both streams after which the run is stopped.
    pub most_output: u64,
    pub cancel: &'a CancellationToken,
    pub output: &'a mut dyn FnMut(&Chunk<'_>),
}

pub fn run(program: &Path, order: &Order, input: &[u8], channels: Channels<'_>) -> Result<Told, SandboxError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| SandboxError::Io(format!("cannot {what}: {error}"))
    };
    let begun = Instant::now();
    let (ours, theirs) = UnixStream::pair().map_err(failed("make a socket"))?;
    let mut child = start(program, theirs).map_err(failed("start the sandbox's helper"))?;
    let order = serde_json::to_vec(order).map_err(|error| failed("write the order")(error.into()))?;
    // A helper that ended at once is told of by its missing answer.
    let _ = wire::send(&ours, &order).and_then(|()| wire::send(&ours, input));
    let pipes = (child.stdout.take(), child.stderr.take());
    let (Some(stdout), Some(stderr)) = pipes else {
        return Err(SandboxError::Io("the helper has no output".to_owned()));
    };
    let mut pump = Pump {
        socket: ours,
        pipes: [Some(stdout.into()), Some(stderr.into())],
        captures: [capture(channels.folder, Stream::Stdout)?, capture(channels.folder, Stream::Stderr)?],
        order: Index::new(channels.folder).map_err(|error| SandboxError::Io(error.to_string()))?,
        begun,
        chunks: 0,
        channels,
        told_to_stop: false,
    };
    let outcome = pump.until_the_end();
    // The helper sees the socket's end where it still runs, and takes everything with it.
    let _ = pump.socket.shutdown(Shutdown::Both);
    child.wait().map_err(failed("wait for the sandbox's helper"))?;
    let outcome = outcome.map_err(failed("hear from the sandbox's helper"))?;
    let [stdout, stderr] = pump.captures;
    Ok(Told { outcome, stdout, stderr })
}

fn capture(folder: Option<&Path>, stream: Stream) -> Result<Capture, SandboxError> {
    let path = folder.map(|folder| folder.join(stream.file()));
    Capture::new(path.as_deref()).map_err(|error| SandboxError::Io(error.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that starts processes")]
fn start(program: &Path, socket: UnixStream) -> io::Result<Child> {
    Command::new(program)
        .arg(helper::ARGUMENT)
        .env_clear()
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

struct Pump<'a> {
    socket: UnixStream,
    pipes: [Option<OwnedFd>; 2],
    captures: [Capture; 2],
    order: Index,
    begun: Instant,
    chunks: u64,
    channels: Channels<'a>,
    told_to_stop: bool,
}

impl Pump<'_> {
    fn until_the_end(&mut self) -> io::Result<Outcome> {
        let outcome = loop {
            self.stop_where_asked();
            if self.turn(&TICK, true)? {
                break serde_json::from_slice(&wire::receive(&self.socket)?)?;
            }
        };
        let deadline = Instant::now() + DRAIN;
        while self.pipes.iter().any(Option::is_some) && Instant::now() < deadline {
            let short = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            self.turn(&short, false)?;
        }
        Ok(outcome)
    }

    fn stop_where_asked(&mut self) {
        if self.told_to_stop {
            return;
        }
        let total: u64 = self.captures.iter().map(|capture| capture.total).sum();
        let word = if self.channels.cancel.is_cancelled() {
            Word::Cancel
        } else if total > self.channels.most_output {
            Word::TooMuchOutput
        } else {
            return;
        };
        self.told_to_stop = true;
        // A helper that is gone has nothing left to stop.
        let _ = self.socket.write_all(&[word as u8]);
    }

    /// Reads what is there. `true`: the helper has something to say.
    fn turn(&mut self, timeout: &Timespec, with_socket: bool) -> io::Result<bool> {
        let mut waiting = Vec::with_capacity(3);
        let mut streams = Vec::with_capacity(2);
        for (at, pipe) in self.pipes.iter().enumerate() {
            if let Some(pipe) = pipe {
                waiting.push(PollFd::new(pipe, PollFlags::IN));
                streams.push(at);
            }
        }
        if with_socket {
            waiting.push(PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN));
        }
        match poll(&mut waiting, Some(timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(waiting);
        for (at, _) in streams.iter().zip(&ready).filter(|(_, ready)| **ready) {
            self.read(*at)?;
        }
        Ok(with_socket && ready.last().copied().unwrap_or(false))
    }

    fn read(&mut self, at: usize) -> io::Result<()> {
        let Some(pipe) = &self.pipes[at] else { return Ok(()) };
        let mut bytes = [0; 64 * 1024];
        let mut file = std::fs::File::from(pipe.try_clone()?);
        let count = file.read(&mut bytes)?;
        if count == 0 {
            self.pipes[at] = None;
            return Ok(());
        }
        let (stream, bytes) = (Stream::BOTH[at], &bytes[..count]);
        self.chunks += 1;
        // What a clock says below a millisecond is noise here.
        let at_s = (self.begun.elapsed().as_secs_f64() * 1e3).round() / 1e3;
        let kept = self.captures[at].take(bytes);
        self.order.note(Piece { seq: self.chunks, at_s, stream, bytes: kept });
        (self.channels.output)(&Chunk { stream, seq: self.chunks, at_s, bytes });
        Ok(())
    }
}
