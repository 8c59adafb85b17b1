//! A change of flags that messages share. A refused one is made again in parts, until the culprit stands alone.

use crate::session::refusal::{Meaning, meaning};
use crate::session::response::{Condition, StatusResponse};
use crate::session::store::FlagChange::{self, Add, Remove};

/// Refused parts of one change after which the rest of it is not tried, if the target has taken none.
const MAX_REFUSED: usize = 128;
/// The same where the answer is BAD: some servers hang up after twenty of them.
const MAX_BADS: usize = 16;

/// The same change for several messages, in one command or, with flags of both kinds, in two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SameChange {
    /// Flags to be added, blank-separated.
    pub add: String,
    /// Flags to be taken away.
    pub remove: String,
    /// The messages, by their UIDs on the target.
    pub to_uids: Vec<u32>,
    /// The answers need not show what the messages have then.
    pub silently: bool,
    /// Nothing else may be in flight.
    pub alone: bool,
    /// With which words it was refused, and whether they may be about the flags.
    pub refused: Option<FlagRefusal>,
}

/// What the target says of a change that it does not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlagRefusal {
    pub words: String,
    /// It says nothing of a mailbox that is closed, or of another time.
    pub is_about_flags: bool,
    /// The command as such was refused.
    pub is_bad: bool,
}

impl FlagRefusal {
    pub(super) fn new(status: &StatusResponse) -> Self {
        Self {
            words: status.said(),
            is_about_flags: matches!(meaning(status), Meaning::Flags | Meaning::Message),
            is_bad: status.condition == Condition::Bad,
        }
    }
}

impl SameChange {
    /// What is added and what is taken away, where there is any.
    pub(super) fn ways(&self) -> impl Iterator<Item = (FlagChange, &str)> {
        let both = [(Add, self.add.as_str()), (Remove, self.remove.as_str())];
        both.into_iter().filter(|(_, flags)| !flags.is_empty())
    }

    /// The same in smaller parts: by its flags, as one of them may be what is refused, then by its messages. One part
    /// is as small as it can be.
    fn parts(self) -> Vec<Self> {
        let of = |add: String, remove: String, to_uids: &[u32]| Self {
            add,
            remove,
            to_uids: to_uids.to_vec(),
            silently: self.silently,
            alone: self.alone,
            refused: None,
        };
        let adds = self.add.split_ascii_whitespace().map(str::to_owned);
        let removes = self.remove.split_ascii_whitespace().map(str::to_owned);
        let adds = adds.map(|flag| of(flag, String::new(), &self.to_uids));
        let removes = removes.map(|flag| of(String::new(), flag, &self.to_uids));
        let parts: Vec<Self> = adds.chain(removes).collect();
        if parts.len() > 1 {
            return parts;
        }
        if self.to_uids.len() < 2 {
            return vec![self];
        }
        let (one, other) = self.to_uids.split_at(self.to_uids.len() / 2);
        let half = |to_uids| of(self.add.clone(), self.remove.clone(), to_uids);
        vec![half(one), half(other)]
    }
}

/// What is to be tried again of changes that were answered, and what is refused for good.
pub(super) fn narrowed(answered: Vec<SameChange>) -> (Vec<SameChange>, Vec<SameChange>) {
    let key = |change: &SameChange| (change.add.clone(), change.remove.clone());
    let (refused, taken): (Vec<_>, Vec<_>) = answered
        .into_iter()
        .partition(|change| change.refused.is_some());
    let taken: std::collections::HashSet<_> = taken.iter().map(key).collect();
    let mut counts = std::collections::HashMap::new();
    for change in &refused {
        *counts.entry(key(change)).or_insert(0) += 1;
    }
    let (mut again, mut over) = (Vec::new(), Vec::new());
    for change in refused {
        let is_bad = change.refused.as_ref().is_some_and(|one| one.is_bad);
        let most = if is_bad { MAX_BADS } else { MAX_REFUSED };
        let is_hopeless = counts[&key(&change)] >= most && !taken.contains(&key(&change));
        let whole = change.clone();
        let parts = change.parts();
        if is_hopeless || parts.len() == 1 {
            over.push(whole);
        } else {
            again.extend(parts);
        }
    }
    (again, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(add: &str, remove: &str, to_uids: impl IntoIterator<Item = u32>) -> SameChange {
        SameChange {
            add: add.to_owned(),
            remove: remove.to_owned(),
            to_uids: to_uids.into_iter().collect(),
            ..SameChange::default()
        }
    }

    fn refused(change: SameChange) -> SameChange {
        let refusal = FlagRefusal {
            words: "NO".to_owned(),
            is_about_flags: true,
            is_bad: false,
        };
        SameChange {
            refused: Some(refusal),
            ..change
        }
    }

    #[test]
    fn a_refused_change_is_split_by_flags_and_then_by_messages() {
        let whole = refused(change("\\Seen $a", "\\Flagged", [1, 2, 3]));
        let (again, over) = narrowed(vec![whole, change("$b", "", [4])]);
        let expected = [
            change("\\Seen", "", [1, 2, 3]),
            change("$a", "", [1, 2, 3]),
            change("", "\\Flagged", [1, 2, 3]),
        ];
        assert_eq!((&again[..], over.len()), (&expected[..], 0));
        let (again, over) = narrowed(again.into_iter().map(refused).take(1).collect());
        let halves = [change("\\Seen", "", [1]), change("\\Seen", "", [2, 3])];
        assert_eq!((&again[..], over.len()), (&halves[..], 0));
        let single = refused(again[0].clone());
        assert_eq!(narrowed(vec![single.clone()]), (Vec::new(), vec![single]));
    }

    #[test]
    fn what_is_refused_of_all_is_given_up_and_what_one_has_taken_is_not() {
        let parts =
            |count: u32| (0..count).map(|at| refused(change("$a", "", [2 * at, 2 * at + 1])));
        let (again, over) = narrowed(parts(127).collect());
        assert_eq!((again.len(), over.len()), (254, 0));
        let (again, over) = narrowed(parts(128).collect());
        assert_eq!((again.len(), over.len()), (0, 128));
        let taken = change("$a", "", [1000]);
        let (again, over) = narrowed(parts(128).chain([taken]).collect());
        assert_eq!((again.len(), over.len()), (256, 0));
    }
}
