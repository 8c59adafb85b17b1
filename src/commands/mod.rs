//! One file or folder per mode: reads two sides, makes a plan, carries it out, returns a report.

pub mod audit;
pub mod export;
pub mod import;
pub mod index;
mod provision;
pub mod test;
pub mod validate;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::accounts;
use crate::cli::Mode;
use crate::config::Account;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, ProvisionReport, ProvisionState, Report, Status};
use crate::settings::Settings;
use crate::stop::Stop;
use provision::Provision;

/// Carries out the mode, after the checks that it has before it.
///
/// # Errors
/// Whatever keeps the run from beginning.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let has_precheck = matches!(settings.mode, Mode::Export | Mode::Import | Mode::Validate);
    let only_panel = settings.provisioning.as_ref().is_some_and(|p| p.dry_run);
    if matches!(settings.mode, Mode::Import | Mode::Validate) && !only_panel {
        check_archive(settings)?;
    }
    let provision = Provision::new(settings, stop)?;
    let mut rest = settings.clone();
    let mut failed = HashMap::new();
    if let Some(provision) = &provision {
        let accounts = &settings.config.accounts;
        provision.prepare(accounts, settings.ignore_errors)?;
        let report = provision.report(accounts);
        if report.dry_run || stop.by_signal() || report.has_failed() && !settings.ignore_errors {
            return Ok(ended_with_panel(settings, report));
        }
        leave_out(&mut rest, &mut failed, not_on_panel(&report));
    }
    let mut report = None;
    if has_precheck && settings.precheck && !rest.config.accounts.is_empty() {
        match test::precheck(&rest, provision.as_ref(), stop, progress)? {
            test::Verdict::End(ended) => report = Some(*ended),
            test::Verdict::GoOn(more) => leave_out(&mut rest, &mut failed, more),
        }
    }
    let mut report = match report {
        Some(report) => report,
        None if rest.config.accounts.is_empty() => Report::new(settings),
        None => carry_out(&rest, provision.as_ref(), stop, progress)?,
    };
    let accounts = &settings.config.accounts;
    put_back(accounts, &mut report, failed);
    report.provisioned = provision.map(|provision| provision.report(accounts));
    Ok(report)
}

fn carry_out(
    settings: &Settings,
    provision: Option<&Provision<'_>>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report> {
    match settings.mode {
        Mode::Export => export::run(settings, stop, progress),
        Mode::Import => import::run(settings, provision, stop, progress),
        Mode::Validate => validate::run(settings, stop, progress),
        Mode::Audit => audit::run(settings, stop, progress),
        Mode::Test => test::run(settings, None, stop, progress),
        Mode::Index => bail!("--mode index has no accounts to go through"),
    }
}

/// The report of a run that ends after the panel.
fn ended_with_panel(settings: &Settings, provisioned: ProvisionReport) -> Report {
    let mut report = Report::new(settings);
    report.ended_with_panel = true;
    report.precheck_failed = provisioned.has_failed() && !settings.ignore_errors;
    for mailbox in &provisioned.mailboxes {
        let mut account = AccountReport::new(&mailbox.account);
        match mailbox.state {
            ProvisionState::Failed => {
                account.status = Status::Failed;
                account.error.clone_from(&mailbox.note);
            }
            ProvisionState::NotTried => {}
            _ if provisioned.dry_run => account.status = Status::Complete,
            _ => {}
        }
        report.accounts.push(account);
    }
    report.provisioned = Some(provisioned);
    report
}

/// Reports of the accounts whose mailboxes cannot be had, by their names.
fn not_on_panel(report: &ProvisionReport) -> HashMap<String, AccountReport> {
    let failed = report
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.state == ProvisionState::Failed);
    failed
        .map(|mailbox| {
            let mut account = AccountReport::new(&mailbox.account);
            account.status = Status::Failed;
            let why = mailbox.note.as_deref().unwrap_or_default();
            account.error = Some(format!(
                "left out, as its mailbox is not on the panel: {why}"
            ));
            (mailbox.account.clone(), account)
        })
        .collect()
}

/// Takes accounts that have failed already out of a run.
fn leave_out(
    rest: &mut Settings,
    failed: &mut HashMap<String, AccountReport>,
    more: HashMap<String, AccountReport>,
) {
    failed.extend(more);
    let accounts = &mut rest.config.accounts;
    accounts.retain(|account| !failed.contains_key(&account.email));
}

/// Puts the accounts that were left out back into the report, at their places.
fn put_back(accounts: &[Account], report: &mut Report, mut failed: HashMap<String, AccountReport>) {
    if failed.is_empty() {
        return;
    }
    let mut done: HashMap<String, AccountReport> = report
        .accounts
        .drain(..)
        .map(|account| (account.account.clone(), account))
        .collect();
    for account in accounts {
        let one = failed.remove(&account.email);
        report
            .accounts
            .extend(one.or_else(|| done.remove(&account.email)));
    }
}

/// Runs `work` for every account, with its progress.
///
/// # Errors
/// Threads that cannot be started; filters that leave no mailbox of any account.
fn each_account(
    settings: &Settings,
    stop: &Stop,
    progress: &Progress,
    work: impl Fn(&Account, AccountProgress) -> AccountReport + Sync,
) -> Result<Vec<AccountReport>> {
    let accounts = &settings.config.accounts;
    progress.start(accounts.len() as u64, settings.quiet);
    let reports = accounts::run(
        accounts,
        settings.workers,
        settings.ignore_errors,
        stop,
        |account| work(account, progress.account(&account.email)),
    )?;
    let nothing_matched = reports
        .iter()
        .all(|account| account.status == Status::Complete && account.counts.mailboxes == 0);
    if nothing_matched {
        bail!("no mailbox of any account matches --folder and --exclude-folder: nothing was done");
    }
    Ok(reports)
}

/// The archive that a mode reads must be there.
fn check_archive(settings: &Settings) -> Result<()> {
    if !settings.archive_dir.is_dir() {
        bail!(
            "there is no archive at {}; name it with --input-dir",
            settings.archive_dir.display()
        );
    }
    Ok(())
}

/// Free space of the file system that the directory is, or will be, on, in words.
fn check_space(dir: &Path, min_free: u64) -> Result<String> {
    let shown = dir.display().to_string();
    let dir = std::path::absolute(dir)?;
    let existing = dir
        .ancestors()
        .find(|dir| fs::metadata(dir).is_ok())
        .with_context(|| format!("no parent directory of {} exists", dir.display()))?;
    let free = fs2::available_space(existing)
        .with_context(|| format!("free space of {}", existing.display()))?;
    if free < min_free {
        bail!(
            "only {:.2} GB are free at {}, --min-free-gb asks for {:.2}; free some space or choose another directory",
            gigabytes(free),
            existing.display(),
            gigabytes(min_free)
        );
    }
    Ok(format!("free: {:.2} GB at {shown}", gigabytes(free)))
}

/// For people; the digits beyond the third do not matter.
#[allow(clippy::cast_precision_loss)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
