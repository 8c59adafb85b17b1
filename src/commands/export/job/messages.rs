//! The messages of a job: asked for together, then alone; come, gone, or given up.

use tracing::{debug, warn};

use super::{Chunk, Job, JobPhase, Shortened, SizeAndDate, Unfetched, chunk};
use crate::mailbox::uidset::UidSet;
use crate::message::Envelope;
use crate::session::inventory::{Extent, NextQuery};
use crate::session::reader::Response;
use crate::session::response::{Condition, StatusResponse};

/// Messages shorter than announced after which no further one is asked for again: the server's sizes are estimates.
const MANY_SHORT: usize = 20;

/// Messages that are asked for alone, as they are suspected to be what connections die of.
pub struct AskAlone<'a> {
    /// Who they are.
    pub of: &'a dyn Fn(u32) -> bool,
    /// Before the others: the last connection brought nothing, so get them over with.
    pub first: bool,
}

impl Job {
    /// True for a message that this run asked for.
    #[must_use]
    pub fn asked_for(&self, uid: u32) -> bool {
        if self.tally.received.contains(uid) {
            return false;
        }
        match self.phase {
            JobPhase::Direct => self.freeze.covers(uid),
            _ => self.survey.wanted.contains(uid),
        }
    }

    /// UIDs wanted and neither received nor given up.
    fn missing(&self) -> Vec<u32> {
        let mut missing = self.survey.wanted.clone();
        missing.remove_all(&self.tally.received);
        let unclear = self.trouble.unclear.keys();
        let refused = self.tally.unfetched.iter();
        let refused: UidSet = refused.filter_map(|failed| failed.uid).collect();
        for uid in self.trouble.gone.iter().chain(unclear) {
            missing.remove(*uid);
        }
        missing.remove_all(&refused);
        missing.iter().collect()
    }

    /// Prepares the commands for what is missing: the suspects alone.
    pub fn prepare_fetches(&mut self, suspects: &AskAlone<'_>) {
        self.phase = JobPhase::Fetch;
        let (alone, together): (Vec<u32>, Vec<u32>) = self
            .missing()
            .into_iter()
            .partition(|uid| (suspects.of)(*uid));
        let alone = alone.into_iter().map(Chunk::alone);
        let most = self.trouble.most.unwrap_or(chunk::MOST);
        let together = chunk::deal(together, most, self.survey.weights.as_ref());
        self.work.unsent = if suspects.first {
            alone.chain(together).collect()
        } else {
            together.into_iter().chain(alone).collect()
        };
    }

    /// The connection died before any message of this chunk came: the next one asks for fewer at a time.
    pub fn ask_for_fewer(&mut self, chunk: &Chunk) {
        let asked = chunk.uids().count() as u64;
        if asked > 1 && chunk.uids().all(|uid| self.asked_for(uid)) {
            self.trouble.most = Some((asked / 2).max(1));
        }
    }

    /// Asks for one message again, alone.
    pub fn ask_alone(&mut self, uid: u32) {
        self.work.unsent.push_back(Chunk::alone(uid));
    }

    /// The server takes no more messages in one command.
    pub fn ask_for_at_most(&mut self, most: u32) {
        let most = u64::from(most);
        self.trouble.most = Some(self.trouble.most.map_or(most, |before| before.min(most)));
    }

    /// Asks for the messages of a chunk that the server took a part of. Returns their number; 0 where that leads nowhere.
    pub fn ask_for_rest(&mut self, chunk: &Chunk) -> usize {
        let asked = chunk.uids().count() as u64;
        let most = self.trouble.most.unwrap_or(chunk::MOST);
        let rest: Vec<u32> = chunk.uids().filter(|uid| self.asked_for(*uid)).collect();
        let count = rest.len();
        if count as u64 == asked && most >= asked {
            return 0;
        }
        let weights = self.survey.weights.as_ref();
        self.work.unsent.extend(chunk::deal(rest, most, weights));
        count
    }

    /// Asks alone for the messages of a chunk that did not come with the others. Returns their number.
    pub fn ask_alone_for_rest(&mut self, chunk: &Chunk) -> usize {
        let rest: Vec<u32> = chunk.uids().filter(|uid| self.asked_for(*uid)).collect();
        let count = rest.len();
        self.work.unsent.extend(rest.into_iter().map(Chunk::alone));
        count
    }

