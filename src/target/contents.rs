//! What is read of messages on both sides to tell them apart, and how much of it may be.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use tracing::debug;

use super::bodies;
use super::trouble::Trouble;
use crate::compare::{Ground, Held, Likeness, Undecided};
use crate::mailbox::uidset::UidSet;
use crate::message::Gist;
use crate::session::channel::Channel;

/// Most of one mailbox that is read to tell messages apart, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The same in messages.
const MAX_MESSAGES: usize = 5000;

/// How much more of one mailbox of the target may be read.
pub(super) struct ReadingRoom {
    bytes: u64,
    messages: usize,
    /// Messages that were to be read and are not.
    too_many: usize,
}

impl Default for ReadingRoom {
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            messages: MAX_MESSAGES,
            too_many: 0,
        }
    }
}

impl ReadingRoom {
    /// The groups that are read, and those that are too large as a whole. Those of which the two sides have different
    /// numbers go first: the others are perhaps as they should be.
    pub fn take(
        &mut self,
        groups: Vec<Undecided>,
        held: &[Held],
    ) -> (Vec<Undecided>, Vec<Undecided>) {
        let is_even = |group: &Undecided| group.wanted.len() == group.held.len();
        let (even, uneven): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_even);
        let (small, large): (Vec<_>, Vec<Undecided>) = uneven
            .into_iter()
            .chain(even)
            .partition(|group| self.fits(group.held.iter().map(|at| &held[*at])));
        self.too_many += large.iter().map(|group| group.held.len()).sum::<usize>();
        (small, large)
    }

    /// As much of such a large group as may still be read.
    pub fn part_of(&mut self, group: &Undecided, held: &[Held]) -> Undecided {
        let all = group.held.iter().copied();
        let read: Vec<usize> = all
            .filter(|at| self.fits(std::iter::once(&held[*at])))
            .collect();
        self.too_many = self.too_many.saturating_sub(read.len());
        Undecided {
            held: read,
            ..group.clone()
        }
    }

    /// What is said of messages that were too many, or too large, to be read.
    pub fn told(&self) -> Option<String> {
        (self.too_many > 0).then(|| {
            format!(
                "{} messages of the target look like others, too many to be read in one run: as far as size, date and number do not tell them apart, nothing is appended for them",
                self.too_many
            )
        })
    }

    /// Takes the room that these need, if it is there.
    fn fits<'a>(&mut self, held: impl Iterator<Item = &'a Held>) -> bool {
        let (mut bytes, mut messages) = (0_u64, 0);
        for there in held {
            bytes = bytes.saturating_add(there.size.unwrap_or(0));
            messages += 1;
        }
        let fits = bytes <= self.bytes && messages <= self.messages;
        if fits {
            self.bytes -= bytes;
            self.messages -= messages;
        }
        fits
    }
}

/// What was read of both sides, by the numbers of the messages; `None` for what cannot be read.
#[derive(Default)]
pub(super) struct Contents {
    pub here: HashMap<usize, Option<Gist>>,
    pub there: HashMap<usize, Option<Gist>>,
    /// Messages of the target of which it says that there is more than it gave.
    pub cut: HashSet<usize>,
}

impl Contents {
    /// Reads the messages of the target in these groups, each once.
    pub fn read_there(
        &mut self,
        channel: &mut Channel,
        wire: &[u8],
        (held, groups): (&[Held], &[Undecided]),
        trouble: &mut Trouble,
    ) -> Result<()> {
        let all = groups.iter().flat_map(|group| &group.held);
        let new = all.filter(|at| !self.there.contains_key(*at));
        let numbers: HashMap<u32, usize> = new.map(|at| (held[*at].uid, *at)).collect();
        let uids: UidSet = numbers.keys().copied().collect();
        if uids.is_empty() {
            return Ok(());
        }
        bodies::read(channel, wire, &uids, trouble, |uid, print| {
            if let Err(reason) = &print {
                debug!(uid, reason, "a message of the target cannot be read");
            }
            if let Some(at) = numbers.get(&uid) {
                if print.as_ref().is_ok_and(|print| print.cut_from.is_some()) {
                    self.cut.insert(*at);
                }
                let gist = print.ok().map(|print| print.fingerprint.gist());
                self.there.insert(*at, gist);
            }
            Ok(())
        })
    }

    /// How alike two messages are. What was not read may be anything.
    pub fn likeness(&self, one: usize, other: usize, ground: Ground) -> Likeness {
        match self.likeness_of_read(one, other, ground) {
            Likeness::Other | Likeness::Reheaded if self.cut.contains(&other) => Likeness::Unknown,
            likeness => likeness,
        }
    }

    fn likeness_of_read(&self, one: usize, other: usize, ground: Ground) -> Likeness {
        let Some(there) = self.there.get(&other).and_then(Option::as_ref) else {
            return Likeness::Unknown;
        };
        // Of what is damaged here no more than its digest is known.
        let Some(here) = self.here.get(&one).and_then(Option::as_ref) else {
            return Likeness::Other;
        };
        if here.is_same(there) {
            return Likeness::Same;
        }
        if !here.has_body_of(there) {
            return Likeness::Other;
        }
        match ground {
            Ground::Header if here.is_kept_in(there) => Likeness::Rewritten,
            Ground::Header => Likeness::Reheaded,
            Ground::Record if here.may_be_on_record(there) => Likeness::Rewritten,
            Ground::Nameless | Ground::Loose | Ground::Date if here.may_be(there) => {
                Likeness::Rewritten
            }
            _ => Likeness::Other,
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
        let mut room = ReadingRoom::default();
        let (read, rest) = room.take(groups.clone(), &many);
        assert_eq!((&read[..], &rest[..]), (&groups[..2], &groups[2..]));
        assert_eq!(room.part_of(&rest[0], &many), group(0..0));
        let told = room.told().expect("told");
        assert!(told.starts_with("1 messages of the target"), "{told}");
        assert_eq!(ReadingRoom::default().told(), None);
        // The same in bytes.
        let large = [held(1, MAX_BYTES / 2), held(2, MAX_BYTES / 2), held(3, 1)];
        let groups = vec![group(0..1), group(1..2), group(2..3)];
        let (read, rest) = ReadingRoom::default().take(groups.clone(), &large);
        assert_eq!((&read[..], &rest[..]), (&groups[..2], &groups[2..]));
        // One that is too large leaves the others their room, and has what is left.
        let mut room = ReadingRoom::default();
        let (read, rest) = room.take(vec![group(0..3), group(0..1)], &large);
        assert_eq!((read, &rest[..]), (vec![group(0..1)], &[group(0..3)][..]));
        assert_eq!(room.part_of(&rest[0], &large), group(0..1));
        let told = room.told().expect("told");
        assert!(told.starts_with("2 messages of the target"), "{told}");
    }

    #[test]
    fn where_numbers_differ_is_read_first() {
        let many: Vec<Held> = (0..6000).map(|uid| held(uid, 1)).collect();
        let even = Undecided {
            wanted: (0..3000).collect(),
            ..group(0..3000)
        };
        let groups = vec![even.clone(), group(3000..6000)];
        let (read, rest) = ReadingRoom::default().take(groups, &many);
        assert_eq!((read, rest), (vec![group(3000..6000)], vec![even]));
    }
}
