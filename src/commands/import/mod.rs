//! `--mode import`: makes a server hold what an archive holds, exactly once.

pub(super) mod account;
pub(super) mod job;
mod known;
mod lane;
mod repair;
pub(super) mod source;
pub(super) mod target;

use anyhow::Result;

use super::provision::Provision;
use crate::accounts;
use crate::progress::Progress;
use crate::report::Report;
use crate::session::peer::Peer;
use crate::settings::Settings;
use crate::stop::Stop;

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
    let mut report = Report::new(settings);
    let run = account::Run {
        settings,
        provision,
        peer: Peer::new(&settings.config.server, settings.timeout)?,
        stop,
    };
    report.accounts = accounts::each(settings, stop, progress, |account, progress| {
        account::import(&run, account, progress, None)
    })?;
    Ok(report)
}
