//! Two inventories in, what they have in common and what not out. Pure.

use std::collections::{HashMap, HashSet};

use crate::message::Identity;

/// A message that one side must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What makes two copies the same message.
    pub identity: Identity,
    /// Its UID on the other side, where that is on record.
    pub to_uid: Option<u32>,
}

/// A message that the other side has.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// What makes two copies the same message.
    pub identity: Identity,
    /// UID.
    pub uid: u32,
}

/// Numbers into the two inventories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The same message on both sides.
    pub matched: Vec<(usize, usize)>,
    /// On record as the same, but its identity is another one now.
    pub rewritten: Vec<(usize, usize)>,
    /// Wanted and not there.
    pub missing: Vec<usize>,
    /// There, and more copies of it than wanted.
    pub doubled: Vec<usize>,
    /// There and not wanted at all.
    pub extra: Vec<usize>,
}

/// Compares as multisets: two copies wanted are two copies there. A recorded UID tells twins apart.
#[must_use]
pub fn compare(wanted: &[Wanted], held: &[Held]) -> Comparison {
    let mut result = Comparison::default();
    let by_uid: HashMap<u32, usize> = held.iter().zip(0..).map(|(h, at)| (h.uid, at)).collect();
    let mut taken = vec![false; held.len()];
    let mut open = Vec::new();
    for (number, one) in wanted.iter().enumerate() {
        let recorded = one.to_uid.and_then(|uid| by_uid.get(&uid).copied());
        match recorded.filter(|at| !taken[*at] && held[*at].identity == one.identity) {
            Some(at) => {
                taken[at] = true;
                result.matched.push((number, at));
            }
            None => open.push((number, recorded)),
        }
    }
    let mut order: Vec<usize> = (0..held.len()).filter(|at| !taken[*at]).collect();
    // The lowest UID is the first to be taken.
    order.sort_by_key(|at| std::cmp::Reverse(held[*at].uid));
    let mut free: HashMap<Identity, Vec<usize>> = HashMap::new();
    for at in order {
        free.entry(held[at].identity).or_default().push(at);
    }
    let mut unmatched = Vec::new();
    for (number, recorded) in open {
        match free.get_mut(&wanted[number].identity).and_then(Vec::pop) {
            Some(at) => {
                taken[at] = true;
                result.matched.push((number, at));
            }
            None => unmatched.push((number, recorded)),
        }
    }
    for (number, recorded) in unmatched {
        match recorded.filter(|at| !taken[*at]) {
            Some(at) => {
                taken[at] = true;
                result.rewritten.push((number, at));
            }
            None => result.missing.push(number),
        }
    }
    let known: HashSet<Identity> = wanted.iter().map(|one| one.identity).collect();
    for at in (0..held.len()).filter(|at| !taken[*at]) {
        if known.contains(&held[at].identity) {
            result.doubled.push(at);
        } else {
            result.extra.push(at);
        }
    }
    result.matched.sort_unstable();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(subject: &str) -> Identity {
        Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None)
    }

    fn wanted(subject: &str, to_uid: Option<u32>) -> Wanted {
        Wanted {
            identity: identity(subject),
            to_uid,
        }
    }

    fn held(subject: &str, uid: u32) -> Held {
        Held {
            identity: identity(subject),
            uid,
        }
    }

    #[test]
    fn inventories_are_multisets() {
        let one = [
            wanted("a", None),
            wanted("a", None),
            wanted("b", None),
            wanted("c", None),
        ];
        let other = [
            held("b", 9),
            held("a", 8),
            held("a", 7),
            held("a", 10),
            held("d", 1),
        ];
        let result = compare(&one, &other);
        assert_eq!(result.matched, [(0, 2), (1, 1), (2, 0)]);
        assert_eq!(result.missing, [3]);
        assert_eq!(result.doubled, [3]);
        assert_eq!(result.extra, [4]);
    }

    #[test]
    fn a_recorded_uid_tells_twins_apart_and_finds_what_was_rewritten() {
        let one = [
            wanted("a", Some(8)),
            wanted("a", Some(7)),
            wanted("b", Some(9)),
        ];
        let other = [held("a", 7), held("a", 8), held("B", 9)];
        let result = compare(&one, &other);
        assert_eq!(result.matched, [(0, 1), (1, 0)]);
        assert_eq!(result.rewritten, [(2, 2)]);
        // The record is of a message that is gone: its twin does not stand in for it twice.
        let one = [wanted("a", Some(5)), wanted("a", Some(7))];
        let result = compare(&one, &[held("a", 7)]);
        assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
    }
}
