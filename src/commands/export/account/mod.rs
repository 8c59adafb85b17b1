//! The export of one account: opens its archive, connects as often as it takes, reports.

mod failures;
mod losses;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tracing::{debug, info_span, warn};

use super::fetcher::{AskEnvelope, Fetcher};
use super::gone;
use super::job::{Archived, AskAlone, Job, JobId, JobPhase, Jobs};
use super::store::Store;
use crate::accounts;
use crate::archive::account::AccountArchive;
use crate::archive::failed::{self, FailedMessage, Transfer};
use crate::archive::listing;
use crate::archive::state::{ExportState, MailboxState, SourceServer};
use crate::archive::sync::Syncer;
use crate::config::Account;
use crate::disk::space::{Promise, Promised, has_room};
use crate::filter::Filter;
use crate::finding::Tally;
use crate::mailbox::Listed;
use crate::progress::AccountProgress;
use crate::report::{AccountReport, FailedMessageReport, MailboxReport, Status};
use crate::session::blame::{Blame, Owner};
use crate::session::channel::Channel;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::list::{self, Listing, StatusItems};
use crate::session::peer::Peers;
use crate::session::retry::{Backoff, keep_trying};
use crate::settings::Settings;
use crate::stop::Stop;

/// Unreadable responses after which little is sent ahead.
const MANY_MISREAD: u32 = 3;

/// What all accounts of a run share.
pub struct ExportRun<'a> {
    /// The checked settings.
    pub settings: &'a Settings,
    /// The servers.
    pub peers: Peers,
    /// Asks the run to stop.
    pub stop: &'a Stop,
    /// Makes the archive durable; `None` in a dry run.
    pub syncer: Option<Arc<Syncer>>,
    /// What the accounts at work are still to fetch.
    pub promised: Arc<Promised>,
}

/// An account at work.
struct Export<'a> {
    run: &'a ExportRun<'a>,
    account: &'a Account,
    progress: AccountProgress,
    jobs: Jobs,
    store: Option<Store>,
    /// What has failed so far, on all connections.
    blame: Blame<Owner<JobId>>,
    /// The last connection finished something.
    progressed: bool,
    /// What earlier runs could not fetch.
    failed_before: Vec<FailedMessage>,
    /// How often a response could not be read, and the connection went on.
    misreads: u32,
    envelopes: AskEnvelope,
    /// LIST has been answered.
    listed: bool,
    tries: list::Tries,
    /// LIST named mailboxes that could not be understood.
    unreadable: bool,
    /// Directories of mailboxes that the server has no longer.
    vanished: Vec<String>,
    report: &'a mut AccountReport,
}

/// Exports one account. What goes wrong is in the report.
pub fn export(
    run: &ExportRun<'_>,
    account: &Account,
    progress: AccountProgress,
    report: &mut AccountReport,
) -> Result<()> {
    let mut export = Export {
        run,
        account,
        progress,
        jobs: Jobs::default(),
        store: None,
        blame: Blame::default(),
        progressed: true,
        failed_before: Vec::new(),
        misreads: 0,
        envelopes: AskEnvelope::Once,
        listed: false,
        tries: list::Tries::default(),
        unreadable: false,
        vanished: Vec::new(),
        report,
    };
    let outcome = export.work();
    export.conclude(outcome)
}

