//! How many bytes, or messages, a second the configuration allows to and from a server, all connections together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may come at once after a pause: more would be a burst, with less every small answer would wait.
const SPARE: Duration = Duration::from_millis(250);

/// Shared by all connections of a run to one server.
#[derive(Debug)]
pub struct Rate {
    /// `None` where the configuration says nothing.
    per_second: Option<u64>,
    /// When what has gone so far is paid for.
    paid: Mutex<Instant>,
}

impl Default for Rate {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Rate {
    /// For this many bytes, or messages, a second.
    #[must_use]
    pub fn new(per_second: Option<u64>) -> Self {
        Self {
            per_second: per_second.filter(|count| *count > 0),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// How long to wait after this many.
    #[must_use]
    pub fn wait_after(&self, count: usize) -> Duration {
        self.wait_at(count, Instant::now())
    }

    fn wait_at(&self, count: usize, now: Instant) -> Duration {
        let Some(per_second) = self.per_second else {
            return Duration::ZERO;
        };
        let nanoseconds = (count as u128) * 1_000_000_000 / u128::from(per_second);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SPARE).unwrap_or(now);
        *paid = (*paid).max(earliest) + takes;
        paid.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_ten_seconds_the_rate_is_kept_within_five_percent_whatever_the_pieces() {
        for piece in [1, 500, 16_384, 300_000] {
            let rate = Rate::new(Some(1_000_000));
            let began = Instant::now();
            let (mut now, mut sent) = (began, 0_u64);
            while now.duration_since(began) < Duration::from_secs(10) {
                now += rate.wait_at(piece, now);
                sent += piece as u64;
                // A connection that is as fast as it may be.
                now += Duration::from_nanos(10);
            }
            let seconds = now.duration_since(began).as_secs_f64();
            #[allow(clippy::cast_precision_loss)]
            let measured = sent as f64 / seconds;
            assert!(
                (950_000.0..1_050_000.0).contains(&measured),
                "{piece}: {measured}"
            );
        }
    }

    #[test]
    fn a_pause_is_not_saved_up_and_without_a_limit_nobody_waits() {
        let rate = Rate::new(Some(1000));
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(rate.wait_at(1000, later), Duration::from_millis(750));
        assert_eq!(Rate::default().wait_at(usize::MAX, later), Duration::ZERO);
    }
}
