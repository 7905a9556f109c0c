//! The user's words from the command line and from stdin.

use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::fs::{FileType, fstat};

use crate::command::failure::Failure;

const LARGEST: usize = 10 * 1024 * 1024;
/// How long a pipe beside a PROMPT may say nothing before the work begins without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the user gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub prompt: Option<String>,
    /// From stdin.
    pub piped: Option<String>,
    /// Something that the user should know about how it was read.
    pub notice: Option<String>,
}

/// Reads stdin where it is a pipe or a regular file, and joins nothing yet.
pub fn read(prompt: Option<String>) -> Result<Input, Failure> {
    if prompt.as_deref().is_some_and(|text| text.trim().is_empty()) {
        return Err(Failure::usage("PROMPT is empty", "say what you want, or leave PROMPT away"));
    }
    let waits_for_ever = prompt.as_deref() == Some("-");
    let prompt = prompt.filter(|text| text != "-");
    if !waits_for_ever && !is_pipe_or_file() {
        return Ok(Input { prompt, ..Input::default() });
    }
    let patience = if prompt.is_some() { Some(PATIENCE) } else { None };
    match bytes(patience) {
        Some(bytes) => Ok(Input { prompt, piped: text_of(bytes?)?, notice: None }),
        None => {
            let notice = Some("stdin says nothing: going on without it (`-` as PROMPT waits for ever)".to_owned());
            Ok(Input { prompt, piped: None, notice })
        }
    }
}

/// What is piped in, for a program and not for the model: any bytes. A pipe that says nothing for a while holds nothing.
pub fn piped() -> Result<Vec<u8>, Failure> {
    let bytes = if is_pipe_or_file() { bytes(Some(PATIENCE)).unwrap_or_else(|| Ok(Vec::new()))? } else { Vec::new() };
    if bytes.len() > LARGEST {
        return Err(Failure::usage("stdin holds more than 10 MiB", "put it into a file of the workspace and name it"));
    }
    Ok(bytes)
}

/// Whether somebody can be asked at this terminal.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn is_pipe_or_file() -> bool {
    let kind = fstat(io::stdin().as_fd()).map(|stat| FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::RegularFile | FileType::Socket))
}

/// `None` where no byte came in time. A thread does the reading, since a read of a pipe cannot be given up.
fn bytes(patience: Option<Duration>) -> Option<Result<Vec<u8>, Failure>> {
    let (begun, first) = mpsc::channel();
    let (done, all) = mpsc::channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock().take(LARGEST as u64 + 1);
        let mut bytes = vec![0; 64 * 1024];
        let result = input.read(&mut bytes).and_then(|length| {
            bytes.truncate(length);
            // Nobody listens any more where the work began without stdin.
            let _ = begun.send(());
            input.read_to_end(&mut bytes)
        });
        let _ = done.send(result.map(|_| bytes));
    });
    if let Some(patience) = patience
        && first.recv_timeout(patience) == Err(RecvTimeoutError::Timeout)
    {
        return None;
    }
    let failed =
        |problem: &str| Failure { message: format!("cannot read stdin: {problem}"), hints: Vec::new(), exit_code: 2 };
    Some(match all.recv() {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(_) => Err(failed("the reader is gone")),
    })
}

fn text_of(bytes: Vec<u8>) -> Result<Option<String>, Failure> {
    if bytes.len() > LARGEST {
        return Err(Failure::usage("stdin holds more than 10 MiB", "put it into a file of the workspace and name it"));
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(Failure::usage(
            format!("stdin is not UTF-8 (byte {})", error.utf8_error().valid_up_to()),
            "convert it, or put it into a file of the workspace and name it",
        )),
    }
}
