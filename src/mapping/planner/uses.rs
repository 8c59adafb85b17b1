//! Mailboxes of the same use on both sides, such as those for sent mail, are one, whatever their names.

use std::collections::HashSet;

use super::super::Why;
use super::super::special_use::Use;
use super::{Planner, folded, is_inbox, is_selectable};
use crate::mailbox::Listed;

impl<'a> Planner<'a> {
    /// Pairs mailboxes of the same use, by attribute before by name; each use goes to one source at most.
    pub(in crate::mapping) fn special_uses(
        &self,
        own: &[Option<&'a Listed>],
    ) -> Vec<(usize, String, Why)> {
        let free: Vec<usize> = (0..self.sources.len())
            .filter(|number| {
                let source = &self.sources[*number];
                let is_fixed = self.folder_map.contains_key(source.name());
                !is_fixed && !is_inbox(source.name()) && self.before(source).is_none()
            })
            .collect();
        let by_attribute =
            |number: &usize| Use::of_attributes(&self.sources[*number].listed.attributes);
        let by_name = |number: &usize| match self.paths[*number].split_first() {
            // One of two with the same attribute keeps its own name.
            Some((root, levels)) if root.is_empty() && by_attribute(number).is_none() => {
                Use::of_levels(levels).map(|(found, _)| found)
            }
            _ => None,
        };
        let before = self.sources.iter().filter_map(|source| self.before(source));
        let (mut pairs, mut taken) = (Vec::new(), before.collect::<HashSet<&str>>());
        for wanted in Use::ALL {
            let first = free
                .iter()
                .find(|number| by_attribute(number) == Some(wanted));
            let first =
                first.or_else(|| free.iter().find(|number| by_name(number) == Some(wanted)));
            if let Some(&number) = first {
                let there = self.same_use(number, wanted, own, &taken);
                taken.extend(there.map(|(there, _)| there.name.text()));
                pairs.extend(there.map(|(there, why)| (number, there.name.text().to_owned(), why)));
            }
        }
        pairs
    }

    /// The target's mailbox for a source of this use; `None` when the source keeps its own name.
    fn same_use(
        &self,
        number: usize,
        wanted: Use,
        owns: &[Option<&'a Listed>],
        taken: &HashSet<&str>,
    ) -> Option<(&'a Listed, Why)> {
        let has_attribute = Use::of_attributes(&self.sources[number].listed.attributes).is_some();
        let found = self.candidates(wanted, taken);
        let own = owns[number].filter(|own| is_usable(own, taken));
        let is_own = |there: &Listed| own.is_some_and(|own| own.name.text() == there.name.text());
        let pick = |by_name: bool, claimed: bool| {
            let mut candidates = found.iter().filter(|one| {
                one.by_name == by_name && self.is_claimed(one.there.name.text(), number) == claimed
            });
            candidates.next().map(|one| one.there)
        };
        let mut same = found.iter().filter(|one| !one.by_name && is_own(one.there));
        let best = same
            .next()
            .map(|one| one.there)
            .or_else(|| pick(false, false));
        let best = best.or(own).or_else(|| pick(true, false));
        // A name is reason enough to take a free mailbox, not to take one from a source that has the very name.
        // If that was done before, the other one was numbered, or has a name of its own by now.
        let anothers = || {
            let numbered = |name: &str| {
                (2..5).any(|count| {
                    self.twins
                        .contains_key(&folded(&format!("{name} ({count})")))
                })
            };
            let is_own = |name: &str| owns.iter().flatten().any(|own| own.name.text() == name);
            let mut all: Vec<&Candidate<'_>> = found.iter().collect();
            all.sort_by_key(|one| {
                let name = one.there.name.text();
                (!numbered(name), is_own(name), one.by_name)
            });
            all.first().map(|one| one.there)
        };
        let there = best.or_else(|| anothers().filter(|_| has_attribute))?;
        let both = has_attribute && Use::of_attributes(&there.attributes) == Some(wanted);
        let why = match both {
            true => Why::SpecialUse,
            false if is_own(there) && there.name.text() == self.sources[number].name() => Why::Same,
            false => Why::WellKnownName,
        };
        Some((there, why))
    }
    /// The target's mailboxes of this use that are free, the best first: by attribute before by name.
    fn candidates(&self, wanted: Use, taken: &HashSet<&str>) -> Vec<Candidate<'a>> {
        let mut found = Vec::new();
        let present = self.target.present.iter();
        for there in present.filter(|there| is_usable(there, taken)) {
            let of_attribute = Use::of_attributes(&there.attributes);
            let name = there.name.text();
            let plain = name.strip_prefix(&self.target.prefix).unwrap_or(name);
            let levels: Vec<&str> = match self.target.delimiter {
                Some(delimiter) => plain.split(delimiter).collect(),
                None => vec![plain],
            };
            let of_name = Use::of_levels(&levels);
            let rank = of_name
                .filter(|(found, _)| *found == wanted)
                .map(|(_, rank)| rank);
            let by_name = of_attribute.is_none() && rank.is_some();
            if (of_attribute == Some(wanted) || by_name) && !is_inbox(name) {
                let order = (by_name, rank.unwrap_or(usize::MAX), levels.len(), name);
                found.push((order, Candidate { by_name, there }));
            }
        }
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

/// A mailbox of the target that may be the one for a use.
struct Candidate<'a> {
    /// Only its name says so.
    by_name: bool,
    there: &'a Listed,
}

fn is_usable(there: &Listed, taken: &HashSet<&str>) -> bool {
    is_selectable(there) && !taken.contains(there.name.text())
}
