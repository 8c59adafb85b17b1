//! Flags that changed in the archive since their messages were imported follow, unless somebody changed them on the
//! target: theirs win.

mod change;
mod flight;
mod follower;
mod suspects;

use std::collections::HashMap;

use anyhow::Result;
use tracing::info;

use crate::archive::journal::Journal;
use crate::session::channel::Channel;
use crate::target::flags;
use crate::target::mailbox::{Job, Jobs};
use flight::FlagFlight;
use follower::{Changed, Follower};
pub use suspects::FlagSuspects;

/// Mailboxes, and messages, whose flags follow together.
const TOGETHER: (usize, usize) = (32, 20_000);

/// Stores what changed; in a dry run it is only counted.
///
/// # Errors
/// Those of the connection.
pub fn follow(
    channel: &mut Channel,
    jobs: &mut Jobs,
    journal: &mut Journal,
    suspects: &mut FlagSuspects,
    dry_run: bool,
) -> Result<()> {
    let mut flight = FlagFlight {
        channel,
        suspects,
        dry_run,
    };
    let mut followers: Vec<Follower> = Vec::new();
    let mut messages = 0;
    for id in jobs.ids() {
        let changed = changed(&jobs[id]);
        if changed.is_empty() {
            continue;
        }
        messages += changed.len();
        let mut follower = Follower::new(id, &jobs[id], changed, dry_run);
        follower.closed = flight.suspects.mailbox_over(id);
        followers.push(follower);
        if followers.len() >= TOGETHER.0 || messages >= TOGETHER.1 {
            bring(&mut flight, jobs, journal, std::mem::take(&mut followers))?;
            messages = 0;
        }
    }
    bring(&mut flight, jobs, journal, followers)
}

/// What the archive has changed since.
fn changed(job: &Job) -> Vec<Changed> {
    let known = job.known();
    let to_uids: HashMap<u32, u32> = known.pairs.iter().copied().collect();
    let mut changed = Vec::new();
    if job.has_failed() || !job.place().exists {
        return changed;
    }
    for uid in job.uids().iter() {
        let (Some(before), Some(to_uid)) = (known.flags.get(&uid), to_uids.get(&uid)) else {
            continue;
        };
        let Ok(sidecar) = job.here().dir.read_sidecar(uid) else {
            continue;
        };
        let is_same = *sidecar.flags == *before.archived
            || flags::set(&sidecar.flags) == flags::set(&before.archived);
        if !is_same {
            changed.push(Changed {
                uid,
                to_uid: *to_uid,
                before: before.clone(),
                now: sidecar.flags,
            });
        }
    }
    changed
}

/// Stores the changes of these mailboxes: their flags are read in one flight, and changed in the next.
fn bring(
    flight: &mut FlagFlight<'_>,
    jobs: &mut Jobs,
    journal: &mut Journal,
    mut followers: Vec<Follower>,
) -> Result<()> {
    flight.read(&mut followers, |follower| {
        follower.changed.iter().map(|one| one.to_uid).collect()
    })?;
    let batch = flight.batch();
    for follower in followers.iter_mut().filter(|one| one.closed.is_none()) {
        follower.plan(flight.suspects, batch);
    }
    if flight.dry_run {
        for follower in followers {
            let id = follower.id;
            follower.rehearse(&mut jobs[id]);
        }
        return Ok(());
    }
    flight.store(&mut followers)?;
    followers.iter_mut().for_each(Follower::again);
    flight.store(&mut followers)?;
    flight.read(&mut followers, |follower| follower.doubtful().collect())?;
    for follower in followers {
        let id = follower.id;
        follower.conclude(&mut jobs[id], journal);
        info!(
            mailbox = jobs[id].name(),
            messages = jobs[id].told().flags_changed(),
            "flags followed"
        );
    }
    Ok(())
}
