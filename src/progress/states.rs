//! What becomes of the accounts of a phase, and what earlier phases have moved; for those who look from outside.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::report::Status;

/// Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct States(Arc<Mutex<AccountStates>>);

#[derive(Debug, Default)]
struct AccountStates {
    at_work: HashSet<String>,
    ended: HashMap<String, Status>,
    past: Vec<Moved>,
}

/// What a phase has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Its name.
    pub phase: &'static str,
    /// Messages.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl States {
    /// Another phase begins, after the one that has moved this.
    pub(super) fn next(&self, over: Vec<Moved>) {
        let mut accounts = self.lock();
        accounts.at_work.clear();
        accounts.ended.clear();
        accounts.past.extend(over);
    }

    /// How many have ended.
    pub(super) fn over(&self) -> u64 {
        self.lock().ended.len() as u64
    }

    /// Work on the account begins.
    pub(super) fn begun(&self, account: &str) {
        let mut accounts = self.lock();
        accounts.ended.remove(account);
        accounts.at_work.insert(account.to_owned());
    }

    /// Work on it has ended.
    pub(super) fn ended(&self, account: &str, status: Status) {
        let mut accounts = self.lock();
        accounts.at_work.remove(account);
        accounts.ended.insert(account.to_owned(), status);
    }

    /// How many are at work, and how each of the others ended.
    #[must_use]
    pub fn now(&self) -> (u64, Vec<Status>) {
        let accounts = self.lock();
        let ended = accounts.ended.values().copied().collect();
        (accounts.at_work.len() as u64, ended)
    }

    /// What each phase before this one has moved.
    #[must_use]
    pub fn past(&self) -> Vec<Moved> {
        self.lock().past.clone()
    }

    fn lock(&self) -> MutexGuard<'_, AccountStates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
