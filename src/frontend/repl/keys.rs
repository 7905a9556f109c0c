//! Keys that are typed while the model writes: bytes of the terminal, one [`Key`] for each that means something.
//!
//! Reading is on a thread of its own, which ends when its [`Keys`] is dropped and takes no byte with it that was not
//! handed on. What a key means is the loop's to say.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use tokio::sync::mpsc;

use crate::frontend::repl::ground::LONGEST;

/// An escape that nothing follows within this time is the key itself.
const ESCAPE_ALONE: Duration = Duration::from_millis(40);

/// So is a Ctrl-C within a paste; other ones belong to it.
const INTERRUPT_ALONE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Text(String),
    Enter,
    /// Ctrl-J: a line more in the same message.
    NewLine,
    Backspace,
    /// Ctrl-W.
    DeleteWord,
    /// Ctrl-U.
    DeleteLine,
    Escape,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// A paste as a whole, with its lines.
    Paste(String),
    /// What the terminal says of itself, without the signs around it.
    Answer(String),
}

/// The reading thread and what it read.
pub struct Keys {
    pub received: mpsc::UnboundedReceiver<Key>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    pub fn listen() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC)?;
        let woken = wake.try_clone()?;
        let (keys, received) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&woken, &keys))?;
        Ok(Self { received, wake, thread: Some(thread) })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Only a full counter could refuse this, and it is written once.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(wake: &OwnedFd, keys: &mpsc::UnboundedSender<Key>) {
    let stdin = io::stdin();
    let mut parser = Parser::default();
    let mut bytes = [0; 4096];
    loop {
        let mut fds = [PollFd::new(wake, PollFlags::IN), PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        let patience = parser.patience().map(|wait| Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) });
        match poll(&mut fds, patience.as_ref()) {
            Ok(0) => parser.time_is_up(),
            Ok(_) if !fds[0].revents().is_empty() => return,
            Ok(_) => match rustix::io::read(stdin.as_fd(), &mut bytes) {
                Ok(0) => {
                    let _ = keys.send(Key::EndOfInput);
                    return;
                }
                Ok(length) => parser.push(&bytes[..length]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                // The terminal is gone; that the program ends is for the signal that comes with it.
                Err(_) => return,
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        for key in parser.take() {
            if keys.send(key).is_err() {
                return;
            }
        }
    }
}

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Bytes that are not a whole key yet, and the keys that are.
#[derive(Default)]
struct Parser {
    rest: Vec<u8>,
    keys: Vec<Key>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(taken) = self.step() {
            self.rest.drain(..taken);
        }
    }

    fn is_inside_escape(&self) -> bool {
        self.rest.first() == Some(&0x1b) && !self.rest.starts_with(PASTE_BEGIN)
    }

    /// How long what has come waits for more that would give it another meaning.
    fn patience(&self) -> Option<Duration> {
        let in_paste = self.cut_paste().map(|_| INTERRUPT_ALONE);
        in_paste.or_else(|| self.is_inside_escape().then_some(ESCAPE_ALONE))
    }

    /// What looked like the beginning of a sequence was the key, and what looked like a part of a paste.
    fn time_is_up(&mut self) {
        if let Some(text) = self.cut_paste() {
            let text = lines_of(text);
            self.keys.extend([Key::Paste(text), Key::Interrupt]);
            self.rest.clear();
        } else if self.is_inside_escape() {
            self.rest.clear();
            self.keys.push(Key::Escape);
        }
    }

    /// Of a paste whose end never comes, Ctrl-C makes an end: nothing else would bring the keys back.
    fn cut_paste(&self) -> Option<&[u8]> {
        self.rest.strip_prefix(PASTE_BEGIN)?.strip_suffix(b"\x03")
    }

    fn take(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.keys)
    }

    /// Reads one key; returns how many bytes it took, `None` where more have to come.
    fn step(&mut self) -> Option<usize> {
        let first = *self.rest.first()?;
        let key = match first {
            0x1b => return self.escape(),
            b'\r' => Key::Enter,
            b'\n' => Key::NewLine,
            0x7f | 0x08 => Key::Backspace,
            0x17 => Key::DeleteWord,
            0x15 => Key::DeleteLine,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfInput,
            0x1a => Key::Suspend,
            // Other control keys mean nothing here.
            0x00..0x20 => return Some(1),
            _ => return self.text(),
        };
        self.keys.push(key);
        Some(1)
    }

    fn text(&mut self) -> Option<usize> {
        let length = self.rest.iter().position(|byte| *byte < 0x20 || *byte == 0x7f).unwrap_or(self.rest.len());
        let bytes = &self.rest[..length];
        let (text, taken) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, length),
            // A character that is cut waits for its rest; what can never be one is passed over.
            Err(error) if error.valid_up_to() > 0 => {
                (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), error.valid_up_to())
            }
            Err(error) => match error.error_len() {
                Some(wrong) => return Some(wrong),
                None if length < self.rest.len() => return Some(length),
                None => return None,
            },
        };
        self.keys.push(Key::Text(text.to_owned()));
        Some(taken)
    }

    /// A paste, or a sequence of a key that means nothing here (arrows, function keys), which is passed over.
    fn escape(&mut self) -> Option<usize> {
        if self.rest.starts_with(PASTE_BEGIN) {
            let end = find(&self.rest, PASTE_END)?;
            let text = lines_of(&self.rest[PASTE_BEGIN.len()..end]);
            self.keys.push(Key::Paste(text));
            return Some(end + PASTE_END.len());
        }
        match *self.rest.get(1)? {
            b'[' => {
                let last = self.rest[2..].iter().position(|byte| (0x40..0x7f).contains(byte))?;
                self.keys.extend(motion(&self.rest[2..=2 + last]));
                Some(2 + last + 1)
            }
            b'O' => {
                let last = *self.rest.get(2)?;
                self.keys.extend(motion(&[last]));
                Some(3)
            }
            b']' => self.answer(),
            // Escape twice, or with another key: the first one counts.
            _ => {
                self.keys.push(Key::Escape);
                Some(1)
            }
        }
    }

    /// From `ESC ]` to BEL or `ESC \`. What is too long is none; a terminal says no more than a colour.
    fn answer(&mut self) -> Option<usize> {
        let body = &self.rest[2..];
        let end = body.iter().position(|byte| matches!(byte, 0x07 | 0x1b));
        let Some(end) = end else { return (body.len() > LONGEST).then_some(2) };
        let taken = match body[end] {
            0x07 => 1,
            _ => 1 + usize::from(*body.get(end + 1)? == b'\\'),
        };
        self.keys.push(Key::Answer(String::from_utf8_lossy(&body[..end]).into_owned()));
        Some(2 + end + taken)
    }
}

