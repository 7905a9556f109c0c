//! What host and helper say to each other over one socket: the order and the program's input down, the outcome up.
//!
//! A frame is its length (4 bytes, little endian) and that many bytes. After the two frames of the order the host
//! sends single bytes, a [`Word`] each; the socket's end means that the host is gone.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::report::ExitKind;

/// One run, as the helper needs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub script: String,
    #[serde(with = "raw")]
    pub workspace: PathBuf,
    pub isolation: Isolation,
    /// `Some`: the workspace is a scratch copy, and this folder is mounted for build outputs.
    #[serde(with = "raw_list")]
    pub scratch: Option<PathBuf>,
    /// Read-only inside the workspace, relative to it.
    #[serde(with = "raw_list")]
    pub protected: Vec<PathBuf>,
    /// Mounted read-only at their own paths, in this order.
    #[serde(with = "raw_list")]
    pub read_only: Vec<PathBuf>,
    #[serde(with = "raw")]
    pub home: PathBuf,
    pub environment: Vec<(String, String)>,
    pub network: bool,
    pub limits: Bounds,
}

/// A path is bytes, and JSON has none: a list of numbers.
mod raw {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(PathBuf::from(OsString::from_vec(Vec::deserialize(deserializer)?)))
    }
}

/// None, one or several.
mod raw_list {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'a, S: Serializer>(
        paths: impl IntoIterator<Item = &'a PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let paths: Vec<&[u8]> = paths.into_iter().map(|path| path.as_os_str().as_bytes()).collect();
        paths.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: PathList>(deserializer: D) -> Result<T, D::Error> {
        let paths: Vec<Vec<u8>> = Vec::deserialize(deserializer)?;
        Ok(T::of(paths.into_iter().map(|path| PathBuf::from(OsString::from_vec(path)))))
    }

    pub trait PathList {
        fn of(paths: impl Iterator<Item = PathBuf>) -> Self;
    }

    impl PathList for Vec<PathBuf> {
        fn of(paths: impl Iterator<Item = PathBuf>) -> Self {
            paths.collect()
        }
    }

    impl PathList for Option<PathBuf> {
        fn of(mut paths: impl Iterator<Item = PathBuf>) -> Self {
            paths.next()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    Namespaces,
    /// By the user's word: limits alone.
    None,
}

/// Limits in the units that the kernel counts in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bounds {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub memory: u64,
    pub processes: u64,
    pub file: u64,
    pub growth: u64,
    pub growth_files: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing was run: which step failed, and the error number.
    NotSetUp {
        step: String,
        errno: i32,
    },
    Ended(Ended),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub kind: ExitKind,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub wall_s: f64,
    pub setup_s: f64,
    pub user_s: f64,
    pub system_s: f64,
    /// The largest sum over all processes that was seen, in bytes; 0 where none was.
    pub sampled_peak: u64,
    /// The largest single process, in bytes.
    pub largest_process: u64,
    pub written: u64,
    pub left_killed: u32,
}

/// What the host may say while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    Cancel = b'c',
    TooMuchOutput = b'o',
}

pub fn send(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

pub fn receive(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
