//! Somebody else appends to the same mailbox at the same time, perhaps another account of this run: a gap in the
//! UIDs shows it. What came in between counts as there if it is what was still to be sent.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use tracing::info;

use super::item::Batch;
use super::{AppendStep, Appender};
use crate::archive::journal::Done;
use crate::mailbox::uidset::UidSet;
use crate::message::Identity;
use crate::session::channel::Channel;
use crate::session::error::SessionError;
use crate::session::lane::Lane;
use crate::target::holding::{self, Which};
use crate::target::mailbox::JobId;
use crate::target::matching::{ArchiveSide, MessageRef, Sought};

/// Looks that find nothing before gaps are taken for a habit of the server.
const MAX_IDLE: u32 = 3;

/// Others that append at the same time, as far as was seen so far.
#[derive(Default)]
pub(super) struct Others {
    /// They bring the same mail.
    bring_the_same: bool,
    /// How often a look into a gap between UIDs found nothing.
    idle_gaps: u32,
}

/// Gaps between the UIDs that were given to what was sent.
#[derive(Default)]
pub(super) struct Gaps {
    /// The UID that the next message gets, by mailbox of the target.
    next_uids: HashMap<Vec<u8>, u32>,
    /// Those that are to be looked into, by the first UID.
    open: HashMap<JobId, u32>,
    /// Mailboxes that were looked at before anything was sent there.
    looked_at: HashSet<JobId>,
    /// Those that hold what another account has just sent.
    anothers: HashSet<JobId>,
    /// Mailboxes whose first message is answered.
    heard: HashSet<JobId>,
}

impl Gaps {
    /// One is to be looked into.
    pub(super) fn is_open(&self, id: JobId) -> bool {
        self.open.contains_key(&id)
    }
}

