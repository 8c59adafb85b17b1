//! `--mode audit`, also after every export: proves that an archive is whole, by itself and against its source.

mod inventory;
mod local;
mod manifest;
mod pair;
mod source;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::accounts::{self, Handling};
use crate::archive::account::{AccountArchive, require_root};
use crate::archive::lock::Lock;
use crate::archive::path::hex;
use crate::config::Account;
use crate::disk::file;
use crate::finding::Tally;
use crate::limits::NO_THREAD;
use crate::mode::Mode;
use crate::plural::counted;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, AuditReport, Counts, MailboxReport, Report, Status};
use crate::session::peer::Peers;
use crate::settings::Settings;
use crate::stop::Stop;
use manifest::Manifest;

/// What all accounts of an audit share.
pub(super) struct AuditRun<'a> {
    settings: &'a Settings,
    /// The sources; `None` when it is not asked.
    peers: Option<Peers>,
    pool: rayon::ThreadPool,
    manifest: Option<Manifest>,
    stop: &'a Stop,
}

/// Audits every account; an error means that the run could not begin.
///
/// # Errors
/// An archive that is not there, filters that match nothing, a manifest that cannot be begun.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let mut report = settings.report();
    require_root(&settings.archive_dir)?;
    let run = AuditRun::new(settings, stop)?;
    report.accounts = accounts::each(settings, stop, progress, |account, progress, report| {
        run.account(account, progress, report)?;
        // Nobody needs to look at a note.
        let tally = Tally::of(&report.findings);
        if report.status == Status::Complete && tally.errors + tally.warnings > 0 {
            report.status = Status::Findings;
        }
        Ok(())
    })?;
    if let Err(error) = run.finish(stop) {
        report.add_error(&error);
    }
    Ok(report)
}

/// Audits the accounts that an export has finished; errors among the findings count against them.
///
/// # Errors
/// Threads that cannot be started, a manifest that cannot be written.
pub fn after_export(
    settings: &Settings,
    stop: &Stop,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    let exported = |status| {
        matches!(
            status,
            Status::Complete | Status::Findings | Status::Incomplete
        )
    };
    let done = report.accounts.iter();
    let done = done.filter(|account| exported(account.status));
    let done: HashSet<&str> = done.map(|account| account.account.as_str()).collect();
    let accounts = settings.config.accounts.iter();
    let accounts = accounts.filter(|account| done.contains(account.name.as_str()));
    let accounts: Vec<Account> = accounts.cloned().collect();
    if accounts.is_empty() || stop.requested() {
        return Ok(());
    }
    let run = AuditRun::new(settings, stop)?;
    progress.start(Mode::Audit.as_str(), accounts.len() as u64, settings.quiet);
    let audited = accounts::run(
        &accounts,
        Handling::beside(Mode::Audit, settings),
        stop,
        progress,
        |account, report| run.after_export(account, progress.account(&account.name), report),
    )?;
    progress.finish();
    run.finish(stop)?;
    let mut audited: HashMap<String, AccountReport> = audited
        .into_iter()
        .map(|audit| (audit.account.clone(), audit))
        .collect();
    for account in &mut report.accounts {
        let Some(audit) = audited.remove(&account.account) else {
            continue;
        };
        account.seconds += audit.seconds;
        account.findings.extend(audit.findings);
        account.audit = audit.audit;
        account.proof = audit.proof;
        if account.cause.is_none() {
            account.cause = audit.cause;
        }
        if let Some(error) = audit.error {
            account.error = Some(format!("audit after the export: {error}"));
        }
        if account.status == Status::Complete {
            account.status = match audit.status {
                Status::NotStarted => Status::Stopped,
                other => other,
            };
        }
    }
    Ok(())
}

