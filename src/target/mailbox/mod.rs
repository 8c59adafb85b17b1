//! One mailbox on its way: what is here, where it goes, what is there, how far it is, what to report.

mod jobs;
mod open;
mod there;
mod told;

use anyhow::{Context, Result};
pub use jobs::{JobId, Jobs, sources};
use open::Open;
pub use open::Refused;
pub use there::Figures;
use there::There;
use told::Told;

use super::place::Place;
use crate::archive::account::{AccountArchive, Lost};
use crate::archive::mailbox::MailboxDir;
use crate::mailbox::uidset::UidSet;
use crate::plural::{counted, verb};

/// What the archive has; the same throughout a run.
pub struct Here {
    /// Directory in the archive.
    pub directory: String,
    /// The same, opened.
    pub dir: MailboxDir,
    /// Name in the archive, in UTF-8.
    pub name: String,
    /// Attributes that the source listed.
    pub attributes: Vec<String>,
    /// UIDVALIDITY in the archive.
    pub uidvalidity: u32,
    /// The source had it subscribed.
    pub subscribed: bool,
}

/// One mailbox at work.
pub struct Job {
    here: Here,
    /// Messages of the archive.
    uids: UidSet,
    /// Messages that the archive has lost.
    lost: Lost,
    /// Messages that are a view of ones in other mailboxes.
    elsewhere: UidSet,
    /// Messages of the archive that are not meant, and may be on the target.
    beside: UidSet,
    place: Place,
    there: There,
    open: Open,
    told: Told,
}

impl Job {
    fn read(here: Here, archive: &AccountArchive) -> Result<Self> {
        let scan = here
            .dir
            .scan()
            .with_context(|| format!("mailbox {}", here.name))?;
        let uids = scan.pairs.iter().copied().collect();
        let mut job = Self {
            lost: archive.lost_messages(&here.directory, &uids),
            here,
            uids,
            elsewhere: UidSet::new(),
            beside: UidSet::new(),
            place: Place::default(),
            there: There::default(),
            open: Open::default(),
            told: Told::default(),
        };
        if !scan.unfinished.is_empty() || !scan.orphans.is_empty() {
            let count = scan.unfinished.len() + scan.orphans.len();
            job.tell(format!(
                "{} of the archive {} unfinished and not imported",
                counted(count, "message"),
                verb(count, "is", "are")
            ));
        }
        Ok(job)
    }

    /// What the archive has.
    #[must_use]
    pub fn here(&self) -> &Here {
        &self.here
    }

    /// Name in the archive.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.here.name
    }

    /// Where it goes.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The same, to be changed.
    pub fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }

    fn take_place(&mut self) -> (Place, There) {
        (
            std::mem::take(&mut self.place),
            std::mem::take(&mut self.there),
        )
    }

    fn give_place(&mut self, place: Place, there: There) {
        (self.place, self.there) = (place, there);
    }

    /// Messages of the archive.
    #[must_use]
    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// Messages that the archive's own record has but the archive does not.
    #[must_use]
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Messages that are a view of ones in other mailboxes.
    #[must_use]
    pub fn elsewhere(&self) -> &UidSet {
        &self.elsewhere
    }

    /// Messages of which only the place on the target is wanted, so that no other is taken for them: nobody knows the
    /// UIDs that they got, or they are not meant.
    pub fn to_be_placed(&self) -> impl Iterator<Item = u32> + '_ {
        let known = self.known();
        let beside = self.beside.iter().filter(|uid| !known.done.contains(*uid));
        known.blind.iter().chain(beside)
    }

    /// True for such a message.
    #[must_use]
    pub fn is_to_be_placed(&self, uid: u32) -> bool {
        self.known().blind.contains(uid) || self.beside.contains(uid)
    }

    /// These are a view of messages in other mailboxes.
    pub fn leave_out(&mut self, uids: UidSet) {
        self.elsewhere = uids;
    }

    /// Messages that must be on the target: not what is a view of messages in other mailboxes.
    pub fn expected(&self) -> impl Iterator<Item = u32> + '_ {
        self.uids
            .iter()
            .filter(|uid| !self.elsewhere.contains(*uid))
    }

    /// A view that holds nothing of its own: the target need not have it.
    #[must_use]
    pub fn is_mere_view(&self) -> bool {
        is_view(&self.here.attributes) && self.expected().next().is_none()
    }

    /// There is something to do for it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !self.has_failed()
            && self.deleted_with().is_none()
            && (self.place.exists || !self.is_mere_view())
            && (!self.place.exists
                || self.must_subscribe()
                || self.is_rolled_back()
                || self.is_doubted()
                || self.missing().next().is_some())
    }

    /// True when nothing is left to do and nothing was refused.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost.count() == 0
            && !self.has_failed()
            && self.refused().is_empty()
            && self.missing().next().is_none()
    }
}

/// True for a mailbox that shows messages of others.
#[must_use]
pub fn is_view(attributes: &[String]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.eq_ignore_ascii_case("\\all") || attribute.eq_ignore_ascii_case("\\flagged")
    })
}

#[cfg(test)]
mod tests;
