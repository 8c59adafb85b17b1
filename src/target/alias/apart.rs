//! A name of its own for a mailbox whose name is another's on the target.

use std::collections::HashSet;

use anyhow::Result;
use tracing::warn;

use super::Evidence;
use crate::mailbox::Name;
use crate::mapping;
use crate::session::channel::Channel;
use crate::target::holding::{self, Which};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::message;
use crate::target::trouble::Trouble;

impl Evidence<'_> {
    /// On the target this mailbox is another's: it gets a name of its own. One that an earlier run has given it is
    /// known by what it holds.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn tell_apart(
        &self,
        channel: &mut Channel,
        jobs: &mut Jobs,
        id: JobId,
        directory: &str,
        to: &Name,
    ) -> Result<()> {
        let other = shown(jobs, directory);
        let to = to.text();
        let Some(name) = self.name_of_its_own(channel, jobs, id, to)? else {
            jobs[id].fail(format!(
                "the target has one mailbox, \"{to}\", for this and for \"{other}\", under any name that was tried"
            ));
            return Ok(());
        };
        let there = self.names.listed.get(name.wire());
        let is_subscribed = there.is_some_and(|there| there.subscribed);
        let status = there.and_then(|there| there.status.clone());
        let text = format!(
            "the target has one mailbox, \"{to}\", for this and for \"{other}\": this one goes to \"{}\"",
            name.text()
        );
        let job = &mut jobs[id];
        warn!(mailbox = job.name(), "{text}");
        job.tell(text);
        job.place_mut().go_apart(&name, there.is_some());
        job.listed(is_subscribed, &status.unwrap_or_default());
        Ok(())
    }

    /// The same for one that is the mailbox of another that is meant.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn tell_apart_from(
        &self,
        channel: &mut Channel,
        jobs: &mut Jobs,
        id: JobId,
        other: JobId,
    ) -> Result<()> {
        let directory = jobs[other].here().directory.clone();
        let to = jobs[other].place().name.clone();
        self.tell_apart(channel, jobs, id, &directory, &to)
    }

    /// The first free name, or the first that holds what this mailbox holds, and nobody else's.
    fn name_of_its_own(
        &self,
        channel: &mut Channel,
        jobs: &Jobs,
        id: JobId,
        to: &str,
    ) -> Result<Option<Name>> {
        let others = jobs.numbered().filter(|(other, _)| *other != id);
        let others = others.map(|(_, job)| job.place());
        let others = others.chain(self.names.beside.iter().map(|(_, place)| place));
        let mut taken: HashSet<String> = others.map(|it| mapping::folded(it.name.text())).collect();
        taken.insert(mapping::folded(jobs[id].place().name.text()));
        for name in jobs[id].place().names_apart(to) {
            let is_taken = taken.contains(&mapping::folded(&name));
            let name = Name::new(name);
            if is_taken
                || self
                    .journal
                    .is_anothers(&jobs[id].here().directory, name.text())
            {
                continue;
            }
            if !self.names.has(&name) || self.holds_this(channel, &jobs[id], &name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// True where a mailbox is there already that holds what this one holds, by a name that it would get.
    pub(super) fn has_name_of_its_own(
        &self,
        channel: &mut Channel,
        jobs: &Jobs,
        id: JobId,
        to: &str,
    ) -> Result<bool> {
        let name = self.name_of_its_own(channel, jobs, id, to)?;
        let said = name.and_then(|name| self.names.figures(&name));
        Ok(said.is_some_and(|said| said.messages > Some(0)))
    }

    /// True for a mailbox that is empty, or most of whose messages are this one's.
    fn holds_this(&self, channel: &mut Channel, job: &Job, name: &Name) -> Result<bool> {
        let mut trouble = Trouble::default();
        let Ok(there) = holding::read_one(channel, name.wire(), Which::All, &mut trouble)? else {
            return Ok(false);
        };
        if there.exists == 0 {
            return Ok(true);
        }
        let mut here = HashSet::new();
        for uid in job.expected() {
            if let Some(one) = message::describe(&job.here().dir, uid, self.repairs)? {
                here.insert(one.identity);
                here.extend(one.loose);
            }
        }
        let identities = there.messages.iter().filter_map(|one| one.identity);
        let ours = identities.filter(|one| here.contains(one)).count();
        Ok(ours * 2 > there.messages.len())
    }
}

/// What people call the mailbox of a directory.
fn shown(jobs: &Jobs, directory: &str) -> String {
    let mut jobs = jobs.iter();
    let job = jobs.find(|job| job.here().directory == directory);
    job.map_or_else(|| directory.to_owned(), |job| job.name().to_owned())
}
