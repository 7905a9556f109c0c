//! A program at a terminal of its own, and the screen as a person would see it.
//!
//! The program leads a session whose controlling terminal is a new pseudo-terminal, so keys are keys, and Ctrl-C, a
//! hang-up and a stop are the kernel's. What it prints goes through a terminal emulator. Nothing here polls a clock:
//! each wait ends with what it waits for, with the program's end, or with its deadline, and then shows the screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Pts, Pty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use rustix::termios::tcgetattr;

/// Only a test that fails ever waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Lines above the screen that can still be read.
const SCROLLBACK: usize = 2_000;
/// Of a flood the screen is looked at after so many bytes: looking takes longer than reading.
const FLOOD: usize = 256 << 10;

pub struct Terminal {
    child: Child,
    pidfd: OwnedFd,
    /// `None` after the hang-up.
    pty: Option<Pty>,
    /// Kept until the program's end, so that the terminal's modes can be read then.
    slave: Option<Pts>,
    emulator: vt100::Parser,
    raw: Vec<u8>,
    first_modes: String,
    /// At the program's end; `None` before it, and after a hang-up.
    last_modes: Option<String>,
}

/// What is on the screen, and above it.
pub struct Screen {
    /// From the oldest line on; a line that the terminal wrapped is one line here.
    pub text: String,
    /// The same up to the cursor: what is typed, without the hint behind it.
    pub typed: String,
    /// The row that the cursor is in, up to its end.
    pub cursor_row: String,
    /// Row and column, from 0.
    pub cursor: (u16, u16),
    pub bracketed_paste: bool,
    pub cursor_hidden: bool,
}

enum Came {
    Output,
    /// Some of what was to be written is written.
    Room(usize),
    Nothing,
}

impl Terminal {
    /// Starts the command at a terminal of so many columns and rows.
    #[track_caller]
    pub fn start(command: Command, (columns, rows): (u16, u16)) -> Self {
        let (pty, slave) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let flags = fcntl_getfl(&pty).unwrap();
        fcntl_setfl(&pty, flags | OFlags::NONBLOCK).unwrap();
        let first_modes = modes(&slave).unwrap();
        let child = pty_process::blocking::Command::from(command).spawn_borrowed(&slave).unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        let emulator = vt100::Parser::new(at_least_one(rows), at_least_one(columns), SCROLLBACK);
        Self {
            child,
            pidfd,
            pty: Some(pty),
            slave: Some(slave),
            emulator,
            raw: Vec::new(),
            first_modes,
            last_modes: None,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types; control characters are keys. A program that does not read is waited for.
    #[track_caller]
    pub fn send(&mut self, keys: impl AsRef<[u8]>) {
        let mut rest = keys.as_ref();
        let deadline = Instant::now() + PATIENCE;
        while !rest.is_empty() {
            match self.exchange(rest, deadline) {
                Came::Room(taken) => rest = &rest[taken..],
                Came::Output => {}
                Came::Nothing => self.fail("it does not read what is typed"),
            }
        }
    }

    /// As a terminal pastes: in brackets where the program asked for them, each line's end a carriage return.
    #[track_caller]
    pub fn paste(&mut self, text: &str) {
        let text = text.replace('\n', "\r");
        match self.emulator.screen().bracketed_paste() {
            true => self.send(format!("\x1b[200~{text}\x1b[201~")),
            false => self.send(text),
        }
    }

    #[track_caller]
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait_for(&format!("{text:?} on the screen"), |screen| screen.text.contains(text));
    }

    #[track_caller]
    pub fn wait_for(&mut self, what: &str, holds: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.screen()) {
            match self.exchange(&[], deadline) {
                Came::Output => {
                    let seen = self.raw.len();
                    while self.raw.len() - seen < FLOOD && matches!(self.exchange(&[], Instant::now()), Came::Output) {}
                }
                Came::Room(_) => {}
                Came::Nothing if self.has_ended(Instant::now()) => self.fail(&format!("it ended without {what}")),
                Came::Nothing => self.fail(&format!("no {what} within {PATIENCE:?}")),
            }
        }
    }

