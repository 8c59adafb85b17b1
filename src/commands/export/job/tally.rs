//! What the report says about a mailbox: what came, what did not, and what a reader should know.

use std::collections::HashSet;

use super::{Job, JobPhase};
use crate::mailbox::uidset::UidSet;
use crate::message::Envelope;
use crate::report::Counts;

/// A message that the server does not give, or a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfetched {
    /// UID; `None` for the mailbox, or for messages that it counts and does not name.
    pub uid: Option<u32>,
    /// What the server says about it, without its content.
    pub seen: SizeAndDate,
    /// Who it is from and what it is about, where the server says that.
    pub envelope: Envelope,
    /// The server's words, or what is wrong with them.
    pub reason: String,
}

/// What a server says about a message that it may not give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SizeAndDate {
    /// RFC822.SIZE.
    pub size: Option<u64>,
    /// INTERNALDATE as sent.
    pub date: Option<String>,
}

/// A message that is shorter than announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortened {
    /// UID.
    pub uid: u32,
    /// Bytes that came.
    pub length: u64,
    /// RFC822.SIZE.
    pub announced: u64,
}

/// What the report says.
#[derive(Default)]
pub(super) struct JobTally {
    /// UIDs fetched in this run.
    pub received: UidSet,
    pub unfetched: Vec<Unfetched>,
    pub flags_changed: u64,
    pub vanished: u64,
    /// Bytes of the messages fetched in this run.
    pub bytes: u64,
    /// Messages that came far shorter than announced, and were asked for again.
    pub doubted: HashSet<u32>,
    /// Those that are still too short.
    pub short: Vec<Shortened>,
    pub note: Option<String>,
}

impl Job {
    /// What a reader of the report should know.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.tally.note.as_deref()
    }

    /// Tells a reader of the report.
    pub fn tell(&mut self, note: impl Into<String>) {
        self.tally.note = Some(note.into());
    }

    /// What could not be fetched.
    #[must_use]
    pub fn unfetched(&self) -> &[Unfetched] {
        &self.tally.unfetched
    }

    /// Messages moved aside in this run.
    #[must_use]
    pub fn vanished_count(&self) -> u64 {
        self.tally.vanished
    }

    /// Number of messages that were in the archive before this run and still are.
    #[must_use]
    pub fn kept(&self) -> u64 {
        let mut kept = self.held.present.clone();
        kept.remove_all(&self.tally.received);
        kept.len()
    }

    /// What the report counts; in a dry run what would be fetched.
    #[must_use]
    pub fn counts(&self, dry_run: bool) -> Counts {
        let (new, bytes) = if dry_run {
            (self.survey.wanted.len(), self.survey.bytes_wanted)
        } else {
            (self.tally.received.len(), self.tally.bytes)
        };
        let failed = &self.tally.unfetched;
        let named = failed.iter().any(|failed| failed.uid.is_none());
        Counts {
            mailboxes: 1,
            new,
            unchanged: self.kept().saturating_sub(self.tally.flags_changed),
            flags_changed: self.tally.flags_changed,
            vanished: self.tally.vanished,
            failed: failed.len() as u64 + u64::from(self.phase == JobPhase::Failed && !named),
            bytes,
        }
    }
}
