//! What was counted.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages fetched in this run; in a dry run those that would be.
    pub new: u64,
    /// Messages that were in the archive and stayed as they were.
    pub unchanged: u64,
    /// Messages whose flags changed.
    pub flags_changed: u64,
    /// Messages moved aside because the source no longer has them.
    pub vanished: u64,
    /// Messages, or whole mailboxes, that could not be had.
    pub failed: u64,
    /// Bytes of the new messages.
    pub bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.mailboxes = self.mailboxes.saturating_add(other.mailboxes);
        self.new = self.new.saturating_add(other.new);
        self.unchanged = self.unchanged.saturating_add(other.unchanged);
        self.flags_changed = self.flags_changed.saturating_add(other.flags_changed);
        self.vanished = self.vanished.saturating_add(other.vanished);
        self.failed = self.failed.saturating_add(other.failed);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
