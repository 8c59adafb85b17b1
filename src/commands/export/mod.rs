//! `--mode export`: copies all mailboxes of all accounts to disk without changing anything on the server.

pub(super) mod account;
mod body;
mod fetcher;
mod gone;
mod job;
mod store;

use std::sync::Arc;

use anyhow::Result;
use tracing::{info, warn};

use crate::accounts;
use crate::archive::account::create_root;
use crate::archive::sync::Syncer;
use crate::config::document;
use crate::disk::space::{check_space, has_room};
use crate::progress::Progress;
use crate::report::Report;
use crate::settings::Settings;
use crate::stop::Stop;

/// Exports every account; an error means that the run could not begin.
///
/// # Errors
/// An output directory that cannot be written, too little free disk space.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let mut report = settings.report();
    let run = begin(settings, stop)?;
    report.accounts = accounts::each(settings, stop, progress, |account, progress, report| {
        account::export(&run, account, progress, report)
    })?;
    progress.finish();
    if settings.dry_run {
        let bytes = report.accounts.iter().map(|account| account.counts.bytes);
        let (fits, text) = has_room(&settings.archive_dir, settings.min_free_bytes, bytes.sum())?;
        let text = format!("all accounts together: {text}");
        if fits {
            info!("{text}");
        } else {
            report.warnings.push(text);
        }
        return Ok(report);
    }
    match document::write_template(&settings.config) {
        Ok(Some(path)) => {
            info!(
                "import template written to {}; fill in its host before the import",
                path.display()
            );
        }
        Ok(None) => {}
        // The archive does not need it, and the configuration's directory may well be read-only.
        Err(error) => {
            warn!("{error:#}");
            report.warnings.push(format!("{error:#}"));
        }
    }
    if settings.auditing.after_export
        && let Err(error) = super::audit::after_export(settings, stop, progress, &mut report)
    {
        report.add_error(&error.context("audit after the export"));
    }
    Ok(report)
}

/// What all accounts of a run share.
///
/// # Errors
/// As for [`run`].
pub(super) fn begin<'a>(settings: &'a Settings, stop: &'a Stop) -> Result<account::ExportRun<'a>> {
    check_space(&settings.archive_dir, settings.min_free_bytes)?;
    let peers = settings.peers()?;
    let syncer = if settings.dry_run {
        None
    } else {
        create_root(&settings.archive_dir)?;
        Some(Arc::new(Syncer::new(&settings.archive_dir)?))
    };
    Ok(account::ExportRun {
        settings,
        peers,
        stop,
        syncer,
        promised: Arc::default(),
    })
}
