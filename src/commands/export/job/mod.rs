//! One mailbox of an export: what the server says, what the archive has, and what is left to do.
//!
//! Decides only; it neither talks to the server nor writes files.

mod chunk;
mod freeze;
mod identity;
mod jobs;
mod messages;
mod survey;
mod tally;
mod work;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

pub use chunk::Chunk;
use chunk::Weights;
pub use freeze::Freeze;
pub use identity::TrialOutcome;
use identity::UidTrust;
pub use jobs::{JobId, Jobs};
pub use messages::AskAlone;
use tally::JobTally;
pub use tally::{Shortened, SizeAndDate, Unfetched};

use crate::archive::meta::MailboxMeta;
use crate::archive::state::MailboxState;
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;
use crate::session::inventory::Inventory;
use crate::session::list::Mailbox;
use crate::session::response::MailboxStatus;

/// A new mailbox of up to this many messages is fetched in one command, without an inventory before it.
const DIRECT_LIMIT: u64 = 1000;

/// What is to be done next for a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobPhase {
    /// Nothing: server and archive agree since the last run.
    Unchanged,
    /// STATUS says that it is empty: EXAMINE it, to be sure.
    Look,
    /// Fetch all of it at once; there is nothing in the archive yet.
    Direct,
    /// Take the inventory first.
    #[default]
    Survey,
    /// Fetch what the inventory showed to be missing.
    Fetch,
    /// A second inventory: messages that the first one named did not come, and may be deleted.
    Recheck,
    /// All is done that can be.
    Done,
    /// It cannot be read.
    Failed,
}

impl JobPhase {
    fn is_open(self) -> bool {
        matches!(
            self,
            Self::Look | Self::Direct | Self::Survey | Self::Fetch | Self::Recheck
        )
    }
}

/// What the archive holds of a mailbox.
#[derive(Debug, Default)]
pub struct Archived {
    /// UIDVALIDITY of it; `None` where there is nothing.
    pub uidvalidity: Option<u32>,
    /// UIDs whose pairs are whole.
    pub present: UidSet,
    /// UIDs of which there is something that a fetched message must be compared with.
    pub doubtful: HashSet<u32>,
    /// UIDs of which there is a message file or a sidecar alone.
    pub halves: UidSet,
    /// Bytes of the message files.
    pub bytes: u64,
    /// UIDs that the state calls durable and that are no longer there.
    pub lost: UidSet,
    /// Server, port and login that they came from, if not this run's.
    pub origin: Option<String>,
    /// UIDVALIDITY is known to differ each time the mailbox is opened.
    pub uidvalidity_moves: bool,
    /// The record says so already.
    pub moved_before: bool,
}

/// What one survey found, and what it leaves to be asked for.
#[derive(Default)]
struct Survey {
    /// What the server names.
    inventory: Inventory,
    /// UIDs to fetch.
    wanted: UidSet,
    /// RFC822.SIZE of those, added up, where the inventory told.
    bytes_wanted: u64,
    /// Bytes of those that have come since.
    bytes_come: u64,
    /// Messages from UIDNEXT on, with their sizes: later arrivals, unless UIDNEXT is wrong.
    beyond: Vec<(u32, u64)>,
    /// What the messages weigh, where that matters.
    weights: Option<Weights>,
    /// EXPUNGE came while it was taken: what it does not name may be there all the same.
    shifted: bool,
}

/// What is under way on this connection.
#[derive(Default)]
struct Work {
    /// Commands still to send.
    unsent: VecDeque<Chunk>,
    /// Commands sent and not answered.
    in_flight: usize,
    /// Answers that are still to come are not trusted.
    distrusted: bool,
    /// It is left alone on this connection.
    postponed: bool,
    /// Messages that the mailbox has, as EXAMINE and EXPUNGE say.
    count: u64,
}

/// What is known of single messages that make trouble.
#[derive(Default)]
struct MessageTrouble {
    /// A second inventory no longer names them.
    gone: HashSet<u32>,
    /// Named by an inventory but not given by any FETCH, with the server's last words on them.
    unclear: BTreeMap<u32, String>,
    /// The second inventory.
    again: Inventory,
    /// The server's last words on those that did not come.
    reasons: HashMap<u32, String>,
    /// What inventories say about those that connections died of.
    seen: HashMap<u32, SizeAndDate>,
    /// Most messages in one command: fewer after each connection that died before any came.
    most: Option<u64>,
}

