//! How many tokens a conversation has, by guess and by what the server counted.
//!
//! A guess is a token for four bytes, corrected by the server's count of the request before. What the server counted
//! is held against the least that the text can be: a server that cuts a conversation without a word is found so.

use std::sync::{Mutex, PoisonError};

use crate::base::message::Message;

pub(super) struct Meter {
    window: Option<u64>,
    /// Held only to copy in or out.
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    last: Option<Counted>,
    /// What the user has yet to be told.
    notices: Vec<String>,
    told_of_a_cut: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    guess: u64,
    tokens: u64,
}

impl Meter {
    pub fn new(window: Option<u64>, notice: Option<String>) -> Self {
        let notices = notice.into_iter().collect();
        Self { window, state: Mutex::new(State { notices, ..State::default() }) }
    }

    pub fn window(&self) -> Option<u64> {
        self.window
    }

    /// What was not told yet; it counts as told from now on.
    pub fn notices(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.notices))
    }

    pub fn estimate(&self, messages: &[Message]) -> u64 {
        let guess = guess(messages);
        self.with(|state| corrected(guess, state.last))
    }

    /// The server counted the prompt of a request; gives what the user should know, once.
    pub fn counted(&self, guess: u64, tokens: u64) -> Option<String> {
        if tokens == 0 {
            return None;
        }
        let window = self.window;
        self.with(|state| {
            let (expected, least) = (corrected(guess, state.last), least(guess, state.last));
            if tokens >= least {
                state.last = Some(Counted { guess, tokens });
                return None;
            }
            // Nothing is cut from what fits: some servers leave out of their count what they had cached.
            if window.is_some_and(|window| expected < window / 10 * 9) {
                return None;
            }
            let told = std::mem::replace(&mut state.told_of_a_cut, true);
            (!told).then(|| {
                format!(
                    "the server read {tokens} of about {expected} tokens: it cut the conversation without a word; \
                     give it a larger context window, or begin a new session"
                )
            })
        })
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Four bytes a token, and four tokens to mark each message.
pub(super) fn guess(messages: &[Message]) -> u64 {
    messages.iter().map(|message| message.content.len() as u64 / 4 + 4).sum()
}

fn corrected(guess: u64, last: Option<Counted>) -> u64 {
    match last {
        Some(last) => {
            let corrected = u128::from(guess) * u128::from(last.tokens) / u128::from(last.guess.max(1));
            u64::try_from(corrected).unwrap_or(u64::MAX)
        }
        None => guess,
    }
}

/// No tokenizer makes less of a text than half of the guess, and a conversation only grows.
fn least(guess: u64, last: Option<Counted>) -> u64 {
    match last {
        Some(last) if guess >= last.guess => last.tokens / 10 * 9 + (guess - last.guess) / 2,
        Some(_) | None => guess / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Meter, guess};
    use crate::base::message::Role;

    fn conversation(bytes: usize) -> Vec<Message> {
        vec![Message::new(Role::User, "x".repeat(bytes))]
    }

    #[test]
    fn guesses_are_corrected_by_what_was_counted() {
        let meter = Meter::new(None, None);
        let messages = conversation(3984);
        assert_eq!((guess(&messages), meter.estimate(&messages)), (1000, 1000));
        assert_eq!(meter.counted(1000, 1500), None);
        assert_eq!(meter.estimate(&conversation(7984)), 3000);
    }

    #[test]
    fn a_conversation_that_was_cut_is_told_once() {
        let meter = Meter::new(Some(4096), None);
        assert_eq!(meter.counted(3000, 3500), None);
        assert_eq!(meter.counted(3200, 3700), None);
        let told = meter.counted(6000, 3100).unwrap();
        assert!(told.starts_with("the server read 3100 of about 6937 tokens: "), "{told}");
        assert_eq!(meter.counted(6100, 3100), None);
    }

    #[test]
    fn a_first_request_may_be_cut_too() {
        assert!(Meter::new(None, None).counted(10_000, 4000).is_some());
        assert!(Meter::new(Some(4096), None).counted(10_000, 4000).is_some());
        assert_eq!(Meter::new(None, None).counted(10_000, 6000), None);
    }

    #[test]
    fn what_fits_is_never_called_cut() {
        // A server that counts only what it had not cached.
        let meter = Meter::new(Some(32_768), None);
        assert_eq!(meter.counted(3000, 3500), None);
        assert_eq!(meter.counted(3200, 200), None);
        assert_eq!(meter.counted(3300, 0), None);
        assert_eq!(meter.estimate(&conversation(4 * (3000 - 4))), 3500, "what is left out of a count teaches nothing");
    }

    #[test]
    fn notices_are_told_once() {
        let meter = Meter::new(None, Some("n".to_owned()));
        assert_eq!((meter.notices().len(), meter.notices().len()), (1, 0));
    }
}
