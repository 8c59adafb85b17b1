//! One mailbox on its way: what is here, where it goes, what is there, how far it is, what is to be told of it.

mod jobs;
mod told;

use std::collections::VecDeque;

use anyhow::{Context, Result};
pub use jobs::{JobId, Jobs, sources};
use told::Told;

use super::flags::{self, Kept};
use super::place::Place;
use crate::archive::account::{AccountArchive, Lost};
use crate::archive::journal::{Route, RouteRecord};
use crate::archive::mailbox::MailboxDir;
use crate::mailbox::uidset::UidSet;
use crate::session::response::MailboxStatus;
use crate::session::select::Selected;

/// A message that is not on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// UID in the archive.
    pub uid: u32,
    /// Size in bytes, where it is known.
    pub size: Option<u64>,
    /// The server's words, or what is wrong with the archive.
    pub reason: String,
}

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

/// What the target has of it, as one connection saw it.
#[derive(Default)]
struct There {
    subscribed: bool,
    uidvalidity: u32,
    /// UIDNEXT before this connection appended anything; 0 where the target does not say.
    uidnext: u32,
    /// Messages before this run.
    messages: Option<u64>,
    permanent_flags: Option<Vec<String>>,
    /// MAILBOXID (RFC 8474), where the target says so.
    mailbox_id: Option<String>,
}

