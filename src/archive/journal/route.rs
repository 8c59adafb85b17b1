//! What is on record of the way from a mailbox of the archive to one of the target, and of the messages that took it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::mailbox::uidset::UidSet;

/// A mailbox of the archive and the mailbox on the target that it goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Directory in the archive.
    pub directory: String,
    /// UIDVALIDITY of the messages there.
    pub uidvalidity: u32,
    /// Name of the mailbox on the target, in UTF-8.
    pub to: String,
    /// Its UIDVALIDITY: a mailbox that was recreated holds nothing of ours. 0 where the target says none.
    pub to_uidvalidity: u32,
}

/// A message that the target has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// UID in the archive.
    pub uid: u32,
    /// Digest of the message, in lower-case hex, where the archive knows it.
    pub sha256: Option<String>,
    /// UID on the target, where the target said it.
    pub to_uid: Option<u32>,
    /// Its flags, where we set them.
    pub flags: Option<Flags>,
}

/// The flags of a message when it was imported, or when they last followed; blank-separated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// Those that the archive had.
    pub archived: Arc<str>,
    /// Those of them that the target was given.
    pub sent: Arc<str>,
}

/// What is known of one route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteRecord {
    /// UIDs in the archive that the target has.
    pub done: UidSet,
    /// Their UIDs on the target, as far as it said them.
    pub to_uids: UidSet,
    /// UID in the archive and UID on the target, where the target said it; the last one counts.
    pub pairs: Vec<(u32, u32)>,
    /// Those of `done` whose UID on the target is unknown.
    pub blind: UidSet,
    /// UIDs that were sent, or about to be, without an answer.
    pub pending: UidSet,
    /// Flags by the UID in the archive, where we set them.
    pub flags: HashMap<u32, Flags>,
}

impl RouteRecord {
    /// The message with the newest UID on the target: its UID in the archive, and there.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, u32)> {
        let pairs = self.pairs.iter();
        pairs.max_by_key(|(_, to_uid)| *to_uid).copied()
    }
    /// The target has a message.
    pub(super) fn finish(&mut self, uid: u32, to_uid: Option<u32>, flags: Option<Flags>) {
        self.flags.extend(flags.map(|flags| (uid, flags)));
        self.pending.remove(uid);
        if to_uid.is_none() && self.done.contains(uid) && !self.blind.contains(uid) {
            // What was known no longer holds.
            self.pairs.retain(|(known, _)| *known != uid);
        }
        self.done.insert(uid);
        match to_uid {
            Some(to_uid) => {
                self.to_uids.insert(to_uid);
                self.pairs.push((uid, to_uid));
                self.blind.remove(uid);
            }
            None => self.blind.insert(uid),
        }
    }
}
