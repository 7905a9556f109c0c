//! `faos sessions export`: a document for people, or an archive with everything.

use std::io::{self, ErrorKind, IsTerminal};
use std::path::Path;

use crate::base::fs;
use crate::cli::ExportFormat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::core::transcript;
use crate::frontend::export::{html, markdown};
use crate::session::{self, Keys, SessionError};

pub fn run(folder: &Path, format: Option<ExportFormat>, file: Option<&Path>, keys: Keys) -> Result<Plan, Failure> {
    let file = file.filter(|file| *file != Path::new("-"));
    let by_name = file.and_then(|file| match file.extension()?.to_str()? {
        "html" | "htm" => Some(ExportFormat::Html),
        "tar" => Some(ExportFormat::Tar),
        _ => None,
    });
    let format = format.or(by_name).unwrap_or(ExportFormat::Md);
    if format == ExportFormat::Tar {
        return archive(folder, file, keys);
    }
    if keys == Keys::Kept {
        return Err(Failure::usage("a document never holds keys", "`--keep-keys` is for an archive: -f tar"));
    }
    let (transcript, problems) = transcript::of_session(folder)?;
    super::warn(&problems);
    let text = if format == ExportFormat::Html { html(&transcript) } else { markdown(&transcript) };
    match file {
        None => output::print_file(&text),
        Some(file) => {
            fs::write_new(file, text.as_bytes()).map_err(in_the_way)?;
            Ok(Plan::Done(0))
        }
    }
}

fn archive(folder: &Path, file: Option<&Path>, keys: Keys) -> Result<Plan, Failure> {
    let exported = match file {
        Some(file) => session::export_to(folder, file, keys).map_err(|error| match error {
            SessionError::Fs(error) => in_the_way(error),
            error => error.into(),
        })?,
        None if io::stdout().is_terminal() => {
            return Err(Failure::usage("an archive is nothing for a terminal", "name a file with -o FILE.tar"));
        }
        None => match session::export(folder, &mut io::stdout().lock(), keys) {
            Err(SessionError::Fs(error)) if error.source.kind() == ErrorKind::BrokenPipe => {
                return Ok(Plan::Done(141));
            }
            exported => exported?,
        },
    };
    exported.notices().iter().for_each(|notice| output::say(&format!("warning: {notice}")));
    Ok(Plan::Done(0))
}

/// Nothing is overwritten: the name is the user's to choose again.
fn in_the_way(error: fs::FsError) -> Failure {
    if error.source.kind() == ErrorKind::AlreadyExists {
        return Failure::usage(error.to_string(), "name another file, or remove that one");
    }
    error.into()
}
