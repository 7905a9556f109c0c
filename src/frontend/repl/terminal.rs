//! The terminal's modes, and that it is given back as it was: after every end, also a panic, a signal or a stop.
//!
//! The first mode that was seen is the user's own. It is kept for the whole process, since a panic hook and a signal
//! have nothing else to go by.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};

/// As the user had it.
static ORIGINAL: OnceLock<Termios> = OnceLock::new();

/// The other screen of the terminal is shown, on which nothing stays.
static IS_ELSEWHERE: AtomicBool = AtomicBool::new(false);

/// Bracketed paste off, styles off, cursor shown, rows that wrap, synchronised output off.
const PLAIN: &[u8] = b"\x1b[?2026l\x1b[?7h\x1b[?2004l\x1b[0m\x1b[?25h";
const PASTE_ON: &[u8] = b"\x1b[?2004h";

/// Remembers the user's mode; before anything changes it.
pub fn remember() {
    if let Ok(mode) = tcgetattr(io::stdin().as_fd()) {
        ORIGINAL.get_or_init(|| mode);
    }
}

/// Gives the terminal back. Does nothing where it was never remembered.
pub fn restore() {
    let Some(original) = ORIGINAL.get() else { return };
    own_screen();
    // A terminal that is gone needs nothing back.
    let _ = io::stdout().write_all(PLAIN).and_then(|()| io::stdout().flush());
    let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, original);
}

/// Columns and rows; a terminal that does not say is taken for a usual one.
pub fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout().as_fd()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (usize::from(size.ws_col), usize::from(size.ws_row)),
        Ok(_) | Err(_) => (80, 24),
    }
}

/// Stops the program as Ctrl-Z would, with the terminal given back; returns when it goes on, in the mode it was in.
pub fn suspend() {
    let mode = tcgetattr(io::stdin().as_fd());
    restore();
    stop();
    if let Ok(mode) = mode {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &mode);
    }
    paste_on();
}

/// Stops the program and whatever it has started; returns when it goes on.
pub fn stop() {
    // SIGSTOP, since SIGTSTP is caught: the shell cannot tell them apart. And to the whole group, as the key would send
    // it: a script that started this program must not go on waiting in the foreground.
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
}

/// Goes over to the terminal's other screen.
pub fn other_screen() {
    if !IS_ELSEWHERE.swap(true, Ordering::Relaxed) {
        let _ = io::stdout().write_all(b"\x1b[?1049h").and_then(|()| io::stdout().flush());
    }
}

/// And back, with everything as it was there.
pub fn own_screen() {
    if IS_ELSEWHERE.swap(false, Ordering::Relaxed) {
        let _ = io::stdout().write_all(b"\x1b[?1049l").and_then(|()| io::stdout().flush());
    }
}

/// Another program uses the terminal while `work` is done: it is as the user had it, and afterwards as it was here.
pub async fn lend<T>(work: impl Future<Output = T>) -> T {
    let mode = tcgetattr(io::stdin().as_fd());
    restore();
    let done = work.await;
    if let Ok(mode) = mode {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &mode);
    }
    paste_on();
    done
}

/// Takes what the terminal answers so late that the shell would get it.
pub fn forget_answer(patience: Duration) {
    let stdin = io::stdin();
    let mut ends = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
    let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
    if poll(&mut ends, Some(&patience)).is_ok_and(|came| came > 0) {
        forget_typed();
    }
}

/// Whatever is typed and not read yet is no answer to a question that was not asked.
pub fn forget_typed() {
    // A terminal that is gone has nothing typed.
    let _ = tcflush(io::stdin().as_fd(), QueueSelector::IFlush);
}

/// Pastes come in brackets from here on; a prompt that ends turns it off. Does nothing where the terminal is not ours.
pub fn paste_on() {
    if ORIGINAL.get().is_none() {
        return;
    }
    let _ = io::stdout().write_all(PASTE_ON).and_then(|()| io::stdout().flush());
}

/// While it lives, keys arrive one by one and are not shown; output works as always. What the prompt changes, it changes
/// back to this: no key that is typed between two prompts is echoed or means something else.
pub struct KeyByKey(());

impl KeyByKey {
    pub fn begin() -> io::Result<Self> {
        let mut mode = tcgetattr(io::stdin().as_fd())?;
        mode.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        // Enter is a carriage return, so that Ctrl-J is a key of its own.
        mode.input_modes &= !(InputModes::ICRNL | InputModes::INLCR | InputModes::IXON);
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &mode)?;
        Ok(Self(()))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        restore();
    }
}
