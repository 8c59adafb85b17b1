//! Flags that changed in the archive since their messages were imported follow, unless somebody changed them on the
//! target: his win.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use tracing::{debug, info, warn};

use crate::archive::journal::{Done, Flags, Journal};
use crate::mailbox::uidset::UidSet;
use crate::session::channel::Channel;
use crate::session::fetch;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{NoBody, Response};
use crate::session::response::{self, Condition};
use crate::session::select::{self, Selected};
use crate::session::store::{
    self,
    FlagChange::{Add, Remove},
};
use crate::target::flags;
use crate::target::mailbox::{Job, JobId, Jobs};

/// Messages in one command.
const BATCH: usize = 500;

/// A message whose flags the archive has changed.
struct Changed {
    uid: u32,
    to_uid: u32,
    before: Flags,
    now: String,
}

/// Flags to be added, and flags to be taken away.
type FlagDiff = (String, String);
/// Flags on the target, by UID.
type Shown = HashMap<u32, String>;
/// UIDs in the archive and on the target, and the flags that they are to have, by what changes.
type Groups = BTreeMap<FlagDiff, Vec<(u32, u32, Flags)>>;

/// Stores what changed; in a dry run it is only counted.
///
/// # Errors
/// Those of the connection.
pub fn follow(
    channel: &mut Channel,
    jobs: &mut Jobs,
    journal: &mut Journal,
    dry_run: bool,
) -> Result<()> {
    for id in jobs.ids() {
        let changed = changed(&jobs[id]);
        if changed.is_empty() {
            continue;
        }
        if dry_run {
            jobs[id].told.flags_changed += changed.len() as u64;
        } else {
            bring(channel, jobs, id, journal, changed)?;
        }
    }
    Ok(())
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

fn bring(
    channel: &mut Channel,
    jobs: &mut Jobs,
    id: JobId,
    journal: &mut Journal,
    changed: Vec<Changed>,
) -> Result<()> {
    let route = jobs[id].route();
    let select = select::select(&jobs[id].place().wire, &channel.capabilities)?;
    let mut selected = Selected::default();
    let status = channel.run(&select, |response| selected.take(response))?;
    if status.condition != Condition::Ok || selected.uidvalidity != route.to_uidvalidity {
        debug!(answer = status.said(), "flags do not follow here");
        return Ok(());
    }
    let to_uids: Vec<u32> = changed.iter().map(|one| one.to_uid).collect();
    let there = read(channel, &to_uids)?;
    let (groups, left) = grouped(changed, &there, selected.permanent_flags.as_deref());
    if left > 0 {
        let text =
            format!("the flags of {left} messages were changed on the target as well, and stay");
        jobs[id].told.notes.push(text);
    }
    let (refused, mut shown) = send(channel, &groups)?;
    // An OK is not the change: what the answers do not show is stored once more, alone, and looked at.
    let doubtful = doubtful(&groups, &refused, &shown);
    if !doubtful.is_empty() {
        shown.extend(store_alone(channel, &doubtful)?);
    }
    for (group, refusal) in groups.into_values().zip(refused) {
        note_group(&mut jobs[id], journal, group, refusal, &shown);
    }
    info!(
        mailbox = jobs[id].name(),
        messages = jobs[id].told.flags_changed,
        "flags followed"
    );
    Ok(())
}

/// What became of one change.
fn note_group(
    job: &mut Job,
    journal: &mut Journal,
    group: Vec<(u32, u32, Flags)>,
    refusal: Option<String>,
    shown: &Shown,
) {
    if let Some(words) = refusal {
        let text = format!(
            "the flags of {} messages cannot be changed: {words}",
            group.len()
        );
        warn!(mailbox = job.name(), "{text}");
        job.told.notes.push(text);
        return;
    }
    let (kept, lost): (Vec<_>, Vec<_>) = group
        .into_iter()
        .partition(|(_, to_uid, flags)| is_shown(shown, *to_uid, flags));
    if !lost.is_empty() {
        let text = format!(
            "the target says OK to new flags of {} messages and does not keep them",
            lost.len()
        );
        warn!(mailbox = job.name(), "{text}");
        job.told.notes.push(text);
    }
    job.told.flags_changed += kept.len() as u64;
    let route = job.route();
    for (uid, to_uid, flags) in kept {
        let done = Done {
            uid,
            sha256: None,
            to_uid: Some(to_uid),
            flags: Some(flags),
        };
        journal.done(&route, &done);
    }
}

/// What is to be changed, and how many messages are left alone: somebody changed their flags on the target as well.
fn grouped(changed: Vec<Changed>, there: &Shown, permanent: Option<&[String]>) -> (Groups, u64) {
    let mut groups = Groups::new();
    let mut left = 0;
    for one in changed {
        let Some(current) = there.get(&one.to_uid) else {
            continue;
        };
        if flags::set(current) != flags::set(&one.before.sent) {
            left += 1;
            continue;
        }
        let kept = flags::kept(permanent, &one.now).flags;
        let change = (
            without(&kept, &one.before.sent),
            without(&one.before.sent, &kept),
        );
        let now = Flags {
            archived: one.now.as_str().into(),
            sent: kept.as_str().into(),
        };
        let group = groups.entry(change).or_default();
        group.push((one.uid, one.to_uid, now));
    }
    (groups, left)
}

/// The flags that these messages have on the target now.
fn read(channel: &mut Channel, to_uids: &[u32]) -> Result<Shown> {
    let mut there = HashMap::new();
    for part in to_uids.chunks(BATCH) {
        let set: UidSet = part.iter().copied().collect();
        channel.run(&fetch::flags(set), |response| note(&mut there, response))?;
    }
    Ok(there)
}

/// Takes the flags that a FETCH response shows.
fn note(shown: &mut Shown, response: &Response) {
    if let Some(Ok(data)) = response::parse_fetch(response)
        && let Some((uid, flags)) = data.uid.zip(data.flags)
    {
        shown.insert(uid, flags.join(" "));
    }
}

fn is_shown(shown: &Shown, to_uid: u32, flags: &Flags) -> bool {
    shown
        .get(&to_uid)
        .is_some_and(|shown| flags::set(shown) == flags::set(&flags.sent))
}

/// Changes that were not refused and that no answer shows.
fn doubtful<'a>(
    groups: &'a Groups,
    refused: &[Option<String>],
    shown: &Shown,
) -> Vec<(&'a FlagDiff, u32)> {
    let mut doubtful = Vec::new();
    for ((change, group), refusal) in groups.iter().zip(refused) {
        for (_, to_uid, flags) in group {
            if refusal.is_none() && !is_shown(shown, *to_uid, flags) {
                doubtful.push((change, *to_uid));
            }
        }
    }
    doubtful
}

