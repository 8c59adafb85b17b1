//! `--mode import`: makes a server hold what an archive holds, exactly once.

pub(super) mod account;
mod appending;
mod closing;
mod create;
mod following;
mod listed;
mod reconcile;

use anyhow::Result;

use super::provision::Provision;
use crate::accounts;
use crate::config::Account;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, Report};
use crate::session::peer::Peers;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::plan::Messages;

/// Imports every account; an error means that the run could not begin.
///
/// # Errors
/// An archive that is not there, filters that match nothing.
pub(super) fn run(
    settings: &Settings,
    provision: Option<&Provision<'_>>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report> {
    let mut report = settings.report();
    let run = begin(settings, provision, stop)?;
    report.accounts = accounts::each(settings, stop, progress, |account, progress, report| {
        account::import(&run, account, progress, None, report)
    })?;
    Ok(report)
}

/// What all accounts of a run share.
///
/// # Errors
/// As for [`run`].
pub(super) fn begin<'a>(
    settings: &'a Settings,
    provision: Option<&'a Provision<'a>>,
    stop: &'a Stop,
) -> Result<account::ImportRun<'a>> {
    Ok(account::ImportRun {
        settings,
        provision,
        peers: settings.peers()?,
        stop,
    })
}

/// Imports these messages of one account, whatever the journal says of them.
pub(super) fn again(
    settings: &Settings,
    peers: &Peers,
    stop: &Stop,
    account: &Account,
    progress: AccountProgress,
    messages: Messages,
) -> AccountReport {
    let run = account::ImportRun {
        settings,
        provision: None,
        peers: peers.clone(),
        stop,
    };
    accounts::one(account, |report| {
        account::import(&run, account, progress, Some(messages), report)
    })
}
