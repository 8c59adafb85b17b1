//! The name under which the target has what was just created. It may trim, cut, compose or fold names: what LIST shows
//! counts, and two mailboxes that turn out to be one there are told apart.

use std::collections::{HashMap, HashSet};

use tracing::warn;

use crate::mailbox::Name;
use crate::mapping::{self, Why};
use crate::session::channel::Channel;
use crate::session::error::Result;
use crate::session::list::{self, StatusItems};
use crate::target::mailbox::{Figures, Job, JobId, Jobs};

/// What the target had before anything was created.
pub struct TargetNames {
    /// The names that it has listed, as they go over the wire.
    pub listed: HashSet<Vec<u8>>,
    /// Between the levels of a name.
    pub delimiter: Option<char>,
}

/// Believes LIST about mailboxes that it shows under other names than they were opened with. `before` are the names
/// that the target had listed before anything was created.
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
    let listing = list::list(channel, StatusItems::Plain, |_| false)?;
    let names: Vec<&Name> = listing
        .mailboxes
        .iter()
        .map(|there| &there.listed.name)
        .collect();
    for &id in unlisted {
        let job = &mut jobs[id];
        let asked = job.place().name.text().to_owned();
        if names
            .iter()
            .any(|name| name.wire() == job.place().name.wire())
        {
            continue;
        }
        let Some(name) = as_listed(&asked, &names, before) else {
            continue;
        };
        let listed = name.text();
        let text = format!("the target calls it \"{listed}\" where \"{asked}\" was asked for");
        warn!(mailbox = job.name(), "{text}");
        job.tell(text);
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
    // A mailbox that is listed under the very name planned for it keeps it.
    ids.sort_by_key(|id| {
        let job = &jobs[*id];
        let is_as_planned = job.place().is_as_planned();
        (is_made_full(job, before), !is_as_planned, *id)
    });
    let mut first: HashMap<String, JobId> = HashMap::new();
    let mut apart = Vec::new();
    for id in ids {
        let mut keys = keys(&jobs[id]);
        let made_full = is_made_full(&jobs[id], before);
        let state = state(&jobs[id]);
        if made_full {
            keys.extend(state.clone());
        }
        let known = keys.iter().find_map(|key| first.get(key)).copied();
        match known.filter(|known| !jobs[*known].place().is_meant_with(jobs[id].place())) {
            Some(known) => {
                rename(jobs, id, known, before);
                apart.push(id);
            }
            None => {
                for key in keys.into_iter().chain(state.filter(|_| !made_full)) {
                    first.entry(key).or_insert(id);
                }
            }
        }
    }
    apart
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
fn is_made_full(job: &Job, before: &HashSet<Vec<u8>>) -> bool {
    let place = job.place();
    let is_new = !before.contains(place.name.wire()) && !place.why.contains(&Why::Before);
    is_new && job.messages_there().is_some_and(|messages| messages > 0)
}

/// What two names of one mailbox have in common, where it holds messages.
fn state(job: &Job) -> Option<String> {
    let Figures {
        uidvalidity,
        uidnext,
        messages,
    } = job.figures_there();
    let messages = messages.filter(|messages| *messages > 0)?;
    (uidnext > 0).then(|| format!("{messages} messages of {uidvalidity} before {uidnext}"))
}

/// On the target this mailbox and the known one are the same: this one gets another name. `before` are the names that
/// the target has listed.
pub fn rename(jobs: &mut Jobs, id: JobId, known: JobId, before: &HashSet<Vec<u8>>) {
    let taken: HashSet<String> = jobs
        .iter()
        .map(|job| mapping::folded(job.place().name.text()))
        .collect();
    let is_free = |name: &str| {
        !taken.contains(&mapping::folded(name)) && !before.contains(Name::new(name).wire())
    };
    let (other, to) = (
        jobs[known].name().to_owned(),
        jobs[known].place().name.text().to_owned(),
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
    job.tell(text);
}
