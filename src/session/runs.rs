//! `runs/NNNN/`: a folder for each run, numbered from 1 and never used twice.

use std::path::{Path, PathBuf};

use super::SessionError;
use crate::base::fs;
use crate::base::report::RunReport;
use crate::base::streams::{ORDER, Piece, Stream};

pub const FOLDER: &str = "runs";

/// The folders themselves are the counter, so a resumed session goes on where it was.
pub fn make_next(session: &Path) -> Result<(u32, PathBuf), SessionError> {
    let runs = session.join(FOLDER);
    fs::make_folders(&runs)?;
    let numbers = fs::folders(&runs)?;
    let numbers = numbers.iter().filter_map(|folder| folder.file_name()?.to_str()?.parse::<u32>().ok());
    let mut number = numbers.max().unwrap_or(0);
    loop {
        number = number.saturating_add(1);
        let folder = folder_of(session, number);
        if fs::make_new_folder(&folder)? {
            return Ok((number, folder));
        }
    }
}

pub fn keep_report(session: &Path, run: u32, report: &RunReport) -> Result<(), SessionError> {
    let text = serde_json::to_string_pretty(report).map_err(|error| SessionError::Write(error.to_string()))?;
    let folder = folder_of(session, run);
    fs::replace(&folder.join("report.json"), (text + "\n").as_bytes())?;
    Ok(fs::sync_folder(&session.join(FOLDER))?)
}

/// What is kept of a run's output, and when it came, where that is known: seconds since the run began.
#[derive(Debug, PartialEq)]
pub struct Printed {
    pub stream: Stream,
    pub at_s: Option<f64>,
    pub bytes: Vec<u8>,
}

/// The output of a run in the order in which it came. What the order does not tell of comes last.
pub fn output(session: &Path, run: u32) -> Result<Vec<Printed>, SessionError> {
    let folder = folder_of(session, run);
    // Where the program ended before the run began, there are none.
    let kept = |stream: Stream| fs::if_present(fs::read(&folder.join(stream.file()))).map(Option::unwrap_or_default);
    let (all, mut told) = ([kept(Stream::Stdout)?, kept(Stream::Stderr)?], [0, 0]);
    let order = fs::read_text_if_present(&folder.join(ORDER))?.unwrap_or_default();
    let mut printed = Vec::new();
    // A program that was killed leaves half a line, or none.
    for piece in order.lines().map_while(|line| serde_json::from_str::<Piece>(line).ok()) {
        let (all, told) = (&all[piece.stream as usize], &mut told[piece.stream as usize]);
        let count = usize::try_from(piece.bytes).unwrap_or(usize::MAX).min(all.len() - *told);
        let bytes = all[*told..*told + count].to_vec();
        *told += count;
        printed.push(Printed { stream: piece.stream, at_s: Some(piece.at_s), bytes });
    }
    let rests = all.iter().zip(told).map(|(all, told)| all[told..].to_vec());
    let unknown = Stream::BOTH.into_iter().zip(rests).filter(|(_, rest)| !rest.is_empty());
    printed.extend(unknown.map(|(stream, bytes)| Printed { stream, at_s: None, bytes }));
    Ok(printed)
}

pub fn folder_of(session: &Path, run: u32) -> PathBuf {
    session.join(FOLDER).join(format!("{run:04}"))
}