    /// True when fetching all at once brought less than there is.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.tally.received.len() < self.work.count
    }

    /// Received messages are present ones for the next survey.
    pub fn absorb_received(&mut self) {
        self.held.present.insert_all(&self.tally.received);
    }

    /// A message came far shorter than announced: true when it is to be asked for once more.
    pub fn doubts_length(&mut self, uid: u32, length: u64, announced: u64) -> bool {
        let again = self.tally.short.len() < MANY_SHORT && self.tally.doubted.insert(uid);
        if !again {
            let short = Shortened {
                uid,
                length,
                announced,
            };
            self.tally.short.push(short);
        }
        again
    }

    /// Messages that are shorter than announced.
    #[must_use]
    pub fn short(&self) -> &[Shortened] {
        &self.tally.short
    }

    /// True where that is so of all that came, and of more than one: such sizes are estimates.
    #[must_use]
    pub fn announces_estimates(&self) -> bool {
        let (short, came) = (self.tally.short.len() as u64, self.tally.received.len());
        short > 1 && short >= came
    }

    /// A message came and is on its way to the disk.
    pub fn came(&mut self, uid: u32, bytes: u64) {
        self.held.doubtful.remove(&uid);
        self.tally.received.insert(uid);
        self.tally.bytes += bytes;
        self.survey.bytes_come += bytes;
    }

    /// A message came that was here already, byte for byte.
    pub fn proved(&mut self, uid: u32, bytes: u64) {
        self.held.doubtful.remove(&uid);
        self.held.present.insert(uid);
        self.held.bytes += bytes;
        self.survey.wanted.remove(uid);
    }

    /// A message that came could not be written.
    pub fn unwritten(&mut self, uid: u32, bytes: u64) {
        self.tally.received.remove(uid);
        self.tally.bytes -= bytes;
    }

    /// The server said why it does not give a message.
    pub fn excuse(&mut self, uid: u32, reason: String) {
        self.trouble.reasons.insert(uid, reason);
    }

    /// What the server said last of a message that did not come.
    pub fn take_excuse(&mut self, uid: u32) -> Option<String> {
        self.trouble.reasons.remove(&uid)
    }

    /// A message is there but cannot be fetched.
    pub fn refuse(&mut self, uid: u32, seen: Option<SizeAndDate>, reason: impl Into<String>) {
        let seen = seen.or_else(|| self.trouble.seen.remove(&uid));
        self.tally.unfetched.push(Unfetched {
            uid: Some(uid),
            seen: seen.unwrap_or_default(),
            envelope: Envelope::default(),
            reason: reason.into(),
        });
    }

    /// The header of a message that cannot be had.
    pub fn tell_envelope(&mut self, uid: u32, header: &[u8]) {
        let mut of_it = self.tally.unfetched.iter_mut();
        if let Some(unfetched) = of_it.rfind(|unfetched| unfetched.uid == Some(uid)) {
            unfetched.envelope = Envelope::of(header);
        }
    }

    /// What an inventory says about a message that may never come.
    pub fn note_seen(&mut self, uid: u32, seen: SizeAndDate) {
        self.trouble.seen.insert(uid, seen);
    }

    /// The mailbox, or messages that nobody names, cannot be fetched.
    pub fn refuse_unnamed(&mut self, reason: impl Into<String>) {
        self.tally.unfetched.push(Unfetched {
            uid: None,
            seen: SizeAndDate::default(),
            envelope: Envelope::default(),
            reason: reason.into(),
        });
    }

    /// An inventory named the message, and no FETCH gives it: a second inventory says whether it is deleted.
    pub fn unclear(&mut self, uid: u32, reason: String) {
        self.trouble.unclear.insert(uid, reason);
    }

    /// Takes a line of the second inventory.
    pub fn saw_again(&mut self, response: &Response) {
        self.trouble.again.take(response);
    }

    /// The second inventory, or a part of it, has ended: what it no longer names is deleted, if it is a whole one. What is
    /// still to be asked for.
    pub fn rechecked(&mut self, status: &StatusResponse) -> Option<String> {
        if let NextQuery::Fetch(range) = self.trouble.again.ended(status) {
            return Some(range);
        }
        let again = std::mem::take(&mut self.trouble.again);
        let whole = status.condition == Condition::Ok && again.extent() == Extent::Whole;
        for (uid, reason) in std::mem::take(&mut self.trouble.unclear) {
            if whole && !again.named().contains(uid) {
                debug!(uid, "the message was deleted while the mailbox was read");
                self.trouble.gone.insert(uid);
            } else {
                warn!(uid, reason, "the message cannot be fetched");
                self.refuse(uid, None, reason);
            }
        }
        self.phase = JobPhase::Done;
        None
    }
}
