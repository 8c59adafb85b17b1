//! How many connections wait for a server that says nothing: they count themselves, and the progress line shows it.
//! Knows no protocol.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracing::warn;

/// The longest time without a word.
const QUIET: Duration = Duration::from_secs(10);
/// Part of a time-out that passes without a word.
const SHARE: u32 = 6;
/// Nobody wants to read of shorter waits, however short the time-out is.
const SHORTEST: Duration = Duration::from_secs(1);

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A wait that is reported; over when it is dropped.
pub struct Waiting(());

impl Waiting {
    /// Reports a wait that has lasted for `waited` and may last up to `limit`.
    #[must_use]
    pub fn tell(waited: Duration, limit: Duration) -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        warn!(
            waited_s = waited.as_secs(),
            limit_s = limit.as_secs(),
            "the server does not finish what it was asked for; still waiting"
        );
        Self(())
    }

    /// Is a wait long enough to be reported?
    #[must_use]
    pub fn is_long(waited: Duration, timeout: Duration) -> bool {
        waited >= QUIET.min(timeout / SHARE).max(SHORTEST)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many wait.
#[must_use]
pub fn count() -> usize {
    WAITING.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_after_ten_seconds_or_a_part_of_a_short_time_out() {
        let seconds = Duration::from_secs;
        assert!(!Waiting::is_long(seconds(9), seconds(600)));
        assert!(Waiting::is_long(seconds(10), seconds(600)));
        assert!(Waiting::is_long(seconds(1), seconds(6)));
        assert!(!Waiting::is_long(seconds(1) / 2, seconds(1)));
    }
}
