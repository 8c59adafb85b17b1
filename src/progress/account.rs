//! Progress of one account.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indicatif::HumanCount;

use super::{ProgressState, words};
use crate::mode::Phase;
use crate::printable::printable;

/// What is still to be moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rest {
    /// Messages.
    pub messages: u64,
    /// Bytes of those whose sizes are known.
    pub bytes: u64,
    /// How many have an unknown size.
    pub unsized_messages: u64,
}

/// What a migration does with an account at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MigrationStep {
    pub phase: Phase,
    /// What comes will be moved once more afterwards.
    pub comes_again: bool,
}

/// What an account counts; read by the thread that shows it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub account: String,
    /// None: the phase is all of one step.
    step: OnceLock<MigrationStep>,
    mailbox: Mutex<String>,
    pub messages: AtomicU64,
    pub bytes: AtomicU64,
    /// Of messages that have arrived in part.
    on_their_way: Arc<AtomicU64>,
    /// All that there is to do, including what was done.
    pub due: Mutex<Option<Rest>>,
}

impl Counters {
    pub fn moved(&self) -> u64 {
        let whole = self.bytes.load(Ordering::Relaxed);
        whole.saturating_add(self.on_their_way.load(Ordering::Relaxed))
    }

    pub fn nothing_more_arrives(&self) {
        self.on_their_way.store(0, Ordering::Relaxed);
    }

    pub fn step(&self) -> Option<MigrationStep> {
        self.step.get().copied()
    }

    pub fn due(&self) -> Option<Rest> {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For example `anna@example.com  812/1,200  45.1 MiB  INBOX`, of a migration `anna@example.com  import  …`.
    pub fn line(&self) -> String {
        let messages = self.messages.load(Ordering::Relaxed);
        let mut parts = vec![printable(&self.account)];
        parts.extend(self.step().map(|step| step.phase.as_str().to_owned()));
        if let Some(due) = self.due() {
            let due = due.messages.max(messages);
            parts.push(format!("{}/{}", HumanCount(messages), HumanCount(due)));
        }
        let moved = self.moved();
        if moved > 0 {
            parts.push(words::bytes(moved));
        }
        let mailbox = self.mailbox.lock();
        let mailbox = printable(&mailbox.unwrap_or_else(PoisonError::into_inner));
        parts.extend(Some(mailbox).filter(|name| !name.is_empty()));
        parts.join("  ")
    }
}

/// Progress of one account; over when dropped.
pub struct AccountProgress {
    shared: Arc<ProgressState>,
    counters: Arc<Counters>,
}

impl AccountProgress {
    pub(super) fn new(shared: &Arc<ProgressState>, account: &str) -> Self {
        let counters = Arc::new(Counters {
            account: account.to_owned(),
            ..Counters::default()
        });
        shared.begins(&counters);
        Self {
            shared: Arc::clone(shared),
            counters,
        }
    }

    /// It is this step of a migration that counts, which goes on until `last`, or to its end.
    #[must_use]
    pub fn at(self, phase: Phase, last: Option<Phase>) -> Self {
        let step = MigrationStep {
            phase,
            comes_again: phase == Phase::Export && last != Some(Phase::Export),
        };
        // Nobody else has it yet, and so nobody has set it.
        let _ = self.counters.step.set(step);
        self
    }

    /// This much is still to be moved from now on; what was expected before no longer counts.
    pub fn expect(&mut self, rest: Rest) {
        let (messages, bytes) = (&self.counters.messages, &self.counters.bytes);
        self.change_due(|due| {
            *due = Some(Rest {
                messages: messages.load(Ordering::Relaxed) + rest.messages,
                bytes: bytes.load(Ordering::Relaxed).saturating_add(rest.bytes),
                unsized_messages: rest.unsized_messages,
            });
        });
        self.arriving().clear();
    }

    /// The sizes of this many messages are known now.
    pub fn sized(&mut self, messages: u64, bytes: u64) {
        self.change_due(|due| {
            if let Some(due) = due {
                due.unsized_messages = due.unsized_messages.saturating_sub(messages);
                due.bytes = due.bytes.saturating_add(bytes);
            }
        });
    }

    /// This mailbox is being read now.
    pub fn mailbox(&mut self, name: &str) {
        let mut mailbox = self.counters.mailbox.lock();
        let mailbox = mailbox.as_deref_mut();
        if let Ok(mailbox) = mailbox {
            name.clone_into(mailbox);
        }
    }

    /// One more message of this size has arrived where it was to go.
    pub fn message(&mut self, bytes: u64) {
        self.arriving().take(bytes);
        self.counters.messages.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of messages on their way.
    #[must_use]
    pub fn arriving(&self) -> Arriving {
        Arriving(Arc::clone(&self.counters.on_their_way))
    }

    fn change_due(&self, change: impl FnOnce(&mut Option<Rest>)) {
        let due = self.counters.due.lock();
        change(&mut due.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for AccountProgress {
    fn drop(&mut self) {
        self.shared.ends(&self.counters);
    }
}

/// Bytes of messages that are on their way; clones count the same ones.
#[derive(Debug, Clone, Default)]
pub struct Arriving(Arc<AtomicU64>);

impl Arriving {
    /// Nothing is on its way.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// This many more bytes have gone over the line.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// This many have arrived completely.
    fn take(&self, bytes: u64) {
        let less = |on_their_way: u64| Some(on_their_way.saturating_sub(bytes));
        // It always has a value to set.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
