//! The output of a run: two streams, and the order in which their pieces came.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The file of a run's folder that holds it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Stdout => "stdout.log",
            Self::Stderr => "stderr.log",
        }
    }
}

/// The file of a run's folder that says in which order the other two came: a [`Piece`] a line.
pub const ORDER: &str = "output.jsonl";

/// So many bytes of one stream, before those of the next piece. The form is public (`docs/session-format.md`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Of its first chunk, as events call it: they count from 1.
    pub seq: u64,
    /// Seconds since the run began, its preparation included.
    pub at_s: f64,
    pub stream: Stream,
    pub bytes: u64,
}
