//! One process of a test: what it prints is collected as it comes, its end is waited for with a deadline.
//!
//! Nothing here polls a clock: pipes wake a channel, and the kernel tells the end through a pidfd.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use super::env::json_lines;

pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    stdin: Option<ChildStdin>,
    pieces: Receiver<(Stream, Vec<u8>)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    deadline: Instant,
    allowed: Duration,
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// What a process left behind.
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Output {
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        let Self { stdout, stderr, .. } = self;
        assert_eq!(self.code, Some(code), "exit code (signal {:?})\nstdout: {stdout}\nstderr: {stderr}", self.signal);
    }

    /// Standard output as `--output-format json` prints it: one value.
    #[track_caller]
    pub fn json(&self) -> Value {
        let mut lines = self.stream_json();
        assert_eq!(lines.len(), 1, "one line of JSON was expected: {}", self.stdout);
        lines.remove(0)
    }

    /// Standard output as `--output-format stream-json` prints it: one value a line.
    #[track_caller]
    pub fn stream_json(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }
}

impl Running {
    /// Starts the command in a process group of its own.
    #[track_caller]
    pub fn start(command: &mut Command, allowed: Duration) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        let (sender, pieces) = mpsc::channel();
        forward(Stream::Stdout, child.stdout.take().unwrap(), sender.clone());
        forward(Stream::Stderr, child.stderr.take().unwrap(), sender);
        let stdin = child.stdin.take();
        let deadline = Instant::now() + allowed;
        Self { child, pidfd, stdin, pieces, stdout: Vec::new(), stderr: Vec::new(), deadline, allowed }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// Writes to its standard input, which stays open. A process that no longer reads is no failure here.
    pub fn send(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// Writes to its standard input from a thread of its own, and closes it.
    pub fn feed(&mut self, text: &str) {
        let (mut stdin, text) = (self.stdin.take().unwrap(), text.to_owned());
        thread::spawn(move || stdin.write_all(text.as_bytes()));
    }

    /// Signals the process alone, not its children; one that has ended already is left in peace.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    #[track_caller]
    pub fn wait_for_stdout(&mut self, text: &str) {
        self.wait_until(|running| contains(&running.stdout, text), &format!("stdout never held {text:?}"));
    }

    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) {
        self.wait_until(|running| contains(&running.stderr, text), &format!("stderr never held {text:?}"));
    }

    #[track_caller]
    fn wait_until(&mut self, holds: impl Fn(&Self) -> bool, otherwise: &str) {
        while !holds(self) {
            match self.collect() {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("{otherwise} within {:?}", self.allowed)),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("{otherwise} before its end")),
            }
        }
    }

    /// Closes its standard input, then waits for its end and that of everything that holds its output open.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        drop(self.stdin.take());
        loop {
            match self.collect() {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("it did not end within {:?}", self.allowed)),
            }
        }
        if !self.has_ended() {
            self.fail(&format!("it closed its output and did not end within {:?}", self.allowed));
        }
        let status = self.child.wait().unwrap();
        Output { stdout: text(&self.stdout), stderr: text(&self.stderr), code: status.code(), signal: status.signal() }
    }

    fn collect(&mut self) -> Result<(), RecvTimeoutError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let (stream, piece) = self.pieces.recv_timeout(left)?;
        match stream {
            Stream::Stdout => self.stdout.extend(piece),
            Stream::Stderr => self.stderr.extend(piece),
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut ends = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut ends, Some(&Timespec::try_from(left).unwrap())).unwrap() == 1
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        panic!("{why}\nstdout: {}\nstderr: {}", text(&self.stdout), text(&self.stderr));
    }
}

/// A failed test leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn forward(stream: Stream, mut from: impl Read + Send + 'static, to: Sender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if to.send((stream, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