/// Stores each of these by a command of its own, and reads what is there then.
fn store_alone(channel: &mut Channel, doubtful: &[(&FlagDiff, u32)]) -> Result<Shown> {
    for part in doubtful.chunks(BATCH) {
        let mut lane: Lane<'_, ()> = Lane::new(channel);
        for ((add, remove), to_uid) in part {
            for (change, flags) in [(Add, add), (Remove, remove)] {
                if !flags.is_empty() {
                    let store = store::flags_silently(to_uid, change, flags);
                    lane.send(&store, (), Order::Loose)?;
                }
            }
        }
        while lane.outstanding() > 0 {
            lane.next(&mut NoBody)?;
        }
    }
    let to_uids: Vec<u32> = doubtful.iter().map(|(_, to_uid)| *to_uid).collect();
    read(channel, &to_uids)
}

/// Sends the changes ahead of their answers; for each the words with which it was refused, if it was, and the flags
/// that the answers show.
fn send(channel: &mut Channel, groups: &Groups) -> Result<(Vec<Option<String>>, Shown)> {
    let mut lane: Lane<'_, usize> = Lane::new(channel);
    let mut refused = vec![None; groups.len()];
    let mut shown = HashMap::new();
    for (at, ((add, remove), group)) in groups.iter().enumerate() {
        for part in group.chunks(BATCH) {
            let set: UidSet = part.iter().map(|(_, to_uid, _)| *to_uid).collect();
            for (change, flags) in [(Add, add), (Remove, remove)] {
                if !flags.is_empty() {
                    let store = store::flags(&set, change, flags);
                    lane.send(&store, at, Order::Loose)?;
                }
            }
        }
    }
    while lane.outstanding() > 0 {
        match lane.next(&mut NoBody)? {
            Answer::Untagged(_, response) => note(&mut shown, response),
            Answer::Done(at, status) if status.condition != Condition::Ok => {
                refused[at] = Some(status.said());
            }
            Answer::Done(..) => {}
        }
    }
    Ok((refused, shown))
}

/// The flags of `one` that are not among those of `other`.
fn without(one: &str, other: &str) -> String {
    let known = flags::set(other);
    let words = one.split_ascii_whitespace();
    let words = words.filter(|flag| !known.contains(&flag.to_ascii_lowercase()));
    words.collect::<Vec<_>>().join(" ")
}
