//! Mailboxes that were filled and that the target does not list: those that it hides are there, those that a user
//! deleted are not recreated by themselves.

use anyhow::Result;

use super::alias::TargetNames;
use super::mailbox::{Job, JobId, Jobs};
use crate::archive::journal::{Journal, Route, RouteRecord};
use crate::mailbox::uidset::UidSet;
use crate::mapping::FolderMap;
use crate::session::channel::Channel;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::list::Listing;
use crate::session::manage;
use crate::session::reader::NoBody;
use crate::session::response::{self, Condition, MailboxStatus};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// Finds mailboxes that LIST does not show: some servers hide them. Those that the journal has filled are asked for;
/// and where nothing is going to be created, which would show it, those that are listed under another name, it may be.
///
/// # Errors
/// Those of the connection.
pub fn find_hidden(
    channel: &mut Channel,
    jobs: &mut Jobs,
    names: &TargetNames,
    journal: &Journal,
    only_looks: bool,
) -> Result<()> {
    let is_meant = |job: &Job| {
        let name = &job.place().name;
        let was_filled = journal.name_of(&job.here().directory) == Some(name.text());
        // What folds names may answer by another one.
        let is_unsaid = names.says_figures() && job.messages_there().is_none();
        if job.place().exists {
            return only_looks && is_unsaid;
        }
        was_filled || only_looks && names.like(name).next().is_some()
    };
    let mut ids = jobs.ids();
    ids.retain(|id| is_meant(&jobs[*id]));
    if ids.is_empty() {
        return Ok(());
    }
    for (id, status) in statuses(channel, jobs, &ids)? {
        let job = &mut jobs[id];
        job.place_mut().exists = true;
        job.listed(!job.must_subscribe(), &status);
        if only_looks && !names.has(&job.place().name) {
            names.believe(job, &names.names().collect::<Vec<_>>());
        }
        job.recall(journal.known(&job.route()));
    }
    Ok(())
}

/// STATUS of those of these mailboxes that are there.
fn statuses(
    channel: &mut Channel,
    jobs: &Jobs,
    ids: &[JobId],
) -> Result<Vec<(JobId, MailboxStatus)>> {
    let mut lane: Lane<'_, JobId> = Lane::new(channel);
    let mut ids = ids.iter().peekable();
    let (mut there, mut said) = (Vec::new(), None);
    while ids.peek().is_some() || lane.outstanding() > 0 {
        while lane.outstanding() < WINDOW
            && let Some(&id) = ids.next()
        {
            let (wire, items) = (
                jobs[id].place().name.wire(),
                "(MESSAGES UIDNEXT UIDVALIDITY)",
            );
            let ask = manage::status(wire, lane.capabilities(), items)?;
            lane.send(&ask, id, Order::Strict)?;
        }
        match lane.next(&mut NoBody)? {
            Answer::Untagged(_, response) => {
                if let Some(Ok((_, status))) = response::parse_mailbox_status(response) {
                    said = Some(status);
                }
            }
            Answer::Done(id, end) => {
                let said = said.take().filter(|_| end.condition == Condition::Ok);
                there.extend(said.map(|status| (id, status)));
            }
        }
    }
    Ok(there)
}

/// Finds mailboxes that the journal has filled and that the target no longer has.
///
/// A target is believed if it still holds something that the journal filled: one that was recreated as a whole
/// lacks everything, and is filled again. Mailboxes that were renamed, or are hidden, are known already.
pub fn find(jobs: &mut Jobs, listing: &Listing, journal: &Journal, folder_map: &FolderMap) {
    if !journal
        .filled()
        .any(|(route, known)| stands(listing, route, known))
    {
        jobs.iter_mut().for_each(|job| job.deleted(None));
        return;
    }
    for job in jobs {
        let gone = gone(job, listing, journal, folder_map);
        job.deleted(gone);
    }
}

/// The messages that went with a mailbox; `None` where it is there, or never was.
fn gone(job: &Job, listing: &Listing, journal: &Journal, folder_map: &FolderMap) -> Option<UidSet> {
    let before = journal.name_of(&job.here().directory)?;
    let names = folder_map.names();
    let goes_elsewhere = names.get(job.name()).is_some_and(|to| to != before);
    let mut there = listing.mailboxes.iter();
    let is_there = there.any(|there| there.listed.name.text() == before);
    let at_work = !job.taken().is_empty();
    if job.place().exists || is_there || goes_elsewhere || at_work {
        return None;
    }
    let mut done = UidSet::new();
    for (route, known) in journal.routes(&job.here().directory, before) {
        // What is under way is looked for first.
        if !known.pending.is_empty() {
            return None;
        }
        if route.uidvalidity == job.here().uidvalidity {
            done.insert_all(&known.done);
        }
    }
    (!done.is_empty()).then_some(done)
}

/// The target has the very mailbox that was filled, and was not rolled back since.
fn stands(listing: &Listing, route: &Route, known: &RouteRecord) -> bool {
    let mut mailboxes = listing.mailboxes.iter();
    let there = mailboxes.find(|there| there.listed.name.text() == route.to);
    let Some(status) = there.and_then(|there| there.status.as_ref()) else {
        return false;
    };
    let newest = known.pairs.iter().map(|(_, to_uid)| *to_uid).max();
    let is_ahead = status
        .uidnext
        .zip(newest)
        .is_none_or(|(next, newest)| newest < next);
    route.to_uidvalidity > 0 && status.uidvalidity == Some(route.to_uidvalidity) && is_ahead
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{Listed, Name};
    use crate::session::list::Mailbox;

    fn there(uidvalidity: u32, uidnext: Option<u32>) -> Listing {
        Listing {
            mailboxes: vec![Mailbox {
                listed: Listed {
                    name: Name::new("Box"),
                    delimiter: Some('/'),
                    attributes: Vec::new(),
                },
                subscribed: false,
                status: Some(MailboxStatus {
                    uidvalidity: Some(uidvalidity),
                    uidnext,
                    ..MailboxStatus::default()
                }),
            }],
            ..Listing::default()
        }
    }

    #[test]
    fn a_mailbox_that_was_made_anew_or_rolled_back_proves_no_target() {
        let known = RouteRecord {
            pairs: vec![(1, 8), (2, 9), (3, 7)],
            ..RouteRecord::default()
        };
        let stands = |to: &str, filled_as, listing: &Listing| {
            let route = Route {
                directory: "Box".to_owned(),
                uidvalidity: 1,
                to: to.to_owned(),
                to_uidvalidity: filled_as,
            };
            super::stands(listing, &route, &known)
        };
        assert!(stands("Box", 5, &there(5, Some(10))));
        assert!(stands("Box", 5, &there(5, None)));
        // Its newest message is gone, and its UID is given again.
        assert!(!stands("Box", 5, &there(5, Some(9))));
        // It is another one, and however much others have put there.
        assert!(!stands("Box", 5, &there(6, Some(99))));
        assert!(!stands("Other", 5, &there(5, Some(10))));
        // What has no number is no proof.
        assert!(!stands("Box", 0, &there(0, Some(10))));
        assert!(!stands("Box", 5, &Listing::default()));
    }
}