impl Export<'_> {
    fn work(&mut self) -> Result<()> {
        let settings = self.run.settings;
        if let Some(syncer) = &self.run.syncer {
            let archive =
                AccountArchive::open(&settings.archive_dir, &self.account.name, "export")?;
            self.warn_of_writers(archive.dir())?;
            self.compare_source(archive.state());
            let state = new_state(self.account, &settings.folders, archive.state());
            let syncer = Arc::clone(syncer);
            let room = Promise::of(&self.run.promised);
            let store = Store::new(archive, state, syncer, settings.min_free_bytes, room)?;
            self.store = Some(store);
        }
        keep_trying(self.run.stop, |backoff| {
            self.rewind();
            self.connection(backoff)
        })
    }

    fn rewind(&mut self) {
        let (blame, first) = (&self.blame, !self.progressed);
        for (id, job) in self.jobs.with_ids() {
            let of = |uid| blame.ends(&Owner::Message(id, uid)) > 0;
            job.rewind(&AskAlone { of: &of, first });
        }
    }

    /// One connection, from login to logout.
    fn connection(&mut self, backoff: &mut Backoff) -> Result<()> {
        if self.run.stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let settings = self.run.settings;
        let peer = self.run.peers.of(self.account);
        let mut session = dial::open(peer, self.account, self.run.stop)?;
        if !self.listed {
            let wanted = |listed: &Listed| settings.folders.matches(listed.name.text());
            let channel = session.channel();
            let listing = self.tries.list(channel, StatusItems::WithSize, wanted)?;
            self.listed = true;
            self.prepare(listing)?;
        }
        loop {
            let (outcome, misread) = self.pass(session.channel(), backoff);
            let Err(error) = outcome else { break };
            if !misread || !session.channel().find_place().unwrap_or(false) {
                return Err(error);
            }
            warn!("{error:#}: what was under way is asked for again");
            self.misreads += 1;
            self.rewind();
        }
        session.logout();
        Ok(())
    }

    /// One pass over the jobs; true where it ends early with a response that cannot be read, and the connection may go on.
    fn pass(&mut self, channel: &mut Channel, backoff: &mut Backoff) -> (Result<()>, bool) {
        let mut fetcher = Fetcher::new(
            &mut self.jobs,
            self.store.as_mut(),
            self.run.stop,
            &mut self.progress,
            &mut self.blame,
            !self.progressed,
        );
        if self.misreads >= MANY_MISREAD {
            fetcher.go_carefully();
        }
        fetcher.ask_envelopes(self.envelopes);
        let outcome = fetcher.run(channel);
        self.envelopes = fetcher.asks_envelopes();
        self.progressed = fetcher.has_made_progress();
        let misread = fetcher.has_misread();
        if self.progressed {
            backoff.progress();
        }
        (outcome, misread)
    }

    /// A job for every mailbox that is wanted; directories of mailboxes that are gone move aside.
    fn prepare(&mut self, listing: Listing) -> Result<()> {
        self.unreadable = !listing.unreadable.is_empty();
        self.report.warnings.extend(listing.warnings());
        if let (Some(store), Some((prefix, _))) = (&mut self.store, &listing.namespace) {
            store.comes_from(prefix.text());
        }
        let vanished = self.vanished_directories(&listing);
        let folders = &self.run.settings.folders;
        for mailbox in listing.mailboxes {
            if !folders.matches(mailbox.listed.name.text()) {
                continue;
            }
            let mut job = Job::new(mailbox);
            if let Some(store) = &mut self.store {
                store.bring_back(&job)?;
                job.goes_to(store.archive().assign_directory(job.meta()));
            }
            self.jobs.push(job);
        }
        self.read_archive()?;
        self.create_empty()?;
        self.remember_failures()?;
        self.move_away(&vanished)?;
        self.vanished = vanished;
        let expected: u64 = self.jobs.iter().map(Job::expected).sum();
        // A dry run moves nothing.
        if self.store.is_some() {
            self.progress.expect(self.jobs.rest());
        }
        let mailboxes = self.jobs.iter().len();
        debug!(mailboxes, messages = expected, "listed");
        if let Some(store) = &mut self.store {
            let bytes = self.jobs.iter().filter_map(Job::bytes_by_status).sum();
            store.check_room(bytes)?;
        }
        Ok(())
    }

    /// What the archive has of each mailbox, and so what is to be done.
    fn read_archive(&mut self) -> Result<()> {
        let read_only;
        let archive = if let Some(store) = &mut self.store {
            &*store.archive()
        } else {
            let settings = self.run.settings;
            read_only = AccountArchive::open_read_only(&settings.archive_dir, &self.account.name)?;
            if let Some(archive) = &read_only {
                archive
            } else {
                self.jobs.iter_mut().for_each(|job| job.plan(None));
                return Ok(());
            }
        };
        let now = new_state(self.account, &self.run.settings.folders, None).origin();
        let then = archive.state().map(ExportState::origin);
        let before = archive.state().map(|state| state.mailboxes.as_slice());
        for job in self.jobs.iter_mut() {
            let _span = info_span!("mailbox", mailbox = job.name()).entered();
            if job.directory().is_empty() {
                let known = archive.directory_of(job.listed_name());
                job.goes_to(known.unwrap_or_default());
            }
            let before = before
                .unwrap_or_default()
                .iter()
                .find(|before| before.directory == job.directory());
            let mut held = believe(archive, job, before)?;
            let origin = before.and_then(|before| before.origin.clone());
            held.origin = origin.or(then.clone()).filter(|then| *then != now);
            held.uidvalidity_moves = before.is_some_and(|before| before.uidvalidity_moves);
            held.moved_before = held.uidvalidity_moves;
            job.holds(held);
            job.plan(before);
        }
        Ok(())
    }

    /// An empty mailbox is part of the archive too; there is nothing to fetch that would create it.
    fn create_empty(&mut self) -> Result<()> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for (id, job) in self.jobs.with_ids() {
            let not_there = !job.is_archived();
            let mut unlike = || !store.archive().describes(job.directory(), &job.meta());
            let stale = job.phase() == JobPhase::Unchanged && (not_there || unlike());
            if job.phase() == JobPhase::Done || stale {
                store.open(id, job)?;
            }
        }
        Ok(())
    }

    /// Directories of mailboxes that the server has no longer.
    fn vanished_directories(&mut self, listing: &Listing) -> Vec<String> {
        let Some(store) = &mut self.store else {
            return Vec::new();
        };
        let folders = &self.run.settings.folders;
        let gone = gone::directories(store.archive(), &listing.mailboxes, folders);
        let doubt = if !listing.unreadable.is_empty() {
            "could not be read whole"
        } else if listing.names_nothing {
            "names nothing at all"
        } else {
            return gone;
        };
        if !gone.is_empty() {
            let warning =
                format!("mailboxes seem to be gone, but LIST {doubt}: nothing is moved aside");
            warn!("{warning}");
            self.report.warnings.push(warning);
            self.unreadable = true;
        }
        Vec::new()
    }

    fn move_away(&mut self, directories: &[String]) -> Result<()> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for directory in directories {
            let Some(to) = store.move_mailbox_away(directory)? else {
                let warning = format!(
                    "the mailbox of {directory} is on record, but no longer in the archive nor on the server"
                );
                self.report.warnings.push(warning);
                continue;
            };
            let warning = format!(
                "the server no longer has the mailbox of {directory}; its messages moved to {}",
                to.display()
            );
            warn!("{warning}");
            self.report.warnings.push(warning);
        }
        Ok(())
    }

    /// The archive may hold another server's mail by mistake; UIDVALIDITY keeps them apart, but say so.
    fn compare_source(&mut self, before: Option<&ExportState>) {
        let Some(before) = before else { return };
        let now = new_state(self.account, &self.run.settings.folders, None).origin();
        if before.origin() != now {
            let warning = format!(
                "the archive was exported from {}, this run is from {now}: UIDs alone are not trusted to mean the same messages; if that is another server, use another --output-dir",
                before.origin()
            );
            warn!("{warning}");
            self.report.warnings.push(warning);
        }
    }

    /// Makes durable what has come, and says how it went.
    fn conclude(mut self, outcome: Result<()>) -> Result<()> {
        let store = self.store.as_mut();
        let settled = store.map_or(Ok(()), |store| store.settle(&mut self.jobs));
        let outcome = outcome.and(settled).and_then(|()| self.clear_halves());
        let failures = self.failures();
        let complete =
            outcome.is_ok() && !self.unreadable && self.jobs.iter().all(Job::is_complete);
        let saved = self.save(complete, &failures);
        for job in self.jobs.iter() {
            let report = mailbox_report(job, self.store.is_none());
            self.report.counts += report.counts;
            self.report.mailboxes.push(report);
            note_doubtful_window(job, &mut self.report.warnings);
        }
        self.report.failures = failures.iter().map(FailedMessageReport::from).collect();
        self.tell_losses();
        let saved = saved.and_then(|()| self.tell_room());
        if !complete {
            self.report.status = Status::Incomplete;
        } else if Tally::of(&self.report.findings).errors > 0 {
            self.report.status = Status::Findings;
        }
        accounts::both(outcome, saved.context("save the state of the archive"))
    }

    /// A dry run says whether there is room for what it found.
    fn tell_room(&mut self) -> Result<()> {
        let settings = self.run.settings;
        if !settings.dry_run {
            return Ok(());
        }
        let bytes = self.report.counts.bytes;
        let (fits, text) = has_room(&settings.archive_dir, settings.min_free_bytes, bytes)?;
        if fits {
            debug!("{text}");
        } else {
            warn!("{text}");
            self.report.warnings.push(text);
        }
        Ok(())
    }

    /// Whoever can write into the archive can change what an import brings.
    fn warn_of_writers(&mut self, dir: &std::path::Path) -> Result<()> {
        let open = listing::open_mode(dir)?;
        if open & 0o022 != 0 {
            let warning = format!(
                "others than its owner can write into {} (mode …{open:03o}): they can change the archive; run: chmod go-w on it",
                dir.display()
            );
            warn!("{warning}");
            self.report.warnings.push(warning);
        }
        Ok(())
    }

    fn save(&mut self, complete: bool, failures: &[FailedMessage]) -> Result<()> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let folders = &self.run.settings.folders;
        // Nothing was begun: the archive is as it was.
        if self.jobs.is_empty() {
            return Ok(());
        }
        let all = failures::on_record(failures, &self.failed_before, &self.jobs, folders);
        failed::write(store.archive().dir(), Transfer::Export, &all)?;
        store.finish(&self.jobs, complete)
    }
}

