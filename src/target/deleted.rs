//! Mailboxes that were filled and that the target does not list: those that it hides are there, those that a user
//! deleted are not recreated by themselves.

use anyhow::Result;

use super::mailbox::{Job, Jobs};
use crate::archive::journal::{Journal, Route, RouteRecord};
use crate::mailbox::uidset::UidSet;
use crate::mapping::FolderMap;
use crate::session::channel::Channel;
use crate::session::list::Listing;
use crate::session::manage;
use crate::session::response::{self, Condition};

/// Finds the mailboxes that the journal has filled and LIST does not show: some servers hide mailboxes.
///
/// # Errors
/// Those of the connection.
pub fn find_hidden(channel: &mut Channel, jobs: &mut Jobs, journal: &Journal) -> Result<()> {
    for job in jobs {
        let before = journal.name_of(&job.here().directory);
        if job.place().exists || before != Some(job.place().name.text()) {
            continue;
        }
        let (wire, items) = (job.place().name.wire(), "(MESSAGES UIDNEXT UIDVALIDITY)");
        let ask = manage::status(wire, &channel.capabilities, items)?;
        let mut there = None;
        let end = channel.run(&ask, |response| {
            if let Some(Ok((_, status))) = response::parse_mailbox_status(response) {
                there = Some(status);
            }
        })?;
        if let Some(status) = there.filter(|_| end.condition == Condition::Ok) {
            job.place_mut().exists = true;
            job.listed(false, &status);
            job.recall(journal.known(&job.route()));
        }
    }
    Ok(())
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
    use crate::session::response::MailboxStatus;

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
