//! Mailboxes that somebody renamed on the target: their mail is there, under another name.

use anyhow::Result;
use tracing::info;

use super::holding::{self, Which};
use super::mailbox::{Job, Jobs};
use super::message;
use super::repair::Repairs;
use super::trouble::Trouble;
use crate::archive::journal::{Journal, Route, RouteRecord};
use crate::mailbox::Name;
use crate::session::channel::Channel;
use crate::session::list::Listing;

/// Messages on record that are looked at.
const PROOFS: usize = 20;
/// Mailboxes that are looked at for each that is gone: some servers give all of them one UIDVALIDITY.
const MAX_CANDIDATES: usize = 5;

/// Notes in the journal what was renamed. `doubted` are names of mailboxes in which another message has the newest UID
/// on record.
///
/// A mailbox is recognised by its UIDVALIDITY, under a name under which nothing of the archive is any longer, and by the
/// newest messages on record, which must be there with their UIDs. Where it was, another may be by now.
///
/// # Errors
/// Those of the connection and of the archive's file system.
pub fn find(
    channel: &mut Channel,
    jobs: &mut Jobs,
    listing: &Listing,
    journal: &mut Journal,
    repairs: Repairs,
    doubted: &[Name],
) -> Result<()> {
    let before = |job: &Job| journal.name_of(&job.here().directory).map(str::to_owned);
    let known: Vec<Option<String>> = jobs.iter().map(before).collect();
    let taken: Vec<String> = journal
        .directories()
        .filter(|(directory, name)| stands(listing, journal, directory, name, doubted))
        .map(|(_, name)| name.to_owned())
        .collect();
    for (job, before) in jobs.iter_mut().zip(&known) {
        let is_gone =
            |before: &&str| !stands(listing, journal, &job.here().directory, before, doubted);
        let Some(before) = before.as_deref().filter(is_gone) else {
            continue;
        };
        for (route, recorded) in journal.routes(&job.here().directory, before) {
            let candidates = listing.mailboxes.iter().filter(|there| {
                let uidvalidity = there.status.as_ref().and_then(|status| status.uidvalidity);
                let name = there.listed.name.text();
                uidvalidity == Some(route.to_uidvalidity)
                    && route.uidvalidity == job.here().uidvalidity
                    && !there.listed.name.is_inbox()
                    && name != before
                    && !taken.iter().any(|taken| taken == name)
            });
            for there in candidates.take(MAX_CANDIDATES) {
                let name = &there.listed.name;
                if is_proved(channel, job, name.wire(), &recorded, repairs)? {
                    let now = name.text();
                    info!(mailbox = job.name(), before, now, "renamed on the target");
                    let note = format!("was renamed on the target from \"{before}\" to \"{now}\"");
                    job.tell(note);
                    journal.renamed(&route, now);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Is what a directory filled still where it was? Not where the target lists no such name, or another mailbox by it.
/// INBOX cannot be renamed, and of what has no number nothing is known.
fn stands(
    listing: &Listing,
    journal: &Journal,
    directory: &str,
    name: &str,
    doubted: &[Name],
) -> bool {
    let mut mailboxes = listing.mailboxes.iter();
    let Some(there) = mailboxes.find(|there| there.listed.name.text() == name) else {
        return false;
    };
    let routes = journal.routes(directory, name);
    let said = there.status.as_ref();
    let Some((uidvalidity, uidnext)) = said.and_then(|said| said.uidvalidity.zip(said.uidnext))
    else {
        return true;
    };
    if routes.is_empty() || there.listed.name.is_inbox() {
        return true;
    }
    let is_it = |(route, known): &(Route, RouteRecord)| {
        let newest = known.newest().map_or(0, |(_, to_uid)| to_uid);
        route.to_uidvalidity == uidvalidity && newest < uidnext
    };
    routes.iter().any(is_it) && !doubted.contains(&there.listed.name)
}

/// True where the newest messages on record are there, and none is a different one.
fn is_proved(
    channel: &mut Channel,
    job: &Job,
    wire: &[u8],
    recorded: &RouteRecord,
    repairs: Repairs,
) -> Result<bool> {
    let mut pairs = recorded.pairs.clone();
    pairs.sort_unstable_by_key(|(_, to_uid)| std::cmp::Reverse(*to_uid));
    pairs.truncate(PROOFS);
    let Some((_, first)) = pairs.last() else {
        return Ok(false);
    };
    let mut trouble = Trouble::default();
    let Ok(there) = holding::read_one(channel, wire, Which::From(*first), &mut trouble)? else {
        return Ok(false);
    };
    let mut proofs = 0;
    for (uid, to_uid) in pairs {
        let mut messages = there.messages.iter();
        let held = messages.find(|one| one.uid == to_uid);
        let Some(identity) = held.and_then(|held| held.identity) else {
            continue;
        };
        let Some(here) = message::describe(&job.here().dir, uid, repairs)? else {
            continue;
        };
        if here.identity != identity && here.loose != Some(identity) {
            return Ok(false);
        }
        proofs += 1;
    }
    Ok(proofs > 0)
}
