//! A set of UIDs as ranges, written as IMAP writes them: `1:4,7,9:12` (RFC 3501 section 9, `sequence-set`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::plural::counted;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// UIDs in ascending order; a mailbox without gaps costs one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidSet {
    /// First and last UID of each range, with a gap between any two.
    ranges: BTreeMap<u32, u32>,
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The range that begins at or before `uid`.
    fn before(&self, uid: u32) -> Option<(u32, u32)> {
        let range = self.ranges.range(..=uid).next_back();
        range.map(|(first, last)| (*first, *last))
    }

    /// Adds a UID.
    pub fn insert(&mut self, uid: u32) {
        self.insert_range(uid, uid);
    }

    /// Adds all UIDs of another set.
    pub fn insert_all(&mut self, other: &Self) {
        for (first, last) in &other.ranges {
            self.insert_range(*first, *last);
        }
    }

    fn insert_range(&mut self, mut first: u32, mut last: u32) {
        // What overlaps or touches becomes one with it.
        while let Some((other, end)) = self.before(last.saturating_add(1)) {
            if end.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&other);
            (first, last) = (first.min(other), last.max(end));
        }
        self.ranges.insert(first, last);
    }

    /// Takes a UID out.
    pub fn remove(&mut self, uid: u32) {
        self.remove_range(uid, uid);
    }

    /// Takes all UIDs of another set out.
    pub fn remove_all(&mut self, other: &Self) {
        for (first, last) in &other.ranges {
            self.remove_range(*first, *last);
        }
    }

    fn remove_range(&mut self, first: u32, last: u32) {
        while let Some((other, end)) = self.before(last) {
            if end < first {
                break;
            }
            self.ranges.remove(&other);
            if other < first {
                self.ranges.insert(other, first - 1);
            }
            if end > last {
                self.ranges.insert(last + 1, end);
            }
        }
    }

    /// True when the UID is in the set.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        self.before(uid).is_some_and(|(_, last)| last >= uid)
    }

    /// Number of UIDs.
    #[must_use]
    pub fn len(&self) -> u64 {
        let count = |(first, last): (&u32, &u32)| u64::from(last - first) + 1;
        self.ranges.iter().map(count).sum()
    }

    /// True without any UID.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The UIDs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// Longest list of UIDs in a text for people, in bytes.
const TOLD: usize = 200;

impl UidSet {
    /// For people: "2 messages (uid 3,7)".
    #[must_use]
    pub fn told(&self) -> String {
        let count = self.len();
        let mut list = self.to_string();
        if list.len() > TOLD {
            let end = list[..TOLD].rfind(',').unwrap_or(TOLD);
            list.truncate(end);
            list.push_str(",…");
        }
        format!("{} (uid {list})", counted(count, "message"))
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> Self {
        let mut set = Self::new();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}:{last}")?;
            }
        }
        Ok(())
    }
}

/// A text that is not an ascending set of ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadUidSet;

impl fmt::Display for BadUidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an ascending set of UIDs such as 1:4,7")
    }
}

impl FromStr for UidSet {
    type Err = BadUidSet;

    fn from_str(text: &str) -> Result<Self, BadUidSet> {
        let mut set = Self::new();
        for range in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            let number = |text: &str| text.parse::<u32>().map_err(|_| BadUidSet);
            let (first, last) = (number(first)?, number(last)?);
            let end = set.ranges.last_key_value().map_or(0, |(_, end)| *end);
            if first <= end || first > last {
                return Err(BadUidSet);
            }
            set.insert_range(first, last);
        }
        Ok(set)
    }
}

impl Serialize for UidSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UidSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_is_a_set() {
        let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
        let mut random = 1_u32;
        for step in 0..4000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let uid = (random >> 16) % 300 + 1;
            if step % 3 == 0 {
                set.remove(uid);
                model.remove(&uid);
            } else {
                set.insert(uid);
                model.insert(uid);
            }
            assert_eq!(set.contains(uid), model.contains(&uid));
        }
        assert!(set.iter().eq(model.iter().copied()));
        assert_eq!(set.len(), model.len() as u64);
        assert_eq!(set.to_string().parse(), Ok(set.clone()));
        assert_eq!(set.iter().collect::<UidSet>(), set);
    }

    #[test]
    fn whole_sets_are_added_and_taken_out_as_their_uids_would_be() {
        let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
        let mut random = 9_u32;
        for step in 0..600 {
            let mut other = UidSet::new();
            for _ in 0..step % 4 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let first = (random >> 16) % 200 + 1;
                other.insert_range(first, first + (random >> 8) % 40);
            }
            let uids: BTreeSet<u32> = other.iter().collect();
            if step % 5 < 2 {
                set.remove_all(&other);
                model.retain(|uid| !uids.contains(uid));
            } else {
                set.insert_all(&other);
                model.extend(uids);
            }
            assert!(set.iter().eq(model.iter().copied()), "step {step}");
            assert_eq!(set.is_empty(), model.is_empty());
            assert_eq!(set.len(), model.len() as u64);
        }
        let gaps = set.to_string();
        assert!(gaps.contains(','), "ranges that touch are one: {gaps}");
        for pair in gaps.split(',').collect::<Vec<_>>().windows(2) {
            let end: u32 = pair[0]
                .rsplit(':')
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number");
            let next: u32 = pair[1]
                .split(':')
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number");
            assert!(end + 1 < next, "{gaps}");
        }
    }

    #[test]
    fn people_are_told_how_many_and_the_first_of_them() {
        let told = |text: &str| text.parse::<UidSet>().expect("a set").told();
        assert_eq!(told("7"), "1 message (uid 7)");
        assert_eq!(told("3,7:9"), "4 messages (uid 3,7:9)");
        let many: UidSet = (1..400).map(|n| n * 2).collect();
        let text = many.told();
        assert!(
            text.starts_with("399 messages (uid 2,4,6,") && text.ends_with(",…)"),
            "{text}"
        );
        assert!(text.len() < 240 && text.len() > 190, "{text}");
        // As many as there is room for are told whole.
        let full: UidSet = (0..50).map(|n| 902 + n * 2).collect();
        assert_eq!(full.to_string().len(), TOLD);
        assert_eq!(full.told(), format!("50 messages (uid {full})"));
    }

    #[test]
    fn it_reads_what_it_writes_and_nothing_else() {
        for text in ["", "1", "1:4,7,9:12", "4294967295", "1:4294967295"] {
            assert_eq!(
                text.parse::<UidSet>().map(|set| set.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["0", "2:1", "1,1", "3,2", "1:*", "1,", "4294967296", "-1"] {
            assert_eq!(text.parse::<UidSet>(), Err(BadUidSet), "{text}");
        }
        assert!(BadUidSet.to_string().contains("ascending set of UIDs"));
    }

    #[test]
    fn the_highest_uid_is_an_uid() {
        let mut set: UidSet = [u32::MAX, u32::MAX - 1].into_iter().collect();
        assert_eq!(set.to_string(), "4294967294:4294967295");
        set.remove(u32::MAX);
        assert_eq!(set.to_string(), "4294967294");
    }
}
