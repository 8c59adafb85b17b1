//! Two inventories in; out, what they have in common and what they do not. Pure.
//!
//! The header finds the candidates. Where sizes and counts tell which of them is which, they do; else the content
//! decides, which the caller has to read.

mod board;

use board::Board;

use crate::message::Identity;

/// A message that one side must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What makes two copies the same message.
    pub identity: Identity,
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
    /// Why.
    pub ground: Ground,
}

/// Why messages may be the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// They have the header in common, and sizes and counts do not tell which is which.
    #[default]
    Header,
    /// The one is on record with the UID of the other, which has another header.
    Record,
    /// They have the date in common: a server may have changed the header.
    Date,
}

/// How alike two messages are, by their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Byte for byte.
    Same,
    /// Apart from what servers do to messages.
    Rewritten,
    /// Different messages.
    Other,
    /// One of them cannot be read.
    Unknown,
}

/// Numbers into the two inventories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The same message on both sides.
    pub matched: Vec<(usize, usize)>,
    /// The same by its body, with another header.
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

/// Compares as multisets: two copies wanted are two copies there. A recorded UID tells twins apart.
#[must_use]
pub fn compare(wanted: &[Wanted], held: &[Held]) -> Comparison {
    Board::settled(wanted, held)
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
                let pairs = match group.ground {
                    Ground::Header => &mut self.matched,
                    Ground::Record | Ground::Date => &mut self.rewritten,
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

    /// Settles it by how many there are, as its messages are too many, or too large, to be read. A date alone says
    /// nothing.
    pub fn count(&mut self, group: &Undecided) {
        if group.ground == Ground::Date {
            self.missing.extend(&group.wanted);
            self.extra.extend(&group.held);
            return self.sort();
        }
        let both = group.wanted.iter().zip(&group.held);
        self.matched.extend(both.map(|(one, other)| (*one, *other)));
        self.missing
            .extend(group.wanted.iter().skip(group.held.len()));
        self.doubled
            .extend(group.held.iter().skip(group.wanted.len()));
        self.sort();
    }

    /// Not everything was looked at: what was not found may be in the rest.
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
mod tests;
