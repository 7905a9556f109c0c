//! A new session that goes on from a version of another one, conversation and files together.

use std::path::{Path, PathBuf};

use crate::command::failure::Failure;
use crate::session::{self, SessionError};
use crate::workspace::Versions;

/// The new session's folder. Its files come out of its versions when it is opened.
pub fn fork(sessions: &Path, source: &Path, at: Option<u32>) -> Result<PathBuf, Failure> {
    let folder = session::fork(source, sessions, at, |new| {
        Versions::copy(&source.join("versions"), &new.join("versions"), at)
            .map_err(|error| SessionError::Write(error.to_string()))
    })?;
    Ok(folder)
}
