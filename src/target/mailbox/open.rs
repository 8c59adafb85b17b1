//! How far a mailbox is in this run: what is to be appended, what arrived or was found, what was refused.

use std::collections::VecDeque;

use super::Job;
use crate::archive::journal::RouteRecord;
use crate::mailbox::uidset::UidSet;
use crate::plural::{counted, verb};

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

/// How far it is.
#[derive(Default)]
pub(super) struct Open {
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
}

impl Job {
    /// What the journal knows.
    pub fn recall(&mut self, known: RouteRecord) {
        self.open.known = known;
    }

    /// What the journal knows.
    #[must_use]
    pub fn known(&self) -> &RouteRecord {
        &self.open.known
    }

    /// UIDs on record that the target cannot have given yet: it was rolled back, or recreated.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        let newest = self.open.known.newest();
        let uidnext = self.uidnext_there();
        uidnext > 0 && newest.is_some_and(|(_, newest)| newest >= uidnext)
    }

    /// Another message has the newest UID on record.
    pub fn doubt(&mut self) {
        self.open.doubted = true;
    }

    /// The newest message on record is a different one on the target.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.open.doubted && !self.open.known.pairs.is_empty()
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

    /// Nothing is appended before it has been looked at again.
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

    /// These are not appended.
    pub fn give_up(&mut self, uids: &UidSet) {
        self.open.todo.retain(|uid| !uids.contains(*uid));
    }

    /// These arrived in another way while others were appended.
    pub fn found_meanwhile(&mut self, uids: &UidSet) {
        self.open.todo.retain(|uid| !uids.contains(*uid));
        self.open.found.insert_all(uids);
    }

    /// The target has taken this one.
    pub fn appended(&mut self, uid: u32) {
        self.open.appended.insert(uid);
    }

    /// The target said that it took this one, but does not have it.
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

    /// These messages were there until a user deleted the mailbox; what came since has no place to go.
    pub fn deleted(&mut self, with: Option<UidSet>) {
        let is_news = self.open.deleted.is_none();
        self.open.deleted = with;
        let Some(with) = self.open.deleted.as_ref().filter(|_| is_news) else {
            return;
        };
        let advice = "it is not recreated; validate --resync-missing brings it back";
        let text = format!(
            "was deleted on the target after its import, with {}: {advice}",
            counted(with.len(), "message")
        );
        tracing::warn!(mailbox = self.name(), "{text}");
        match self.missing().count() {
            0 => self.tell(text),
            more => self.fail(format!(
                "{text}; {} that came since {} for that",
                counted(more, "message"),
                verb(more, "waits", "wait")
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
}
