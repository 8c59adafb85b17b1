//! Twins that are not read: where both sides have as many of a size and date, they are the same.

use std::collections::{BTreeMap, HashSet};

use super::{Held, Undecided, Wanted};

/// A size and a date, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Measure {
    pub size: Option<u64>,
    pub time: Option<i64>,
}

/// What of a group is not paired yet.
pub(super) struct Even<'a> {
    wanted: &'a [Wanted],
    held: &'a [Held],
    left: Undecided,
}

impl<'a> Even<'a> {
    pub fn new(wanted: &'a [Wanted], held: &'a [Held], left: Undecided) -> Self {
        Self { wanted, held, left }
    }

    /// Pairs those that have this in common, where the other side has no fewer of them: which of too few it has, nobody
    /// knows.
    pub fn pairs<K: Ord>(&mut self, common: impl Fn(Measure) -> K) -> Vec<(usize, usize)> {
        let mut groups: BTreeMap<K, Undecided> = BTreeMap::new();
        for one in &self.left.wanted {
            let it = &self.wanted[*one];
            let measure = Measure {
                size: Some(it.size),
                time: it.time,
            };
            groups.entry(common(measure)).or_default().wanted.push(*one);
        }
        for other in &self.left.held {
            let it = &self.held[*other];
            let measure = Measure {
                size: it.size,
                time: it.time,
            };
            groups.entry(common(measure)).or_default().held.push(*other);
        }
        let mut pairs = Vec::new();
        for group in groups.into_values() {
            if group.wanted.len() <= group.held.len() {
                pairs.extend(group.wanted.into_iter().zip(group.held));
            }
        }
        let (here, there): (HashSet<usize>, HashSet<usize>) = pairs.iter().copied().unzip();
        self.left.wanted.retain(|one| !here.contains(one));
        self.left.held.retain(|other| !there.contains(other));
        pairs
    }
}
