//! Two inventories in, what they have in common and what not out. Pure.
//!
//! The header finds the candidates. Where sizes and counts tell which of them is which, they do; else the content
//! decides, and whoever can read it says so afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::message::Identity;

/// A message that one side must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What makes two copies the same message.
    pub identity: Identity,
    /// The same as a server has it that does not keep 8-bit characters in headers.
    pub loose: Option<Identity>,
    /// Bytes, as sent.
    pub size: u64,
    /// INTERNALDATE, in seconds since 1970.
    pub time: Option<i64>,
    /// Its UID on the other side, where that is on record.
    pub to_uid: Option<u32>,
}

/// A message that the other side has.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// What makes two copies the same message; `None` where its header cannot be had.
    pub identity: Option<Identity>,
    /// UID.
    pub uid: u32,
    /// Bytes, where they are known.
    pub size: Option<u64>,
    /// INTERNALDATE, in seconds since 1970.
    pub time: Option<i64>,
}

/// Messages of both sides that may be the same: their contents must be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Numbers of those wanted.
    pub wanted: Vec<usize>,
    /// Numbers of those held.
    pub held: Vec<usize>,
    /// Their headers are not the same: only the bodies can be.
    pub by_body: bool,
}

/// How alike two messages are, by their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Byte for byte.
    Same,
    /// But for what servers do to messages.
    Rewritten,
    /// Two messages.
    Other,
    /// One of them cannot be read.
    Unknown,
}

/// Numbers into the two inventories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The same message on both sides.
    pub matched: Vec<(usize, usize)>,
    /// The same, as its body says, with another header.
    pub rewritten: Vec<(usize, usize)>,
    /// May be the same.
    pub undecided: Vec<Undecided>,
    /// Wanted and not there.
    pub missing: Vec<usize>,
    /// Wanted; whether it is there cannot be told.
    pub unknown: Vec<usize>,
    /// There, and more copies of it than wanted.
    pub doubled: Vec<usize>,
    /// There and not wanted at all.
    pub extra: Vec<usize>,
}

struct Board<'a> {
    wanted: &'a [Wanted],
    held: &'a [Held],
    /// Not yet placed.
    open: Vec<bool>,
    /// Not yet taken.
    free: Vec<bool>,
    result: Comparison,
}

/// Compares as multisets: two copies wanted are two copies there. A recorded UID tells twins apart.
#[must_use]
pub fn compare(wanted: &[Wanted], held: &[Held]) -> Comparison {
    let mut board = Board {
        wanted,
        held,
        open: vec![true; wanted.len()],
        free: vec![true; held.len()],
        result: Comparison::default(),
    };
    board.by_record();
    board.by_identity();
    board.by_record_alone();
    board.by_loose_identity();
    board.by_doubt();
    board.rest();
    board.result
}

