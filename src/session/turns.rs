//! One login on the target is imported by one account at a time, and so is one mailbox: two that reach the same
//! mailboxes would each find the other's mail missing.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tracing::info;

use crate::stop::Stop;

/// How often a waiting thread checks whether the run is to stop.
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
    names: HashSet<String>,
}

impl Turns {
    /// Waits until nobody else works on this login; `None` when the run is to stop first.
    pub fn take(&self, login: String, stop: &Stop) -> Option<Turn<'_>> {
        let taken = self.take_all(HashSet::from([login]), stop);
        taken.map(|(turn, _)| turn)
    }

    /// True unless somebody else is at work on this server.
    pub fn is_alone(&self) -> bool {
        let busy = self.busy.lock();
        busy.unwrap_or_else(PoisonError::into_inner).len() < 2
    }

    /// The same for all of these together, and whether it had to wait.
    pub fn take_all(&self, names: HashSet<String>, stop: &Stop) -> Option<(Turn<'_>, bool)> {
        let mut waits = false;
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.is_disjoint(&names) {
            if !waits {
                info!("another account of this run is at work on the same mail: waiting for it");
            }
            waits = true;
            if stop.requested() {
                return None;
            }
            let waited = self.freed.wait_timeout(busy, LOOK);
            busy = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        busy.extend(names.iter().cloned());
        let turn = Turn { turns: self, names };
        Some((turn, waits))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let busy = self.turns.busy.lock();
        let mut busy = busy.unwrap_or_else(PoisonError::into_inner);
        busy.retain(|name| !self.names.contains(name));
        self.turns.freed.notify_all();
    }
}
