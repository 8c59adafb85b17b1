//! What the configuration says about single mailboxes' names, and which entries never matched, so that a slip of the
//! pen is reported. It does not plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spelling;

/// From exact names to exact names. Clones share what is known of the names that archives have.
#[derive(Debug, Clone, Default)]
pub struct FolderMap {
    names: BTreeMap<String, String>,
    seen: Arc<Mutex<NamesSeen>>,
}

/// What the archives that were read hold.
#[derive(Debug, Default)]
struct NamesSeen {
    any: bool,
    matched: BTreeSet<String>,
    /// By entry that matched nothing so far: the nearest name, and how far away it is.
    nearest: BTreeMap<String, (usize, String)>,
}

impl FolderMap {
    /// Takes the entries in.
    #[must_use]
    pub fn new(names: BTreeMap<String, String>) -> Self {
        Self {
            names,
            seen: Arc::default(),
        }
    }

    /// The entries.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }

    /// An archive has these mailboxes.
    pub fn see<'a>(&self, mailboxes: impl Iterator<Item = &'a str>) {
        if self.names.is_empty() {
            return;
        }
        let mut seen = self.lock();
        seen.any = true;
        for mailbox in mailboxes {
            for from in self.names.keys() {
                if from == mailbox {
                    seen.matched.insert(from.clone());
                    continue;
                }
                let Some(away) = distance(from, mailbox) else {
                    continue;
                };
                let known = seen.nearest.get(from).map(|(away, _)| *away);
                if known.is_none_or(|known| away < known) {
                    let nearest = (away, mailbox.to_owned());
                    seen.nearest.insert(from.clone(), nearest);
                }
            }
        }
    }

    /// A warning for each entry that matched no mailbox of any archive that was read.
    #[must_use]
    pub fn unmatched(&self) -> Vec<String> {
        let seen = self.lock();
        let unmatched = self
            .names
            .keys()
            .filter(|from| !seen.matched.contains(*from));
        let said = unmatched.map(|from| match seen.nearest.get(from) {
            Some((_, name)) => format!(
                "folder_map: no mailbox is called \"{from}\", so nothing went where it says; is \"{name}\" meant?"
            ),
            None => format!(
                "folder_map: no mailbox is called \"{from}\", so nothing went where it says; names are exact, with \
                 all levels, as the report has them"
            ),
        });
        if seen.any { said.collect() } else { Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, NamesSeen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many letters differ, whatever their case; `None` where the names are not alike. The last level alone may be
/// meant, too.
fn distance(one: &str, other: &str) -> Option<usize> {
    let fold = |name: &str| name.trim().to_lowercase().chars().collect::<Vec<_>>();
    let (one, other) = (fold(one), fold(other));
    let separators: &[char] = &['/', '.', '\\'];
    let last = other.rsplit(|c| separators.contains(c)).next();
    if last.is_some_and(|last| last == one && last.len() < other.len()) {
        return Some(1);
    }
    spelling::distance(&one, &other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_matches_nothing_is_told_with_the_nearest_name() {
        let entries = ["Sent items", "Archive", "Nowhere", "2024", "Used"];
        let names = entries.map(|from| (from.to_owned(), "X".to_owned()));
        let map = FolderMap::new(names.into_iter().collect());
        assert_eq!(map.names().len(), entries.len());
        assert_eq!(map.names()["Archive"], "X");
        assert!(map.unmatched().is_empty(), "nothing was read");
        map.see(["INBOX", "Sent Items", "Used"].into_iter());
        map.clone().see(["Archives", "Archives/2024"].into_iter());
        let told = map.unmatched();
        assert_eq!(told.len(), 4, "{told:?}");
        for expected in ["\"Sent Items\"", "\"Archives\"", "\"Archives/2024\""] {
            assert!(told.iter().any(|line| line.contains(expected)), "{told:?}");
        }
        assert!(
            told.iter()
                .any(|line| line.contains("\"Nowhere\"") && line.contains("exact"))
        );
    }

    #[test]
    fn the_nearest_name_is_told_whichever_comes_first() {
        for names in [["works", "Work"], ["Work", "works"]] {
            let map = FolderMap::new([("work".to_owned(), "X".to_owned())].into());
            map.see(names.into_iter());
            let told = map.unmatched().remove(0);
            assert!(
                told.contains("\"Work\"") && !told.contains("works"),
                "{told}"
            );
        }
    }
}
