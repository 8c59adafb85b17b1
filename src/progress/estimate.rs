//! How long the rest will take, from what is known of all accounts; nothing where that would be a guess. Pure.

use std::time::Duration;

/// As many accounts, or messages, say something about the others.
const ENOUGH: u64 = 5;
/// Before this much time has passed, nothing is estimated.
const EARLY: Duration = Duration::from_secs(5);
/// One byte in this many must have been moved.
const SHARE: u64 = 50;

/// What is known of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhaseSums {
    /// Accounts that it has.
    pub accounts: u64,
    /// Those that are over.
    pub over: u64,
    /// Those of which it is known how much there is to move.
    pub measured: u64,
    /// Bytes of those, the moved ones included.
    pub due: u64,
    /// Messages of those that are still to be moved, and whose size nobody has told yet.
    pub unsized_messages: u64,
    /// Messages that have been moved.
    pub messages: u64,
    /// Bytes that have been moved, those of messages on their way included.
    pub bytes: u64,
}

impl PhaseSums {
    /// Bytes of all accounts together; unknown accounts are taken to be like the others on average.
    #[must_use]
    pub fn bytes_in_all(&self) -> Option<u64> {
        let mut sum = self.due;
        if self.unsized_messages > 0 {
            if self.messages < ENOUGH {
                return None;
            }
            sum = sum
                .saturating_add((self.bytes / self.messages).saturating_mul(self.unsized_messages));
        }
        let unknown = self.accounts.saturating_sub(self.measured);
        if unknown > 0 {
            if self.measured < ENOUGH {
                return None;
            }
            sum = sum.saturating_add((sum / self.measured).saturating_mul(unknown));
        }
        Some(sum.max(self.bytes))
    }

    /// The time that is left after this one.
    #[must_use]
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        if elapsed < EARLY || self.over >= self.accounts {
            return None;
        }
        let all = self.bytes_in_all()?;
        if all == 0 {
            // Nothing is to be moved: each account takes the time of looking.
            let enough = self.over >= ENOUGH;
            return enough.then(|| share(elapsed, self.accounts - self.over, self.over));
        }
        if self.bytes.saturating_mul(SHARE) < all {
            return None;
        }
        Some(share(elapsed, all - self.bytes, self.bytes)).filter(|left| !left.is_zero())
    }
}

/// `elapsed * left / done`
fn share(elapsed: Duration, left: u64, done: u64) -> Duration {
    let milliseconds = elapsed.as_millis().saturating_mul(left.into()) / u128::from(done.max(1));
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> PhaseSums {
        PhaseSums {
            accounts: 10,
            over: 4,
            measured: 5,
            due: 500,
            messages: 50,
            bytes: 450,
            ..PhaseSums::default()
        }
    }

    fn seconds(known: &PhaseSums) -> Option<u64> {
        let left = known.time_left(Duration::from_secs(45));
        left.map(|left| left.as_secs())
    }

    #[test]
    fn accounts_that_are_not_begun_are_like_the_others() {
        assert_eq!(known().bytes_in_all(), Some(1_000));
        assert_eq!(seconds(&known()), Some(55));
        let few = PhaseSums {
            measured: 4,
            ..known()
        };
        assert_eq!(seconds(&few), None, "four tell nothing of six");
    }

    #[test]
    fn a_large_message_weighs_more_than_a_small_one() {
        let large = PhaseSums {
            accounts: 1,
            over: 0,
            measured: 1,
            due: 200_000_000,
            messages: 99,
            bytes: 50_000_000,
            ..PhaseSums::default()
        };
        assert_eq!(seconds(&large), Some(135), "three quarters are to come");
    }

    #[test]
    fn sizes_that_nobody_told_are_as_those_that_came() {
        let unsized_messages = PhaseSums {
            accounts: 1,
            over: 0,
            measured: 1,
            due: 450,
            unsized_messages: 50,
            ..known()
        };
        assert_eq!(unsized_messages.bytes_in_all(), Some(900));
        let few = PhaseSums {
            messages: 4,
            ..unsized_messages
        };
        assert_eq!(few.bytes_in_all(), None);
    }

    #[test]
    fn nothing_is_told_before_it_can_be() {
        assert_eq!(known().time_left(Duration::from_secs(4)), None);
        let begun = PhaseSums {
            bytes: 19,
            ..known()
        };
        assert_eq!(seconds(&begun), None, "less than a fiftieth");
        let nothing = PhaseSums {
            due: 0,
            bytes: 0,
            messages: 0,
            over: 5,
            ..known()
        };
        assert_eq!(seconds(&nothing), Some(45), "a nightly run without news");
        let over = PhaseSums {
            over: 10,
            ..known()
        };
        assert_eq!(seconds(&over), None);
    }
}
