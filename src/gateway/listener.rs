//! Who hears what is waited for before there is a stream that could tell it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Hears a sentence for the user now and then; nobody by default.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(String) + Send + Sync>>);

impl Listener {
    pub fn new(hear: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(super) fn tell(&self, text: String) {
        if let Some(hear) = &self.0 {
            hear(text);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener(somebody)" } else { "Listener(nobody)" })
    }
}

/// When a wait is told of: at once, and then ever more seldom.
pub(super) struct Told {
    next: Instant,
    pause: Duration,
}

impl Told {
    /// `pause`: from the first time to the second; it doubles with each.
    pub fn new(pause: Duration) -> Self {
        Self { next: Instant::now(), pause }
    }

    pub fn is_due(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next {
            return false;
        }
        self.next = now + self.pause;
        self.pause *= 2;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Told;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_told_of_ever_more_seldom() {
        let mut told = Told::new(Duration::from_secs(10));
        let mut seconds = Vec::new();
        for second in 0..120 {
            if told.is_due() {
                seconds.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(seconds, [0, 10, 30, 70]);
    }
}
