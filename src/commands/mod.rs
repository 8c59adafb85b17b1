//! One file or folder per mode: reads two sides, makes a plan, carries it out, returns a report.

pub mod audit;
pub mod export;
pub mod import;
pub mod validate;

use anyhow::{Result, bail};

use crate::accounts;
use crate::config::Account;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, Status};
use crate::settings::Settings;
use crate::stop::Stop;

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
