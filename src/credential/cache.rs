//! Tokens that are known, by whom they are for: one thread renews, the others wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CredentialError, CredentialErrorKind, Result, Token};
use crate::stop::Stop;

/// How often a waiting thread checks whether the run was asked to stop.
const TICK: Duration = Duration::from_millis(100);
/// A token that is refused within this time, and never worked for the account, shows a wrong configuration.
const YOUNG: Duration = Duration::from_secs(60);

/// The tokens of one source.
#[derive(Debug, Default)]
pub struct Cache {
    slots: Mutex<HashMap<String, CacheSlot>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct CacheSlot {
    state: TokenState,
    /// The token that was here last.
    last: Option<Token>,
    /// Accounts that logged in with it.
    proven: HashSet<String>,
    /// How often it was tried to get one.
    round: u64,
}

#[derive(Debug, Default)]
enum TokenState {
    #[default]
    Empty,
    /// A thread is fetching one.
    Coming,
    Here(Token),
    Failed(CredentialError),
}

impl Cache {
    /// The token of `key`: the one that is known, unless it is time for another one; then `mint` is called, by one
    /// thread for all that wait.
    ///
    /// # Errors
    /// Those of `mint`; a final one is remembered.
    pub fn get(
        &self,
        key: &str,
        stop: &Stop,
        mint: impl FnOnce() -> Result<Token>,
    ) -> Result<Token> {
        let mut slots = self.lock();
        let begun = slots.get(key).map_or(0, |slot| slot.round);
        loop {
            if stop.requested() {
                return Err(CredentialError::stopped());
            }
            let slot = slots.entry(key.to_owned()).or_default();
            match &slot.state {
                TokenState::Here(token) if !token.is_due() || slot.round > begun => {
                    return Ok(token.clone());
                }
                TokenState::Failed(error)
                    if error.kind == CredentialErrorKind::Final || slot.round > begun =>
                {
                    return Err(error.clone());
                }
                TokenState::Coming => {
                    let waited = self.changed.wait_timeout(slots, TICK);
                    slots = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                TokenState::Empty | TokenState::Here(_) | TokenState::Failed(_) => break,
            }
        }
        if let Some(slot) = slots.get_mut(key) {
            slot.state = TokenState::Coming;
        }
        drop(slots);
        let mut coming = Coming {
            cache: self,
            key,
            outcome: TokenState::Empty,
        };
        let outcome = mint();
        coming.outcome = match &outcome {
            Ok(token) => TokenState::Here(token.clone()),
            Err(error) if error.kind == CredentialErrorKind::Stopped => TokenState::Empty,
            Err(error) => TokenState::Failed(error.clone()),
        };
        outcome
    }

    /// Notes a token that was read again; it keeps its age if it is the known one.
    pub fn seen(&self, key: &str, token: Token) -> Token {
        let mut slots = self.lock();
        let slot = slots.entry(key.to_owned()).or_default();
        slot.put(TokenState::Here(token.clone()));
        slot.last.clone().unwrap_or(token)
    }

    /// An account logged in with a token.
    pub fn accepted(&self, key: &str, token: &Token, account: &str) {
        if let Some(slot) = self.lock().get_mut(key)
            && matches!(&slot.state, TokenState::Here(known) if known.is(token))
        {
            slot.proven.insert(account.to_owned());
        }
    }

    /// An account's login was refused; true when another token is there by now, or may be asked for.
    pub fn refused(&self, key: &str, token: &Token, account: &str) -> bool {
        let mut slots = self.lock();
        let Some(slot) = slots.get_mut(key) else {
            return false;
        };
        let TokenState::Here(known) = &slot.state else {
            return matches!(slot.state, TokenState::Empty | TokenState::Coming);
        };
        if !known.is(token) {
            return true;
        }
        let was_good = slot.proven.contains(account) || known.age() > YOUNG;
        if was_good {
            // If the same one comes again, it is no better.
            slot.proven.clear();
            slot.put(TokenState::Empty);
        }
        was_good
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, CacheSlot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheSlot {
    fn put(&mut self, state: TokenState) {
        self.round += 1;
        self.state = state;
        let TokenState::Here(token) = &mut self.state else {
            return;
        };
        match &self.last {
            // The same again keeps its age and what it has proven.
            Some(last) if last.is(token) => *token = last.clone(),
            _ => {
                self.proven.clear();
                self.last = Some(token.clone());
            }
        }
    }
}

/// The thread that is fetching one; whatever becomes of it, the others go on.
struct Coming<'a> {
    cache: &'a Cache,
    key: &'a str,
    outcome: TokenState,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.cache.lock().get_mut(self.key) {
            slot.put(std::mem::take(&mut self.outcome));
        }
        self.cache.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::secret::Secret;

    fn token(text: &str, life: u64) -> Token {
        Token::new(Secret::new(text.to_owned()), Some(life))
    }

    #[test]
    fn one_thread_mints_for_all_that_wait() {
        let (cache, stop, mints) = (Cache::default(), Stop::new(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = cache.get("tenant", &stop, || {
                        mints.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                        Ok(token("t", 3600))
                    });
                    assert_eq!(got.expect("minted").secret().expose(), "t");
                });
            }
        });
        assert_eq!(mints.into_inner(), 1);
    }

    #[test]
    fn a_mint_that_panics_holds_nobody_up() {
        let (cache, stop) = (Cache::default(), Stop::new());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = cache.get("k", &stop, || panic!("mint"));
        }));
        panicked.expect_err("panics");
        cache
            .get("k", &stop, || Ok(token("t", 9)))
            .expect("goes on");
    }

    #[test]
    fn a_token_that_is_due_is_renewed_and_final_errors_stay() {
        let (cache, stop) = (Cache::default(), Stop::new());
        let old = token("old", 3600).aged(Duration::from_secs(3400));
        cache.get("k", &stop, || Ok(old)).expect("minted");
        let new = cache.get("k", &stop, || Ok(token("new", 3600)));
        assert_eq!(new.expect("renewed").secret().expose(), "new");
        let passing = CredentialError::new(CredentialErrorKind::Passing(None), "later");
        cache
            .get("p", &stop, || Err(passing))
            .expect_err("may pass");
        cache.get("p", &stop, || Ok(token("t", 9))).expect("passed");
        cache
            .get("f", &stop, || Err(CredentialError::last("no")))
            .expect_err("final");
        cache
            .get("f", &stop, || Ok(token("t", 9)))
            .expect_err("remembered");
    }

    #[test]
    fn a_fresh_token_that_is_refused_is_not_renewed_and_an_old_one_is_once() {
        let (cache, stop) = (Cache::default(), Stop::new());
        let get = |text: &str| {
            cache
                .get("k", &stop, || Ok(token(text, 3600)))
                .expect("minted")
        };
        let first = get("first");
        assert!(!cache.refused("k", &first, "anna"));
        cache.accepted("k", &first, "anna");
        // Others whose login never worked do not bring a token down that works.
        assert!(!cache.refused("k", &first, "ben"));
        assert!(cache.refused("k", &first, "anna"));
        let second = get("second");
        assert_eq!(second.secret().expose(), "second");
        // Whoever still has the first one takes the second.
        assert!(cache.refused("k", &first, "chloe"));
        assert_eq!(get("third").secret().expose(), "second");
    }
}
