//! Under which name the target has what was just made. It may trim, cut, compose or fold names: what LIST shows counts,
//! and two mailboxes that turn out to be one there are told apart.

use std::collections::{HashMap, HashSet};

use tracing::warn;

use crate::mailbox::Name;
use crate::mapping;
use crate::session::channel::Channel;
use crate::session::error::Result;
use crate::session::list::{self, Numbers};
use crate::target::mailbox::{Job, JobId, Jobs};

/// Believes LIST of mailboxes that it does not show by the names that they were opened with. `before` are the names
/// that the target had listed before anything was made.
///
/// # Errors
/// Those of the connection.
pub fn believe(
    channel: &mut Channel,
    jobs: &mut Jobs,
    unlisted: &[JobId],
    before: &HashSet<Vec<u8>>,
) -> Result<()> {
    if unlisted.is_empty() {
        return Ok(());
    }
    let listing = list::list(channel, Numbers::Plain, |_| false)?;
    let names: Vec<&Name> = listing
        .mailboxes
        .iter()
        .map(|there| &there.listed.name)
        .collect();
    for &id in unlisted {
        let job = &mut jobs[id];
        let asked = job.place().to.clone();
        if names.iter().any(|name| name.wire() == job.place().wire) {
            continue;
        }
        let Some(name) = as_listed(&asked, &names, before) else {
            continue;
        };
        let listed = name.text();
        let text = format!("the target calls it \"{listed}\" where \"{asked}\" was asked for");
        warn!(mailbox = job.name(), "{text}");
        job.told.notes.push(text);
        job.place_mut().believe(name);
    }
    Ok(())
}

/// What the target has made of a name: folded, trimmed, or cut.
fn as_listed<'a>(asked: &str, names: &[&'a Name], before: &HashSet<Vec<u8>>) -> Option<&'a Name> {
    let find = |is_it: &dyn Fn(&Name) -> bool| names.iter().copied().find(|name| is_it(name));
    let plain = mapping::folded(asked);
    let bare = squeezed(&plain);
    find(&|name| mapping::folded(name.text()) == plain)
        .or_else(|| find(&|name| squeezed(&mapping::folded(name.text())) == bare))
        .or_else(|| {
            let cut = names.iter().copied().filter(|name| {
                let listed = mapping::folded(name.text());
                !before.contains(name.wire()) && !listed.is_empty() && plain.starts_with(&listed)
            });
            cut.max_by_key(|name| name.text().len())
        })
}

/// Without blanks and control characters, which servers trim at the ends of levels, or leave out.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect()
}

/// Mailboxes that are planned apart and are one on the target: the later ones get other names, and are returned.
pub fn tell_apart(jobs: &mut Jobs, before: &HashSet<Vec<u8>>) -> Vec<JobId> {
    let mut ids = jobs.ids();
    ids.retain(|id| jobs[*id].place().exists && !jobs[*id].has_failed());
    // Whoever is listed by the very name that was planned for it keeps it.
    ids.sort_by_key(|id| (!jobs[*id].place().is_as_planned(), *id));
    let mut first: HashMap<String, JobId> = HashMap::new();
    let mut apart = Vec::new();
    for id in ids {
        let keys = keys(&jobs[id]);
        let known = keys.iter().find_map(|key| first.get(key)).copied();
        match known.filter(|known| !jobs[*known].place().is_meant_with(jobs[id].place())) {
            Some(known) => {
                rename(jobs, id, known, before);
                apart.push(id);
            }
            None => {
                for key in keys {
                    first.entry(key).or_insert(id);
                }
            }
        }
    }
    apart
}

/// By what a mailbox is known: its name, and what the target says of it.
fn keys(job: &Job) -> Vec<String> {
    let name = format!("name {}", job.place().wire.escape_ascii());
    // A server that says the same of all is not asked twice.
    let id = job
        .identity_there()
        .filter(|_| !job.place().was_told_apart());
    std::iter::once(name).chain(id).collect()
}

fn rename(jobs: &mut Jobs, id: JobId, known: JobId, before: &HashSet<Vec<u8>>) {
    let taken: HashSet<String> = jobs
        .iter()
        .map(|job| mapping::folded(&job.place().to))
        .collect();
    let is_free = |name: &str| {
        !taken.contains(&mapping::folded(name)) && !before.contains(Name::new(name).wire())
    };
    let (other, to) = (
        jobs[known].name().to_owned(),
        jobs[known].place().to.clone(),
    );
    let job = &mut jobs[id];
    let Some(name) = job.place_mut().apart(&to, is_free) else {
        job.fail(format!(
            "the target has one mailbox, \"{to}\", for this and for \"{other}\", under any name that was tried"
        ));
        return;
    };
    let text = format!(
        "the target has one mailbox, \"{to}\", for this and for \"{other}\": this one goes to \"{name}\""
    );
    warn!(mailbox = job.name(), "{text}");
    job.told.notes.push(text);
}
