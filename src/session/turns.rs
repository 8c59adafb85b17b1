//! One login on the target is imported by one account at a time: two that reach the same mailboxes would each find the
//! other's mail missing.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::stop::Stop;

/// How often those who wait look whether the run is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// Whose turn it is.
#[derive(Default)]
pub struct Turns {
    busy: Mutex<HashSet<String>>,
    freed: Condvar,
}

/// A turn; over when it is dropped.
pub struct Turn<'a> {
    turns: &'a Turns,
    login: String,
}

impl Turns {
    /// Waits until nobody else works on this login; `None` when the run is to stop first.
    pub fn take(&self, login: String, stop: &Stop) -> Option<Turn<'_>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while busy.contains(&login) {
            if stop.requested() {
                return None;
            }
            let waited = self.freed.wait_timeout(busy, LOOK);
            busy = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        busy.insert(login.clone());
        Some(Turn { turns: self, login })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let busy = self.turns.busy.lock();
        let mut busy = busy.unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.login);
        self.turns.freed.notify_all();
    }
}
