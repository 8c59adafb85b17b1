//! The import of one account: reads its archive, connects as often as it takes, reports.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use anyhow::{Result, bail};
use tracing::{info, warn};

use super::job::{self, Job};
use super::known::{self, find_missing, learn_uids};
use super::lane::Import;
use super::source;
use super::target;
use crate::archive::account::AccountArchive;
use crate::archive::failed::{self, During, FailedMessage};
use crate::archive::journal::{Journal, Known};
use crate::archive::uidset::UidSet;
use crate::commands::provision::{Provision, logged_in};
use crate::config::Account;
use crate::mailbox::display_name;
use crate::mapping::{self, Present, Source, Target};
use crate::message::Identity;
use crate::progress::AccountProgress;
use crate::report::{AccountReport, FailedMessageReport, Status};
use crate::secret::Secret;
use crate::session::Session;
use crate::session::connect::{self, Login};
use crate::session::error::{SessionError, is_stopped};
use crate::session::list::{self, Listing};
use crate::session::peer::Peer;
use crate::session::retry::{Backoff, keep_trying};
use crate::settings::Settings;
use crate::stop::Stop;

/// What all accounts of a run share.
pub struct Run<'a> {
    /// The checked settings.
    pub settings: &'a Settings,
    /// Creates mailboxes that are missing.
    pub provision: Option<&'a Provision<'a>>,
    /// The server.
    pub peer: Peer,
    /// Asks for an orderly end.
    pub stop: &'a Stop,
}

/// Messages by the directory of their mailbox.
pub type Messages = BTreeMap<String, UidSet>;

/// An account on its way to the target; a validation goes the same way and changes nothing.
pub struct Importing<'a> {
    run: &'a Run<'a>,
    account: &'a Account,
    progress: AccountProgress,
    archive: Option<AccountArchive>,
    /// All mailboxes of the archive with their directories: the plan is the same whatever the filters leave of it.
    sources: Vec<(String, Source)>,
    /// These messages alone, whatever the journal says of them.
    only: Option<Messages>,
    /// The mailboxes that are meant.
    pub jobs: Vec<Job>,
    /// What the report is to say.
    pub warnings: Vec<String>,
}

/// Imports one account, or these messages of it alone. What goes wrong is in the report.
pub fn import(
    run: &Run<'_>,
    account: &Account,
    progress: AccountProgress,
    only: Option<Messages>,
) -> AccountReport {
    let began = Instant::now();
    let mut importing = Importing::new(run, account, progress, only);
    let outcome = importing.work();
    let mut report = importing.conclude(&outcome);
    report.seconds = began.elapsed().as_secs_f64();
    report
}

