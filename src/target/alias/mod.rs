//! Two names by which the target opens one mailbox, though it may list both: some fold, trim, cut or compose names.
//! Nothing of one mailbox of the archive may go to another's, so one of the two gets a name of its own.
//!
//! Nothing is read for that unless the target says the same of both and only one of them was filled before.

mod apart;
mod names;
mod share;

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use names::is_like;
use names::without_number;
pub use names::{TargetNames, likeness};
use share::{deal, one_mailbox};

use super::holding::{self, Holding, Which};
use super::mailbox::{Figures, Job, JobId, Jobs};
use super::place::Place;
use super::repair::Repairs;
use super::trouble::Trouble;
use crate::archive::journal::Journal;
use crate::mailbox::Name;
use crate::mapping::{self, Why};
use crate::session::channel::Channel;

/// What is known beside the mailboxes at work.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The target's names.
    pub names: &'a TargetNames,
    /// What was filled.
    pub journal: &'a Journal,
    /// What is repaired in messages.
    pub repairs: Repairs,
}

/// Who else has the mailbox.
#[derive(Clone)]
struct Other {
    /// `None` where it is not meant now.
    id: Option<JobId>,
    directory: String,
    name: Name,
}

impl Evidence<'_> {
    /// Tells apart those of these mailboxes that are another's on the target by what their messages say; returns what
    /// got a name of its own.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn find(
        &self,
        channel: &mut Channel,
        jobs: &mut Jobs,
        ids: &[JobId],
        trouble: &mut Trouble,
    ) -> Result<Vec<JobId>> {
        let mut moved = Vec::new();
        let mut seen = HashSet::new();
        for &id in ids {
            if !self.is_in_question(&jobs[id]) {
                continue;
            }
            for other in self.alike(jobs, id) {
                let pair = other.id.map(|other| (other.min(id), other.max(id)));
                if pair.is_some_and(|pair| !seen.insert(pair)) {
                    continue;
                }
                let Some(there) = one_mailbox(channel, &jobs[id], &other.name, trouble)? else {
                    continue;
                };
                match self.who_moves(channel, jobs, id, &other, &there)? {
                    Some(one) if one == id => {
                        self.tell_apart(channel, jobs, id, &other.directory, &other.name)?;
                        moved.push(id);
                        break;
                    }
                    Some(other) => {
                        self.tell_apart_from(channel, jobs, other, id)?;
                        moved.push(other);
                    }
                    None => {}
                }
            }
        }
        Ok(moved)
    }

    /// It holds messages that nobody knows to be this mailbox's.
    fn is_in_question(&self, job: &Job) -> bool {
        let place = job.place();
        place.exists
            && !place.name.is_inbox()
            && !job.has_failed()
            && job.deleted_with().is_none()
            && job.messages_there().is_some_and(|messages| messages > 0)
            && !self.has_filled(
                &job.here().directory,
                &place.name,
                job.figures_there().uidvalidity,
            )
    }

    fn has_filled(&self, directory: &str, name: &Name, uidvalidity: u32) -> bool {
        self.journal.has_filled(directory, name.text(), uidvalidity)
    }

    /// Mailboxes of other names of which the target says the same. Where it says nothing, what was filled counts.
    fn alike(&self, jobs: &Jobs, id: JobId) -> Vec<Other> {
        let job = &jobs[id];
        let figures = job.figures_there();
        let is_alike = |directory: &str, place: &Place, said: Option<Figures>| {
            let is_same = match said {
                Some(said) if said.messages.is_some() => said == figures,
                _ => self.has_filled(directory, &place.name, figures.uidvalidity),
            };
            is_same
                && place.name != job.place().name
                && !place.is_meant_with(job.place())
                && self.may_be_one(directory, place, job)
        };
        let others = jobs.numbered().filter(|(other, theirs)| {
            let (ours, its) = (job.identity_there(), theirs.identity_there());
            let is_told_apart = ours.is_some() && its.is_some() && ours != its;
            let (directory, place) = (&theirs.here().directory, theirs.place());
            let said = Some(theirs.figures_there());
            *other != id
                && place.exists
                && !theirs.has_failed()
                && !is_told_apart
                && is_alike(directory, place, said)
        });
        let others = others.map(|(other, theirs)| Other {
            id: Some(other),
            directory: theirs.here().directory.clone(),
            name: theirs.place().name.clone(),
        });
        let beside = self.names.beside.iter().filter(|(directory, place)| {
            self.names.has(&place.name)
                && is_alike(directory, place, self.names.figures(&place.name))
        });
        let beside = beside.map(|(directory, place)| Other {
            id: None,
            directory: directory.clone(),
            name: place.name.clone(),
        });
        others.chain(beside).collect()
    }

    /// Where the target lists a name that nothing is known to have gone to, it must look like the other.
    fn may_be_one(&self, directory: &str, place: &Place, job: &Job) -> bool {
        let name = &job.place().name;
        !self.names.has(name)
            || is_like(name.text(), place.name.text())
            || self.has_filled(directory, &place.name, job.figures_there().uidvalidity)
    }

    /// Whose mailbox is it not? `None` where both may have it: what the one has, the other has as well.
    fn who_moves(
        &self,
        channel: &mut Channel,
        jobs: &Jobs,
        id: JobId,
        other: &Other,
        there: &Holding,
    ) -> Result<Option<JobId>> {
        let uidvalidity = jobs[id].figures_there().uidvalidity;
        if self.has_filled(&other.directory, &other.name, uidvalidity) {
            return Ok(Some(id));
        }
        let is_listed = self.names.has(&jobs[id].place().name);
        let ours = self.has_there(&jobs[id], there)?;
        let Some(other) = other.id else {
            return Ok((!ours.is_all).then_some(id));
        };
        let theirs = self.has_there(&jobs[other], there)?;
        if is_listed && ours.is_all && theirs.is_all {
            // An earlier run knew more, and has given one of them a name of its own.
            let names = (
                jobs[id].place().name.text(),
                jobs[other].place().name.text(),
            );
            return Ok(match () {
                () if self.has_name_of_its_own(channel, jobs, id, names.1)? => Some(id),
                () if self.has_name_of_its_own(channel, jobs, other, names.0)? => Some(other),
                () => None,
            });
        }
        let later = if theirs.found > ours.found || theirs.found == ours.found && other < id {
            id
        } else {
            other
        };
        Ok(Some(later))
    }

    /// Where nothing is on record, mailboxes whose names the target takes for one may have their places from an import
    /// that is forgotten: what is there tells which is whose.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn find_twins(
        &self,
        channel: &mut Channel,
        jobs: &mut Jobs,
        trouble: &mut Trouble,
    ) -> Result<()> {
        let mut groups: BTreeMap<String, Vec<JobId>> = BTreeMap::new();
        for (id, job) in jobs.numbered() {
            let is_on_record = self.journal.name_of(&job.here().directory).is_some();
            if !is_on_record && !job.place().why.contains(&Why::Configured) {
                let name = mapping::folded(job.place().name.text());
                let name = without_number(&name).to_owned();
                groups.entry(name).or_default().push(id);
            }
        }
        for ids in groups.into_values().filter(|ids| ids.len() > 1) {
            let is_full = |id: &&JobId| jobs[**id].messages_there() > Some(0);
            let full: Vec<JobId> = ids.iter().filter(is_full).copied().collect();
            let mut shares = Vec::new();
            for place in full {
                let wire = jobs[place].place().name.wire();
                let there = holding::read_one(channel, wire, Which::All, trouble)?;
                let Ok(there) = there else {
                    continue;
                };
                for &id in &ids {
                    let found = self.has_there(&jobs[id], &there)?.found;
                    shares.push((found, id == place, id, place));
                }
            }
            deal(jobs, ids, shares);
        }
        Ok(())
    }

    /// Tells apart those that turn out to have one name, which may be that of one that is not meant now; returns what
    /// got a name of its own.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn tell_apart_from_others(
        &self,
        channel: &mut Channel,
        jobs: &mut Jobs,
        ids: &[JobId],
        trouble: &mut Trouble,
    ) -> Result<Vec<JobId>> {
        let mut moved = Vec::new();
        let mut groups: BTreeMap<Vec<u8>, Vec<JobId>> = BTreeMap::new();
        for &id in ids {
            let name = jobs[id].place().name.wire().to_vec();
            groups.entry(name).or_default().push(id);
        }
        for group in groups.into_values() {
            let name = jobs[group[0]].place().name.clone();
            let mut beside = self.names.beside.iter();
            let beside = beside.find(|(_, place)| place.name == name);
            if group.len() == 1 && beside.is_none() {
                continue;
            }
            let (keeper, directory, place) = if let Some((directory, place)) = beside {
                (None, directory.clone(), place.clone())
            } else {
                let keeper = self.keeper(channel, jobs, &group, trouble)?;
                let job = &jobs[keeper];
                (
                    Some(keeper),
                    job.here().directory.clone(),
                    job.place().clone(),
                )
            };
            for id in group {
                if Some(id) == keeper || jobs[id].place().is_meant_with(&place) {
                    continue;
                }
                self.tell_apart(channel, jobs, id, &directory, &name)?;
                moved.push(id);
            }
        }
        Ok(moved)
    }

    /// Of mailboxes that have one name, the one that was filled, or whose messages are there, or that has the name by
    /// the plan.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn keeper(
        &self,
        channel: &mut Channel,
        jobs: &Jobs,
        group: &[JobId],
        trouble: &mut Trouble,
    ) -> Result<JobId> {
        let job = &jobs[group[0]];
        let uidvalidity = job.figures_there().uidvalidity;
        let has_filled = |id: &&JobId| {
            let job = &jobs[**id];
            self.has_filled(&job.here().directory, &job.place().name, uidvalidity)
        };
        if let Some(keeper) = group.iter().find(has_filled) {
            return Ok(*keeper);
        }
        let there = match job.messages_there() {
            Some(0) => Holding::default(),
            _ => holding::read_one(channel, job.place().name.wire(), Which::All, trouble)?
                .unwrap_or_default(),
        };
        let mut best = (group[0], None);
        for &id in group {
            let found = self.has_there(&jobs[id], &there)?.found;
            let share = Some((found, jobs[id].place().is_as_planned()));
            if share > best.1 {
                best = (id, share);
            }
        }
        Ok(best.0)
    }
}
