//! Two mailboxes that the target lists as two but that are one: one grows by what was appended to the other. That is
//! checked before anything goes to the second.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::{AppendStep, Appender, leave};
use crate::session::lane::{Lane, Order};
use crate::session::manage;
use crate::session::select;
use crate::target::alias;
use crate::target::mailbox::JobId;

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// Mailboxes that turn out to be one.
#[derive(Default)]
pub struct MergedMailboxes {
    /// Those that are one with another, which has its own mail: nothing was sent there.
    pub pairs: Vec<(JobId, JobId)>,
    /// Those of which it is known.
    looked_at: HashSet<JobId>,
    /// Messages that STATUS has counted last.
    pub(super) counted: HashMap<JobId, u64>,
}

impl Appender<'_> {
    /// True for a mailbox that turns out to be the same as another that was filled on this connection: nothing goes
    /// there.
    ///
    /// Only those are looked at that had the same numbers when they were opened and that MAILBOXID does not tell apart.
    pub(super) fn is_merged(&mut self, lane: &mut Lane<'_, AppendStep>, id: JobId) -> Result<bool> {
        if self.merging.pairs.iter().any(|(later, _)| *later == id) {
            return Ok(true);
        }
        if self.batches.contains_key(&id) || !self.merging.looked_at.insert(id) {
            return Ok(false);
        }
        let others = self.alike(id);
        let Some(before) = self.jobs[id]
            .messages_there()
            .filter(|_| !others.is_empty())
        else {
            return Ok(false);
        };
        // What is under way counts only when it is answered.
        self.hear(lane)?;
        self.count(lane, &[id])?;
        let now = self.merging.counted.get(&id).copied();
        if now.is_none_or(|now| now <= before) {
            return Ok(false);
        }
        self.count(lane, &others)?;
        let same = self.same_as(id, others);
        self.merging.pairs.extend(same.map(|other| (id, other)));
        Ok(same.is_some())
    }

    /// The one of these that has grown as much; rather the one whose name the target may take for this one's.
    fn same_as(&self, id: JobId, mut others: Vec<JobId>) -> Option<JobId> {
        let name = |id: JobId| self.jobs[id].place().name.text();
        let now = self.merging.counted.get(&id);
        others.retain(|other| self.merging.counted.get(other) == now);
        let likeness = |other: &&JobId| alias::likeness(name(id), name(**other));
        // The first of those that are as like.
        others.iter().rev().max_by_key(likeness).copied()
    }

    /// The same for mailboxes to which nothing is sent: what comes to them one day must not go to another's.
    pub(super) fn find_merged_empties(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        let is_empty = |id: &JobId| {
            let job = &self.jobs[*id];
            job.place().exists && job.is_empty_there() && !job.has_failed()
        };
        let mut ids = self.jobs.ids();
        ids.retain(|id| {
            is_empty(id) && !self.batches.contains_key(id) && !self.alike(*id).is_empty()
        });
        ids.retain(|id| self.merging.looked_at.insert(*id));
        self.count(lane, &ids)?;
        ids.retain(|id| self.merging.counted.get(id).is_some_and(|now| *now > 0));
        for id in ids {
            let others = self.alike(id);
            self.count(lane, &others)?;
            let same = self.same_as(id, others);
            self.merging.pairs.extend(same.map(|other| (id, other)));
        }
        Ok(())
    }

    /// Mailboxes that messages were sent to on this connection and that could be the same.
    fn alike(&self, id: JobId) -> Vec<JobId> {
        let job = &self.jobs[id];
        let is_alike = |other: &JobId| {
            let (there, theirs) = (job.identity_there(), self.jobs[*other].identity_there());
            let is_told_apart = there.is_some() && theirs.is_some() && there != theirs;
            let other = &self.jobs[*other];
            !is_told_apart
                && other.figures_there() == job.figures_there()
                && other.place().name.wire() != job.place().name.wire()
                && !other.place().is_meant_with(job.place())
        };
        let mut filled: Vec<JobId> = self.batches.keys().copied().filter(is_alike).collect();
        filled.sort_unstable();
        filled
    }

    pub(super) fn count(&mut self, lane: &mut Lane<'_, AppendStep>, ids: &[JobId]) -> Result<()> {
        for id in ids {
            self.merging.counted.remove(id);
        }
        for ids in ids.chunks(WINDOW) {
            for &id in ids {
                let wire = self.jobs[id].place().name.wire();
                let ask = manage::messages(wire, lane.capabilities())?;
                lane.send(&ask, AppendStep::Count(id), Order::Loose)?;
            }
            self.hear(lane)?;
        }
        // A server that gives no STATUS counts what it opens.
        let unsaid = ids
            .iter()
            .filter(|id| !self.merging.counted.contains_key(id));
        let unsaid: Vec<JobId> = unsaid.copied().collect();
        for &id in &unsaid {
            let wire = self.jobs[id].place().name.wire();
            let open = select::examine(wire, lane.capabilities())?;
            lane.send(&open, AppendStep::Count(id), Order::Strict)?;
            self.hear(lane)?;
        }
        if !unsaid.is_empty() {
            leave(lane)?;
        }
        self.hear(lane)
    }
}