/// How far it is.
#[derive(Default)]
struct Open {
    /// What the journal knows.
    known: RouteRecord,
    /// Another message has the newest UID on record.
    doubted: bool,
    /// Messages to append, ascending.
    todo: VecDeque<u32>,
    /// Messages appended in this run.
    appended: UidSet,
    /// Messages found on the target in this run.
    found: UidSet,
    /// Messages that could not be brought there.
    refused: Vec<Refused>,
    /// Messages that were there until a user deleted the mailbox.
    deleted: Option<UidSet>,
    /// The mailbox as a whole cannot be brought there; why.
    failed: Option<String>,
    /// UIDVALIDITY and UIDNEXT when the run first opened it.
    at_first: Option<(u32, u32)>,
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
            place: Place::default(),
            there: There::default(),
            open: Open::default(),
            told: Told::default(),
        };
        if !scan.unfinished.is_empty() || !scan.orphans.is_empty() {
            let count = scan.unfinished.len() + scan.orphans.len();
            job.tell(format!(
                "{count} messages of the archive are unfinished and not imported"
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

    /// Messages of the archive.
    #[must_use]
    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// Messages that the archive's own record has, and the archive has not.
    #[must_use]
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Messages that are a view of ones in other mailboxes.
    #[must_use]
    pub fn elsewhere(&self) -> &UidSet {
        &self.elsewhere
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

    /// How it was listed on this connection, and what the journal knows of it.
    pub fn listed(&mut self, subscribed: bool, status: &MailboxStatus) {
        self.there.subscribed = subscribed;
        self.there.uidvalidity = status.uidvalidity.unwrap_or(0);
        self.there.uidnext = status.uidnext.unwrap_or(0);
        self.there.messages = status.messages;
        self.open.todo.clear();
    }

    /// The target has opened it.
    pub fn opened(&mut self, there: Selected) {
        self.place.exists = true;
        self.there = There {
            subscribed: self.there.subscribed || self.here.subscribed,
            uidvalidity: there.uidvalidity,
            uidnext: match there.uidnext {
                0 => self.there.uidnext,
                said => said,
            },
            messages: Some(there.exists),
            permanent_flags: there.permanent_flags,
            mailbox_id: there.mailbox_id,
        };
        let now = (self.there.uidvalidity, self.there.uidnext);
        if self.open.at_first.is_none_or(|(before, _)| before != now.0) {
            self.open.at_first = Some(now);
        }
    }

    /// UIDNEXT when the run first opened the mailbox; 0 where the target does not say.
    #[must_use]
    pub fn uidnext_at_first(&self) -> u32 {
        self.open.at_first.map_or(0, |(_, uidnext)| uidnext)
    }

    /// What is the same of all names and logins by which the mailbox is reached, where the target says so.
    #[must_use]
    pub fn identity_there(&self) -> Option<String> {
        let id = self.there.mailbox_id.as_deref()?;
        Some(format!("mailbox {id} of {}", self.there.uidvalidity))
    }

    /// UIDs on record that the target cannot have given yet: it was rolled back, or made anew.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        let newest = self.open.known.newest();
        self.there.uidnext > 0 && newest.is_some_and(|(_, newest)| newest >= self.there.uidnext)
    }

    /// Another message has the newest UID on record.
    pub fn doubt(&mut self, is_another: bool) {
        self.open.doubted = is_another;
    }

    /// The newest message that the journal knows of is another on the target.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.open.doubted && !self.open.known.pairs.is_empty()
    }

    /// What the journal knows.
    pub fn recall(&mut self, known: RouteRecord) {
        self.open.known = known;
    }

    /// What the journal knows.
    #[must_use]
    pub fn known(&self) -> &RouteRecord {
        &self.open.known
    }

    /// The target is to have it subscribed and has not.
    #[must_use]
    pub fn must_subscribe(&self) -> bool {
        self.here.subscribed && !self.there.subscribed
    }

    /// A view that holds nothing of its own: the target need not have it.
    #[must_use]
    pub fn is_mere_view(&self) -> bool {
        is_view(&self.here.attributes) && self.expected().next().is_none()
    }

    /// Something is to be done for it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !self.has_failed()
            && self.open.deleted.is_none()
            && (self.place.exists || !self.is_mere_view())
            && (!self.place.exists
                || self.must_subscribe()
                || self.is_rolled_back()
                || self.is_doubted()
                || self.missing().next().is_some())
    }

    /// Messages on the target before this connection appended anything, where it says so.
    #[must_use]
    pub fn messages_there(&self) -> Option<u64> {
        self.there.messages
    }

    /// True when the target says that it holds nothing.
    #[must_use]
    pub fn is_empty_there(&self) -> bool {
        self.there.messages == Some(0)
    }

    /// UIDVALIDITY, UIDNEXT and messages before this connection appended anything: the same for two names of one mailbox.
    #[must_use]
    pub fn numbers_there(&self) -> (u32, u32, Option<u64>) {
        (
            self.there.uidvalidity,
            self.there.uidnext,
            self.there.messages,
        )
    }

    /// UIDNEXT on the target before this connection appended anything; 0 where it does not say.
    #[must_use]
    pub fn uidnext_there(&self) -> u32 {
        self.there.uidnext
    }

    /// The route of the mailbox, once the target's UIDVALIDITY is known.
    #[must_use]
    pub fn route(&self) -> Route {
        self.route_to(self.there.uidvalidity)
    }

    /// The same to a mailbox of this UIDVALIDITY.
    #[must_use]
    pub fn route_to(&self, uidvalidity: u32) -> Route {
        Route {
            directory: self.here.directory.clone(),
            uidvalidity: self.here.uidvalidity,
            to: self.place.to.clone(),
            to_uidvalidity: uidvalidity,
        }
    }

    /// Messages that the target does not have, as far as is known.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        let open = &self.open;
        self.expected().filter(|uid| {
            !open.known.done.contains(*uid)
                && !open.appended.contains(*uid)
                && open
                    .deleted
                    .as_ref()
                    .is_none_or(|with| !with.contains(*uid))
                && !open.found.contains(*uid)
                && !open.refused.iter().any(|refused| refused.uid == *uid)
        })
    }

    /// Messages that were done before this run.
    #[must_use]
    pub fn done_before(&self) -> u64 {
        let open = &self.open;
        let done = open.known.done.iter().filter(|uid| {
            self.uids.contains(*uid) && !open.appended.contains(*uid) && !open.found.contains(*uid)
        });
        done.count() as u64
    }

    /// These are to be appended.
    pub fn queue(&mut self, uids: impl IntoIterator<Item = u32>) {
        self.open.todo.extend(uids);
        self.open.todo.make_contiguous().sort_unstable();
    }

    /// Nothing is appended before it has been looked at anew.
    pub fn set_aside(&mut self) {
        self.open.todo.clear();
    }

    /// The next one to be appended.
    pub fn pop(&mut self) -> Option<u32> {
        self.open.todo.pop_front()
    }

    /// The message that was popped last is to be appended after all.
    pub fn put_back(&mut self, uid: u32) {
        self.open.todo.push_front(uid);
    }

    /// Messages to be appended.
    #[must_use]
    pub fn todo(&self) -> &VecDeque<u32> {
        &self.open.todo
    }

    /// The target has this one already.
    pub fn found(&mut self, uid: u32) {
        self.open.found.insert(uid);
    }

    /// Messages found on the target in this run.
    #[must_use]
    pub fn found_there(&self) -> &UidSet {
        &self.open.found
    }

    /// The target has taken this one.
    pub fn appended(&mut self, uid: u32) {
        self.open.appended.insert(uid);
    }

    /// These came there in another way while others were appended.
    pub fn found_meanwhile(&mut self, uids: &UidSet) {
        self.open.todo.retain(|uid| !uids.contains(*uid));
        self.open.found.insert_all(uids);
    }

    /// The target has said so of this one, and does not have it.
    pub fn not_taken(&mut self, uid: u32) {
        self.open.appended.remove(uid);
    }

    /// Messages appended in this run.
    #[must_use]
    pub fn taken(&self) -> &UidSet {
        &self.open.appended
    }

    /// This one cannot be brought there.
    pub fn refuse(&mut self, refused: Refused) {
        let at = self
            .open
            .refused
            .partition_point(|one| one.uid <= refused.uid);
        self.open.refused.insert(at, refused);
    }

    /// Messages that could not be brought there, by their UIDs.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.open.refused
    }

    /// These messages were there until a user deleted the mailbox; what came since has no place.
    pub fn deleted(&mut self, with: Option<UidSet>) {
        let is_news = self.open.deleted.is_none();
        self.open.deleted = with;
        let Some(with) = self.open.deleted.as_ref().filter(|_| is_news) else {
            return;
        };
        let advice = "it is not made again; validate --resync-missing brings it back";
        let text = format!(
            "was deleted on the target after its import, with {} messages: {advice}",
            with.len()
        );
        tracing::warn!(mailbox = self.name(), "{text}");
        match self.missing().count() {
            0 => self.tell(text),
            more => self.fail(format!(
                "{text}; {more} messages that came since wait for that"
            )),
        }
    }

    /// Messages that were there until a user deleted the mailbox; `None` where nobody did.
    #[must_use]
    pub fn deleted_with(&self) -> Option<&UidSet> {
        self.open.deleted.as_ref()
    }

    /// The mailbox as a whole cannot be brought there.
    pub fn fail(&mut self, why: String) {
        self.open.todo.clear();
        self.open.failed = Some(why);
    }

    /// Why the mailbox as a whole cannot be brought there.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.open.failed.as_deref()
    }

    /// True when the mailbox as a whole cannot be brought there.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.open.failed.is_some()
    }

    /// True when nothing is left to do and nothing was refused.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost.count() == 0
            && !self.has_failed()
            && self.open.refused.is_empty()
            && self.missing().next().is_none()
    }

    /// The flags to send: `\Recent` never, and only what the target keeps.
    #[must_use]
    pub fn keepable(&self, flags: &str) -> Kept {
        flags::kept(self.there.permanent_flags.as_deref(), flags)
    }
}

/// True for a mailbox that shows messages of others.
#[must_use]
pub fn is_view(attributes: &[String]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.eq_ignore_ascii_case("\\all") || attribute.eq_ignore_ascii_case("\\flagged")
    })
}
