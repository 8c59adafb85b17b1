//! One mailbox of an export: what the server says, what the archive has, and what is left to do.
//!
//! Decides only; it neither talks to the server nor writes files.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::archive::state::MailboxState;
use crate::archive::uidset::UidSet;
use crate::session::list::Mailbox;
use crate::session::response::MailboxStatus;

/// Up to so many messages a new mailbox is fetched in one command, without an inventory before it.
const DIRECT_LIMIT: u64 = 1000;
/// Most messages asked for in one command.
const CHUNK_MESSAGES: u64 = 500;
/// Longest UID set in one command, in bytes; the shortest command limit of known servers is 1000.
const CHUNK_SET: usize = 900;
/// Times that a mailbox is surveyed before what is still unclear is reported.
const MAX_SURVEYS: u32 = 3;

/// What is to be done next for a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: server and archive agree since the last run.
    Unchanged,
    /// Fetch all of it at once; there is nothing in the archive yet.
    Direct,
    /// Take the inventory first.
    Survey,
    /// Fetch what the inventory showed to be missing.
    Fetch,
    /// All is done that can be.
    Done,
    /// It cannot be read.
    Failed,
}

/// How the mailbox stood when this run first looked: later arrivals are the next run's.
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
    /// What EXAMINE said, and for what it left out what STATUS had said before: older, so nothing is missed.
    #[must_use]
    pub fn completed_by(self, status: &Self, messages: u64) -> Self {
        if self.uidvalidity != 0 && self.uidvalidity != status.uidvalidity {
            return Self { messages, ..self };
        }
        Self {
            uidvalidity: status.uidvalidity,
            uidnext: if self.uidnext == 0 {
                status.uidnext
            } else {
                self.uidnext
            },
            highestmodseq: self.highestmodseq.or(status.highestmodseq),
            messages,
        }
    }

    /// True for a UID that had been given out when the mailbox was looked at.
    #[must_use]
    pub fn covers(&self, uid: u32) -> bool {
        self.uidnext == 0 || uid < self.uidnext
    }
}

/// One FETCH command to send.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The set as sent.
    pub set: String,
    /// The UIDs in it; empty when they are not known.
    pub uids: UidSet,
    /// True for a message asked for alone, because it did not come with others.
    pub alone: bool,
}

/// A message that the server does not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfetched {
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE, where the server says it.
    pub size: Option<u64>,
    /// The server's words, or what is wrong with them.
    pub reason: String,
}

/// One mailbox at work.
pub struct Job {
    /// As listed.
    pub mailbox: Mailbox,
    /// Name for people.
    pub name: String,
    /// Directory in the archive; empty where a dry run finds none.
    pub directory: String,
    /// UIDVALIDITY of what the archive holds.
    pub archived_uidvalidity: Option<u32>,
    /// What is next.
    pub phase: Phase,
    /// How the server stood.
    pub freeze: Freeze,
    /// UIDs whose pairs in the archive are whole.
    pub present: UidSet,
    /// UIDs of which the archive holds something that a fetched message must be compared with.
    pub doubtful: HashSet<u32>,
    /// UIDs on the server, from the inventory.
    pub seen: UidSet,
    /// UIDs to fetch.
    pub wanted: UidSet,
    /// UIDs fetched in this run.
    pub received: UidSet,
    /// UIDs found gone when they were asked for alone.
    pub gone: HashSet<u32>,
    /// What could not be fetched.
    pub unfetched: Vec<Unfetched>,
    /// The server's last words on messages that did not come.
    pub reasons: HashMap<u32, String>,
    /// How often the connection died while this message was on its way.
    pub deaths: HashMap<u32, u32>,
    /// Commands still to send.
    pub unsent: VecDeque<Chunk>,
    /// Commands sent and not answered.
    pub in_flight: usize,
    /// Ask for each message alone: the connection died on an unknown one.
    pub one_by_one: bool,
    /// Answers that still come are not to be believed.
    pub mute: bool,
    /// EXAMINE said so many messages.
    pub exists: u64,
    /// Sidecars rewritten because flags changed.
    pub flags_changed: u64,
    /// Messages moved aside because the server no longer has them.
    pub vanished: u64,
    /// Bytes of message files in the archive and of those fetched now.
    pub bytes: u64,
    /// Bytes of the latter.
    pub bytes_new: u64,
    /// RFC822.SIZE of the messages to fetch, added up, where an inventory told.
    pub bytes_wanted: u64,
    /// What a reader of the report should know.
    pub note: Option<String>,
    surveys: u32,
}

impl Job {
    /// A mailbox before anything is known but its listing.
    #[must_use]
    pub fn new(mailbox: Mailbox, name: String) -> Self {
        let status = mailbox.status.clone().unwrap_or_default();
        let freeze = Freeze {
            uidvalidity: status.uidvalidity.unwrap_or(0),
            uidnext: status.uidnext.unwrap_or(0),
            highestmodseq: status.highestmodseq,
            messages: status.messages.unwrap_or(0),
        };
        Self {
            mailbox,
            name,
            directory: String::new(),
            archived_uidvalidity: None,
            phase: Phase::Survey,
            freeze,
            present: UidSet::new(),
            doubtful: HashSet::new(),
            seen: UidSet::new(),
            wanted: UidSet::new(),
            received: UidSet::new(),
            gone: HashSet::new(),
            unfetched: Vec::new(),
            reasons: HashMap::new(),
            deaths: HashMap::new(),
            unsent: VecDeque::new(),
            in_flight: 0,
            one_by_one: false,
            mute: false,
            exists: 0,
            flags_changed: 0,
            vanished: 0,
            bytes: 0,
            bytes_new: 0,
            bytes_wanted: 0,
            note: None,
            surveys: 0,
        }
    }