    /// Until nothing has been printed for so long.
    pub fn wait_quiet(&mut self, time: Duration) {
        while matches!(self.exchange(&[], Instant::now() + time), Came::Output) {}
    }

    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        self.pty().resize(Size::new(rows, columns)).unwrap();
        self.emulator.set_size(at_least_one(rows), at_least_one(columns));
    }

    pub fn screen(&mut self) -> Screen {
        let cursor = self.emulator.screen().cursor_position();
        let (bracketed_paste, cursor_hidden) =
            (self.emulator.screen().bracketed_paste(), self.emulator.screen().hide_cursor());
        let behind = self.behind_cursor();
        let text = self.text();
        let typed = text.strip_suffix(behind.as_str()).unwrap_or(&text).trim_end().to_owned();
        let cursor_row = self.rows().nth(usize::from(cursor.0)).unwrap_or_default().trim_end().to_owned();
        Screen { text, typed, cursor_row, cursor, bracketed_paste, cursor_hidden }
    }

    /// Everything that is on the screen or was scrolled off it.
    pub fn text(&mut self) -> String {
        self.all_of_it("")
    }

    /// The same, row by row.
    pub fn text_in_rows(&mut self) -> String {
        self.all_of_it("\n")
    }

    fn all_of_it(&mut self, at_a_wrap: &str) -> String {
        let screen = self.emulator.screen_mut();
        let columns = screen.size().1.get();
        let mut out = String::new();
        let mut push = |row: &str, wrapped: bool| {
            out.push_str(if wrapped && at_a_wrap.is_empty() { row } else { row.trim_end() });
            out.push_str(if wrapped { at_a_wrap } else { "\n" });
        };
        for above in (1..=screen.scrollback_len()).rev() {
            screen.set_scrollback(above);
            push(&screen.rows(0, columns).next().unwrap_or_default(), screen.row_wrapped(0));
        }
        screen.set_scrollback(0);
        for (row, number) in screen.rows(0, columns).zip(0..) {
            push(&row, screen.row_wrapped(number));
        }
        let length = out.trim_end_matches('\n').len();
        out.truncate(length);
        out
    }

    /// From the cursor to the end of its row.
    fn behind_cursor(&self) -> String {
        let screen = self.emulator.screen();
        let ((row, column), columns) = (screen.cursor_position(), screen.size().1.get());
        screen
            .rows(column, columns - column.min(columns))
            .nth(usize::from(row))
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }

    /// Rows of the screen as they are, from the top.
    pub fn rows(&self) -> impl Iterator<Item = String> {
        let columns = self.emulator.screen().size().1.get();
        self.emulator.screen().rows(0, columns)
    }

    /// All bytes that ever came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether keys are handled as they were before the program began.
    pub fn is_as_it_was(&self) -> bool {
        self.slave.as_ref().and_then(modes).is_some_and(|modes| modes == self.first_modes)
    }

    /// Signals the program alone, as another program would.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// As by `kill -9`: it has no time to put anything in order.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// The terminal's window is closed: the kernel tells the program.
    pub fn hang_up(&mut self) {
        self.pty = None;
    }

    /// Waits until the program is stopped, as a shell waits for its job.
    #[track_caller]
    pub fn wait_for_stop(&mut self) {
        let (pid, (sender, stopped)) = (Pid::from_child(&self.child), mpsc::channel());
        // Ends with the program at the latest.
        thread::spawn(move || {
            let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let status = waitid(WaitId::Pid(pid), options);
            let _ = sender.send(status.ok().flatten().is_some_and(|status| status.stopped()));
        });
        match stopped.recv_timeout(PATIENCE) {
            Ok(true) => while matches!(self.exchange(&[], Instant::now()), Came::Output) {},
            Ok(false) => self.fail("it ended and did not stop"),
            Err(_) => self.fail(&format!("it did not stop within {PATIENCE:?}")),
        }
    }

    /// Waits for the end, and for all output. The terminal has to be as it was before, where there still is one.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.exchange(&[], deadline), Came::Output) {}
        if !self.has_ended(deadline) {
            self.fail(&format!("it did not end within {PATIENCE:?}"));
        }
        let status = self.child.wait().unwrap();
        if let Some(modes) = self.last_modes.take_if(|modes| *modes != self.first_modes) {
            self.fail(&format!("the terminal is not as it was: {modes}, and before {}", self.first_modes));
        }
        status
    }

    /// Ends with this code, and leaves the terminal as it was.
    #[track_caller]
    pub fn assert_end(&mut self, code: i32) {
        let status = self.wait_for_end();
        let shown = self.shown();
        assert_eq!(status.code(), Some(code), "exit code (signal {:?})\n{shown}", status.signal());
        let screen = self.screen();
        assert!(!screen.bracketed_paste && !screen.cursor_hidden, "a mode was left on\n{shown}");
    }

    /// One read or write, whatever is possible first; `Nothing` at the end of time or of the program.
    fn exchange(&mut self, keys: &[u8], deadline: Instant) -> Came {
        let Some(pty) = &mut self.pty else { return Came::Nothing };
        loop {
            let wanted = if keys.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            let (pidfd, watched) = (self.pidfd.as_fd(), if self.slave.is_some() { 2 } else { 1 });
            let mut ends =
                [PollFd::from_borrowed_fd(pty.as_fd(), wanted), PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
            match poll(&mut ends[..watched], Some(&until(deadline))) {
                Ok(0) => return Came::Nothing,
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => panic!("poll: {error}"),
            }
            let (state, ended) = (ends[0].revents(), !ends[1].revents().is_empty());
            if state.contains(PollFlags::IN) {
                let mut bytes = [0; 16_384];
                let Ok(length @ 1..) = pty.read(&mut bytes) else { return Came::Nothing };
                self.raw.extend_from_slice(&bytes[..length]);
                self.emulator.process(&bytes[..length]);
                return Came::Output;
            }
            if ended {
                // Only when nobody holds the other side does the kernel hand over the rest, and say that it was all.
                self.last_modes = self.slave.take().as_ref().and_then(modes);
            } else if state.contains(PollFlags::HUP) {
                return Came::Nothing;
            } else if state.contains(PollFlags::OUT) {
                // A part at once: a person or a paste is never faster than what echoes it.
                let Ok(taken) = pty.write(&keys[..keys.len().min(256)]) else { return Came::Nothing };
                return Came::Room(taken);
            }
        }
    }

    fn has_ended(&self, deadline: Instant) -> bool {
        let mut ends = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut ends, Some(&until(deadline))).unwrap() == 1
    }

    fn pty(&self) -> &Pty {
        self.pty.as_ref().unwrap()
    }

    fn shown(&mut self) -> String {
        let screen = self.screen();
        let (row, column) = screen.cursor;
        format!("---- the screen, the cursor at row {row}, column {column}:\n{}\n----", screen.text)
    }

    #[track_caller]
    fn fail(&mut self, why: &str) -> ! {
        let shown = self.shown();
        panic!("{why}\n{shown}");
    }
}