impl Board<'_> {
    fn pair(&mut self, one: usize, other: usize) {
        self.open[one] = false;
        self.free[other] = false;
        self.result.matched.push((one, other));
    }

    fn put_aside(&mut self, undecided: Undecided) {
        undecided
            .wanted
            .iter()
            .for_each(|one| self.open[*one] = false);
        undecided
            .held
            .iter()
            .for_each(|other| self.free[*other] = false);
        self.result.undecided.push(undecided);
    }

    fn recorded(&self) -> Vec<(usize, usize)> {
        let by_uid: HashMap<u32, usize> = self
            .held
            .iter()
            .zip(0..)
            .map(|(there, at)| (there.uid, at))
            .collect();
        let recorded = self.wanted.iter().enumerate().filter_map(|(one, wanted)| {
            let other = by_uid.get(&wanted.to_uid?)?;
            Some((one, *other))
        });
        recorded.collect()
    }

    /// On record, with the identity that it had.
    fn by_record(&mut self) {
        for (one, other) in self.recorded() {
            let same = self.held[other].identity == Some(self.wanted[one].identity);
            if same && self.free[other] {
                self.pair(one, other);
            }
        }
    }

    fn by_identity(&mut self) {
        let mut groups: HashMap<Identity, Undecided> = HashMap::new();
        for one in (0..self.wanted.len()).filter(|one| self.open[*one]) {
            let group = groups.entry(self.wanted[one].identity).or_default();
            group.wanted.push(one);
        }
        for other in (0..self.held.len()).filter(|other| self.free[*other]) {
            let group = self.held[other].identity.and_then(|it| groups.get_mut(&it));
            if let Some(group) = group {
                group.held.push(other);
            }
        }
        let mut groups: Vec<Undecided> = groups.into_values().collect();
        groups.retain(|group| !group.held.is_empty());
        groups.sort_unstable_by_key(|group| group.wanted[0]);
        for group in groups {
            self.by_size(&group);
        }
    }

    /// One of a size on either side is the same; more of them, and those of other sizes, are for the content to decide.
    fn by_size(&mut self, group: &Undecided) {
        let mut sizes: BTreeMap<Option<u64>, Undecided> = BTreeMap::new();
        for one in &group.wanted {
            let size = sizes.entry(Some(self.wanted[*one].size)).or_default();
            size.wanted.push(*one);
        }
        for other in &group.held {
            let size = sizes.entry(self.held[*other].size).or_default();
            size.held.push(*other);
        }
        let mut rest = Undecided::default();
        let mut must_read = false;
        for size in sizes.into_values() {
            match (&size.wanted[..], &size.held[..]) {
                ([one], [other]) => self.pair(*one, *other),
                (wanted, held) => {
                    must_read |= !wanted.is_empty() && !held.is_empty();
                    rest.wanted.extend(wanted);
                    rest.held.extend(held);
                }
            }
        }
        match (&rest.wanted[..], &rest.held[..]) {
            ([], _) | (_, []) => {}
            // The only candidate: the same message, rewritten by a server.
            ([one], [other]) if !must_read => self.pair(*one, *other),
            _ => self.put_aside(rest),
        }
    }

    /// On record, with another header: only its body can say that it is the same.
    fn by_record_alone(&mut self) {
        for (one, other) in self.recorded() {
            if self.open[one] && self.free[other] {
                self.put_aside(Undecided {
                    wanted: vec![one],
                    held: vec![other],
                    by_body: true,
                });
            }
        }
    }

    /// A server that does not keep 8-bit characters in headers.
    fn by_loose_identity(&mut self) {
        let mut groups: BTreeMap<(Identity, u64), Undecided> = BTreeMap::new();
        for one in (0..self.wanted.len()).filter(|one| self.open[*one]) {
            let wanted = &self.wanted[one];
            if let Some(loose) = wanted.loose {
                groups
                    .entry((loose, wanted.size))
                    .or_default()
                    .wanted
                    .push(one);
            }
        }
        if groups.is_empty() {
            return;
        }
        for other in (0..self.held.len()).filter(|other| self.free[*other]) {
            let there = &self.held[other];
            let key = there.identity.zip(there.size);
            if let Some(group) = key.and_then(|key| groups.get_mut(&key)) {
                group.held.push(other);
            }
        }
        for mut group in groups.into_values().filter(|group| !group.held.is_empty()) {
            group.by_body = true;
            self.put_aside(group);
        }
    }

    /// What cannot be read there may be what is wanted, where size or date say nothing else.
    fn by_doubt(&mut self) {
        let unread: Vec<&Held> = self
            .held
            .iter()
            .enumerate()
            .filter(|(other, there)| there.identity.is_none() && self.free[*other])
            .map(|(_, there)| there)
            .collect();
        if unread.is_empty() {
            return;
        }
        let any = unread
            .iter()
            .any(|there| there.size.is_none() && there.time.is_none());
        let sizes: HashSet<u64> = unread.iter().filter_map(|there| there.size).collect();
        let times: HashSet<i64> = unread.iter().filter_map(|there| there.time).collect();
        for one in (0..self.wanted.len())
            .filter(|one| self.open[*one])
            .collect::<Vec<_>>()
        {
            let wanted = &self.wanted[one];
            let may_be = any
                || sizes.contains(&wanted.size)
                || wanted.time.is_some_and(|time| times.contains(&time));
            if may_be {
                self.open[one] = false;
                self.result.unknown.push(one);
            }
        }
    }

    fn rest(&mut self) {
        let known: HashSet<Identity> = self.wanted.iter().map(|one| one.identity).collect();
        let open = (0..self.wanted.len()).filter(|one| self.open[*one]);
        self.result.missing = open.collect();
        for other in (0..self.held.len()).filter(|other| self.free[*other]) {
            match self.held[other].identity {
                Some(identity) if known.contains(&identity) => self.result.doubled.push(other),
                Some(_) => self.result.extra.push(other),
                None => {}
            }
        }
        self.result.matched.sort_unstable();
    }
}

