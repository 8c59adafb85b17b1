//! One file or folder per mode: reads two sides, makes a plan, carries it out, returns a report.

pub mod ask;
pub mod audit;
pub mod authorize;
mod before;
pub mod check;
pub mod export;
pub mod import;
pub mod index;
mod migrate;
mod provision;
pub mod report;
pub mod validate;

use anyhow::{Result, bail};
use tracing::info;

use crate::mode::Mode;
use crate::progress::Progress;
use crate::report::Report;
use crate::settings::Settings;
use crate::stop::Stop;

/// Carries out the mode, after the checks that it has before it.
///
/// # Errors
/// Whatever keeps the run from beginning.
pub fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    if let Some(part) = &settings.shard {
        info!("{part}");
    }
    before::run(
        settings,
        stop,
        progress,
        |settings, provision| match settings.mode {
            Mode::Export => export::run(settings, stop, progress),
            Mode::Import => import::run(settings, provision, stop, progress),
            Mode::Validate => validate::run(
                settings,
                stop,
                progress,
                &|peers, account, progress, missing| {
                    import::again(settings, peers, stop, account, progress, missing)
                },
            ),
            Mode::Audit => audit::run(settings, stop, progress),
            Mode::Test => check::run(settings, None, stop, progress),
            Mode::Migrate => migrate::run(settings, stop, progress),
            Mode::Index | Mode::Report | Mode::Authorize => {
                bail!(
                    "--mode {} has no accounts to go through",
                    settings.mode.as_str()
                )
            }
        },
    )
}