/// One mailbox at work.
pub struct Job {
    mailbox: Mailbox,
    directory: String,
    held: Archived,
    phase: JobPhase,
    freeze: Freeze,
    identity: UidTrust,
    /// EXAMINE has been answered in this run, or STATUS was enough.
    looked_at: bool,
    recount: survey::Recount,
    surveys: u32,
    survey: Survey,
    work: Work,
    trouble: MessageTrouble,
    tally: JobTally,
}

/// What it is.
impl Job {
    /// A mailbox before anything is known but its listing.
    #[must_use]
    pub fn new(mailbox: Mailbox) -> Self {
        let status = mailbox.status.clone().unwrap_or_default();
        Self {
            mailbox,
            directory: String::new(),
            held: Archived::default(),
            phase: JobPhase::default(),
            freeze: Freeze::from_status(&status),
            identity: UidTrust::default(),
            looked_at: false,
            recount: survey::Recount::default(),
            surveys: 0,
            survey: Survey::default(),
            work: Work::default(),
            trouble: MessageTrouble::default(),
            tally: JobTally::default(),
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.listed_name().text()
    }

    /// Name as listed.
    #[must_use]
    pub fn listed_name(&self) -> &Name {
        &self.mailbox.listed.name
    }

    /// Directory in the archive; empty where a dry run finds none.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// It goes to this directory.
    pub fn goes_to(&mut self, directory: impl Into<String>) {
        self.directory = directory.into();
    }

    /// What is next.
    #[must_use]
    pub fn phase(&self) -> JobPhase {
        self.phase
    }

    /// How the server stood.
    #[must_use]
    pub fn freeze(&self) -> &Freeze {
        &self.freeze
    }

    /// What the mailbox's directory says of it.
    #[must_use]
    pub fn meta(&self) -> MailboxMeta {
        MailboxMeta {
            name: self.listed_name().clone(),
            delimiter: self.mailbox.listed.delimiter,
            attributes: self.mailbox.listed.attributes.clone(),
            uidvalidity: self.freeze.uidvalidity,
        }
    }

    /// What the archive's state says of it.
    #[must_use]
    pub fn state(&self) -> MailboxState {
        let uids = self.archived();
        MailboxState {
            directory: self.directory.clone(),
            name: self.listed_name().clone(),
            delimiter: self.mailbox.listed.delimiter,
            attributes: self.mailbox.listed.attributes.clone(),
            subscribed: self.mailbox.subscribed,
            uidvalidity: self.freeze.uidvalidity,
            uidnext: Some(self.freeze.uidnext).filter(|next| *next > 0),
            highestmodseq: self.freeze.highestmodseq,
            messages: uids.len(),
            bytes: self.held.bytes + self.tally.bytes,
            complete: self.is_complete(),
            uidvalidity_moves: self.held.uidvalidity_moves,
            origin: None,
            uids,
        }
    }

    /// UIDs in the archive, whole.
    fn archived(&self) -> UidSet {
        let mut all = self.held.present.clone();
        all.insert_all(&self.tally.received);
        all
    }

    /// True when this run knows how the mailbox stands.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        self.looked_at
    }

    /// Messages that the state calls durable, that are gone, and that have not come again.
    #[must_use]
    pub fn lost(&self) -> UidSet {
        let mut lost = self.held.lost.clone();
        lost.remove_all(&self.tally.received);
        lost
    }

