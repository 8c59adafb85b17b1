//! Somebody else appends to the same mailbox at the same time, perhaps another account of this run: a gap in the
//! UIDs shows it. What came in between counts as there if it is what was still to be sent.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use tracing::info;

use super::Appender;
use crate::archive::journal::Done;
use crate::mailbox::uidset::UidSet;
use crate::message::Identity;
use crate::session::channel::Channel;
use crate::session::error::SessionError;
use crate::target::holding::{self, Which};
use crate::target::mailbox::JobId;
use crate::target::matching::{ArchiveSide, MessageRef, Sought};

/// Looks that find nothing before gaps are taken for a habit of the server.
const MAX_IDLE: u32 = 3;

/// Gaps between the UIDs that were given to what was sent.
#[derive(Default)]
pub(super) struct Gaps {
    /// The UID that the next message gets, by mailbox of the target.
    next_uids: HashMap<Vec<u8>, u32>,
    /// Those that are to be looked into, by the first UID.
    open: HashMap<JobId, u32>,
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
        if let Some(from) = gap.filter(|_| self.experience.idle_gaps < MAX_IDLE) {
            self.gaps.open.entry(id).or_insert(from);
        }
    }

    /// Looks at what came in between. Where it is the same mail, and another account of this run brings it, the two go
    /// on one after the other.
    pub(super) fn look_into_gaps(&mut self, channel: &mut Channel) -> Result<()> {
        let gaps: Vec<(JobId, u32)> = std::mem::take(&mut self.gaps.open).into_iter().collect();
        for (id, from) in gaps {
            if self.jobs[id].todo().is_empty() || self.jobs[id].has_failed() {
                continue;
            }
            let between = self.find_between(channel, id, from)?;
            self.experience.idle_gaps = match between {
                0 => self.experience.idle_gaps + 1,
                _ => 0,
            };
            info!(
                mailbox = self.jobs[id].name(),
                the_same = between,
                "somebody else appends at the same time"
            );
            let is_ours = self.turn.as_ref().is_some_and(|(of, _)| *of == id);
            if between == 0 || is_ours {
                continue;
            }
            self.turn = None;
            let name = format!("mailboxes of {}", self.jobs[id].route().to_uidvalidity);
            let Some((turn, waited)) = self.turns.take_all([name].into(), self.stop) else {
                return Err(SessionError::stopped().into());
            };
            self.turn = Some((id, turn));
            if waited {
                self.find_between(channel, id, from)?;
            }
        }
        Ok(())
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
