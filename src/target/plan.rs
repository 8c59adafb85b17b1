//! One account: its archive, its journal and the target's listing, and where each mailbox goes by them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use tracing::warn;

use super::alias::{Evidence, TargetNames};
use super::holding;
use super::mailbox::{self, Job, JobId, Jobs};
use super::message;
use super::place::Place;
use super::repair::Repairs;
use super::trouble::Trouble;
use super::{deleted, renamed, views};
use crate::archive::account::{AccountArchive, Standing};
use crate::archive::journal::{Journal, Route, RouteRecord};
use crate::filter::Filter;
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;
use crate::mapping::{self, FolderMap, SourceMailbox, Target};
use crate::plural::counted;
use crate::session::channel::Channel;
use crate::session::list::{Glance, Glanced, Listing, StatusItems, Tries};
use crate::session::pace::Ahead;

/// Messages by the directory of their mailbox.
pub type Messages = BTreeMap<String, UidSet>;

/// Which account is meant, and what of it.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The archive's root.
    pub archive_dir: &'a Path,
    /// The account's name.
    pub email: &'a str,
    /// Its login on the target.
    pub login: &'a str,
    /// The target.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The mailboxes that are meant.
    pub folders: &'a Filter,
    /// From exact names to exact names.
    pub folder_map: &'a FolderMap,
    /// What is repaired in messages.
    pub repairs: Repairs,
    /// An archive that is not complete will do.
    pub allow_incomplete: bool,
    /// Archive and journal are locked and written; otherwise this only looks.
    pub write: bool,
}

/// An account on its way to the target.
pub struct Plan<'a> {
    want: Want<'a>,
    archive: AccountArchive,
    /// All mailboxes of the archive with their directories: the plan is the same whatever the filters leave of it.
    sources: Vec<(String, SourceMailbox)>,
    /// These messages alone, whatever the journal says of them.
    only: Option<Messages>,
    /// The newest message on record of each mailbox has been asked for.
    has_glanced: bool,
    /// Where those go that are not meant, by their directories.
    beside: Vec<(String, Place)>,
    /// The mailboxes that are meant.
    pub jobs: Jobs,
    /// Mailboxes that are meant and that the archive has lost, with their numbers of messages.
    pub lost: Vec<(String, u64)>,
    /// What the report is to say.
    pub warnings: Vec<String>,
    tries: Tries,
}

impl<'a> Plan<'a> {
    /// Reads archive and journal; with `only`, these messages alone are meant.
    ///
    /// # Errors
    /// An archive that is not there, not complete or in use; those of the file system.
    pub fn read(want: Want<'a>, only: Option<Messages>) -> Result<(Self, Journal)> {
        let archive = open_archive(&want)?;
        let mut warnings = Vec::new();
        let mut warn = |text: String| {
            warn!("{text}");
            warnings.push(text);
        };
        check_state(&want, &archive)?
            .into_iter()
            .for_each(&mut warn);
        let (host, port, login) = (want.host, want.port, want.login);
        let journal = Journal::open(archive.dir(), host, port, login, !want.write)?;
        if journal.damaged > 0 {
            let lines = counted(journal.damaged, "line");
            warn(format!(
                "{lines} of the journal cannot be read: what was said there is looked for on the target"
            ));
        }
        let sources = mailbox::sources(&archive);
        want.folder_map
            .see(sources.iter().map(|(_, source)| source.name()));
        let mut jobs = Jobs::read(&archive, &sources, want.folders)?;
        views::leave_out(&mut jobs)?;
        let mut lost = archive.lost_mailboxes();
        lost.retain(|(name, _)| want.folders.matches(name) && only.is_none());
        if let Some(only) = &only {
            jobs.keep(|directory| only.get(directory).cloned());
        }
        let plan = Self {
            want,
            archive,
            sources,
            // Messages that are asked for by name are looked for anyway.
            has_glanced: only.is_some(),
            only,
            beside: Vec::new(),
            jobs,
            lost,
            warnings,
            tries: Tries::default(),
        };
        Ok((plan, journal))
    }

