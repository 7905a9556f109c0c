//! The one place that reads the clock.

use jiff::Timestamp;

/// The present moment as the log writes it: RFC 3339, UTC, milliseconds (`2026-11-22T20:00:00.000Z`).
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The present moment as a session's name begins: `YYYYMMDD-HHMMSS`, UTC.
pub fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}
