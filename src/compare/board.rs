//! What is the same on both sides, found in steps, the surest first.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::count::Even;
use super::{Comparison, Ground, Held, Likeness, Undecided, Wanted};
use crate::message::Identity;

/// Messages of one second that a server may have changed the headers of: of more, the date says nothing.
const MAX_OF_A_DATE: usize = 200;

/// The grounds on which messages may be the same, the best first.
const GROUNDS: [Ground; 5] = [
    Ground::Header,
    Ground::Record,
    Ground::Loose,
    Ground::Nameless,
    Ground::Date,
];

/// Two inventories, compared as multisets: two copies wanted are two copies there.
///
/// What is certain is found at once, the rest by [`Board::candidates`], which are decided one step after another: what
/// is not found on one ground may be on the next.
pub struct Board<'a> {
    wanted: &'a [Wanted],
    held: &'a [Held],
    /// Not yet placed.
    open: Vec<bool>,
    /// Something there may be it, and cannot be read.
    doubted: Vec<bool>,
    /// Not yet taken.
    free: Vec<bool>,
    /// It was read, and is a copy of what is wanted, or is not.
    copies: HashMap<usize, bool>,
    steps: std::slice::Iter<'static, Ground>,
    result: Comparison,
}

impl<'a> Board<'a> {
    /// What is certain: on record with the identity that it had, or the only ones of their identity, size and date.
    #[must_use]
    pub fn new(wanted: &'a [Wanted], held: &'a [Held]) -> Self {
        let mut board = Self {
            wanted,
            held,
            open: vec![true; wanted.len()],
            doubted: vec![false; wanted.len()],
            free: vec![true; held.len()],
            copies: HashMap::new(),
            steps: GROUNDS.iter(),
            result: Comparison::default(),
        };
        board.by_record();
        for group in board.of_identity(|one| Some(one.identity), Ground::Header) {
            board.by_size(&group);
        }
        board
    }

    /// How many pairs are certain.
    #[must_use]
    pub fn certain(&self) -> usize {
        self.result.matched.len()
    }

    /// What may be the same on the next ground; `None` when there are no more.
    pub fn candidates(&mut self) -> Option<Vec<Undecided>> {
        let ground = *self.steps.next()?;
        Some(match ground {
            Ground::Header => self.of_identity(|one| Some(one.identity), ground),
            Ground::Record => self.by_record_alone(),
            Ground::Loose => self.of_identity(|one| one.loose, ground),
            Ground::Nameless => self.nameless(),
            Ground::Date => self.by_date(),
        })
    }

    fn pair(&mut self, one: usize, other: usize, ground: Ground) {
        self.open[one] = false;
        self.free[other] = false;
        let pairs = match ground {
            Ground::Header | Ground::Nameless => &mut self.result.matched,
            Ground::Record | Ground::Loose | Ground::Date => &mut self.result.rewritten,
        };
        pairs.push((one, other));
    }

    fn all_open(&self) -> impl Iterator<Item = usize> + use<> {
        let open: Vec<usize> = (0..self.wanted.len())
            .filter(|one| self.open[*one])
            .collect();
        open.into_iter()
    }

    fn all_free(&self) -> impl Iterator<Item = usize> + use<> {
        let free: Vec<usize> = (0..self.held.len())
            .filter(|other| self.free[*other])
            .collect();
        free.into_iter()
    }

    /// Those on record that are not placed, and what has their UIDs.
    fn recorded(&self) -> Vec<(usize, usize)> {
        let by_uid: HashMap<u32, usize> = self
            .all_free()
            .map(|other| (self.held[other].uid, other))
            .collect();
        let recorded = self.all_open().filter_map(|one| {
            let other = by_uid.get(&self.wanted[one].recorded?.uid)?;
            Some((one, *other))
        });
        recorded.collect()
    }

    /// On record, with the identity that it had. Where the mailbox may have been made anew, or where a twin of another
    /// size is there, that alone is no proof.
    fn by_record(&mut self) {
        let mut there: HashMap<Identity, usize> = HashMap::new();
        for identity in self.held.iter().filter_map(|there| there.identity) {
            *there.entry(identity).or_default() += 1;
        }
        for (one, other) in self.recorded() {
            let (wanted, held) = (&self.wanted[one], &self.held[other]);
            let stands = wanted.recorded.is_some_and(|recorded| recorded.stands);
            let is_alone = || there.get(&wanted.identity) == Some(&1);
            let is_same = held.identity == Some(wanted.identity)
                && (held.size.is_none_or(|size| size == wanted.size) || is_alone());
            if stands && is_same && self.free[other] {
                self.pair(one, other, Ground::Header);
            }
        }
    }

