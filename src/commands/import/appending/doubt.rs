//! A refused MULTIAPPEND may have been stored in part, whatever RFC 3502 says, and a refused message all the same: the
//! target is looked at before any of it is sent again.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use tracing::warn;

use super::Appender;
use super::item::{Batch, Item};
use crate::mailbox::uidset::UidSet;
use crate::session::channel::Channel;
use crate::session::manage;
use crate::target::holding::{self, Which};
use crate::target::mailbox::JobId;
use crate::target::matching::{ArchiveSide, Sought};

impl Appender<'_> {
    /// Finds out what the target has of the refused batches; the rest is sent again in smaller parts.
    pub(super) fn look(&mut self, channel: &mut Channel) -> Result<()> {
        let mut rest = Vec::new();
        let mut doubtful = std::mem::take(&mut self.queue.doubtful);
        while let Some(first) = doubtful.first() {
            let id = first.id;
            let (mut batches, others) = doubtful.into_iter().partition(|batch| batch.id == id);
            doubtful = others;
            if self.may_hold_more(channel, id)? {
                self.take_out(channel, id, &mut batches)?;
            }
            rest.append(&mut batches);
        }
        for batch in rest.into_iter().rev() {
            if self.ways.multi && batch.items.len() > 1 {
                let halves = batch.halves();
                halves
                    .into_iter()
                    .rev()
                    .for_each(|half| self.queue.again.push_front(half));
            } else {
                let parts = batch.parts(|_| true);
                parts
                    .into_iter()
                    .rev()
                    .for_each(|part| self.queue.again.push_front(part));
            }
        }
        Ok(())
    }

    /// Does the mailbox hold more than what was there and what the target said it has taken?
    fn may_hold_more(&self, channel: &mut Channel, id: JobId) -> Result<bool> {
        let job = &self.jobs[id];
        let there = manage::count(channel, job.place().name.wire())?;
        let taken = self.taken.get(&id).copied().unwrap_or(0);
        let expected = job.messages_there().map(|before| before + taken);
        Ok(there
            .zip(expected)
            .is_none_or(|(there, expected)| there > expected))
    }

    /// Takes what the target has stored out of the batches.
    fn take_out(&mut self, channel: &mut Channel, id: JobId, batches: &mut [Batch]) -> Result<()> {
        let job = &self.jobs[id];
        let (route, wire) = (job.route(), job.place().name.wire().to_vec());
        let from = Which::From(job.uidnext_there().max(1));
        let mut there = match holding::read_one(channel, &wire, from, self.trouble)? {
            Ok(there) => there,
            Err(words) => return Err(anyhow!("{}: {words}", job.name())),
        };
        there.leave_out(&self.journal.claimed(&route.to, route.to_uidvalidity));
        // Without UIDPLUS nobody knows which of them were taken before.
        let known = self.journal.known(&route);
        let blind = job.taken().iter().filter(|uid| known.blind.contains(*uid));
        let sent = batches.iter().flat_map(|batch| &batch.items).map(Item::uid);
        let uids: UidSet = blind.chain(sent).collect();
        let mut sought = Sought::new(ArchiveSide {
            jobs: self.jobs,
            repairs: self.settings.importing.repairs,
        });
        sought.read(id, uids.iter(), &HashMap::new())?;
        let (result, _) = sought.compare(channel, &wire, &there, self.trouble)?;
        let origins = sought.origins;
        let pairs = result.matched.iter().chain(&result.rewritten);
        let stored: HashMap<u32, u32> = pairs
            .map(|(one, at)| (origins[*one].uid, there.messages[*at].uid))
            .collect();
        let unknown = result.unknown.iter().map(|one| origins[*one].uid);
        let unknown: UidSet = unknown.collect();
        for batch in batches {
            let is_part = batch.items.len() > 1;
            for item in std::mem::take(&mut batch.items) {
                let uid = item.uid();
                if let Some(to_uid) = stored.get(&uid) {
                    if is_part {
                        self.stores_in_part(id);
                    } else {
                        warn!(uid, "the target had stored a message that it refused");
                    }
                    self.keep(id, item, Some(*to_uid));
                } else if unknown.contains(uid) {
                    let reason =
                        "it is not known whether the target has stored it: it is not sent again";
                    self.refuse(id, uid, Some(item.size()), reason.to_owned())?;
                } else {
                    batch.items.push(item);
                }
            }
        }
        Ok(())
    }

    fn stores_in_part(&mut self, id: JobId) {
        if !self.experience.stores_in_part {
            let text = "the target had stored part of what it refused (MULTIAPPEND); each message is sent alone";
            warn!(mailbox = self.jobs[id].name(), "{text}");
            self.jobs[id].tell(text);
        }
        self.experience.stores_in_part = true;
        self.ways.multi = false;
    }
}
