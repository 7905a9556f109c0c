//! What the terminal's text stands on, dark or light: asked of the terminal when it is taken over, and never waited for.
//!
//! The answer comes as keys do, whenever it comes, and is taken out of them by whoever reads them: the prompt or the
//! keys. Nothing of it is ever typed text.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::frontend::render::Ground;

/// OSC 11, as xterm defined it; a terminal that does not know it says nothing.
pub const QUESTION: &str = "\x1b]11;?\x1b\\";

/// Whoever leaves so soon after the question waits for the answer, or the shell would get it.
const PATIENCE: Duration = Duration::from_millis(50);

/// Terminals answer at once. What looks like an answer so long after the question was typed.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Characters of an answer with its number in front; what is longer is none.
pub const LONGEST: usize = 64;

/// The question and its answer, shared by those who read keys.
#[derive(Clone, Debug)]
pub struct Asked(Arc<AtomicU8>, Option<Instant>);

const NOT_ASKED: u8 = 0;
const AWAITED: u8 = 1;
const DARK: u8 = 2;
const LIGHT: u8 = 3;
const UNKNOWN: u8 = 4;

impl Asked {
    pub fn not() -> Self {
        Self(Arc::new(AtomicU8::new(NOT_ASKED)), None)
    }

    pub fn now() -> Self {
        Self(Arc::new(AtomicU8::new(AWAITED)), Some(Instant::now()))
    }

    pub fn is_awaited(&self, now: Instant) -> bool {
        let is_recent = self.1.is_some_and(|asked| now.saturating_duration_since(asked) < ANSWERS_WITHIN);
        is_recent && self.0.load(Ordering::Relaxed) == AWAITED
    }

    /// What stands between `ESC ]` and the end of the answer.
    pub fn answered(&self, answer: &str) {
        let known = match ground_of(answer) {
            Some(Ground::Dark) => DARK,
            Some(Ground::Light) => LIGHT,
            Some(Ground::Unknown) | None => UNKNOWN,
        };
        self.0.store(known, Ordering::Relaxed);
    }

    pub fn ground(&self) -> Option<Ground> {
        match self.0.load(Ordering::Relaxed) {
            DARK => Some(Ground::Dark),
            LIGHT => Some(Ground::Light),
            _ => None,
        }
    }

    /// How long an answer that has not come is still worth waiting for.
    pub fn patience(&self) -> Option<Duration> {
        let asked = self.1.filter(|_| self.is_awaited(Instant::now()))?;
        PATIENCE.checked_sub(asked.elapsed()).filter(|left| !left.is_zero())
    }
}

/// Whether what begins so may become the answer.
pub fn may_answer(beginning: &str) -> bool {
    const NUMBER: &str = "11;";
    beginning.len() <= LONGEST && (beginning.starts_with(NUMBER) || NUMBER.starts_with(beginning))
}

/// `11;rgb:1e1e/1e1e/2e2e`, with one to four digits a colour.
fn ground_of(answer: &str) -> Option<Ground> {
    let colours = answer.strip_prefix("11;")?;
    let colours = colours.strip_prefix("rgb:").or_else(|| colours.strip_prefix("rgba:"))?;
    let mut parts = colours.split('/').map(|digits| {
        let most = (1_u32 << (4 * digits.len().clamp(1, 4))) - 1;
        u32::from_str_radix(digits, 16).ok().map(|value| f64::from(value) / f64::from(most))
    });
    let (red, green, blue) = (parts.next()??, parts.next()??, parts.next()??);
    // As bright as an eye finds them (Rec. 709).
    let light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    Some(if light > 0.5 { Ground::Light } else { Ground::Dark })
}

#[cfg(test)]
mod tests {
    use super::ground_of;
    use crate::frontend::render::Ground;

    #[test]
    fn answers_of_terminals() {
        assert_eq!(ground_of("11;rgb:0000/0000/0000"), Some(Ground::Dark));
        assert_eq!(ground_of("11;rgb:fdfd/f6f6/e3e3"), Some(Ground::Light));
        assert_eq!(ground_of("11;rgb:ff/ff/ff"), Some(Ground::Light));
        assert_eq!(ground_of("11;rgba:2828/2c2c/3434/ffff"), Some(Ground::Dark));
        assert_eq!(ground_of("10;rgb:ff/ff/ff"), None);
        assert_eq!(ground_of("11;rgb:zz"), None);
    }
}
