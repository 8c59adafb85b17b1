//! How a mailbox stood when this run first looked at it.

use crate::session::response::MailboxStatus;
use crate::session::select::Selected;

/// What belongs to this run: later arrivals are left to the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freeze {
    /// UIDVALIDITY; 0 where the server has none.
    pub uidvalidity: u32,
    /// Only UIDs below it are this run's; 0 where the server does not say.
    pub uidnext: u32,
    /// Highest mod-sequence, where kept.
    pub highestmodseq: Option<u64>,
    /// Number of messages.
    pub messages: u64,
}

impl Freeze {
    /// What STATUS says.
    #[must_use]
    pub fn from_status(status: &MailboxStatus) -> Self {
        Self {
            uidvalidity: status.uidvalidity.unwrap_or(0),
            uidnext: status.uidnext.unwrap_or(0),
            highestmodseq: status.highestmodseq,
            messages: status.messages.unwrap_or(0),
        }
    }

    /// What EXAMINE says.
    #[must_use]
    pub fn from_selected(selected: &Selected) -> Self {
        Self {
            uidvalidity: selected.uidvalidity,
            uidnext: selected.uidnext,
            highestmodseq: selected.highestmodseq,
            messages: selected.exists,
        }
    }

    /// What EXAMINE said, and for what it left out what STATUS had said before: older, so nothing is missed.
    #[must_use]
    pub fn completed_by(self, status: &Self) -> Self {
        if self.uidvalidity != 0 && self.uidvalidity != status.uidvalidity {
            return self;
        }
        Self {
            uidvalidity: status.uidvalidity,
            uidnext: if self.uidnext == 0 {
                status.uidnext
            } else {
                self.uidnext
            },
            highestmodseq: self.highestmodseq.or(status.highestmodseq),
            messages: self.messages,
        }
    }

    /// True for a UID that had been given out when the mailbox was looked at.
    #[must_use]
    pub fn covers(&self, uid: u32) -> bool {
        self.uidnext == 0 || uid < self.uidnext
    }
}