    /// How whole the archive is by its own record.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.archive.standing()
    }

    /// The account's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.archive.dir()
    }

    /// Where each mailbox goes, by what the target has now; its listing, and its names and those of ours.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn map(
        &mut self,
        channel: &mut Channel,
        journal: &mut Journal,
    ) -> Result<(Listing, TargetNames)> {
        let glances = self.glances(channel, journal);
        let seen = self
            .tries
            .glance(channel, StatusItems::Plain, |_| true, &glances);
        let (listing, shown) = seen?;
        let repairs = self.want.repairs;
        let mut doubted = Vec::new();
        for (glance, shown) in glances.iter().zip(&shown) {
            let mut jobs = self.jobs.iter();
            let is_another = |job| is_another(job, glance, shown.as_ref(), journal, repairs);
            if jobs.try_fold(false, |any, job| {
                Ok::<_, anyhow::Error>(any | is_another(job)?)
            })? {
                doubted.push(glance.mailbox.clone());
            }
        }
        renamed::find(
            channel,
            &mut self.jobs,
            &listing,
            journal,
            repairs,
            &doubted,
        )?;
        let (target, delimiter) = target(&listing, journal.prefix());
        self.place(&target, journal);
        for (glance, shown) in glances.iter().zip(&shown) {
            for job in &mut self.jobs {
                if job.place().name.wire() == glance.mailbox.wire()
                    && is_another(job, glance, shown.as_ref(), journal, repairs)?
                {
                    job.doubt();
                }
            }
        }
        let names = TargetNames::new(&listing, delimiter, self.beside.clone());
        Ok((listing, names))
    }

    /// The newest messages on record, by mailboxes. A server that ends the connection over them is not asked again.
    fn glances(&mut self, channel: &Channel, journal: &Journal) -> Vec<Glance> {
        if std::mem::replace(&mut self.has_glanced, true) || channel.pace.ahead() != Ahead::All {
            return Vec::new();
        }
        let newest_of = |job: &Job| {
            let name = journal.name_of(&job.here().directory)?;
            let routes = journal.routes(&job.here().directory, name);
            let newest = routes.iter().filter_map(|(_, known)| known.newest());
            let (_, uid) = newest.max_by_key(|(_, to_uid)| *to_uid)?;
            let mailbox = Name::new(name);
            Some(Glance { mailbox, uid })
        };
        self.jobs.iter().filter_map(newest_of).collect()
    }

    fn place(&mut self, target: &Target, journal: &Journal) {
        let sources: Vec<SourceMailbox> = self
            .sources
            .iter()
            .map(|(directory, source)| SourceMailbox {
                before: journal.name_of(directory).map(str::to_owned),
                ..source.clone()
            })
            .collect();
        self.beside.clear();
        for mapped in mapping::plan(&sources, target, self.want.folder_map.names()) {
            let (directory, _) = &self.sources[mapped.source];
            let mut jobs = self.jobs.iter_mut();
            let Some(job) = jobs.find(|job| job.here().directory == *directory) else {
                let mut place = Place::default();
                place.plan(mapped, &target.prefix);
                self.beside.push((directory.clone(), place));
                continue;
            };
            let place = job.place_mut();
            // A name that the target refused before stays what it became.
            if place.was_refused() {
                place.exists = target
                    .present
                    .iter()
                    .any(|there| there.name.wire() == place.name.wire());
                continue;
            }
            place.plan(mapped, &target.prefix);
        }
    }

    /// What the listing and the journal say of each mailbox.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn recall(
        &mut self,
        channel: &mut Channel,
        listing: &Listing,
        names: &TargetNames,
        journal: &Journal,
        trouble: &mut Trouble,
    ) -> Result<()> {
        for job in &mut self.jobs {
            let mut mailboxes = listing.mailboxes.iter();
            let there = mailboxes.find(|there| there.listed.name.wire() == job.place().name.wire());
            let status = there
                .and_then(|there| there.status.clone())
                .unwrap_or_default();
            job.listed(there.is_some_and(|there| there.subscribed), &status);
            job.recall(match there {
                Some(_) => known(self.only.as_ref(), job, journal),
                None => RouteRecord::default(),
            });
        }
        // If messages are asked for by name, their mailbox is wanted, too.
        if self.only.is_none() {
            let only_looks = !self.want.write;
            deleted::find_hidden(channel, &mut self.jobs, names, journal, only_looks)?;
        }
        let evidence = Evidence {
            names,
            journal,
            repairs: self.want.repairs,
        };
        evidence.find_twins(channel, &mut self.jobs, trouble)?;
        let ids = self.jobs.ids();
        let mut moved = evidence.tell_apart_from_others(channel, &mut self.jobs, &ids, trouble)?;
        moved.extend(evidence.find(channel, &mut self.jobs, &ids, trouble)?);
        for id in moved {
            self.recall_opened(id, journal);
        }
        if self.only.is_none() {
            deleted::find(&mut self.jobs, listing, journal, self.want.folder_map);
        }
        Ok(())
    }

    /// The mailbox has been opened: what the journal knows of it as it is now.
    pub fn recall_opened(&mut self, id: JobId, journal: &Journal) {
        let known = known(self.only.as_ref(), &self.jobs[id], journal);
        self.jobs[id].recall(known);
    }
}

