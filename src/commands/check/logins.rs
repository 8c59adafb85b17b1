//! How logins on the host are going: servers block those who keep guessing.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use crate::session::error::{Kind, SessionError};
use crate::session::steps::Step;
use crate::stop::Stop;

/// Refused logins on one host, or connections that did not get that far, without any success, after which no more are
/// tried.
const MAX_FAILED: u32 = 5;

/// Shared by all accounts of a test.
#[derive(Default)]
pub struct Logins {
    state: Mutex<LoginCounts>,
    changed: Condvar,
}

#[derive(Default)]
struct LoginCounts {
    any_accepted: bool,
    refused: u32,
    /// Failed before the login.
    unreached: u32,
    /// At work, result unknown.
    open: u32,
}

impl Logins {
    /// Carries out a login, whose error is with the step that it failed in. Until the first one is accepted, only as
    /// many are under way as may still fail.
    ///
    /// # Errors
    /// Those of `login`; too many that failed before it; a stop signal while waiting for the others.
    pub fn attempt<T>(
        &self,
        stop: &Stop,
        login: impl FnOnce() -> Result<T, (SessionError, Option<Step>)>,
    ) -> Result<T> {
        self.begin(stop)?;
        let outcome = login();
        let mut state = self.lock();
        state.open -= 1;
        match &outcome {
            Ok(_) => state.any_accepted = true,
            Err((error, _)) if error.kind == Kind::Authentication => state.refused += 1,
            Err((_, Some(failed))) if *failed < Step::Login => state.unreached += 1,
            Err(_) => {}
        }
        drop(state);
        self.changed.notify_all();
        Ok(outcome.map_err(|(error, _)| error)?)
    }

    fn begin(&self, stop: &Stop) -> Result<()> {
        let mut state = self.lock();
        loop {
            if stop.requested() {
                return Err(SessionError::stopped().into());
            }
            if state.any_accepted {
                break;
            }
            if state.refused >= MAX_FAILED {
                bail!(
                    "not tried: {MAX_FAILED} accounts before it were refused on this host and none was accepted; \
                     going on could get this machine blocked"
                );
            }
            if state.unreached >= MAX_FAILED {
                bail!(
                    "not tried: {MAX_FAILED} accounts before it did not reach the login, and none did"
                );
            }
            if state.refused.max(state.unreached) + state.open < MAX_FAILED {
                break;
            }
            // Each login under way ends within its time-outs and wakes the others.
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.open += 1;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, LoginCounts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