/// Fills in which messages of the archive are whole: those of the last checkpoint, and newer ones by their sha256.
fn believe(archive: &AccountArchive, job: &Job, before: Option<&MailboxState>) -> Result<Archived> {
    let Some(dir) = archive.mailbox(job.directory())? else {
        return Ok(Archived {
            lost: before.map(|before| before.uids.clone()).unwrap_or_default(),
            ..Archived::default()
        });
    };
    let mut held = Archived {
        uidvalidity: archive.uidvalidity_of(job.directory()),
        ..Archived::default()
    };
    let scan = dir.scan().context("read the archive")?;
    if scan.leftovers && archive.is_locked() {
        dir.clean()?;
    }
    let halves = scan.unfinished.iter().chain(&scan.orphans);
    held.halves = halves.copied().collect();
    if let Some(before) = before {
        held.lost = before.uids.clone();
        held.lost.remove_all(&scan.pairs.iter().copied().collect());
    }
    for uid in scan.pairs {
        let known = before.is_some_and(|before| before.uids.contains(uid));
        if known || dir.verify(uid)? {
            held.present.insert(uid);
        } else {
            warn!(
                uid,
                "the message in the archive does not match its sidecar, fetching it again"
            );
            held.doubtful.insert(uid);
        }
    }
    // A sidecar alone proves nothing, but it is not overwritten either.
    held.doubtful.extend(scan.orphans);
    held.bytes = match before {
        Some(before) if before.uids == held.present => before.bytes,
        _ => dir.bytes(held.present.iter())?,
    };
    Ok(held)
}