impl<'a> AuditRun<'a> {
    /// # Errors
    /// As for [`run`].
    pub(super) fn new(settings: &'a Settings, stop: &'a Stop) -> Result<Self> {
        let peers = (!settings.auditing.offline)
            .then(|| settings.peers())
            .transpose()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.workers)
            .thread_name(|index| format!("message-{index}"))
            .build()
            .context(NO_THREAD)?;
        let path = settings.auditing.manifest.as_deref();
        let manifest = path
            .map(|path| Manifest::create(path, &settings.archive_dir))
            .transpose()?;
        Ok(Self {
            settings,
            peers,
            pool,
            manifest,
            stop,
        })
    }

    /// Audits one account that has just been exported: errors among the findings count against it.
    ///
    /// # Errors
    /// Those of the audit.
    pub(super) fn after_export(
        &self,
        account: &Account,
        progress: AccountProgress,
        report: &mut AccountReport,
    ) -> Result<()> {
        self.account(account, progress, report)?;
        if report.status == Status::Complete && Tally::of(&report.findings).errors > 0 {
            report.status = Status::Findings;
        }
        Ok(())
    }

    /// Audits one account. What goes wrong is in the report.
    fn account(
        &self,
        account: &Account,
        mut progress: AccountProgress,
        report: &mut AccountReport,
    ) -> Result<()> {
        let outcome = self.work(account, &mut progress, report);
        if self.stop.by_signal() {
            report.status = Status::Stopped;
        }
        let tally = Tally::of(&report.findings);
        if tally.errors > 0 {
            let errors = counted(tally.errors, "error");
            warn!("the audit found loss or damage: {errors}");
        }
        outcome
    }

    fn work(
        &self,
        account: &Account,
        progress: &mut AccountProgress,
        report: &mut AccountReport,
    ) -> Result<()> {
        let settings = self.settings;
        let root = &settings.archive_dir;
        let dir = AccountArchive::directory(root, &account.name);
        if !file::check_dir(&dir)? {
            bail!(
                "the archive has no account {}: there is no directory {}",
                account.name,
                dir.display()
            );
        }
        let _lock = Lock::share(&dir, &account.name)?;
        let task = local::AuditTask {
            root,
            account: &account.name,
            folders: &settings.folders,
            pool: &self.pool,
            stop: self.stop,
            manifest: self.manifest.is_some(),
            beside: self.peers.is_some(),
        };
        let mut local = local::audit(&task, progress)?;
        if let Some(manifest) = &self.manifest {
            manifest.add(&local.digests);
        }
        let compared = match &self.peers {
            Some(peers) => source::compare(
                peers.of(account),
                account,
                &settings.folders,
                self.stop,
                &dir,
                &mut local,
            )
            .context("compare with the source (--audit-offline leaves that out)"),
            None => Ok(()),
        };
        let tally = Tally::of(&local.findings);
        report.mailboxes = local.mailboxes.iter().map(looked_at).collect();
        report.counts = Counts::default();
        for mailbox in &report.mailboxes {
            report.counts += mailbox.counts;
        }
        report.audit = Some(AuditReport {
            mailboxes: local.mailboxes.len() as u64,
            messages: local.mailboxes.iter().map(|m| m.pairs.len()).sum(),
            bytes: local.mailboxes.iter().map(|m| m.bytes).sum(),
            against_source: self.peers.is_some() && compared.is_ok(),
            findings: tally,
        });
        report.proof = Some(proof(local.proof));
        report.findings = local.findings;
        compared
    }

    /// # Errors
    /// A manifest that cannot be written.
    pub(super) fn finish(self, stop: &Stop) -> Result<()> {
        match self.manifest {
            // A list that lacks messages proves nothing.
            Some(manifest) if !stop.requested() => manifest.finish(),
            _ => Ok(()),
        }
    }
}

/// What the report says about a mailbox: how many messages and bytes of it the archive has.
fn looked_at(mailbox: &local::ArchivedMailbox) -> MailboxReport {
    MailboxReport {
        mailbox: mailbox.meta.name.text().to_owned(),
        directory: mailbox.directory.clone(),
        target: None,
        why: None,
        counts: Counts {
            mailboxes: 1,
            unchanged: mailbox.pairs.len(),
            bytes: mailbox.bytes,
            ..Counts::default()
        },
        compared: None,
        note: None,
    }
}

/// What stands for all messages of an account: SHA-256 over their own, sorted, as lines of hexadecimal digits.
fn proof(mut digests: Vec<[u8; 32]>) -> String {
    digests.sort_unstable();
    let mut whole = Sha256::new();
    for digest in &digests {
        whole.update(hex(digest));
        whole.update("\n");
    }
    hex(&whole.finalize())
}
