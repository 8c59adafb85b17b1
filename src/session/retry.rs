//! When to try again: how often, and after how long.

use std::time::{Duration, Instant};

use tracing::warn;

use super::error::{Ending, Kind, SessionError};
use crate::meter;
use crate::stop::Stop;

/// Counts the tries since the last progress and says how long to wait before the next one.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    /// When a session last ended because it had lasted long enough.
    over: Option<Instant>,
}

impl Backoff {
    /// Tries in a row without progress, the first included.
    const TRIES: u32 = 5;
    /// The same while the server only says that there are too many connections, and none of them is ours.
    const BUSY_TRIES: u32 = 10;
    const LONGEST: Duration = Duration::from_secs(60);
    /// Sessions last about an hour; one that ends sooner than this after another is in trouble.
    const SHORTEST_SESSION: Duration = Duration::from_secs(60);

    /// Work has progressed: counting starts again.
    pub fn progress(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next try, or `None` when it is time to give up.
    pub fn next_wait(&mut self, error: &SessionError) -> Option<Duration> {
        if !error.is_retryable() {
            return None;
        }
        if error.ending == Some(Ending::SessionOver) {
            let before = self.over.replace(Instant::now());
            if before.is_none_or(|before| before.elapsed() > Self::SHORTEST_SESSION) {
                return Some(Duration::ZERO);
            }
        }
        if error.ending == Some(Ending::SentAhead) {
            // It happens once on a connection, and never again on later ones.
            return Some(Duration::ZERO);
        }
        self.failures += 1;
        let tries = if error.kind == Kind::Busy {
            Self::BUSY_TRIES
        } else {
            Self::TRIES
        };
        if self.failures >= tries {
            return None;
        }
        if let Kind::Throttled(wait) = error.kind {
            return Some(wait);
        }
        let base = Duration::from_millis(500) * 2_u32.pow((self.failures - 1).min(7));
        Some(base.min(Self::LONGEST).mul_f64(jitter()))
    }
}

/// Makes connections until one succeeds: waits and tries again where that may help.
///
/// # Errors
/// The last connection's; [`Kind::Stopped`] when the run is asked to stop while it waits.
pub fn keep_trying(
    stop: &Stop,
    mut connection: impl FnMut(&mut Backoff) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut backoff = Backoff::default();
    loop {
        let Err(error) = connection(&mut backoff) else {
            return Ok(());
        };
        let session_error = error.downcast_ref::<SessionError>();
        let Some(wait) = session_error.and_then(|error| backoff.next_wait(error)) else {
            return Err(error);
        };
        let when = if wait.is_zero() {
            "at once".to_owned()
        } else {
            format!("in {:.1} s", wait.as_secs_f32())
        };
        warn!("{error:#}; trying again on a new connection {when}");
        meter::reconnects_after(wait);
        if stop.sleep(wait) {
            return Err(SessionError::stopped().into());
        }
    }
}

/// Between 0.75 and 1.25, so that accounts that failed together do not come back together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    0.75 + f64::from(u16::try_from(random & 0xffff).unwrap_or(0)) / f64::from(u16::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_failures_are_not_tried_again() {
        let refused = SessionError::new(Kind::Authentication, "no");
        assert_eq!(Backoff::default().next_wait(&refused), None);
    }

    #[test]
    fn a_session_that_has_lasted_is_followed_at_once_and_one_that_has_not_is_trouble() {
        let over = SessionError::new(Kind::Transient, "bye").by(Ending::SessionOver);
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_wait(&over), Some(Duration::ZERO));
        assert_eq!(backoff.failures, 0);
        let waits = std::iter::from_fn(|| backoff.next_wait(&over)).count();
        assert_eq!(waits, 4);
    }

    #[test]
    fn tries_without_progress_end() {
        let lost = SessionError::new(Kind::Transient, "reset");
        let mut backoff = Backoff::default();
        let waits = std::iter::from_fn(|| backoff.next_wait(&lost)).count();
        assert_eq!(waits, 4);
        backoff.progress();
        assert!(backoff.next_wait(&lost).is_some());
    }
}
