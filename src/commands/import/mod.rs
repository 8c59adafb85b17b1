//! `--mode import`: makes a server hold what an archive holds, exactly once.

mod account;
mod job;
mod lane;
mod refusal;
mod repair;
mod source;
mod target;

use anyhow::{Result, bail};

use crate::accounts;
use crate::progress::Progress;
use crate::report::{Report, Status};
use crate::session::wire::Peer;
use crate::settings::Settings;
use crate::stop::Stop;

/// Imports every account; an error means that the run could not begin.
///
/// # Errors
/// An archive that is not there, filters that match nothing.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let mut report = Report::new(settings);
    if !settings.archive_dir.is_dir() {
        bail!(
            "there is no archive at {}; name it with --input-dir",
            settings.archive_dir.display()
        );
    }
    let run = account::Run {
        settings,
        peer: Peer::new(&settings.config.server, settings.timeout)?,
        stop,
    };
    progress.start(settings.config.accounts.len() as u64, settings.quiet);
    report.accounts = accounts::run(
        &settings.config.accounts,
        settings.workers,
        settings.ignore_errors,
        stop,
        |account| account::import(&run, account, progress.account(&account.email)),
    )?;
    let nothing_matched = report
        .accounts
        .iter()
        .all(|account| account.status == Status::Complete && account.counts.mailboxes == 0);
    if nothing_matched {
        bail!(
            "no mailbox of any account matches --folder and --exclude-folder: nothing was imported"
        );
    }
    Ok(report)
}
