//! What the arguments and the configuration mean together: checked once, used everywhere.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{Args, Mode};
use crate::config::{self, Config};
use crate::filter::Filter;

/// Fewest workers by default: accounts wait for servers more than for processors.
const MIN_WORKERS: usize = 4;

/// A checked run.
#[derive(Debug)]
pub struct Settings {
    /// What to do.
    pub mode: Mode,
    /// Server and the accounts that are meant.
    pub config: Config,
    /// The archive's root.
    pub output_dir: PathBuf,
    /// Accounts at a time.
    pub workers: usize,
    /// Go on after a failed account.
    pub ignore_errors: bool,
    /// Least free disk space, in bytes.
    pub min_free_bytes: u64,
    /// Longest wait for the server.
    pub timeout: Duration,
    /// The mailboxes that are meant.
    pub folders: Filter,
    /// Write nothing.
    pub dry_run: bool,
    /// Show no progress.
    pub quiet: bool,
}

impl Settings {
    /// Reads the configuration and checks what was typed.
    ///
    /// # Errors
    /// All problems of the configuration; a bad glob; an `--account` that matches nothing.
    pub fn new(args: &Args) -> Result<Self> {
        let accounts = Filter::new(&args.account, &args.exclude_account)
            .context("--account or --exclude-account")?;
        let folders = Filter::new(&args.folder, &args.exclude_folder)
            .context("--folder or --exclude-folder")?;
        let mut config = config::load(&args.config)?;
        for pattern in &args.account {
            let one = Filter::new(std::slice::from_ref(pattern), &[])?;
            if !config
                .accounts
                .iter()
                .any(|account| one.matches(&account.email))
            {
                bail!(
                    "--account {pattern} matches no account of {}",
                    config.path.display()
                );
            }
        }
        config
            .accounts
            .retain(|account| accounts.matches(&account.email));
        if config.accounts.is_empty() {
            bail!(
                "--exclude-account leaves no account of {}",
                config.path.display()
            );
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            mode: args.mode,
            config,
            output_dir: args.output_dir.clone(),
            workers: args.max_workers.map_or(cores.max(MIN_WORKERS), usize::from),
            ignore_errors: args.ignore_errors,
            min_free_bytes: bytes(args.min_free_gb),
            timeout: Duration::from_secs(u64::from(args.imap_timeout)),
            folders,
            dry_run: args.dry_run,
            quiet: args.quiet,
        })
    }
}

/// Gigabytes, as disks count them, in bytes; the argument parser keeps them between 0 and 10^9.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bytes(gigabytes: f64) -> u64 {
    (gigabytes * 1e9) as u64
}
