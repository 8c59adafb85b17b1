//! `--mode export`: copies all mailboxes of all accounts to disk without changing anything on the server.

mod account;
mod copy;
mod job;
mod store;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
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
    check_space(&settings.archive_dir, settings.min_free_bytes)?;
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

/// Free space of the file system that the directory is, or will be, on.
fn check_space(dir: &Path, min_free: u64) -> Result<()> {
    let dir = std::path::absolute(dir)?;
    let existing = dir
        .ancestors()
        .find(|dir| fs::metadata(dir).is_ok())
        .with_context(|| format!("no parent directory of {} exists", dir.display()))?;
    let free = fs2::available_space(existing)
        .with_context(|| format!("free space of {}", existing.display()))?;
    if free < min_free {
        bail!(
            "only {:.2} GB are free at {}, --min-free-gb asks for {:.2}; free some space or choose another --output-dir",
            gigabytes(free),
            existing.display(),
            gigabytes(min_free)
        );
    }
    Ok(())
}

/// For people; the digits beyond the third do not matter.
#[allow(clippy::cast_precision_loss)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
