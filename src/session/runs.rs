//! `runs/NNNN/`: a folder for each run, numbered from 1 and never used twice.

use std::path::{Path, PathBuf};

use super::SessionError;
use crate::base::fs;
use crate::base::report::RunReport;

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

pub fn folder_of(session: &Path, run: u32) -> PathBuf {
    session.join(FOLDER).join(format!("{run:04}"))
}