impl Comparison {
    /// Settles a group that was undecided, by what its messages hold.
    pub fn decide(&mut self, group: &Undecided, likeness: impl Fn(usize, usize) -> Likeness) {
        let mut open = group.wanted.clone();
        let mut free = group.held.clone();
        for wanted in [Likeness::Same, Likeness::Rewritten] {
            open.retain(|one| {
                let Some(at) = free
                    .iter()
                    .position(|other| likeness(*one, *other) == wanted)
                else {
                    return true;
                };
                let other = free.remove(at);
                let pairs = if group.by_body {
                    &mut self.rewritten
                } else {
                    &mut self.matched
                };
                pairs.push((*one, other));
                false
            });
        }
        for one in open {
            let is_unknown = free
                .iter()
                .any(|other| likeness(one, *other) == Likeness::Unknown);
            if is_unknown {
                self.unknown.push(one);
            } else {
                self.missing.push(one);
            }
        }
        for other in free {
            let copies =
                |one: &usize| matches!(likeness(*one, other), Likeness::Same | Likeness::Rewritten);
            if group.wanted.iter().any(copies) {
                self.doubled.push(other);
            } else {
                self.extra.push(other);
            }
        }
        self.sort();
    }

    /// Settles it by how many there are, as its messages are too many, or too large, to be read.
    pub fn count(&mut self, group: &Undecided) {
        let both = group.wanted.iter().zip(&group.held);
        self.matched.extend(both.map(|(one, other)| (*one, *other)));
        self.missing
            .extend(group.wanted.iter().skip(group.held.len()));
        self.doubled
            .extend(group.held.iter().skip(group.wanted.len()));
        self.sort();
    }

    /// What was looked at is not the whole: what was not found may be in the rest.
    pub fn doubt(&mut self) {
        self.unknown.append(&mut self.missing);
        self.sort();
    }

    fn sort(&mut self) {
        self.matched.sort_unstable();
        self.missing.sort_unstable();
        self.unknown.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(subject: &str) -> Identity {
        Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None)
    }

    fn wanted(subject: &str, size: u64, to_uid: Option<u32>) -> Wanted {
        Wanted {
            identity: identity(subject),
            loose: None,
            size,
            time: None,
            to_uid,
        }
    }

    fn held(subject: &str, size: u64, uid: u32) -> Held {
        Held {
            identity: Some(identity(subject)),
            uid,
            size: Some(size),
            time: None,
        }
    }

    fn undecided(wanted: &[usize], held: &[usize]) -> Undecided {
        Undecided {
            wanted: wanted.to_vec(),
            held: held.to_vec(),
            by_body: false,
        }
    }

    #[test]
    fn sizes_tell_twins_apart_and_what_is_left_over_is_told() {
        let one = [
            wanted("a", 10, None),
            wanted("a", 20, None),
            wanted("b", 10, None),
            wanted("c", 10, None),
        ];
        let other = [
            held("b", 10, 9),
            held("a", 20, 8),
            held("a", 10, 7),
            held("a", 30, 10),
            held("d", 10, 1),
        ];
        let result = compare(&one, &other);
        assert_eq!(result.matched, [(0, 2), (1, 1), (2, 0)]);
        assert_eq!(result.missing, [3]);
        assert_eq!(result.doubled, [3]);
        assert_eq!(result.extra, [4]);
    }

    #[test]
    fn a_single_candidate_of_another_size_was_rewritten() {
        let result = compare(&[wanted("a", 10, None)], &[held("a", 12, 1)]);
        assert_eq!(result.matched, [(0, 0)]);
    }

