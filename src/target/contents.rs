//! What is read of messages on both sides to tell them apart, and how much of it may be.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use tracing::debug;

use super::bodies;
use super::trouble::Trouble;
use crate::compare::{Ground, Held, Likeness, Undecided};
use crate::mailbox::uidset::UidSet;
use crate::message::Gist;
use crate::plural::{counted, verb};
use crate::session::channel::Channel;

/// Most of one mailbox that is read to tell messages apart, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The same in messages.
const MAX_MESSAGES: usize = 5000;
/// Most that is kept of their headers, in bytes, whatever sizes the target names.
const MAX_HEADERS: u64 = 128 * 1024 * 1024;

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
                "{} of the target {} like others, too many to be read in one run: as far as size, date and number do not tell them apart, nothing is appended for them",
                counted(self.too_many as u64, "message"),
                verb(self.too_many as u64, "looks", "look")
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

/// What was read of both sides, by the numbers of the messages; `None` for what cannot be read, or kept.
pub(super) struct Contents {
    pub here: HashMap<usize, Option<Gist>>,
    pub there: HashMap<usize, Option<Gist>>,
    /// Messages of the target of which it says that there is more than it gave.
    pub cut: HashSet<usize>,
    /// So much more of the target's headers may be kept.
    headers_left: u64,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            here: HashMap::new(),
            there: HashMap::new(),
            cut: HashSet::new(),
            headers_left: MAX_HEADERS,
        }
    }
}

impl Contents {
    fn keep_there(&mut self, at: usize, gist: Option<Gist>) {
        let length = gist.as_ref().map_or(0, Gist::header_length);
        let left = self.headers_left.checked_sub(length);
        self.headers_left = left.unwrap_or(self.headers_left);
        self.there.insert(at, gist.filter(|_| left.is_some()));
    }

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
                self.keep_there(*at, gist);
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
    use crate::message::Fingerprint;
    use crate::session::tests::Scripted;

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
        assert!(told.starts_with("1 message of the target looks"), "{told}");
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
        assert!(told.starts_with("2 messages of the target look"), "{told}");
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

    #[test]
    fn a_message_of_no_known_size_takes_the_room_of_one_message() {
        let unknown = Held {
            size: None,
            ..held(1, 0)
        };
        let large = [unknown, held(2, MAX_BYTES), held(3, 1)];
        let mut room = ReadingRoom::default();
        assert_eq!(room.part_of(&group(0..3), &large), group(0..2));
        assert_eq!(room.told(), None);
        // Of what is wanted, all is compared with the part.
        let all = Undecided {
            wanted: vec![0, 1],
            ground: Ground::Loose,
            ..group(0..3)
        };
        let part = ReadingRoom::default().part_of(&all, &large);
        assert_eq!((part.wanted, part.ground), (vec![0, 1], Ground::Loose));
    }

    fn gist(text: &str) -> Gist {
        let mut print = Fingerprint::default();
        print.feed(text.as_bytes());
        print.gist()
    }

    const MAIL: &str = "Message-ID: <1@x>\r\nSubject: a\r\nX-Old: b\r\n\r\nbody\r\n";
    const ADDED: &str = "X-New: y\r\nMessage-ID: <1@x>\r\nSubject: a\r\nX-Old: b\r\n\r\nbody\r\n";
    const LESS: &str = "Message-ID: <1@x>\r\nSubject: a\r\n\r\nbody\r\n";
    const RENAMED: &str = "Message-ID: <1@x>\r\nSubject: z\r\n\r\nbody\r\n";
    const STRANGE: &str = "Message-ID: <2@x>\r\nSubject: z\r\n\r\nbody\r\n";
    const BODY: &str = "Message-ID: <1@x>\r\nSubject: a\r\nX-Old: b\r\n\r\nother\r\n";

    /// One message here, and one there.
    fn contents(there: &str) -> Contents {
        let mut contents = Contents::default();
        contents.here.insert(0, Some(gist(MAIL)));
        contents.there.insert(0, Some(gist(there)));
        contents
    }

    #[test]
    fn no_more_headers_are_kept_than_there_is_room_for_and_the_rest_may_be_anything() {
        let mut contents = contents(MAIL);
        let length = gist(MAIL).header_length();
        contents.headers_left = 2 * length + 1;
        for at in 1..4 {
            contents.keep_there(at, Some(gist(MAIL)));
        }
        let known = [1, 2, 3].map(|at| contents.likeness(0, at, Ground::Header));
        assert_eq!(known, [Likeness::Same, Likeness::Same, Likeness::Unknown]);
        assert_eq!(Contents::default().headers_left, MAX_HEADERS);
    }

