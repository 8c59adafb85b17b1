//! What is the same on both sides, found in steps, the surest first.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Comparison, Ground, Held, Undecided, Wanted};
use crate::message::Identity;

/// Messages of one second that a server may have changed the headers of: of more, the date says nothing.
const MAX_OF_A_DATE: usize = 200;

/// Two inventories, and what has been found out of them.
pub(super) struct Board<'a> {
    wanted: &'a [Wanted],
    held: &'a [Held],
    /// Not yet placed.
    open: Vec<bool>,
    /// Not yet taken.
    free: Vec<bool>,
    result: Comparison,
}

impl<'a> Board<'a> {
    /// The result, once every step is taken.
    pub(super) fn settled(wanted: &'a [Wanted], held: &'a [Held]) -> Comparison {
        let mut board = Self {
            wanted,
            held,
            open: vec![true; wanted.len()],
            free: vec![true; held.len()],
            result: Comparison::default(),
        };
        board.by_record();
        board.by_identity();
        board.by_record_alone();
        board.by_date();
        board.by_doubt();
        board.rest();
        board.result
    }

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
        for size in sizes.into_values() {
            match (&size.wanted[..], &size.held[..]) {
                ([one], [other]) => self.pair(*one, *other),
                (wanted, held) => {
                    rest.wanted.extend(wanted);
                    rest.held.extend(held);
                }
            }
        }
        if !rest.wanted.is_empty() && !rest.held.is_empty() {
            self.put_aside(rest);
        }
    }

    /// On record, with another header: only its body can say that it is the same.
    fn by_record_alone(&mut self) {
        for (one, other) in self.recorded() {
            if self.open[one] && self.free[other] {
                self.put_aside(Undecided {
                    wanted: vec![one],
                    held: vec![other],
                    ground: Ground::Record,
                });
            }
        }
    }

    /// A server that changes headers keeps the date: what has it, and is nothing else that is wanted, is a candidate.
    fn by_date(&mut self) {
        let mut groups: BTreeMap<i64, Undecided> = BTreeMap::new();
        for one in (0..self.wanted.len()).filter(|one| self.open[*one]) {
            if let Some(time) = self.wanted[one].time {
                groups.entry(time).or_default().wanted.push(one);
            }
        }
        if groups.is_empty() {
            return;
        }
        let known = self.identities();
        for other in (0..self.held.len()).filter(|other| self.free[*other]) {
            let there = &self.held[other];
            let is_strange = there.identity.is_some_and(|it| !known.contains(&it));
            let group = there.time.and_then(|time| groups.get_mut(&time));
            if let Some(group) = group.filter(|_| is_strange) {
                group.held.push(other);
            }
        }
        for mut group in groups.into_values() {
            if (1..=MAX_OF_A_DATE).contains(&group.held.len()) {
                group.ground = Ground::Date;
                self.put_aside(group);
            }
        }
    }

    fn identities(&self) -> HashSet<Identity> {
        self.wanted.iter().map(|one| one.identity).collect()
    }

    /// What cannot be read there may be what is wanted, unless size or date say otherwise.
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
        let known = self.identities();
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