    /// Open ones and free ones with an identity in common.
    fn of_identity(
        &self,
        identity_of: impl Fn(&Wanted) -> Option<Identity>,
        ground: Ground,
    ) -> Vec<Undecided> {
        let mut groups: HashMap<Identity, Undecided> = HashMap::new();
        for one in self.all_open() {
            if let Some(identity) = identity_of(&self.wanted[one]) {
                groups.entry(identity).or_default().wanted.push(one);
            }
        }
        for other in self.all_free() {
            let group = self.held[other].identity.and_then(|it| groups.get_mut(&it));
            if let Some(group) = group {
                group.held.push(other);
            }
        }
        let mut groups: Vec<Undecided> = groups.into_values().collect();
        groups.retain(|group| !group.held.is_empty());
        groups.sort_unstable_by_key(|group| group.wanted[0]);
        for group in &mut groups {
            group.ground = ground;
        }
        groups
    }

    /// One of a size on either side is the same, unless their dates differ or nothing but size and date makes them one.
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
        for size in sizes.into_values() {
            if let ([one], [other]) = (&size.wanted[..], &size.held[..])
                && !self.is_nameless(*one)
                && self.may_have_one_date(*one, *other)
            {
                self.pair(*one, *other, group.ground);
            }
        }
    }

    /// Nothing says that their dates differ.
    fn may_have_one_date(&self, one: usize, other: usize) -> bool {
        let dates = self.wanted[one].time.zip(self.held[other].time);
        dates.is_none_or(|(here, there)| here == there)
    }

    /// It has the date that is wanted, where one is: without, the other side gives its own.
    #[must_use]
    pub fn is_of_its_date(&self, one: usize, other: usize) -> bool {
        let here = self.wanted[one].time;
        here.is_none() || here == self.held[other].time
    }

    /// Nothing but its size and date is in its identity.
    #[must_use]
    pub fn is_nameless(&self, one: usize) -> bool {
        self.wanted[one].identity.is_nameless()
    }

    /// On record, with another header: only its body can say that it is the same.
    fn by_record_alone(&self) -> Vec<Undecided> {
        let recorded = self.recorded().into_iter();
        let groups = recorded.map(|(one, other)| Undecided {
            wanted: vec![one],
            held: vec![other],
            ground: Ground::Record,
        });
        groups.collect()
    }

    /// What has no header has only its content, whatever a server makes of its size and date.
    fn nameless(&self) -> Vec<Undecided> {
        let is_nameless = |identity: Identity| identity.is_nameless();
        let wanted: Vec<usize> = self
            .all_open()
            .filter(|one| self.is_nameless(*one))
            .collect();
        let held: Vec<usize> = self
            .all_free()
            .filter(|other| self.held[*other].identity.is_some_and(is_nameless))
            .collect();
        if wanted.is_empty() || held.is_empty() {
            return Vec::new();
        }
        vec![Undecided {
            wanted,
            held,
            ground: Ground::Nameless,
        }]
    }

    /// A server that changes headers keeps the date: what has it, and is nothing else that is wanted, is a candidate.
    fn by_date(&self) -> Vec<Undecided> {
        let mut groups: BTreeMap<i64, Undecided> = BTreeMap::new();
        for one in self.all_open() {
            if let Some(time) = self.wanted[one].time {
                groups.entry(time).or_default().wanted.push(one);
            }
        }
        if groups.is_empty() {
            return Vec::new();
        }
        let known = self.identities();
        for other in self.all_free() {
            let there = &self.held[other];
            let is_strange = there.identity.is_some_and(|it| !known.contains(&it));
            let group = there.time.and_then(|time| groups.get_mut(&time));
            if let Some(group) = group.filter(|_| is_strange) {
                group.held.push(other);
                group.ground = Ground::Date;
            }
        }
        let groups = groups.into_values();
        let few = groups.filter(|group| (1..=MAX_OF_A_DATE).contains(&group.held.len()));
        few.collect()
    }

    fn identities(&self) -> HashSet<Identity> {
        self.wanted.iter().map(|one| one.identity).collect()
    }

    /// Settles a group by what its messages hold.
    pub fn decide(&mut self, group: &Undecided, likeness: impl Fn(usize, usize) -> Likeness) {
        let Undecided {
            mut wanted,
            mut held,
            ground,
        } = self.left_of(group);
        let all = wanted.clone();
        // Of two copies, each is the one that has its date.
        for alike in [Likeness::Same, Likeness::Rewritten, Likeness::Reheaded] {
            for any_date in [false, true] {
                wanted.retain(|one| {
                    let may_be = |other: &usize| {
                        (any_date || self.wanted[*one].time == self.held[*other].time)
                            && likeness(*one, *other) == alike
                    };
                    let Some(at) = held.iter().position(may_be) else {
                        return true;
                    };
                    self.pair(*one, held.remove(at), ground);
                    false
                });
            }
        }
        for one in wanted {
            let mut free = held.iter();
            self.doubted[one] |= free.any(|other| likeness(one, *other) == Likeness::Unknown);
        }
        for other in held {
            for one in &all {
                match likeness(*one, other) {
                    Likeness::Unknown => {}
                    Likeness::Other => *self.copies.entry(other).or_default() |= false,
                    _ => *self.copies.entry(other).or_default() |= true,
                }
            }
        }
    }

    /// The only two with their header are the same, whatever a server has made of the one.
    pub fn accept(&mut self, group: &Undecided) {
        if let ([one], [other]) = (&group.wanted[..], &group.held[..]) {
            self.pair(*one, *other, group.ground);
        }
    }

    /// Settles what it can by size, date and number, as its messages are too many, or too large, to be read.
    pub fn count(&mut self, group: &Undecided) {
        if !matches!(group.ground, Ground::Header | Ground::Loose) {
            return;
        }
        let left = self.left_of(group);
        let mut even = Even::new(self.wanted, self.held, left);
        let by_date = even.pairs(|it| (it.size, it.time));
        let by_size = even.pairs(|it| it.size);
        for (one, other) in by_date.into_iter().chain(by_size) {
            self.pair(one, other, group.ground);
        }
    }

    /// What of a group is still open.
    #[must_use]
    pub fn left_of(&self, group: &Undecided) -> Undecided {
        let wanted = group.wanted.iter().copied();
        let held = group.held.iter().copied();
        Undecided {
            wanted: wanted.filter(|one| self.open[*one]).collect(),
            held: held.filter(|other| self.free[*other]).collect(),
            ground: group.ground,
        }
    }

    /// The result, once every step is taken.
    #[must_use]
    pub fn settled(mut self) -> Comparison {
        self.by_doubt();
        let known = self.identities();
        for one in self.all_open() {
            if self.doubted[one] {
                self.result.unknown.push(one);
            } else {
                self.result.missing.push(one);
            }
        }
        for other in self.all_free() {
            let Some(identity) = self.held[other].identity else {
                continue;
            };
            let read = self.copies.get(&other).copied();
            if read.unwrap_or_else(|| known.contains(&identity)) {
                self.result.doubled.push(other);
            } else {
                self.result.extra.push(other);
            }
        }
        self.result.matched.sort_unstable();
        self.result.rewritten.sort_unstable();
        self.result
    }

    /// What cannot be read there may be what is wanted, unless size or date say otherwise.
    fn by_doubt(&mut self) {
        let unread = self.all_free().map(|other| &self.held[other]);
        let unread: Vec<&Held> = unread.filter(|there| there.identity.is_none()).collect();
        if unread.is_empty() {
            return;
        }
        let any = unread
            .iter()
            .any(|there| there.size.is_none() && there.time.is_none());
        let sizes: HashSet<u64> = unread.iter().filter_map(|there| there.size).collect();
        let times: HashSet<i64> = unread.iter().filter_map(|there| there.time).collect();
        for one in self.all_open() {
            let wanted = &self.wanted[one];
            self.doubted[one] |= any
                || sizes.contains(&wanted.size)
                || wanted.time.is_some_and(|time| times.contains(&time));
        }
    }
}