/// A failed test leaves nothing running.
impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// `None` after a hang-up.
fn modes(terminal: &Pts) -> Option<String> {
    tcgetattr(terminal).ok().map(|modes| format!("{modes:?}"))
}

fn until(deadline: Instant) -> Timespec {
    Timespec::try_from(deadline.saturating_duration_since(Instant::now())).unwrap()
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::process::Signal;

    use super::Terminal;
    use crate::support::env::TestEnv;

    fn shell(env: &TestEnv, script: &str) -> Terminal {
        let mut command = env.command("sh");
        command.args(["-c", script]);
        Terminal::start(command, (40, 10))
    }

    #[test]
    fn keys_are_echoed_and_read() {
        let env = TestEnv::new();
        let mut terminal = shell(&env, "read line; echo \"got $line\"; exit 3");
        terminal.send("hello\r");
        terminal.assert_end(3);
        assert_eq!(terminal.text(), "hello\ngot hello");
        assert!(terminal.raw().ends_with(b"got hello\r\n"));
    }

    #[test]
    fn the_screen_is_what_a_person_sees() {
        let env = TestEnv::new();
        let mut terminal = shell(&env, "printf 'abc\\rX\\n日本\\n'; seq 20; printf '\\033[?2004h%050d' 7; read x");
        terminal.wait_for("the last line", |screen| screen.cursor_row == "0000000007");
        let screen = terminal.screen();
        assert!(screen.text.starts_with("Xbc\n日本\n1\n2\n"), "{}", screen.text);
        assert!(screen.text.ends_with(&format!("20\n{:050}", 7)), "{}", screen.text);
        assert_eq!((screen.cursor, screen.bracketed_paste), ((9, 10), true));
        assert_eq!(terminal.rows().next().unwrap(), "13");
        terminal.paste("a\nb");
        terminal.wait_for_end();
        assert!(terminal.text().ends_with("^[[200~a\nb^[[201~"), "{}", terminal.text());
    }

    #[test]
    fn signals_come_from_keys_and_from_the_window() {
        let env = TestEnv::new();
        let traps = "trap 'echo int' INT; trap 'echo size $(stty size)' WINCH; trap 'exit 9' HUP; echo ready; while :; do read x; done";
        let mut terminal = shell(&env, traps);
        terminal.wait_for_text("ready");
        terminal.send("\x03");
        terminal.wait_for_text("int");
        terminal.resize((100, 30));
        terminal.send("\r");
        terminal.wait_for_text("size 30 100");
        terminal.hang_up();
        assert_eq!(terminal.wait_for_end().code(), Some(9));
    }

    #[test]
    fn a_stop_is_seen() {
        let env = TestEnv::new();
        let mut terminal = shell(&env, "kill -STOP $$; echo on");
        terminal.wait_for_stop();
        assert_eq!(terminal.text(), "");
        terminal.signal(Signal::CONT);
        terminal.assert_end(0);
        assert_eq!(terminal.text(), "on");
    }

    #[test]
    fn modes_that_are_left_changed_are_told() {
        let env = TestEnv::new();
        let mut terminal = shell(&env, "stty -echo");
        assert!(catch_unwind(AssertUnwindSafe(|| terminal.wait_for_end())).is_err());
        let mut terminal = shell(&env, "printf '\\033[?2004h'");
        assert!(catch_unwind(AssertUnwindSafe(|| terminal.assert_end(0))).is_err());
    }

    #[test]
    fn a_text_that_never_comes_shows_the_screen() {
        let env = TestEnv::new();
        let mut terminal = shell(&env, "echo last words");
        let panic = catch_unwind(AssertUnwindSafe(|| terminal.wait_for_text("more"))).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains("it ended without \"more\"") && message.contains("last words"), "{message}");
    }
}
