//! The end of a log, for a look at what was said last: never all of it, however long the conversation was.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::record::Record;
use super::{LOG, SessionError};
use crate::base::fs::{self, FsError};

/// Bytes of the log that are read.
const LENGTH: u64 = 64 * 1024;

/// The newest records, oldest first; what is damaged among them is passed over.
pub fn last_records(folder: &Path) -> Result<Vec<Record>, SessionError> {
    let path = folder.join(LOG);
    let at = |source| FsError { operation: "read", path: path.clone(), source };
    let mut file = fs::open_to_read(&path)?;
    let length = file.metadata().map_err(at)?.len();
    let start = length.saturating_sub(LENGTH);
    file.seek(SeekFrom::Start(start)).map_err(at)?;
    let mut bytes = Vec::new();
    file.take(LENGTH).read_to_end(&mut bytes).map_err(at)?;
    let lines = bytes.split(|byte| *byte == b'\n');
    // Where it does not begin at the log's beginning, the first line is most likely only a part of one.
    Ok(lines.skip(usize::from(start > 0)).filter_map(|line| Record::parse(line).ok()).collect())
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
