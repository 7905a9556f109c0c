//! The end of a log, for a look at what was said last: never all of it, however long the conversation was.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::record::Record;
use super::{LOG, SessionError, recovery};
use crate::base::fs::FsError;

/// Bytes of the log that are read.
const LENGTH: u64 = 64 * 1024;

/// The newest records, oldest first; what is damaged among them is passed over.
pub fn last_records(folder: &Path) -> Result<Vec<Record>, SessionError> {
    let Some((mut file, length)) = recovery::open_log(folder)? else { return Ok(Vec::new()) };
    let at = |source| FsError { operation: "read", path: folder.join(LOG), source };
    let lines = tail(&mut file, length, LENGTH).map_err(at)?;
    Ok(lines.split(|byte| *byte == b'\n').filter_map(|line| Record::parse(line).ok()).collect())
}

/// The last bytes of a log of this length, at most so many, without the line that they begin within.
pub(super) fn tail(file: &mut File, length: u64, most: u64) -> io::Result<Vec<u8>> {
    let start = length.saturating_sub(most);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if start > 0 {
        let cut = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..cut);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, last_records};
    use crate::base::fs;

    #[test]
    fn a_long_log_is_read_from_its_end_alone() {
        let folder = tempfile::tempdir().unwrap();
        let line = |seq: usize| {
            format!(
                "{{\"v\":1,\"seq\":{seq},\"time\":\"2026-11-22T20:00:00.000Z\",\"turn\":1,\
                 \"type\":\"user_message\",\"text\":\"number {seq}\"}}\n"
            )
        };
        let log: String = (0..5_000).map(line).collect();
        fs::replace(&folder.path().join(super::LOG), format!("{log}{{\"torn\":").as_bytes()).unwrap();
        let records = last_records(folder.path()).unwrap();
        assert!(records.len() as u64 > LENGTH / 200 && records.len() < 1_000, "{}", records.len());
        assert_eq!(records.last().unwrap().seq, 4_999);
        assert!(records.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    }
}
