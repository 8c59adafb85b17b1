//! What the target has of what it must have: by headers, sizes and counts and, where these do not decide, by content.

use std::collections::HashMap;

use anyhow::Result;
use tracing::{debug, info};

use super::bodies;
use super::holding::Holding;
use super::mailbox::{JobId, Jobs};
use super::message::{self, Damaged, Described};
use super::repair::Repairs;
use super::trouble::Trouble;
use crate::compare::{self, Comparison, Ground, Held, Likeness, Undecided, Wanted};
use crate::mailbox::uidset::UidSet;
use crate::message::{Fingerprint, Gist};
use crate::session::channel::Channel;

/// Most of one mailbox that is read to tell messages apart, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The same in messages.
const MAX_MESSAGES: usize = 5000;

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

    /// Takes in messages of a mailbox; those that cannot be read are left out. `on_record` has the UIDs that they have
    /// on the target, where these are known.
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
                let to_uid = on_record.get(&uid).copied();
                self.add(message, &described, to_uid);
            }
        }
        Ok(())
    }

    /// Takes in one message.
    pub fn add(&mut self, origin: MessageRef, described: &Described, to_uid: Option<u32>) {
        self.origins.push(origin);
        self.wanted.push(described.wanted(to_uid));
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
        let mut result = compare::compare(&self.wanted, held);
        let undecided = std::mem::take(&mut result.undecided).into_iter();
        let (rewritten, undecided) = undecided.partition(|group| self.is_rewritten(group, held));
        let (to_read, too_many) = within_bounds(undecided, held);
        if !to_read.is_empty() {
            let contents = Contents {
                there: read_there(channel, wire, held, &to_read, trouble)?,
                here: self.read_here(&to_read)?,
            };
            info!(
                messages = contents.there.len(),
                "messages with the same header were read to tell them apart"
            );
            for group in &to_read {
                result.decide(group, |one, other| {
                    contents.likeness(one, other, group.ground)
                });
            }
        }
        for group in too_many.iter().chain(&rewritten) {
            result.count(group);
        }
        if holding.shortfall().is_some() {
            result.doubt();
        }
        Ok((result, told_of(&too_many)))
    }

    /// The only message of either side with this header, and nothing says that its date is another: some servers render
    /// mail in their own way. Another version, a draft's for instance, came at another time.
    fn is_rewritten(&self, group: &Undecided, held: &[Held]) -> bool {
        let (Ground::Header, [one], [other]) = (group.ground, &group.wanted[..], &group.held[..])
        else {
            return false;
        };
        let dates = self.wanted[*one].time.zip(held[*other].time);
        dates.is_none_or(|(here, there)| here == there)
    }

    /// The messages in these groups.
    fn read_here(&self, groups: &[Undecided]) -> Result<Prints> {
        let mut here = Prints::new();
        for one in groups.iter().flat_map(|group| &group.wanted) {
            let print = self.archive.fingerprint(self.origins[*one])?;
            here.insert(*one, print.ok().map(Fingerprint::gist));
        }
        Ok(here)
    }
}

/// What is said about groups that are not read.
fn told_of(too_many: &[Undecided]) -> Option<String> {
    let count: usize = too_many.iter().map(|group| group.held.len()).sum();
    (count > 0).then(|| {
        format!(
            "{count} messages of the target share headers with others, too many to be read: they are told apart by size and number only"
        )
    })
}

/// The groups that are read, and those that would be too much.
fn within_bounds(groups: Vec<Undecided>, held: &[Held]) -> (Vec<Undecided>, Vec<Undecided>) {
    let (mut bytes, mut messages) = (0, 0);
    groups.into_iter().partition(|group| {
        let sizes = group.held.iter().map(|at| held[*at].size.unwrap_or(0));
        let with_it = (
            sizes.fold(bytes, u64::saturating_add),
            messages + group.held.len(),
        );
        let fits = with_it.0 <= MAX_BYTES && with_it.1 <= MAX_MESSAGES;
        if fits {
            (bytes, messages) = with_it;
        }
        fits
    })
}

/// What was read of both sides, by their numbers.
struct Contents {
    here: Prints,
    there: Prints,
}

/// What was read of one side, by numbers; `None` for what cannot be read.
type Prints = HashMap<usize, Option<Gist>>;

/// The messages of the target in these groups.
fn read_there(
    channel: &mut Channel,
    wire: &[u8],
    held: &[Held],
    groups: &[Undecided],
    trouble: &mut Trouble,
) -> Result<Prints> {
    let numbers: HashMap<u32, usize> = groups
        .iter()
        .flat_map(|group| &group.held)
        .map(|at| (held[*at].uid, *at))
        .collect();
    let uids: UidSet = numbers.keys().copied().collect();
    let mut there = Prints::new();
    bodies::read(channel, wire, &uids, trouble, |uid, print| {
        if let Err(reason) = &print {
            debug!(uid, reason, "a message of the target cannot be read");
        }
        if let Some(at) = numbers.get(&uid) {
            there.insert(*at, print.ok().map(|print| print.fingerprint.gist()));
        }
        Ok(())
    })?;
    Ok(there)
}

impl Contents {
    fn likeness(&self, one: usize, other: usize, ground: Ground) -> Likeness {
        let Some(there) = self.there.get(&other).and_then(Option::as_ref) else {
            return Likeness::Unknown;
        };
        // What is damaged here is not sent, so nothing there is its copy.
        let Some(here) = self.here.get(&one).and_then(Option::as_ref) else {
            return Likeness::Other;
        };
        if here.is_same(there) {
            return Likeness::Same;
        }
        let alike = match ground {
            Ground::Header => here.has_body_of(there) && here.is_kept_in(there),
            Ground::Record => here.has_body_of(there) && here.common(there).is_any(),
            Ground::Date => here.has_body_of(there) && here.common(there).is_all(),
        };
        if alike {
            Likeness::Rewritten
        } else {
            Likeness::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(uid: u32, size: u64) -> Held {
        Held {
            identity: None,
            uid,
            size: Some(size),
            time: None,
        }
    }

    fn group(held: std::ops::Range<usize>) -> Undecided {
        Undecided {
            held: held.collect(),
            ..Undecided::default()
        }
    }

    #[test]
    fn no_more_is_read_than_the_bounds_allow_and_the_rest_is_told() {
        // Just as much as may be, in messages, and one more.
        let many: Vec<Held> = (0..=5000).map(|uid| held(uid, 1)).collect();
        let groups = vec![group(0..3000), group(3000..5000), group(5000..5001)];
        let (read, rest) = within_bounds(groups.clone(), &many);
        assert_eq!((&read[..], &rest[..]), (&groups[..2], &groups[2..]));
        let told = told_of(&rest).expect("told");
        assert!(told.starts_with("1 messages of the target"), "{told}");
        assert_eq!(told_of(&[]), None);
        // The same in bytes.
        let large = [held(1, MAX_BYTES / 2), held(2, MAX_BYTES / 2), held(3, 1)];
        let groups = vec![group(0..1), group(1..2), group(2..3)];
        let (read, rest) = within_bounds(groups.clone(), &large);
        assert_eq!((&read[..], &rest[..]), (&groups[..2], &groups[2..]));
        // One that is too large leaves the others their room.
        let (read, rest) = within_bounds(vec![group(0..3), group(0..1)], &large);
        assert_eq!((read, rest), (vec![group(0..1)], vec![group(0..3)]));
    }
}
