//! What the target has of what it must have: by headers, sizes and counts and, where these do not decide, by content.

use std::collections::HashMap;

use anyhow::Result;
use tracing::info;

use super::contents::{Contents, ReadingRoom};
use super::holding::Holding;
use super::mailbox::{JobId, Jobs};
use super::message::{self, Damaged, Described};
use super::repair::Repairs;
use super::trouble::Trouble;
use crate::compare::{Board, Comparison, Ground, Recorded, Undecided, Wanted};
use crate::message::{Fingerprint, Gist};
use crate::session::channel::Channel;

/// A message of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageRef {
    /// The mailbox that it belongs to.
    pub job: JobId,
    /// UID in the archive.
    pub uid: u32,
}

/// An account's messages in the form in which an import sends them: proved, and repaired where that is asked for.
#[derive(Clone, Copy)]
pub struct ArchiveSide<'a> {
    /// The mailboxes.
    pub jobs: &'a Jobs,
    /// What is repaired on the way.
    pub repairs: Repairs,
}

impl ArchiveSide<'_> {
    /// What a comparison wants to know of a message; `None` for a pair that cannot be read.
    ///
    /// # Errors
    /// Those of the archive's file system.
    pub fn describe(self, message: MessageRef) -> Result<Option<Described>> {
        let dir = &self.jobs[message.job].here().dir;
        message::describe(dir, message.uid, self.repairs)
    }

    /// The digests of a message.
    ///
    /// # Errors
    /// The outer ones of the archive's file system; inside what is wrong with the pair.
    pub fn fingerprint(self, message: MessageRef) -> Result<Result<Fingerprint, Damaged>> {
        let dir = &self.jobs[message.job].here().dir;
        message::fingerprint(dir, message.uid, self.repairs)
    }

    /// What a message is compared by; of one that is damaged, the digest that it must have.
    fn gist(self, message: MessageRef) -> Result<Option<Gist>> {
        if let Ok(print) = self.fingerprint(message)? {
            return Ok(Some(print.gist()));
        }
        let dir = &self.jobs[message.job].here().dir;
        let digest = message::content(dir, message.uid)?;
        Ok(digest.and_then(|digest| Gist::of_digest(&digest)))
    }
}

/// The archive's side of a comparison: messages that the target must have.
pub struct Sought<'a> {
    archive: ArchiveSide<'a>,
    /// Which they are.
    pub origins: Vec<MessageRef>,
    /// What they are, in the same order.
    pub wanted: Vec<Wanted>,
}

impl<'a> Sought<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(archive: ArchiveSide<'a>) -> Self {
        Self {
            archive,
            origins: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Takes in messages of a mailbox; those that cannot be read are left out. `on_record` has the UIDs that they had on
    /// the target before it was made anew.
    ///
    /// # Errors
    /// Those of the archive's file system.
    pub fn read(
        &mut self,
        job: JobId,
        uids: impl IntoIterator<Item = u32>,
        on_record: &HashMap<u32, u32>,
    ) -> Result<()> {
        for uid in uids {
            let message = MessageRef { job, uid };
            if let Some(described) = self.archive.describe(message)? {
                let recorded = on_record.get(&uid).map(|uid| Recorded {
                    uid: *uid,
                    stands: false,
                });
                self.add(message, &described, recorded);
            }
        }
        Ok(())
    }

    /// Takes in one message.
    pub fn add(&mut self, origin: MessageRef, described: &Described, recorded: Option<Recorded>) {
        self.origins.push(origin);
        self.wanted.push(described.wanted(recorded));
    }

    /// Compares with what a mailbox of the target holds, and reads what must be read for it; a note where that was too
    /// much.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn compare(
        &self,
        channel: &mut Channel,
        wire: &[u8],
        holding: &Holding,
        trouble: &mut Trouble,
    ) -> Result<(Comparison, Option<String>)> {
        let held = &holding.messages;
        let mut board = Board::new(&self.wanted, held);
        let mut contents = Contents::default();
        let mut room = ReadingRoom::default();
        while let Some(groups) = board.candidates() {
            let groups = accept_rendered(&mut board, groups);
            let (mut groups, large) = room.take(groups, held);
            let mut to_read = groups.clone();
            for group in large {
                board.count(&group);
                let left = board.left_of(&group);
                let part = room.part_of(&left, held);
                to_read.push(part);
                groups.push(left);
            }
            self.read_here(&groups, &mut contents)?;
            contents.read_there(channel, wire, (held, &to_read), trouble)?;
            for group in &groups {
                board.decide(group, |one, other| {
                    contents.likeness(one, other, group.ground)
                });
            }
        }
        if !contents.there.is_empty() {
            info!(
                messages = contents.there.len(),
                "messages that may be the same were read to tell them apart"
            );
        }
        let mut result = board.settled();
        if holding.shortfall().is_some() {
            result.doubt();
        }
        Ok((result, room.told()))
    }

    /// The messages in these groups.
    fn read_here(&self, groups: &[Undecided], contents: &mut Contents) -> Result<()> {
        for one in groups.iter().flat_map(|group| &group.wanted) {
            if !contents.here.contains_key(one) {
                let gist = self.archive.gist(self.origins[*one])?;
                contents.here.insert(*one, gist);
            }
        }
        Ok(())
    }
}

/// The only message of either side with this header and its date, as far as it has one, but its size is another: some
/// servers render mail in their own way. Another version, a draft's for instance, came at another time. Where most have
/// the size that they had, the server does not do so, and the content decides.
fn accept_rendered(board: &mut Board<'_>, groups: Vec<Undecided>) -> Vec<Undecided> {
    let is_only = |group: &Undecided| match (group.ground, &group.wanted[..], &group.held[..]) {
        (Ground::Header, [one], [other]) => {
            board.is_of_its_date(*one, *other) && !board.is_nameless(*one)
        }
        _ => false,
    };
    let (only, rest): (Vec<_>, Vec<_>) = groups.iter().cloned().partition(is_only);
    if only.len() < board.certain() {
        return groups;
    }
    for group in &only {
        board.accept(group);
    }
    rest
}
