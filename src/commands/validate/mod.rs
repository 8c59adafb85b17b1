//! `--mode validate`: proves that a server holds what the archive holds, message by message.

mod account;
mod deep;
mod record;

use anyhow::Result;

use crate::accounts;
use crate::archive::account::AccountArchive;
use crate::archive::lock::Lock;
use crate::config::Account;
use crate::finding::Tally;
use crate::mode::Phase;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, Compared, Report, Status};
use crate::session::peer::Peers;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::plan::Messages;

/// Imports these messages of an account.
pub type ImportMissing<'a> =
    dyn Fn(&Peers, &Account, AccountProgress, Messages) -> AccountReport + Sync + 'a;

/// Validates every account; an error means that the run could not begin.
///
/// # Errors
/// An archive that is not there, filters that match nothing.
pub fn run(
    settings: &Settings,
    stop: &Stop,
    progress: &Progress,
    import: &ImportMissing<'_>,
) -> Result<Report> {
    let mut report = settings.report();
    let validation = Validation::new(settings, stop, progress, import)?;
    report.accounts = accounts::each(settings, stop, progress, |account, progress, report| {
        validation.account(account, progress, report)
    })?;
    Ok(report)
}

/// What all accounts of a validation share.
pub(super) struct Validation<'a> {
    settings: &'a Settings,
    peers: Peers,
    stop: &'a Stop,
    progress: &'a Progress,
    import: &'a ImportMissing<'a>,
}

impl<'a> Validation<'a> {
    /// # Errors
    /// As for [`run`].
    pub(super) fn new(
        settings: &'a Settings,
        stop: &'a Stop,
        progress: &'a Progress,
        import: &'a ImportMissing<'a>,
    ) -> Result<Self> {
        Ok(Self {
            settings,
            peers: settings.peers()?,
            stop,
            progress,
            import,
        })
    }

    /// Validates one account.
    ///
    /// # Errors
    /// Those of the archive and of the connection.
    pub(super) fn account(
        &self,
        account: &Account,
        progress: AccountProgress,
        report: &mut AccountReport,
    ) -> Result<()> {
        self.work(account, progress, report)?;
        let tally = Tally::of(&report.findings);
        if tally.errors + tally.warnings > 0 {
            report.status = Status::Findings;
        }
        Ok(())
    }

    fn work(
        &self,
        account: &Account,
        progress: AccountProgress,
        report: &mut AccountReport,
    ) -> Result<()> {
        let missing = self.look(account, progress, report)?;
        if !self.settings.validating.resync || missing.is_empty() {
            return Ok(());
        }
        let before = report.compared.take();
        let again = self.progress.account(&account.name);
        let again = again.at(Phase::Import, None);
        let imported = (self.import)(&self.peers, account, again, missing);
        if let Some(error) = imported.error {
            report.compared = before;
            anyhow::bail!("import what is missing: {error}");
        }
        report.findings.clear();
        report.warnings.clear();
        report.mailboxes.clear();
        report.failures = imported.failures;
        report.counts = imported.counts;
        self.look(account, self.progress.account(&account.name), report)?;
        // What came twice meanwhile is more than the note that there are more copies than in the archive.
        report.findings.extend(imported.findings);
        report.compared_before = before;
        Ok(())
    }

    /// Compares once; returns what is missing on the target.
    fn look(
        &self,
        account: &Account,
        progress: AccountProgress,
        report: &mut AccountReport,
    ) -> Result<Messages> {
        let settings = self.settings;
        let dir = AccountArchive::directory(&settings.archive_dir, &account.name);
        let _lock = if dir.is_dir() {
            Lock::share(&dir, &account.name)?
        } else {
            None
        };
        let mut looked = account::look(settings, self.peers.of(account), self.stop, account)?;
        drop(progress);
        report.counts.mailboxes = looked.mailboxes.len() as u64;
        report.findings.append(&mut looked.findings);
        report.warnings.append(&mut looked.warnings);
        report.counts.bytes = 0;
        let mut sum = Compared::default();
        for mailbox in &looked.mailboxes {
            report.counts.bytes += mailbox.counts.bytes;
            sum += mailbox.compared.unwrap_or_default();
        }
        report.compared = Some(sum);
        report.mailboxes = looked.mailboxes;
        Ok(looked.missing)
    }
}
