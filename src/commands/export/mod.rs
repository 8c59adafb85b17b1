//! `--mode export`: copies all mailboxes of all accounts to disk without changing anything on the server.

mod account;
mod copy;
mod job;
mod store;

use std::sync::Arc;

use anyhow::Result;
use tracing::info;

use crate::archive::account::create_root;
use crate::archive::sync::Syncer;
use crate::config::template;
use crate::progress::Progress;
use crate::report::Report;
use crate::session::wire::Peer;
use crate::settings::Settings;
use crate::stop::Stop;

/// Exports every account; an error means that the run could not begin.
///
/// # Errors
/// An output directory that cannot be written, too little free disk space.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let mut report = Report::new(settings);
    super::check_space(&settings.archive_dir, settings.min_free_bytes)?;
    let peer = Peer::new(&settings.config.server, settings.timeout)?;
    let syncer = if settings.dry_run {
        None
    } else {
        create_root(&settings.archive_dir)?;
        Some(Arc::new(Syncer::new(&settings.archive_dir)?))
    };
    let run = account::Run {
        settings,
        peer,
        stop,
        syncer,
    };
    report.accounts = super::each_account(settings, stop, progress, |account, progress| {
        account::export(&run, account, progress)
    })?;
    if !settings.dry_run
        && let Some(path) = template::write(&settings.config)?
    {
        info!(path = %path.display(), "import template written; fill in its host before the import");
    }
    progress.finish();
    if settings.audit && !settings.dry_run {
        super::audit::after_export(settings, stop, progress, &mut report)?;
    }
    Ok(report)
}
