//! Whose messages a mailbox of the target holds.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use anyhow::Result;

use super::Evidence;
use crate::mailbox::Name;
use crate::message::Identity;
use crate::session::channel::Channel;
use crate::target::holding::{self, Holding, Which};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::message;
use crate::target::trouble::Trouble;

/// How much of a mailbox of the archive is in one of the target.
pub(super) struct Share {
    /// Messages that are there.
    pub found: usize,
    /// There are some, and none is missing.
    pub is_all: bool,
}

impl Evidence<'_> {
    /// How much of a mailbox of the archive is there, by the headers.
    pub(super) fn has_there(&self, job: &Job, there: &Holding) -> Result<Share> {
        let held: HashSet<Identity> = there
            .messages
            .iter()
            .filter_map(|one| one.identity)
            .collect();
        let (mut found, mut is_all) = (0, true);
        for uid in job.expected() {
            let here = message::describe(&job.here().dir, uid, self.repairs)?;
            let is_there = here.is_some_and(|here| {
                held.contains(&here.identity) || here.loose.is_some_and(|it| held.contains(&it))
            });
            found += usize::from(is_there);
            is_all &= is_there;
        }
        is_all &= found > 0;
        Ok(Share { found, is_all })
    }
}

/// What both names hold, if it is the same. Somebody may be at work there, so what only one of them shows is nothing.
pub(super) fn one_mailbox(
    channel: &mut Channel,
    job: &Job,
    other: &Name,
    trouble: &mut Trouble,
) -> Result<Option<Holding>> {
    let wire = job.place().name.wire();
    let Ok(one) = holding::read_one(channel, wire, Which::All, trouble)? else {
        return Ok(None);
    };
    let Ok(two) = holding::read_one(channel, other.wire(), Which::All, trouble)? else {
        return Ok(None);
    };
    let there: HashMap<u32, Identity> = identities(&two).collect();
    let mut common = 0;
    for (uid, identity) in identities(&one) {
        match there.get(&uid) {
            Some(other) if *other != identity => return Ok(None),
            Some(_) => common += 1,
            None => {}
        }
    }
    let most = one.messages.len().max(two.messages.len());
    Ok((common * 2 > most).then_some(one))
}

fn identities(there: &Holding) -> impl Iterator<Item = (u32, Identity)> + '_ {
    let messages = there.messages.iter();
    messages.filter_map(|one| Some((one.uid, one.identity?)))
}

/// Each mailbox goes to the place where most of its messages are, and the rest where they went before.
pub(super) fn deal(jobs: &mut Jobs, ids: Vec<JobId>, mut shares: Vec<(usize, bool, JobId, JobId)>) {
    shares.retain(|(found, ..)| *found > 0);
    shares.sort_by_key(|(found, is_its, id, place)| {
        (std::cmp::Reverse(*found), !*is_its, *id, *place)
    });
    let mut dealt: BTreeMap<JobId, JobId> = BTreeMap::new();
    for (_, _, id, place) in shares {
        if !dealt.contains_key(&id) && !dealt.values().any(|taken| *taken == place) {
            dealt.insert(id, place);
        }
    }
    let free = |place: &JobId| !dealt.values().any(|taken| taken == place);
    let mut free: VecDeque<JobId> = ids.iter().copied().filter(free).collect();
    for id in ids {
        if dealt.contains_key(&id) {
            continue;
        }
        let own = free.iter().position(|place| *place == id).unwrap_or(0);
        dealt.extend(free.remove(own).map(|place| (id, place)));
    }
    jobs.exchange_places(&dealt);
}
