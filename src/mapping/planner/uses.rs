//! Mailboxes of the same use on both sides, as those for sent mail, are one, whatever they are called.

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
        let usable = |there: &&Listed| is_selectable(there) && !taken.contains(there.name.text());
        let has_attribute = Use::of_attributes(&self.sources[number].listed.attributes).is_some();
        let mut found = Vec::new();
        for there in self.target.present.iter().filter(usable) {
            let of_attribute = Use::of_attributes(&there.attributes);
            let plain = there.name.text().strip_prefix(&self.target.prefix);
            let levels: Vec<&str> = match self.target.delimiter {
                Some(delimiter) => plain
                    .unwrap_or(there.name.text())
                    .split(delimiter)
                    .collect(),
                None => vec![plain.unwrap_or(there.name.text())],
            };
            let of_name = Use::of_levels(&levels);
            let rank = of_name
                .filter(|(found, _)| *found == wanted)
                .map(|(_, rank)| rank);
            let by_name = of_attribute.is_none() && rank.is_some();
            if (of_attribute == Some(wanted) || by_name) && !is_inbox(there.name.text()) {
                let order = (
                    by_name,
                    rank.unwrap_or(usize::MAX),
                    levels.len(),
                    there.name.text(),
                );
                found.push((order, there));
            }
        }
        found.sort_by_key(|(order, _)| *order);
        let own = owns[number].filter(usable);
        let is_own = |there: &Listed| own.is_some_and(|own| own.name.text() == there.name.text());
        let pick = |by_name: bool, claimed: bool| {
            let mut candidates = found.iter().filter(|(order, there)| {
                order.0 == by_name && self.is_claimed(there.name.text(), number) == claimed
            });
            candidates.next().map(|(_, there)| *there)
        };
        let mut same = found
            .iter()
            .filter(|(order, there)| !order.0 && is_own(there));
        let best = same
            .next()
            .map(|(_, there)| *there)
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
            let mut all: Vec<_> = found
                .iter()
                .map(|(order, there)| (order.0, *there))
                .collect();
            all.sort_by_key(|(by_name, there)| {
                (
                    !numbered(there.name.text()),
                    is_own(there.name.text()),
                    *by_name,
                )
            });
            all.first().map(|(_, there)| *there)
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
}
