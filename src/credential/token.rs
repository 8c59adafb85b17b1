//! A bearer token and its life.

use std::time::{Duration, Instant};

use crate::secret::Secret;

/// A token is renewed this long before its end.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// No life is longer than this, whatever is said: a year.
const LONGEST: u64 = 365 * 24 * 3600;

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    secret: Secret,
    came: Instant,
    life: Option<Duration>,
    each_login: bool,
}

impl Token {
    /// A token that came just now and lasts so long, where that is known.
    #[must_use]
    pub fn new(secret: Secret, seconds: Option<u64>) -> Self {
        Self {
            secret,
            came: Instant::now(),
            life: seconds.map(|seconds| Duration::from_secs(seconds.min(LONGEST))),
            each_login: false,
        }
    }

    /// Without an end, nobody can say when to ask again: so at each login.
    #[must_use]
    pub fn for_one_login_unless_it_ends(mut self) -> Self {
        self.each_login = self.life.is_none();
        self
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// How long it has been known.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.came.elapsed()
    }

    /// How long it still lasts, where that is known.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.life.map(|life| life.saturating_sub(self.age()))
    }

    /// True when it is time for another one: 5 minutes before the end, or later where it lives shortly.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.each_login
            || self
                .life
                .is_some_and(|life| self.age() + MARGIN.min(life / 4) >= life)
    }

    /// True for the same token.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.secret == other.secret
    }

    #[cfg(test)]
    pub(crate) fn aged(mut self, by: Duration) -> Self {
        self.came = self.came.checked_sub(by).unwrap_or(self.came);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_five_minutes_before_its_end_or_later() {
        let token = |life| Token::new(Secret::new("t".to_owned()), life);
        let seconds = Duration::from_secs;
        assert!(!token(None).aged(seconds(100)).is_due());
        assert!(!token(Some(3600)).aged(seconds(3290)).is_due());
        assert!(token(Some(3600)).aged(seconds(3301)).is_due());
        assert!(!token(Some(40)).aged(seconds(20)).is_due());
        assert!(token(Some(40)).aged(seconds(31)).is_due());
        assert!(token(Some(0)).is_due());
    }
}