/// The state to be written. A filter says what the record leaves out, unless that is one of the whole already.
fn new_state(account: &Account, folders: &Filter, before: Option<&ExportState>) -> ExportState {
    let whole = before.is_some_and(|before| {
        before.folders.is_empty()
            && before.exclude_folders.is_empty()
            && !before.mailboxes.is_empty()
    });
    let left_out = |patterns: &[String]| {
        if whole { Vec::new() } else { patterns.to_vec() }
    };
    let server = &account.server;
    ExportState {
        server: SourceServer {
            host: server.host.clone(),
            port: server.port,
            tls: server.tls.as_str().to_owned(),
        },
        user: account.login.clone(),
        started: crate::clock::utc_now(),
        folders: left_out(folders.include()),
        exclude_folders: left_out(folders.exclude()),
        ..ExportState::default()
    }
}

fn mailbox_report(job: &Job, dry_run: bool) -> MailboxReport {
    MailboxReport {
        mailbox: job.name().to_owned(),
        directory: job.directory().to_owned(),
        target: None,
        why: None,
        counts: job.counts(dry_run),
        compared: None,
        note: job.note().map(str::to_owned),
    }
}

/// Some providers show only the newest messages of a mailbox and say nothing of the others.
fn note_doubtful_window(job: &Job, warnings: &mut Vec<String>) {
    if matches!(job.freeze().messages, 10_000 | 100_000) {
        warnings.push(format!(
            "{}: exactly {} messages: some providers (Yahoo, AOL) show no more of a larger mailbox; compare with their web mail",
            job.name(),
            job.freeze().messages
        ));
    }
}