/// What a sequence behind `ESC [` or `ESC O` means to a reader; other keys mean nothing here.
fn motion(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        b"A" => Key::Up,
        b"B" => Key::Down,
        b"5~" => Key::PageUp,
        b"6~" => Key::PageDown,
        b"H" | b"1~" | b"7~" => Key::Home,
        b"F" | b"4~" | b"8~" => Key::End,
        _ => return None,
    })
}

/// Terminals send a carriage return for each line's end. The interrupt's character is no text.
fn lines_of(pasted: &[u8]) -> String {
    String::from_utf8_lossy(pasted).replace("\r\n", "\n").replace('\r', "\n").replace('\x03', "")
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{INTERRUPT_ALONE, Key, Parser};

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let mut parser = Parser::default();
        pieces.iter().for_each(|piece| parser.push(piece));
        parser.take()
    }

    #[test]
    fn keys_are_told_apart() {
        let typed = keys(&[b"ab\r\x03\x7f\x17\x15\x04\x1a\n"]);
        let wanted = [
            Key::Text("ab".to_owned()),
            Key::Enter,
            Key::Interrupt,
            Key::Backspace,
            Key::DeleteWord,
            Key::DeleteLine,
            Key::EndOfInput,
            Key::Suspend,
            Key::NewLine,
        ];
        assert_eq!(typed, wanted);
    }

    #[test]
    fn an_arrow_is_no_escape_and_an_escape_alone_is_one_when_nothing_follows() {
        assert_eq!(keys(&[b"\x1b[A\x1bOB\x1b[1;5Cx"]), [Key::Up, Key::Down, Key::Text("x".to_owned())]);
        let mut parser = Parser::default();
        parser.push(b"\x1b");
        assert!(parser.take().is_empty() && parser.is_inside_escape());
        parser.time_is_up();
        assert_eq!(parser.take(), [Key::Escape]);
    }

    #[test]
    fn an_answer_is_no_text_and_no_escape() {
        let answer = [Key::Answer("11;rgb:1e1e/1e1e/2e2e".to_owned()), Key::Text("x".to_owned())];
        assert_eq!(keys(&[b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\x"]), answer);
        assert_eq!(keys(&[b"\x1b]11;rgb:1e1e/", b"1e1e/2e2e\x07x"]), answer);
    }

    #[test]
    fn a_paste_is_one_key_however_it_arrives() {
        let pasted = [Key::Paste("one\ntwo \u{1b}[Ax".to_owned()), Key::Enter];
        assert_eq!(keys(&[b"\x1b[200~one\r\ntwo \x1b[Ax\x1b[201~\r"]), pasted);
        let bytes = b"\x1b[200~one\rtwo \x1b[Ax\x1b[201~\r";
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(keys(&single), pasted);
    }

    #[test]
    fn ctrl_c_ends_a_paste_that_has_no_end() {
        let mut parser = Parser::default();
        [&b"\x1b[200~one\rtw"[..], b"o\x03"].iter().for_each(|piece| parser.push(piece));
        assert_eq!((parser.take(), parser.patience()), (Vec::new(), Some(INTERRUPT_ALONE)));
        parser.time_is_up();
        parser.push(b"x");
        let pasted = Key::Paste("one\ntwo".to_owned());
        assert_eq!(parser.take(), [pasted, Key::Interrupt, Key::Text("x".to_owned())]);
    }

    #[test]
    fn a_pasted_interrupt_ends_no_paste() {
        let pasted = [Key::Paste("one!echo x\n".to_owned())];
        assert_eq!(keys(&[b"\x1b[200~one\x03", b"\x03!echo x\r\x1b[201~"]), pasted);
    }

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let bytes = "ä日".as_bytes();
        assert_eq!(
            keys(&[&bytes[..1], &bytes[1..4], &bytes[4..]]),
            [Key::Text("ä".to_owned()), Key::Text("日".to_owned())]
        );
        assert_eq!(keys(&[b"\xff\xe4\r"]), [Key::Enter]);
    }

    proptest! {
        /// Whatever a terminal sends, in whatever pieces: no panic, and no control character in what is typed.
        #[test]
        fn typed_text_holds_no_control_character(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..12)) {
            let mut parser = Parser::default();
            for piece in &pieces {
                parser.push(piece);
            }
            parser.time_is_up();
            for key in parser.take() {
                if let Key::Text(text) = key {
                    let is_control = |c: char| c < ' ' || c == '\u{7f}';
                    prop_assert!(!text.contains(is_control));
                }
            }
        }
    }
}