    /// How many of them have come again.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.held.lost.len() - self.lost().len()
    }

    /// UIDVALIDITY by STATUS, where the server says it.
    #[must_use]
    pub fn uidvalidity_by_status(&self) -> Option<u32> {
        self.mailbox.status.as_ref()?.uidvalidity
    }

    /// True when the archive holds all of the mailbox that this run was to bring.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.phase, JobPhase::Unchanged | JobPhase::Done)
            && self.tally.unfetched.is_empty()
    }

    /// Halves of messages that the server does not have: all that it has is in the archive.
    #[must_use]
    pub fn halves_without_message(&self) -> UidSet {
        if !self.is_complete() {
            return UidSet::new();
        }
        let mut halves = self.held.halves.clone();
        halves.remove_all(&self.archived());
        halves
    }

    /// True when this run is done with it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.phase.is_open()
    }

    /// True for what this run has neither brought nor recorded as missing.
    #[must_use]
    pub fn lacks(&self, uid: Option<u32>) -> bool {
        let came = uid.is_some_and(|uid| self.has(uid) || self.tally.received.contains(uid));
        !came && !self.tally.unfetched.iter().any(|failed| failed.uid == uid)
    }

    /// How many messages are likely to be fetched.
    #[must_use]
    pub fn expected(&self) -> u64 {
        if self.phase == JobPhase::Unchanged {
            0
        } else {
            let here = self.held.present.len();
            self.freeze.messages.saturating_sub(here)
        }
    }

    /// Bytes that STATUS says are not here yet; less than that cannot come, more can.
    #[must_use]
    pub fn bytes_by_status(&self) -> Option<u64> {
        let size = self.mailbox.status.as_ref()?.size?;
        Some(match self.phase {
            JobPhase::Unchanged => 0,
            _ => size.saturating_sub(self.held.bytes),
        })
    }

    /// True where the sizes of what is fetched are unknown.
    #[must_use]
    pub fn comes_unsized(&self) -> bool {
        self.phase == JobPhase::Direct && self.bytes_by_status().is_none()
    }

    /// Bytes that the inventory has named and that have not come yet.
    #[must_use]
    pub fn bytes_due(&self) -> u64 {
        match self.phase {
            JobPhase::Fetch => self
                .survey
                .bytes_wanted
                .saturating_sub(self.survey.bytes_come),
            _ => 0,
        }
    }

    /// Attributes as listed.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        &self.mailbox.listed.attributes
    }
}

/// How it begins.
impl Job {
    /// What the archive has of it.
    pub fn holds(&mut self, holding: Archived) {
        self.held = holding;
    }

    /// True when the archive has a directory of it.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.held.uidvalidity.is_some()
    }

    /// What the archive had of it is of no use: its UIDs belong to other messages, or there is none.
    pub fn begins_anew(&mut self) {
        self.held.present = UidSet::new();
        self.held.doubtful.clear();
        self.held.halves = UidSet::new();
        self.held.bytes = 0;
    }

    /// Decides how to begin, from STATUS and the last state.
    pub fn plan(&mut self, before: Option<&MailboxState>) {
        let status = self.mailbox.status.clone().unwrap_or_default();
        let empty_here = self.held.present.is_empty() && self.held.doubtful.is_empty();
        self.phase = if before.is_some_and(|before| self.is_unchanged(before, &status)) {
            self.looked_at = true;
            JobPhase::Unchanged
        } else if status.messages == Some(0) && empty_here {
            JobPhase::Look
        } else if empty_here
            && status.uidvalidity.is_some()
            && status.uidnext.is_some_and(|next| next > 1)
            && status.messages.is_some_and(|count| count <= DIRECT_LIMIT)
        {
            JobPhase::Direct
        } else {
            JobPhase::Survey
        };
        if self.phase == JobPhase::Direct {
            let all = Chunk::all_below(self.freeze.uidnext);
            self.work.unsent.push_back(all);
        }
    }

    /// RFC 7162: with the mod-sequence unchanged no flag has changed; without one only an inventory tells.
    fn is_unchanged(&self, before: &MailboxState, status: &MailboxStatus) -> bool {
        let same_numbers = status.uidvalidity == Some(before.uidvalidity)
            && status.uidnext.is_some()
            && status.uidnext == before.uidnext
            && status.messages == Some(before.messages);
        let same_flags = before.messages == 0
            || status.highestmodseq.is_some() && status.highestmodseq == before.highestmodseq;
        before.complete
            && !self.is_foreign()
            && same_numbers
            && same_flags
            && self.held.doubtful.is_empty()
            && self.held.present == before.uids
            && self.held.present.len() == before.messages
    }
}
