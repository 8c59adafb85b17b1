//! All mailboxes of an account that are meant.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use anyhow::Result;

use super::{Here, Job};
use crate::archive::account::{AccountArchive, Lost};
use crate::filter::Filter;
use crate::mailbox::Listed;
use crate::mailbox::uidset::UidSet;
use crate::mapping::SourceMailbox;

/// Which of an account's mailboxes is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(usize);

/// The mailboxes of an account that are meant, in the order of the source.
#[derive(Default)]
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// The mailboxes of the archive that are meant.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read(
        archive: &AccountArchive,
        sources: &[(String, SourceMailbox)],
        folders: &Filter,
    ) -> Result<Self> {
        let states = archive.state().map(|state| state.mailboxes.as_slice());
        let mut jobs = Vec::new();
        for (directory, source) in sources {
            if !folders.matches(source.name()) {
                continue;
            }
            let Some(dir) = archive.mailbox(directory)? else {
                continue;
            };
            let mut known = states.unwrap_or_default().iter();
            let state = known.find(|state| state.directory == *directory);
            let here = Here {
                directory: directory.clone(),
                dir,
                name: source.name().to_owned(),
                attributes: source.listed.attributes.clone(),
                uidvalidity: archive.uidvalidity_of(directory).unwrap_or(0),
                subscribed: state.is_some_and(|state| state.subscribed),
            };
            jobs.push(Job::read(here, archive)?);
        }
        Ok(Self(jobs))
    }

    /// All of them.
    #[must_use]
    pub fn ids(&self) -> Vec<JobId> {
        (0..self.0.len()).map(JobId).collect()
    }

    /// All of them, with their mailboxes.
    pub fn numbered(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.0.iter().enumerate().map(|(at, job)| (JobId(at), job))
    }

    /// The mailboxes.
    pub fn iter(&self) -> std::slice::Iter<'_, Job> {
        self.0.iter()
    }

    /// The mailboxes.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Job> {
        self.0.iter_mut()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of these goes where the other one was to go, with what is known of that.
    pub fn exchange_places(&mut self, to: &BTreeMap<JobId, JobId>) {
        if to.iter().all(|(one, other)| one == other) {
            return;
        }
        let mut places: BTreeMap<JobId, _> = to
            .keys()
            .map(|id| (*id, self.0[id.0].take_place()))
            .collect();
        for (id, place) in to {
            if let Some((place, there)) = places.remove(place) {
                self.0[id.0].give_place(place, there);
            }
        }
    }

    /// Leaves these messages alone, by the directory of their mailbox.
    pub fn keep(&mut self, only: impl Fn(&str) -> Option<UidSet>) {
        self.0.retain_mut(|job| {
            let wanted = only(&job.here.directory);
            let is_meant = wanted.is_some();
            let mut beside = std::mem::replace(&mut job.uids, wanted.unwrap_or_default());
            beside.remove_all(&job.uids);
            beside.remove_all(&job.elsewhere);
            job.beside = beside;
            job.lost = Lost::default();
            is_meant
        });
    }
}

impl<'a> IntoIterator for &'a Jobs {
    type Item = &'a Job;
    type IntoIter = std::slice::Iter<'a, Job>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Jobs {
    type Item = &'a mut Job;
    type IntoIter = std::slice::IterMut<'a, Job>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

impl Index<JobId> for Jobs {
    type Output = Job;

    fn index(&self, id: JobId) -> &Job {
        &self.0[id.0]
    }
}

impl IndexMut<JobId> for Jobs {
    fn index_mut(&mut self, id: JobId) -> &mut Job {
        &mut self.0[id.0]
    }
}

/// All mailboxes of the archive as the mapping needs them, each with its directory, in the order of the source.
#[must_use]
pub fn sources(archive: &AccountArchive) -> Vec<(String, SourceMailbox)> {
    let state = archive.state();
    // Mailboxes of another server than the rest have another namespace.
    let prefix_of = |directory: &str| {
        let known = state.filter(|state| {
            let mailbox = state.mailbox(directory);
            mailbox.is_none_or(|mailbox| mailbox.origin.is_none())
        });
        known.map_or_else(String::new, |state| state.prefix.clone())
    };
    let mut all: Vec<(String, SourceMailbox)> = archive
        .mailboxes()
        .map(|(directory, meta)| {
            let source = SourceMailbox {
                listed: Listed {
                    name: meta.name.clone(),
                    delimiter: meta.delimiter,
                    attributes: meta.attributes.clone(),
                },
                prefix: prefix_of(directory),
                before: None,
            };
            (directory.to_owned(), source)
        })
        .collect();
    let states = state.map(|state| state.mailboxes.as_slice());
    let states = states.unwrap_or_default();
    all.sort_by_key(|(directory, source)| {
        let order = states
            .iter()
            .position(|state| state.directory == *directory);
        (
            source.name() != "INBOX",
            order.unwrap_or(usize::MAX),
            source.name().to_owned(),
        )
    });
    all
}
