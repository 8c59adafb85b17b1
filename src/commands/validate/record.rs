//! What the journal says of the messages of a mailbox, as far as the mailbox on the target confirms it.
//!
//! It knows which messages arrived and with which flags, not whether they are still there.

use std::collections::{HashMap, HashSet};

use crate::archive::journal::{Flags, Journal};
use crate::compare::Recorded;
use crate::target::flags;
use crate::target::holding::Holding;
use crate::target::mailbox::Job;

/// What is on record of one mailbox of the archive.
pub struct JournalRecord {
    /// UID on the target by UID in the archive; the last one counts.
    to_uids: HashMap<u32, u32>,
    flags: HashMap<u32, Flags>,
    /// The mailbox is the one that was filled, and was not rolled back since.
    stands: bool,
}

/// Flags of the archive that a message lacks on the target.
#[derive(Default)]
pub struct Lacking {
    /// The target may have lost them.
    pub lost: Vec<String>,
    /// The archive did not have them yet when the message was imported.
    pub later: Vec<String>,
    /// The target did not take them when the message was imported.
    pub refused: Vec<String>,
}

impl JournalRecord {
    /// What the journal says, and whether it is to be believed of what is not there.
    pub fn of(job: &Job, journal: &Journal, holding: &Holding) -> Self {
        let known = journal.known(&job.route_to(holding.uidvalidity));
        let newest = known.pairs.iter().map(|(_, to_uid)| *to_uid).max();
        Self {
            stands: holding.uidvalidity > 0
                && newest.is_some_and(|newest| holding.has_given(newest)),
            to_uids: known.pairs.into_iter().collect(),
            flags: known.flags,
        }
    }

    /// Where a message must be.
    pub fn recorded(&self, uid: u32) -> Option<Recorded> {
        let uid = self.to_uid(uid)?;
        let stands = self.stands;
        Some(Recorded { uid, stands })
    }

    /// The UID that a message got.
    pub fn to_uid(&self, uid: u32) -> Option<u32> {
        self.to_uids.get(&uid).copied()
    }

    /// These are the messages of the archive and the UIDs that they were found with. Where another has the UID of one
    /// on record, the mailbox was recreated: what it lacks was not deleted there.
    pub fn prove(&mut self, found: impl Iterator<Item = (u32, Option<u32>)>, held: &HashSet<u32>) {
        for (uid, found) in found {
            let on_record = self.to_uid(uid).filter(|to_uid| held.contains(to_uid));
            self.stands &= on_record.is_none() || on_record == found;
        }
    }

    /// It arrived, and is no longer there.
    pub fn was_deleted(&self, uid: u32) -> bool {
        self.stands && self.to_uids.contains_key(&uid)
    }

    /// Sorts the flags that a message lacks, by what it was given when it arrived.
    pub fn lacking(&self, uid: u32, to_uid: u32, lacking: Vec<String>) -> Lacking {
        let at_import = self.flags.get(&uid);
        let Some(at_import) = at_import.filter(|_| self.to_uid(uid) == Some(to_uid)) else {
            return Lacking {
                lost: lacking,
                ..Lacking::default()
            };
        };
        let archived = flags::set(&at_import.archived);
        let was_there = |flag: &String| archived.contains(&flag.to_ascii_lowercase());
        let (given, later): (Vec<_>, Vec<_>) = lacking.into_iter().partition(was_there);
        let was_sent = |flag: &String| {
            let mut sent = at_import.sent.split_ascii_whitespace();
            sent.any(|sent| flags::is_same(sent, flag))
        };
        let (lost, refused) = given.into_iter().partition(was_sent);
        Lacking {
            lost,
            later,
            refused,
        }
    }
}