    /// Decides how to begin, from STATUS and the last state; `present` and `doubtful` are filled.
    pub fn plan(&mut self, before: Option<&MailboxState>) {
        let status = self.mailbox.status.clone().unwrap_or_default();
        let empty_here = self.present.is_empty() && self.doubtful.is_empty();
        self.phase = if before.is_some_and(|before| self.is_unchanged(before, &status)) {
            Phase::Unchanged
        } else if status.messages == Some(0) && status.uidvalidity.is_some() && empty_here {
            Phase::Done
        } else if empty_here
            && status.uidvalidity.is_some()
            && status.uidnext.is_some_and(|next| next > 1)
            && status.messages.is_some_and(|count| count <= DIRECT_LIMIT)
        {
            Phase::Direct
        } else {
            Phase::Survey
        };
        if self.phase == Phase::Direct {
            self.unsent.push_back(Chunk {
                set: format!("1:{}", self.freeze.uidnext - 1),
                uids: UidSet::new(),
                alone: false,
            });
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
            && same_numbers
            && same_flags
            && self.doubtful.is_empty()
            && self.present == before.uids
            && self.present.len() == before.messages
    }

    /// Takes the inventory anew, or gives up when that did not help before.
    pub fn survey_again(&mut self) {
        self.unsent.clear();
        self.seen = UidSet::new();
        self.wanted = UidSet::new();
        self.bytes_wanted = 0;
        if self.surveys >= MAX_SURVEYS {
            self.phase = Phase::Failed;
            self.note = Some("the server says something else about it each time".to_owned());
            return;
        }
        self.surveys += 1;
        self.phase = Phase::Survey;
    }

    /// True for a message that this run asked for.
    #[must_use]
    pub fn asked_for(&self, uid: u32) -> bool {
        if self.received.contains(uid) {
            return false;
        }
        match self.phase {
            Phase::Direct => self.freeze.covers(uid),
            _ => self.wanted.contains(uid),
        }
    }

    /// UIDs wanted and neither received nor given up.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        let given_up: HashSet<u32> = self.unfetched.iter().map(|failed| failed.uid).collect();
        self.wanted.iter().filter(move |uid| {
            !self.received.contains(*uid) && !self.gone.contains(uid) && !given_up.contains(uid)
        })
    }

    /// Prepares the commands for what is missing: the suspects last and alone.
    pub fn prepare_fetches(&mut self) {
        self.phase = Phase::Fetch;
        self.unsent.clear();
        let mut alone = Vec::new();
        let mut chunk = UidSet::new();
        let mut chunks = VecDeque::new();
        let mut close = |chunk: &mut UidSet| {
            if !chunk.is_empty() {
                let uids = std::mem::replace(chunk, UidSet::new());
                chunks.push_back(Chunk {
                    set: uids.to_string(),
                    uids,
                    alone: false,
                });
            }
        };
        let mut length = 0;
        let mut last = 0;
        for uid in self.missing() {
            if self.one_by_one || self.deaths.contains_key(&uid) {
                alone.push(uid);
                continue;
            }
            // At worst each gap adds ",4294967295:4294967295".
            let grows = if uid == last + 1 { 0 } else { 22 };
            if chunk.len() >= CHUNK_MESSAGES || length + grows > CHUNK_SET {
                close(&mut chunk);
                length = 0;
            }
            length += grows;
            chunk.insert(uid);
            last = uid;
        }
        close(&mut chunk);
        self.unsent = chunks;
        self.unsent.extend(alone.into_iter().map(lone_chunk));
    }

    /// Asks alone for messages that did not come with the others.
    pub fn ask_alone(&mut self, uids: impl IntoIterator<Item = u32>) {
        self.unsent.extend(uids.into_iter().map(lone_chunk));
    }

    /// After a lost connection: what was in flight is to be asked again.
    pub fn rewind(&mut self) {
        self.in_flight = 0;
        self.mute = false;
        match self.phase {
            // What has come stays; the inventory tells what has not.
            Phase::Direct => {
                self.absorb_received();
                self.survey_again();
            }
            Phase::Survey => {
                self.seen = UidSet::new();
                self.wanted = UidSet::new();
                self.bytes_wanted = 0;
            }
            Phase::Fetch => self.prepare_fetches(),
            Phase::Unchanged | Phase::Done | Phase::Failed => {}
        }
    }

    /// Received messages are present ones for the next survey.
    pub fn absorb_received(&mut self) {
        for uid in self.received.iter() {
            self.present.insert(uid);
        }
    }

    /// Number of messages that were in the archive before this run and still are.
    #[must_use]
    pub fn kept(&self) -> u64 {
        let came_now = |uid: &u32| self.received.contains(*uid);
        self.present.len() - self.present.iter().filter(came_now).count() as u64
    }

    /// UIDs in the archive, whole.
    #[must_use]
    pub fn archived(&self) -> UidSet {
        let mut all = self.present.clone();
        for uid in self.received.iter() {
            all.insert(uid);
        }
        all
    }

    /// True when the archive holds all of the mailbox that this run was to bring.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.phase, Phase::Unchanged | Phase::Done) && self.unfetched.is_empty()
    }
}

fn lone_chunk(uid: u32) -> Chunk {
    let mut uids = UidSet::new();
    uids.insert(uid);
    Chunk {
        set: uid.to_string(),
        uids,
        alone: true,
    }
}