/// Has another message the newest UID on record? By its header, and, as some targets rewrite headers, by its date and
/// by what both headers have.
fn is_another(
    job: &Job,
    glance: &Glance,
    glanced: Option<&Glanced>,
    journal: &Journal,
    repairs: Repairs,
) -> Result<bool> {
    let Some(glanced) = glanced else {
        return Ok(false);
    };
    let route = Route {
        to: glance.mailbox.text().to_owned(),
        ..job.route_to(glanced.uidvalidity)
    };
    let newest = journal.known(&route).newest();
    let Some((uid, _)) = newest.filter(|(_, to_uid)| *to_uid == glance.uid) else {
        return Ok(false);
    };
    let here = message::describe(&job.here().dir, uid, repairs)?;
    let Some((here, held)) = here.zip(holding::held(&glanced.message)) else {
        return Ok(false);
    };
    if held.identity.is_none_or(|it| here.has_identity(it)) {
        return Ok(false);
    }
    let dates = held.time.zip(here.time);
    let header = glanced.message.header.as_deref().unwrap_or_default();
    Ok(dates.is_some_and(|(there, here)| there != here)
        || !message::may_have_header(&job.here().dir, uid, repairs, header)?)
}

/// The target as the mapping sees it, and its delimiter; `learnt` is its prefix by a refusal, where NAMESPACE says
/// none.
#[must_use]
pub fn target(listing: &Listing, learnt: Option<&str>) -> (Target, Option<char>) {
    let namespace = listing.namespace.as_ref();
    let prefix = match namespace.map_or("", |(prefix, _)| prefix.text()) {
        "" => learnt.unwrap_or_default(),
        said => said,
    };
    let delimiter = namespace.and_then(|(_, delimiter)| *delimiter);
    let delimiter = delimiter.or_else(|| {
        let mut mailboxes = listing.mailboxes.iter();
        mailboxes.find_map(|there| there.listed.delimiter)
    });
    let present = listing.mailboxes.iter().map(|there| there.listed.clone());
    let target = Target {
        present: present.collect(),
        prefix: prefix.to_owned(),
        delimiter,
    };
    (target, delimiter)
}

/// What the journal knows of a mailbox, except for messages that are meant although it knows them.
fn known(only: Option<&Messages>, job: &Job, journal: &Journal) -> RouteRecord {
    let mut known = journal.known(&job.route());
    let meant = only.and_then(|only| only.get(&job.here().directory));
    for uid in meant.iter().flat_map(|meant| meant.iter()) {
        known.done.remove(uid);
        known.blind.remove(uid);
    }
    known
}

fn open_archive(want: &Want<'_>) -> Result<AccountArchive> {
    let (root, email) = (want.archive_dir, want.email);
    let Some(archive) = AccountArchive::open_read_only(root, email)? else {
        let dir = AccountArchive::directory(root, email);
        bail!(
            "the archive has no account {email}: there is no directory {}",
            dir.display()
        );
    };
    if want.write {
        return AccountArchive::open(root, email, "import");
    }
    Ok(archive)
}

/// A warning about an archive that is, or may be, not complete.
fn check_state(want: &Want<'_>, archive: &AccountArchive) -> Result<Option<String>> {
    let dir = archive.dir().display();
    let advice = "run the export again, or import what there is with --allow-incomplete";
    let lost = "has no export-state.json: its first export was cut off, or the file is lost, and nothing says whether it is complete";
    Ok(match archive.standing() {
        Standing::Complete => None,
        Standing::Incomplete if !want.allow_incomplete => {
            bail!("the archive in {dir} is not complete: {advice}")
        }
        Standing::RecordLost if !want.allow_incomplete => bail!("the archive in {dir} {lost}: {advice}"),
        Standing::Empty => bail!("the archive in {dir} is empty: the account was never exported"),
        Standing::Incomplete => Some("the archive is not complete; what there is is imported".to_owned()),
        Standing::RecordLost => Some(format!("the archive {lost}")),
        Standing::NoRecord => Some("the archive has no export-state.json, like those of early versions of the original tool: nothing says whether it is complete".to_owned()),
    })
}