impl<'a> Importing<'a> {
    /// An account of which nothing is known yet.
    pub fn new(
        run: &'a Run<'a>,
        account: &'a Account,
        progress: AccountProgress,
        only: Option<Messages>,
    ) -> Self {
        Self {
            run,
            account,
            progress,
            archive: None,
            sources: Vec::new(),
            only,
            jobs: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn work(&mut self) -> Result<()> {
        let password = self.account.secret()?;
        let mut journal = self.read()?;
        keep_trying(self.run.stop, |backoff| {
            self.connection(&password, &mut journal, backoff)
        })
    }

    /// Reads archive and journal.
    ///
    /// # Errors
    /// An archive that is not there, not complete or in use; those of the file system.
    pub fn read(&mut self) -> Result<Journal> {
        let settings = self.run.settings;
        let archive = self.open_archive()?;
        self.check_state(&archive)?;
        let journal = Journal::open(
            archive.dir(),
            &settings.config.server.host,
            settings.config.server.port,
            &self.account.login,
            settings.dry_run,
        )?;
        if journal.damaged > 0 {
            let lines = journal.damaged;
            let text = format!(
                "{lines} lines of the journal cannot be read: what they spoke of is looked for on the target"
            );
            warn!("{text}");
            self.warnings.push(text);
        }
        self.sources = job::sources(&archive);
        self.jobs = job::read_all(&archive, &self.sources, settings)?;
        self.archive = Some(archive);
        self.leave_out_views()?;
        if let Some(only) = &self.only {
            self.jobs.retain(|job| only.contains_key(&job.directory));
            for job in &mut self.jobs {
                job.uids = only.get(&job.directory).cloned().unwrap_or_default();
            }
        }
        Ok(journal)
    }

    /// What the journal knows of a mailbox, but for the messages that are meant although it knows them.
    fn known(only: Option<&Messages>, job: &Job, journal: &Journal) -> Known {
        let mut known = journal.known(&job.route());
        let meant = only.and_then(|only| only.get(&job.directory));
        for uid in meant.iter().flat_map(|meant| meant.iter()) {
            known.done.remove(uid);
            known.blind.remove(uid);
        }
        known
    }

    fn open_archive(&self) -> Result<AccountArchive> {
        let settings = self.run.settings;
        let (root, email) = (&settings.archive_dir, &self.account.email);
        let Some(archive) = AccountArchive::open_read_only(root, email)? else {
            let dir = AccountArchive::directory(root, email);
            bail!(
                "the archive has no account {email}: there is no directory {}",
                dir.display()
            );
        };
        if settings.dry_run {
            return Ok(archive);
        }
        AccountArchive::open(root, email, "import")
    }

    fn check_state(&mut self, archive: &AccountArchive) -> Result<()> {
        let settings = self.run.settings;
        let text = match archive.state() {
            Some(state) if state.complete => return Ok(()),
            Some(_) => {
                let text = format!(
                    "the archive in {} is not complete: run the export again, or import what there is with --allow-incomplete",
                    archive.dir().display()
                );
                if !settings.allow_incomplete {
                    bail!(text);
                }
                "the archive is not complete; what there is is imported".to_owned()
            }
            None if archive.mailboxes().next().is_none() => bail!(
                "the archive in {} is empty: the account was never exported",
                archive.dir().display()
            ),
            None => "the archive has no export-state.json, as those of the original tool: nothing says whether it is complete".to_owned(),
        };
        warn!("{text}");
        self.warnings.push(text);
        Ok(())
    }

    /// Views such as All Mail hold no messages of their own: what is in another mailbox too goes there only.
    fn leave_out_views(&mut self) -> Result<()> {
        let is_view = |job: &Job| {
            let attributes = job.attributes.iter();
            attributes
                .map(|attribute| attribute.to_ascii_lowercase())
                .any(|attribute| attribute == "\\all" || attribute == "\\flagged")
        };
        if !self.jobs.iter().any(is_view) {
            return Ok(());
        }
        let mut elsewhere: HashSet<Identity> = HashSet::new();
        for job in self.jobs.iter().filter(|job| !is_view(job)) {
            for uid in job.uids.iter() {
                elsewhere.extend(source::identity(&job.dir, uid)?);
            }
        }
        for job in self.jobs.iter_mut().filter(|job| is_view(job)) {
            for uid in job.uids.iter() {
                if source::identity(&job.dir, uid)?.is_some_and(|id| elsewhere.contains(&id)) {
                    job.elsewhere.insert(uid);
                }
            }
            if !job.elsewhere.is_empty() {
                job.notes.push(format!(
                    "a view: {} of its messages are in other mailboxes and are not imported a second time",
                    job.elsewhere.len()
                ));
            }
        }
        Ok(())
    }

    /// One connection, from login to logout.
    fn connection(
        &mut self,
        password: &Secret,
        journal: &mut Journal,
        backoff: &mut Backoff,
    ) -> Result<()> {
        if self.run.stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let login = Login {
            user: &self.account.login,
            password,
        };
        let session = logged_in(self.run.provision, self.account, self.run.stop, || {
            connect::open(&self.run.peer, &login, self.run.stop)
        })?;
        let connected = Instant::now();
        let dry_run = self.run.settings.dry_run;
        if !dry_run {
            let (timeout, stop) = (self.run.settings.timeout, self.run.stop);
            known::let_settle(&self.jobs, journal, connected, timeout, stop)?;
        }
        let (listing, delimiter) = self.map(&session, journal)?;
        self.recall(&listing, journal);
        let unsettled = |job: &Job| {
            job.failed.is_none()
                && (!job.exists
                    || job.subscribed && !job.is_subscribed
                    || job.missing().next().is_some())
        };
        let numbers: Vec<usize> = (0..self.jobs.len())
            .filter(|number| unsettled(&self.jobs[*number]))
            .collect();
        let mut channel = session.channel();
        if !dry_run {
            target::prepare(&mut channel, &mut self.jobs, &numbers, delimiter)?;
        }
        for number in numbers {
            let job = &mut self.jobs[number];
            if job.failed.is_none() {
                job.known = Self::known(self.only.as_ref(), job, journal);
                find_missing(&mut channel, job, journal, dry_run)?;
            }
        }
        journal.commit()?;
        let expected = self.jobs.iter().map(|job| job.todo.len() as u64).sum();
        self.progress.expect(expected);
        info!(mailboxes = self.jobs.len(), messages = expected, "compared");
        if dry_run {
            for job in &mut self.jobs {
                job.bytes_wanted = job.dir.bytes(job.todo.iter().copied())?;
            }
        } else {
            let mut import = Import::new(
                &channel,
                &mut self.jobs,
                journal,
                self.run.settings,
                self.run.stop,
                &mut self.progress,
            );
            let outcome = import.run(&mut channel);
            if import.committed > 0 {
                backoff.progress();
            }
            outcome?;
            for job in &mut self.jobs {
                learn_uids(&mut channel, job, journal)?;
            }
            journal.commit()?;
        }
        drop(channel);
        session.logout();
        Ok(())
    }

    /// Where each mailbox goes, by what the target has now.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn map(&mut self, session: &Session, journal: &Journal) -> Result<(Listing, Option<char>)> {
        let mut channel = session.channel();
        let listing = list::list(&mut channel, |_| true)?;
        let namespace = target::namespace(&mut channel)?;
        let (prefix, delimiter) = namespace.unwrap_or_default();
        let delimiter = delimiter.or_else(|| {
            let mut mailboxes = listing.mailboxes.iter();
            mailboxes.find_map(|there| there.listed.delimiter)
        });
        let present = listing.mailboxes.iter().map(|there| Present {
            name: display_name(&there.listed.name),
            wire: there.listed.name.clone(),
            attributes: there.listed.attributes.clone(),
        });
        let on_b = Target {
            present: present.collect(),
            prefix: display_name(&prefix),
            delimiter,
        };
        // What went somewhere once goes there again, whatever the target has by now.
        let mut fixed = self.run.settings.config.folder_map.clone();
        for (directory, source) in &self.sources {
            if let Some(before) = journal.name_of(directory)
                && on_b.present.iter().any(|there| there.name == before)
            {
                fixed
                    .entry(source.name.clone())
                    .or_insert(before.to_owned());
            }
        }
        let sources: Vec<Source> = self
            .sources
            .iter()
            .map(|(_, source)| source.clone())
            .collect();
        for mapped in mapping::plan(&sources, &on_b, &fixed) {
            let (directory, source) = &self.sources[mapped.source];
            let Some(job) = self.jobs.iter_mut().find(|job| job.directory == *directory) else {
                continue;
            };
            // A name that the target refused before stays what it became.
            if job.attempts > 0 {
                job.exists = on_b.present.iter().any(|there| there.wire == job.wire);
                continue;
            }
            job.planned.clone_from(&mapped.name);
            job.to = mapped.name;
            job.wire = mapped.wire;
            job.exists = mapped.exists;
            job.parents = mapped
                .parents
                .iter()
                .map(|parent| mapping::encode_utf7(parent))
                .collect();
            let by_config = self
                .run
                .settings
                .config
                .folder_map
                .contains_key(&source.name);
            job.why = if fixed.contains_key(&source.name) && !by_config {
                "imported there before".to_owned()
            } else {
                let why: Vec<String> = mapped.why.iter().map(ToString::to_string).collect();
                why.join(", ")
            };
        }
        drop(channel);
        Ok((listing, delimiter))
    }

    /// What the listing and the journal say of each mailbox.
    pub fn recall(&mut self, listing: &Listing, journal: &Journal) {
        for job in &mut self.jobs {
            let there = listing
                .mailboxes
                .iter()
                .find(|there| there.listed.name == job.wire);
            job.is_subscribed = there.is_some_and(|there| there.subscribed);
            let status = there
                .and_then(|there| there.status.clone())
                .unwrap_or_default();
            job.to_messages = status.messages;
            job.to_uidvalidity = status.uidvalidity.unwrap_or(0);
            job.known = if there.is_some() {
                Self::known(self.only.as_ref(), job, journal)
            } else {
                Known::default()
            };
            job.todo.clear();
        }
    }

    /// Says how it went, and records what could not be imported.
    fn conclude(mut self, outcome: &Result<()>) -> AccountReport {
        let mut report = AccountReport::new(&self.account.email);
        report.warnings = std::mem::take(&mut self.warnings);
        for job in &mut self.jobs {
            job.refused.sort_by_key(|refused| refused.uid);
        }
        let failures = self.failures();
        let complete = outcome.is_ok() && self.jobs.iter().all(Job::is_complete);
        let dry_run = self.run.settings.dry_run;
        for job in &self.jobs {
            let mailbox = job::mailbox_report(job, dry_run);
            report.counts += mailbox.counts;
            report.mailboxes.push(mailbox);
        }
        report.failures = failures.iter().map(FailedMessageReport::from).collect();
        report.status = match outcome {
            Ok(()) if complete || dry_run => Status::Complete,
            Ok(()) => Status::Incomplete,
            Err(error) if is_stopped(error) => Status::Stopped,
            Err(error) => {
                report.error = Some(format!("{error:#}"));
                Status::Failed
            }
        };
        if let Some(archive) = self.archive.as_ref().filter(|_| !dry_run)
            && let Err(error) = failed::write(archive.dir(), During::Import, &failures)
        {
            report.status = Status::Failed;
            report.error = Some(match report.error.take() {
                Some(first) => format!("{first}; then: {error:#}"),
                None => format!("{error:#}"),
            });
        }
        report
    }

    fn failures(&self) -> Vec<FailedMessage> {
        let at = crate::clock::utc_now();
        let of_job = |job: &Job| -> Vec<FailedMessage> {
            job.refused
                .iter()
                .map(|refused| FailedMessage {
                    account: self.account.email.clone(),
                    mailbox: job.name.clone(),
                    uid: refused.uid,
                    size: refused.size,
                    server: refused.reason.clone(),
                    at: at.clone(),
                    during: During::Import,
                })
                .collect()
        };
        self.jobs.iter().flat_map(of_job).collect()
    }
}
