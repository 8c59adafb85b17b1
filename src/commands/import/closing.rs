//! When all is appended, the target is asked how many messages it has. Where that is not what was there and what it
//! took, or where something was sent a second time, it is looked at once more.
//!
//! What came twice, as an APPEND of a lost connection took effect late or somebody else imports the same, is reported
//! and never removed. What it said OK to and does not have counts as not imported.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, info_span, warn};

use super::reconcile::Reconciler;
use crate::archive::journal::Done;
use crate::compare::Comparison;
use crate::mailbox::uidset::UidSet;
use crate::session::channel::Channel;
use crate::session::error::SessionError;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::manage;
use crate::session::reader::NoBody;
use crate::session::response;
use crate::stop::Stop;
use crate::target::holding::{self, Holding, Which};
use crate::target::mailbox::{JobId, Refused};
use crate::target::matching::{ArchiveSide, MessageRef, Sought};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;
/// How long after the loss of a connection its messages may still take effect, and be told.
const LATE: Duration = Duration::from_secs(30);
/// How long a server is given to show what it has taken.
const GRACE: Duration = Duration::from_secs(2);
/// Why a message counts as not imported although the target took it.
const SWALLOWED: &str = "the target said OK to it but does not have it: it was not kept, or deleted at once; validate --resync-missing sends it again";

/// What this connection did.
pub struct Sent<'a> {
    /// Messages that the target has taken.
    pub taken: &'a HashMap<JobId, u64>,
    /// Mailboxes in which something was sent again.
    pub again: &'a BTreeSet<JobId>,
}

/// Waits for what was sent on a connection that was `lost` then, and sent a second time since: the first copy may arrive
/// all the same, and what comes twice is to be told.
pub fn let_arrive(lost: Instant, timeout: Duration, stop: &Stop) {
    let wait = LATE
        .min(timeout + timeout / 2)
        .saturating_sub(lost.elapsed());
    if wait.is_zero() {
        return;
    }
    info!(
        "messages were sent a second time: waiting {:.1} s to see whether the first copies arrive all the same",
        wait.as_secs_f32()
    );
    // Whoever stops the run wants to know how it ends, but not to wait.
    let _ = stop.sleep(wait);
}

