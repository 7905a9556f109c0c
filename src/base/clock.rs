//! The one place that reads the clock.

use std::time::Duration;

use jiff::Timestamp;

/// The present moment as the log writes it: RFC 3339, UTC, milliseconds (`2026-11-22T20:00:00.000Z`).
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The present moment as a session's name begins: `YYYYMMDD-HHMMSS`, UTC.
pub fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

/// The time from now until a moment as HTTP writes it (`Sun, 06 Nov 1994 08:49:37 GMT`): none where it is past, `None`
/// where the text is no such moment.
pub fn until(date: &str) -> Option<Duration> {
    let moment = jiff::fmt::rfc2822::parse(date.trim()).ok()?.timestamp();
    Some(Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default())
}

/// Between two times as [`now`] tells them; none where the second one is not later.
pub fn seconds_between(earlier: &str, later: &str) -> Option<f64> {
    let [earlier, later]: [Timestamp; 2] = [earlier.parse().ok()?, later.parse().ok()?];
    Some(later.duration_since(earlier).as_secs_f64().max(0.0))
}

/// `2026-11-22 20:00`, of a time as [`now`] tells it.
pub fn to_the_minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{seconds_between, until};

    #[test]
    fn time_goes_by() {
        let between = seconds_between("2026-11-22T20:00:59.500Z", "2026-11-22T20:01:01.000Z");
        assert_eq!(between, Some(1.5));
        assert_eq!(seconds_between("2026-11-22T20:01:01.000Z", "2026-11-22T20:00:59.500Z"), Some(0.0));
        assert_eq!(seconds_between("t", "2026-11-22T20:00:59.500Z"), None);
    }

    #[test]
    fn a_moment_as_http_writes_it_is_so_far_away() {
        assert_eq!(until("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = until(" Wed, 01 Jan 2200 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(3600 * 24 * 365), "{far:?}");
        for text in ["", "7", "tomorrow", "2200-01-01T00:00:00Z"] {
            assert_eq!(until(text), None, "{text}");
        }
    }
}
