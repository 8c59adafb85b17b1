//! One file or folder per mode: reads two sides, makes a plan, carries it out, returns a report.

pub mod audit;
pub mod export;
pub mod import;
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
use crate::report::{AccountReport, Report, Status};
use crate::settings::Settings;
use crate::stop::Stop;

/// Carries out the mode, after the test of the connections where it has one.
///
/// # Errors
/// Whatever keeps the run from beginning.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let has_precheck = matches!(settings.mode, Mode::Export | Mode::Import | Mode::Validate);
    if !has_precheck || !settings.precheck {
        return carry_out(settings, stop, progress);
    }
    if settings.mode != Mode::Export {
        check_archive(settings)?;
    }
    match test::precheck(settings, stop, progress)? {
        test::Verdict::End(report) => Ok(*report),
        test::Verdict::GoOn(failed) if failed.is_empty() => carry_out(settings, stop, progress),
        test::Verdict::GoOn(failed) => without(settings, failed, stop, progress),
    }
}

fn carry_out(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    match settings.mode {
        Mode::Export => export::run(settings, stop, progress),
        Mode::Import => import::run(settings, stop, progress),
        Mode::Validate => validate::run(settings, stop, progress),
        Mode::Audit => audit::run(settings, stop, progress),
        Mode::Test => test::run(settings, stop, progress),
        Mode::Index => bail!("--mode index is not available yet"),
    }
}

/// Carries out the mode for the accounts that the test has not failed; the others are reported as failed.
fn without(
    settings: &Settings,
    mut failed: HashMap<String, AccountReport>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report> {
    let mut rest = settings.clone();
    let keep = |email: &str| !failed.contains_key(email);
    rest.config.accounts.retain(|account| keep(&account.email));
    let mut report = if rest.config.accounts.is_empty() {
        Report::new(settings)
    } else {
        carry_out(&rest, stop, progress)?
    };
    let mut done: HashMap<String, AccountReport> = report
        .accounts
        .drain(..)
        .map(|account| (account.account.clone(), account))
        .collect();
    for account in &settings.config.accounts {
        let one = failed.remove(&account.email);
        report
            .accounts
            .extend(one.or_else(|| done.remove(&account.email)));
    }
    Ok(report)
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
