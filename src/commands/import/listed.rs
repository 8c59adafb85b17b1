//! The name under which the target has what was just created. It may trim, cut, compose or fold names: what LIST shows
//! counts, and two mailboxes that turn out to be one there are told apart.

use std::collections::HashMap;

use crate::mailbox::Name;
use crate::mapping::Why;
use crate::session::channel::Channel;
use crate::session::error::Result;
use crate::session::list::{self, StatusItems};
use crate::target::alias::{Evidence, TargetNames};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::trouble::Trouble;

/// Believes LIST about mailboxes that it shows under other names than they were opened with. `before` is what the
/// target had listed before anything was created.
///
/// # Errors
/// Those of the connection.
pub fn believe(
    channel: &mut Channel,
    jobs: &mut Jobs,
    unlisted: &[JobId],
    before: &TargetNames,
) -> Result<()> {
    if unlisted.is_empty() {
        return Ok(());
    }
    let listing = list::list(channel, StatusItems::Plain, |_| false)?;
    let names: Vec<&Name> = listing
        .mailboxes
        .iter()
        .map(|there| &there.listed.name)
        .collect();
    for &id in unlisted {
        let job = &mut jobs[id];
        if names
            .iter()
            .any(|name| name.wire() == job.place().name.wire())
        {
            continue;
        }
        before.believe(job, &names);
    }
    Ok(())
}

/// Finds those of these mailboxes, which were created and cannot be opened, that LIST shows by other names; returns them.
///
/// # Errors
/// Those of the connection.
pub fn made_by_another_name(
    channel: &mut Channel,
    jobs: &mut Jobs,
    made: &[JobId],
    before: &TargetNames,
) -> Result<Vec<JobId>> {
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let listing = list::list(channel, StatusItems::Plain, |_| false)?;
    let mut found = Vec::new();
    for &id in made {
        let is_free = |name: &&Name| jobs.iter().all(|job| job.place().name != **name);
        let names = listing.mailboxes.iter().map(|there| &there.listed.name);
        let names: Vec<&Name> = names.filter(is_free).collect();
        if before.believe_made(&mut jobs[id], &names) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Mailboxes that are planned apart and are one on the target: one of each two gets another name, and is returned.
/// `opened` were opened just now.
///
/// # Errors
/// Those of the connection and of the archive's file system.
pub fn tell_apart(
    channel: &mut Channel,
    jobs: &mut Jobs,
    opened: &[JobId],
    evidence: Evidence<'_>,
    trouble: &mut Trouble,
) -> anyhow::Result<Vec<JobId>> {
    let mut ids = jobs.ids();
    ids.retain(|id| jobs[*id].place().exists && !jobs[*id].has_failed());
    // A mailbox that is listed under the very name planned for it keeps it.
    ids.sort_by_key(|id| {
        let job = &jobs[*id];
        let is_as_planned = job.place().is_as_planned();
        (is_made_full(job, evidence.names), !is_as_planned, *id)
    });
    let mut apart = evidence.tell_apart_from_others(channel, jobs, &ids, trouble)?;
    let mut first: HashMap<String, JobId> = HashMap::new();
    for id in ids
        .into_iter()
        .filter(|id| !apart.contains(id))
        .collect::<Vec<_>>()
    {
        let keys = keys(&jobs[id]);
        let known = keys.iter().find_map(|key| first.get(key)).copied();
        match known.filter(|known| !jobs[*known].place().is_meant_with(jobs[id].place())) {
            Some(known) => {
                let keeper = evidence.keeper(channel, jobs, &[known, id], trouble)?;
                let later = if keeper == id { known } else { id };
                evidence.tell_apart_from(channel, jobs, later, keeper)?;
                apart.push(later);
                first
                    .values_mut()
                    .filter(|of| **of == later)
                    .for_each(|of| *of = keeper);
            }
            None => {
                for key in keys {
                    first.entry(key).or_insert(id);
                }
            }
        }
    }
    // What was listed with its numbers has been looked at before.
    let is_news = |id: &&JobId| {
        let said = evidence.names.figures(&jobs[**id].place().name);
        !apart.contains(id) && said.is_none_or(|said| said.messages.is_none())
    };
    let news: Vec<JobId> = opened.iter().filter(is_news).copied().collect();
    apart.extend(evidence.find(channel, jobs, &news, trouble)?);
    apart.retain(|id| !jobs[*id].has_failed());
    Ok(apart)
}

/// What identifies a mailbox: its name, and what the target says about it.
fn keys(job: &Job) -> Vec<String> {
    let name = format!("name {}", job.place().name.wire().escape_ascii());
    // A server that says the same about all is not asked twice.
    let id = job
        .identity_there()
        .filter(|_| !job.place().was_told_apart());
    std::iter::once(name).chain(id).collect()
}

/// True for a mailbox that was created just now and holds messages all the same: it may be another one.
fn is_made_full(job: &Job, before: &TargetNames) -> bool {
    let place = job.place();
    let is_new = !before.has(&place.name) && !place.why.contains(&Why::Before);
    is_new && job.messages_there().is_some_and(|messages| messages > 0)
}