impl Appender<'_> {
    /// These UIDs were given to what was sent; is one missing before or between them?
    pub(super) fn note_gap(&mut self, id: JobId, uids: &[u32]) {
        let job = &self.jobs[id];
        let wire = job.place().name.wire().to_vec();
        let mut next = self.gaps.next_uids.get(&wire).copied();
        if next.is_none() {
            next = Some(job.uidnext_there()).filter(|uidnext| *uidnext > 0);
        }
        let (mut next, mut gap) = (next.unwrap_or(uids[0]), None);
        for uid in uids {
            if *uid > next {
                gap = gap.or(Some(next));
            }
            next = next.max(uid.saturating_add(1));
        }
        self.gaps.next_uids.insert(wire, next);
        if let Some(from) = gap.filter(|_| self.experience.others.idle_gaps < MAX_IDLE) {
            self.gaps.open.entry(id).or_insert(from);
        }
    }

    /// Others are at work on the server, and nothing but the mail itself shows whether they are in the same mailbox.
    pub(super) fn is_watchful(&self, id: JobId) -> bool {
        self.jobs[id].identity_there().is_none() && !self.company.is_alone()
    }

    /// The first message goes alone: its UID, or else the number of messages, tells whether somebody else is in the
    /// mailbox. Where that was so before, or where the mailbox holds what another account has begun with, it is looked
    /// at first: all the rest of that may be on its way already.
    pub(super) fn watch(&mut self, lane: &mut Lane<'_, AppendStep>, id: JobId) -> Result<()> {
        let from = self.jobs[id].uidnext_there().max(1);
        match self.batches.get(&id) {
            None if self.gaps.looked_at.insert(id) => {
                if self.holds_what_another_began(id)? {
                    self.gaps.anothers.insert(id);
                }
                if self.experience.others.bring_the_same || self.gaps.anothers.contains(&id) {
                    self.gaps.open.insert(id, from);
                }
            }
            Some(1) if self.gaps.heard.insert(id) => {
                self.hear(lane)?;
                if !self.named.contains_key(&id) && self.has_grown(lane, id)? {
                    self.gaps.open.insert(id, from);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// These go first to a mailbox.
    pub(super) fn begin(&self, batch: &Batch) -> Result<()> {
        let Some(item) = batch.items.first() else {
            return Ok(());
        };
        let (job, uid) = (batch.id, item.uid());
        if let Some(first) = self.archive().describe(MessageRef { job, uid })? {
            let uidvalidity = self.jobs[job].route().to_uidvalidity;
            self.company.begins(uidvalidity, first.identity.number());
        }
        Ok(())
    }

    /// Was a message found there with which another account has begun to fill such a mailbox?
    fn holds_what_another_began(&self, id: JobId) -> Result<bool> {
        let job = &self.jobs[id];
        let begun = self.company.begun_by_others(job.route().to_uidvalidity);
        if begun.is_empty() {
            return Ok(false);
        }
        let archive = self.archive();
        for uid in job.found_there().iter() {
            let described = archive.describe(MessageRef { job: id, uid })?;
            if described.is_some_and(|it| begun.contains(&it.identity.number())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn archive(&self) -> ArchiveSide<'_> {
        ArchiveSide {
            jobs: self.jobs,
            repairs: self.settings.importing.repairs,
        }
    }

    /// There are more messages than what was there and what the target has taken.
    fn has_grown(&mut self, lane: &mut Lane<'_, AppendStep>, id: JobId) -> Result<bool> {
        self.count(lane, &[id])?;
        let taken = self.taken.get(&id).copied().unwrap_or(0);
        let before = self.jobs[id].messages_there();
        let now = self.merging.counted.get(&id);
        Ok(before
            .zip(now)
            .is_some_and(|(before, now)| *now > before + taken))
    }

    /// Looks at what came in between. Where it is the same mail, and other accounts of this run may be those that bring
    /// it, this one gives way to them.
    pub(super) fn look_into_gaps(&mut self, channel: &mut Channel) -> Result<()> {
        let gaps: Vec<(JobId, u32)> = std::mem::take(&mut self.gaps.open).into_iter().collect();
        for (id, from) in gaps {
            if self.jobs[id].todo().is_empty() || self.jobs[id].has_failed() {
                continue;
            }
            let is_anothers = self.gaps.anothers.remove(&id);
            let knew = is_anothers || self.experience.others.bring_the_same;
            if knew {
                self.give_way(id)?;
            }
            let between = self.find_between(channel, id, from)?;
            self.experience.others.idle_gaps = match between {
                0 => self.experience.others.idle_gaps + 1,
                _ => 0,
            };
            info!(
                mailbox = self.jobs[id].name(),
                the_same = between,
                "somebody else appends at the same time"
            );
            self.experience.others.bring_the_same |= between > 0;
            if !knew && self.experience.others.bring_the_same {
                // Even those that are through may have brought more since.
                self.give_way(id)?;
                self.find_between(channel, id, from)?;
            }
        }
        Ok(())
    }

    fn give_way(&mut self, id: JobId) -> Result<()> {
        let uidvalidity = self.jobs[id].route().to_uidvalidity;
        let gave_way = self.company.give_way(uidvalidity, self.stop);
        gave_way.ok_or_else(|| SessionError::stopped().into())
    }

    /// All is answered: nothing more comes to the mailboxes before the one at work.
    pub(super) fn leave_filled(&mut self) {
        let last = self.filling.len().saturating_sub(1);
        for id in self.filling.drain(..last) {
            self.company.filled(self.jobs[id].route().to_uidvalidity);
        }
    }

    /// How much of what came is what this account brings, or has brought.
    fn find_between(&mut self, channel: &mut Channel, id: JobId, from: u32) -> Result<usize> {
        let (route, wire) = (
            self.jobs[id].route(),
            self.jobs[id].place().name.wire().to_vec(),
        );
        let Ok(mut there) = holding::read_one(channel, &wire, Which::From(from), self.trouble)?
        else {
            return Ok(0);
        };
        there.leave_out(&self.journal.claimed(&route.to, route.to_uidvalidity));
        let archive = ArchiveSide {
            jobs: self.jobs,
            repairs: self.settings.importing.repairs,
        };
        let mut sought = Sought::new(archive);
        let todo = self.jobs[id].todo().iter().copied();
        sought.read(id, todo, &HashMap::new())?;
        let strange: HashSet<Identity> =
            there.messages.iter().filter_map(|it| it.identity).collect();
        let mut between = 0;
        for uid in self.jobs[id].taken().iter() {
            let described = archive.describe(MessageRef { job: id, uid })?;
            between += usize::from(described.is_some_and(|it| strange.contains(&it.identity)));
        }
        let (result, _) = sought.compare(channel, &wire, &there, self.trouble)?;
        let origins = sought.origins;
        let mut found = UidSet::new();
        for &(one, at) in result.matched.iter().chain(&result.rewritten) {
            let done = Done {
                uid: origins[one].uid,
                sha256: None,
                to_uid: Some(there.messages[at].uid),
                flags: None,
            };
            self.journal.done(&route, &done);
            found.insert(done.uid);
        }
        self.jobs[id].found_meanwhile(&found);
        Ok(between + usize::try_from(found.len()).unwrap_or(usize::MAX))
    }
}