    #[test]
    fn what_sizes_and_counts_do_not_decide_the_content_does() {
        let one = [wanted("a", 10, None), wanted("a", 10, None)];
        let other = [held("a", 10, 5)];
        let mut result = compare(&one, &other);
        assert_eq!(result.undecided, [undecided(&[0, 1], &[0])]);
        assert!(result.missing.is_empty() && result.matched.is_empty());
        let group = result.undecided.remove(0);
        result.decide(&group, |one, _| {
            if one == 1 {
                Likeness::Same
            } else {
                Likeness::Other
            }
        });
        assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));

        let mut result = compare(&one, &[held("a", 10, 5), held("a", 10, 6)]);
        let group = result.undecided.remove(0);
        result.decide(&group, |_, _| Likeness::Other);
        assert_eq!((result.missing, result.extra), (vec![0, 1], vec![0, 1]));

        let mut result = compare(&one, &other);
        let group = result.undecided.remove(0);
        result.decide(&group, |_, _| Likeness::Unknown);
        assert_eq!((result.missing.len(), result.unknown.len()), (0, 2));

        let mut result = compare(&one, &other);
        let group = result.undecided.remove(0);
        result.count(&group);
        assert_eq!((result.matched, result.missing), (vec![(0, 0)], vec![1]));
    }

    #[test]
    fn a_recorded_uid_tells_twins_apart() {
        let one = [
            wanted("a", 10, Some(8)),
            wanted("a", 10, Some(7)),
            wanted("b", 10, Some(9)),
        ];
        let other = [held("a", 10, 7), held("a", 10, 8), held("B", 10, 9)];
        let mut result = compare(&one, &other);
        assert_eq!(result.matched, [(0, 1), (1, 0)]);
        // Another header at a recorded UID is no proof of anything.
        let group = result.undecided.remove(0);
        assert!(group.by_body);
        result.decide(&group, |_, _| Likeness::Other);
        assert_eq!((result.missing, result.extra), (vec![2], vec![2]));
        // The record is of a message that is gone: its twin does not stand in for it twice.
        let one = [wanted("a", 10, Some(5)), wanted("a", 10, Some(7))];
        let result = compare(&one, &[held("a", 10, 7)]);
        assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
    }

    #[test]
    fn what_cannot_be_read_makes_its_likes_unknown_and_no_others() {
        let unread = Held {
            identity: None,
            uid: 3,
            size: Some(10),
            time: None,
        };
        let result = compare(&[wanted("a", 10, None), wanted("b", 11, None)], &[unread]);
        assert_eq!((result.unknown, result.missing), (vec![0], vec![1]));
        let nothing = Held {
            size: None,
            ..unread
        };
        let result = compare(&[wanted("a", 10, None), wanted("b", 11, None)], &[nothing]);
        assert_eq!((result.unknown, result.missing), (vec![0, 1], vec![]));
        assert!(result.extra.is_empty());
    }

    #[test]
    fn a_date_makes_what_cannot_be_read_a_candidate_too() {
        let unread = Held {
            identity: None,
            uid: 3,
            size: None,
            time: Some(7),
        };
        let at = |time| Wanted {
            time,
            ..wanted("a", 10, None)
        };
        let result = compare(&[at(Some(7)), at(Some(8)), at(None)], &[unread]);
        assert_eq!((result.unknown, result.missing), (vec![0], vec![1, 2]));
    }

    #[test]
    fn a_header_that_lost_its_8_bit_characters_is_a_candidate_of_the_same_size_only() {
        let raw = |size| Wanted {
            loose: Some(identity("X")),
            ..wanted("\u{e9}", size, None)
        };
        let mut result = compare(&[raw(10), raw(11)], &[held("X", 10, 1), held("X", 12, 2)]);
        let group = result.undecided.remove(0);
        assert_eq!((&group.wanted[..], &group.held[..]), (&[0][..], &[0][..]));
        assert_eq!(
            (&result.missing[..], &result.extra[..]),
            (&[1][..], &[1][..])
        );
        // Its body decides, and what it decides is another matter than a match.
        result.decide(&group, |_, _| Likeness::Rewritten);
        assert_eq!((result.rewritten, result.matched), (vec![(0, 0)], vec![]));
        // One that has its characters is no candidate for it.
        let plain = compare(&[wanted("\u{e9}", 10, None)], &[held("X", 10, 1)]);
        assert_eq!((plain.missing, plain.extra), (vec![0], vec![0]));
    }

    #[test]
    fn the_same_bytes_go_before_rewritten_ones_and_surplus_copies_are_told() {
        let one = [wanted("a", 10, None), wanted("a", 10, None)];
        let other = [
            held("a", 10, 5),
            held("a", 10, 6),
            held("a", 10, 7),
            held("a", 10, 8),
        ];
        let mut result = compare(&one, &other);
        let group = result.undecided.remove(0);
        result.decide(&group, |one, other| match (one, other) {
            (0, 1) | (1, 0) => Likeness::Same,
            (0, 0) | (1, 2) => Likeness::Rewritten,
            _ => Likeness::Other,
        });
        assert_eq!(result.matched, [(0, 1), (1, 0)]);
        assert_eq!((result.doubled, result.extra), (vec![2], vec![3]));
        assert!(result.missing.is_empty() && result.unknown.is_empty());
    }

    #[test]
    fn what_is_not_found_in_a_part_is_unknown() {
        let one = [wanted("a", 10, None), wanted("b", 10, None)];
        let mut result = compare(&one, &[held("b", 10, 5)]);
        result.doubt();
        assert_eq!((result.missing, result.unknown), (vec![], vec![0]));
        assert_eq!(result.matched, [(1, 0)]);
    }

    #[test]
    fn counts_settle_what_is_too_large_to_be_read() {
        let one = [wanted("a", 10, None), wanted("a", 10, None)];
        let other = [held("a", 10, 5), held("a", 10, 6), held("a", 10, 7)];
        let mut result = compare(&one, &other);
        let group = result.undecided.remove(0);
        result.count(&group);
        assert_eq!(result.matched, [(0, 0), (1, 1)]);
        assert_eq!((result.doubled, result.missing.len()), (vec![2], 0));
    }
}
