//! The one retry budget of a request.
//!
//! A server that loads its model is waited for up to a limit. A busy one, a gateway's 5xx and a connection that broke
//! before anything of the reply was handed on get three tries in all. Everything else, 500 above all, would fail again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::error::GatewayError;
use super::fault::Fault;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connect: Duration,
    /// Silence before the first piece of the reply; comments and other bytes are no silence.
    pub first_token: Duration,
    /// Silence after that.
    pub between: Duration,
    /// Silence after the finish reason: only the usage can still come.
    pub tail: Duration,
    /// After so long without a piece of the reply the user is told.
    pub notice: Duration,
    /// For a server to load its model.
    pub loading: Duration,
    /// The wait before the second try, about.
    pub backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            connect: s(2),
            first_token: s(600),
            between: s(120),
            tail: s(1),
            notice: s(10),
            loading: s(120),
            backoff: Duration::from_millis(500),
        }
    }
}

/// Why an attempt failed before anything of the reply was handed on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// No connection, or it broke.
    Connection(String),
    Fault(Fault),
}

impl Failure {
    pub fn into_error(self, endpoint: &str) -> GatewayError {
        match self {
            Self::Connection(cause) => GatewayError::Unreachable {
                message: format!("no answer from `{endpoint}`: {cause}"),
                hints: vec!["is the server still running?".to_owned()],
            },
            Self::Fault(fault) => fault.into_error(false),
        }
    }
}

/// One more try, after a wait.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Again {
    pub attempt: u32,
    pub wait: Duration,
    pub reason: String,
}

#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    /// Tries that were made, the waiting for a model apart.
    tries: u32,
    attempt: u32,
    loading_since: Option<Instant>,
    loading_wait: Duration,
}

impl Budget {
    const TRIES: u32 = 3;
    const LONGEST_LOADING_WAIT: Duration = Duration::from_secs(5);

    pub fn new(limits: Limits) -> Self {
        Self { limits, tries: 1, attempt: 1, loading_since: None, loading_wait: limits.backoff }
    }

    /// Whether the request is made again, and when.
    pub fn again(&mut self, failure: &Failure) -> Option<Again> {
        let (wait, reason) = match failure {
            Failure::Fault(fault) if fault.overflow.is_some() => return None,
            Failure::Fault(fault) if fault.is_loading() => self.wait_for_model()?,
            Failure::Fault(fault) => match fault.status {
                Some(429 | 502..) => (self.back_off(fault.retry_after)?, busy(fault)),
                _ => return None,
            },
            Failure::Connection(cause) => (self.back_off(None)?, cause.clone()),
        };
        self.attempt += 1;
        Some(Again { attempt: self.attempt, wait, reason })
    }

    fn wait_for_model(&mut self) -> Option<(Duration, String)> {
        let since = self.loading_since.get_or_insert_with(Instant::now).elapsed();
        let left = self.limits.loading.checked_sub(since).filter(|left| !left.is_zero())?;
        let wait = self.loading_wait.min(left);
        self.loading_wait = (self.loading_wait * 2).min(Self::LONGEST_LOADING_WAIT);
        Some((wait, format!("the model is loading; waiting up to {} s for it", left.as_secs_f64().ceil())))
    }

    fn back_off(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let own = self.limits.backoff.mul_f64(f64::from(1 << self.tries.min(8)) / 2.0 * jitter());
        self.tries += 1;
        // A server that asks for more patience than that is not there for this request.
        let too_long = asked.is_some_and(|asked| asked > self.limits.loading);
        (self.tries <= Self::TRIES && !too_long).then_some(asked.unwrap_or(own))
    }
}

fn busy(fault: &Fault) -> String {
    let status = fault.status.unwrap_or_default();
    if fault.text.is_empty() { format!("the server answered {status}") } else { format!("{} ({status})", fault.text) }
}

/// 0.75 to 1.25: several clients must not come back at the same moment.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0_u8) % 1000;
    0.75 + random as f64 / 2000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, Failure, Fault, Limits};

    fn fault(status: u16, text: &str) -> Failure {
        Failure::Fault(Fault { status: Some(status), text: text.to_owned(), ..Fault::default() })
    }

    fn tries(failure: &Failure) -> u32 {
        let mut budget = Budget::new(Limits::default());
        (0..100).take_while(|_| budget.again(failure).is_some()).count() as u32 + 1
    }

    #[test]
    fn who_is_tried_again() {
        for status in [400, 401, 404, 413, 422, 500, 501] {
            assert_eq!(tries(&fault(status, "no")), 1, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(tries(&fault(status, "busy")), 3, "{status}");
        }
        assert_eq!(tries(&Failure::Connection("Connection reset".into())), 3);
    }

    #[test]
    fn waits_grow_and_a_server_may_ask_for_its_own() {
        let mut budget = Budget::new(Limits::default());
        let first = budget.again(&fault(503, "busy")).unwrap();
        let second = budget.again(&fault(503, "busy")).unwrap();
        assert!((375..=625).contains(&first.wait.as_millis()) && (750..=1250).contains(&second.wait.as_millis()));
        assert_eq!((first.attempt, second.attempt), (2, 3));
        for (asked, want) in [(7, Some(7)), (3600, None)] {
            let failure = Failure::Fault(Fault {
                status: Some(429),
                retry_after: Some(Duration::from_secs(asked)),
                ..Fault::default()
            });
            let wait = Budget::new(Limits::default()).again(&failure).map(|again| again.wait.as_secs());
            assert_eq!(wait, want);
        }
    }

    #[test]
    fn a_loading_model_has_its_own_limit() {
        let mut budget = Budget::new(Limits { loading: Duration::ZERO, ..Limits::default() });
        assert_eq!(budget.again(&fault(503, "Loading model")), None);
        let mut budget = Budget::new(Limits::default());
        for _ in 0..20 {
            let again = budget.again(&fault(503, "Loading model")).unwrap();
            assert!(again.wait <= Duration::from_secs(5));
            assert_eq!(again.reason, "the model is loading; waiting up to 120 s for it");
        }
        assert!(budget.again(&fault(503, "busy")).is_some());
    }
}
