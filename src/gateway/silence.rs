//! How long nothing has come, measured with one alarm that is set anew only when it rings.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Two clocks: raw bytes show that the server lives, pieces of the reply show that it answers.
pub(super) struct Silence {
    last_byte: Instant,
    last_piece: Instant,
    first_notice: Duration,
    /// The next notice is due after so long without a piece; it doubles with each.
    notice: Duration,
    alarm: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ring {
    /// No piece of the reply for so long: the user should know.
    Quiet(Duration),
    /// No byte at all for the limit.
    TooLong(Duration),
}

impl Silence {
    pub fn new(notice: Duration) -> Self {
        let now = Instant::now();
        let alarm = Box::pin(tokio::time::sleep_until(now + notice));
        Self { last_byte: now, last_piece: now, first_notice: notice, notice, alarm }
    }

    /// Bytes came.
    pub fn heard(&mut self) {
        self.last_byte = Instant::now();
    }

    /// A piece of the reply came.
    pub fn broken(&mut self) {
        // Its bytes came just before: one look at the clock for both.
        self.last_piece = self.last_byte;
        self.notice = self.first_notice;
    }

    /// Waits until there is something to say about the silence.
    pub async fn ring(&mut self, limit: Duration) -> Ring {
        loop {
            let now = Instant::now();
            if now - self.last_byte >= limit {
                return Ring::TooLong(limit);
            }
            if now - self.last_piece >= self.notice {
                let quiet = self.notice;
                self.notice *= 2;
                return Ring::Quiet(quiet);
            }
            let notice = self.last_piece + self.notice;
            let due = notice.min(self.last_byte + limit);
            // An alarm that rings too early only makes this loop look again; pieces come far more often than it rings.
            if self.alarm.is_elapsed() || self.alarm.deadline() > due {
                self.alarm.as_mut().reset(due);
            }
            self.alarm.as_mut().await;
        }
    }
}