impl Reconciler<'_> {
    /// Looks again where there is reason to.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn close(&mut self, channel: &mut Channel, sent: &Sent<'_>, stop: &Stop) -> Result<()> {
        let mut groups = self.groups(&self.jobs.ids());
        groups.retain(|group| {
            let is_ours = |id: &JobId| sent.taken.contains_key(id) || sent.again.contains(id);
            group.iter().any(is_ours)
        });
        let counts = self.count(channel, &groups)?;
        for (group, count) in groups.iter().zip(counts) {
            let before = self.jobs[group[0]].messages_there();
            let taken: u64 = group.iter().filter_map(|id| sent.taken.get(id)).sum();
            let odd = before
                .zip(count)
                .is_some_and(|(before, count)| count != before + taken);
            if odd || group.iter().any(|id| sent.again.contains(id)) {
                self.look_again(channel, group, stop)?;
            }
        }
        Ok(())
    }

    /// How many messages each has now, where the target says so.
    fn count(&self, channel: &mut Channel, groups: &[Vec<JobId>]) -> Result<Vec<Option<u64>>> {
        let mut lane: Lane<'_, usize> = Lane::new(channel);
        let mut counts = vec![None; groups.len()];
        let mut queue = groups.iter().zip(0..).peekable();
        while lane.outstanding() > 0 || queue.peek().is_some() {
            if lane.outstanding() < WINDOW
                && let Some((group, at)) = queue.next()
            {
                let wire = self.jobs[group[0]].place().name.wire();
                let ask = manage::messages(wire, lane.capabilities())?;
                lane.send(&ask, at, Order::Loose)?;
                continue;
            }
            if let Answer::Untagged(at, response) = lane.next(&mut NoBody)?
                && let Some(Ok((_, status))) = response::parse_mailbox_status(response)
            {
                counts[*at] = status.messages;
            }
        }
        Ok(counts)
    }

    fn look_again(&mut self, channel: &mut Channel, group: &[JobId], stop: &Stop) -> Result<()> {
        let span = info_span!("mailbox", mailbox = self.jobs[group[0]].name());
        let _entered = span.enter();
        let first = group.iter().map(|id| self.jobs[*id].uidnext_at_first());
        let Some(from) = first.min().filter(|from| *from > 0) else {
            return Ok(());
        };
        let Some(mut seen) = self.compare_since(channel, group, from)? else {
            return Ok(());
        };
        if !seen.swallowed(self).is_empty() {
            if stop.sleep(GRACE) {
                return Err(SessionError::stopped().into());
            }
            match self.compare_since(channel, group, from)? {
                Some(later) => seen = later,
                None => return Ok(()),
            }
        }
        self.tell_doubled(group, &seen);
        for origin in seen.swallowed(self) {
            let MessageRef { job: id, uid } = origin;
            warn!(uid, "{SWALLOWED}");
            let job = &mut self.jobs[id];
            job.not_taken(uid);
            job.refuse(Refused {
                uid,
                size: None,
                reason: SWALLOWED.to_owned(),
            });
            let done = Done {
                uid,
                sha256: None,
                to_uid: None,
                flags: None,
            };
            // A user may have deleted it: it does not come back by itself, but a validation names it.
            self.journal.done(&self.jobs[id].route(), &done);
        }
        Ok(())
    }

    /// What came to this mailbox since the run began, compared with what the run knows of.
    fn compare_since(
        &mut self,
        channel: &mut Channel,
        group: &[JobId],
        from: u32,
    ) -> Result<Option<Since>> {
        let wire = self.jobs[group[0]].place().name.wire().to_vec();
        let there = match holding::read_one(channel, &wire, Which::From(from), self.trouble)? {
            Ok(there) => there,
            Err(words) => {
                warn!(words, "it is not known what came twice, if anything did");
                return Ok(None);
            }
        };
        let mut sought = Sought::new(ArchiveSide {
            jobs: self.jobs,
            repairs: self.repairs,
        });
        for &id in group {
            let job = &self.jobs[id];
            let known = self.journal.known(&job.route());
            let on_record: HashMap<u32, u32> = known.pairs.into_iter().collect();
            // Only what came since then.
            let uids = job
                .taken()
                .iter()
                .chain(job.found_there().iter())
                .filter(|uid| on_record.get(uid).is_none_or(|to_uid| *to_uid >= from));
            sought.read(id, uids, &on_record)?;
        }
        info!(messages = there.messages.len(), "looked at once more");
        let (result, _) = sought.compare(channel, &wire, &there, self.trouble)?;
        Ok(Some(Since {
            origins: sought.origins,
            there,
            result,
        }))
    }

    fn tell_doubled(&mut self, group: &[JobId], seen: &Since) {
        let messages = &seen.there.messages;
        let pairs = seen.result.matched.iter().chain(&seen.result.rewritten);
        let ours: HashSet<_> = pairs
            .map(|(_, at)| (messages[*at].identity, messages[*at].size))
            .collect();
        let doubled = seen.result.doubled.iter().map(|at| messages[*at]);
        let doubled: UidSet = doubled
            .filter(|there| ours.contains(&(there.identity, there.size)))
            .map(|there| there.uid)
            .collect();
        if !doubled.is_empty() {
            let job = &mut self.jobs[group[0]];
            warn!(
                "came twice: {} on the target; nothing is removed: look there, and delete one of each",
                doubled.told()
            );
            job.told_mut().double(doubled);
        }
    }
}

/// What came to a mailbox since the run began.
struct Since {
    origins: Vec<MessageRef>,
    there: Holding,
    result: Comparison,
}

impl Since {
    /// Messages that the target took, and does not have.
    fn swallowed(&self, reconciler: &Reconciler<'_>) -> Vec<MessageRef> {
        let missing = self.result.missing.iter().map(|one| self.origins[*one]);
        missing
            .filter(|origin| reconciler.jobs[origin.job].taken().contains(origin.uid))
            .collect()
    }
}