    #[test]
    fn on_each_ground_only_that_is_the_same_which_a_server_may_have_made_of_it_there() {
        use Likeness::{Other, Reheaded, Rewritten, Same};
        let grounds = [
            Ground::Header,
            Ground::Record,
            Ground::Loose,
            Ground::Nameless,
            Ground::Date,
        ];
        let table = [
            (MAIL, [Same; 5]),
            (ADDED, [Rewritten; 5]),
            (LESS, [Reheaded, Rewritten, Rewritten, Rewritten, Rewritten]),
            (RENAMED, [Reheaded, Rewritten, Other, Other, Other]),
            (STRANGE, [Reheaded, Other, Other, Other, Other]),
            (BODY, [Other; 5]),
        ];
        for (there, likenesses) in table {
            for (ground, likeness) in grounds.into_iter().zip(likenesses) {
                let found = contents(there).likeness(0, 0, ground);
                assert_eq!(found, likeness, "{ground:?} {there}");
            }
        }
    }

    #[test]
    fn what_was_not_read_there_may_be_anything_and_what_is_cut_off_is_no_other_message() {
        let mut contents = contents(BODY);
        contents.there.insert(1, None);
        contents.here.insert(1, None);
        let likeness =
            |contents: &Contents, one, other| contents.likeness(one, other, Ground::Header);
        for unread in [1, 2] {
            assert_eq!(likeness(&contents, 0, unread), Likeness::Unknown);
            assert_eq!(likeness(&contents, 1, unread), Likeness::Unknown);
        }
        // What is damaged here is not the one that is whole there.
        assert_eq!(likeness(&contents, 1, 0), Likeness::Other);
        assert_eq!(likeness(&contents, 2, 0), Likeness::Other);
        assert_eq!(likeness(&contents, 0, 0), Likeness::Other);
        contents.cut.insert(0);
        assert_eq!(likeness(&contents, 0, 0), Likeness::Unknown);
        contents.there.insert(0, Some(gist(LESS)));
        assert_eq!(likeness(&contents, 0, 0), Likeness::Unknown);
        contents.cut.insert(1);
        contents.cut.remove(&0);
        assert_eq!(likeness(&contents, 0, 0), Likeness::Reheaded);
        for (there, is) in [(MAIL, Likeness::Same), (ADDED, Likeness::Rewritten)] {
            contents.there.insert(0, Some(gist(there)));
            contents.cut.insert(0);
            assert_eq!(likeness(&contents, 0, 0), is);
        }
    }

    #[test]
    fn what_groups_name_is_read_once_and_is_known_by_its_number() {
        let mut server = Scripted::new("", |command| {
            let Some(rest) = command.strip_prefix("UID FETCH ") else {
                return Some("* 9 EXISTS\nOK open".to_owned());
            };
            let set: UidSet = rest.split_once(' ')?.0.parse().ok()?;
            let lines = set.iter().map(|uid| match uid {
                12 => "* 12 FETCH (UID 12 RFC822.SIZE 5 BODY[] NIL)\n".to_owned(),
                14 => "* 14 FETCH (UID 14 RFC822.SIZE 2001 BODY[] \"To: 4\")\n".to_owned(),
                uid => format!(
                    "* {uid} FETCH (UID {uid} RFC822.SIZE 5 BODY[] \"To: {}\")\n",
                    uid % 10
                ),
            });
            Some(lines.collect::<String>() + "OK done")
        });
        let there = [held(13, 5), held(11, 5), held(12, 5), held(14, 5)];
        let mut contents = Contents::default();
        let mut trouble = Trouble::default();
        let mut read = |contents: &mut Contents, groups: &[Undecided]| {
            let groups = (&there[..], groups);
            let read = contents.read_there(&mut server.channel, b"Box", groups, &mut trouble);
            read.expect("a connection");
            server.heard().len()
        };
        assert_eq!(read(&mut contents, &[]), 0, "nothing to be asked");
        read(&mut contents, &[group(0..2), group(1..3)]);
        let known = |contents: &Contents, at| contents.there.get(&at).map(Option::is_some);
        let of = |contents: &Contents| [0, 1, 2, 3].map(|at| known(contents, at));
        assert_eq!(of(&contents), [Some(true), Some(true), Some(false), None]);
        let first = contents.there[&0].as_ref().expect("read");
        assert!(first.is_same(&gist("To: 3")) && !first.is_same(&gist("To: 1")));
        assert!(contents.cut.is_empty());
        let asked = read(&mut contents, &[]);
        assert_eq!(read(&mut contents, &[group(0..3)]), asked, "all is known");
        read(&mut contents, &[group(0..4)]);
        assert_eq!(known(&contents, 3), Some(true));
        assert_eq!(contents.cut, HashSet::from([3]), "shorter than was said");
    }
}
