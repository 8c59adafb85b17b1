//! What the arguments and the configuration mean together: checked once, used everywhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{Args, Mode};
use crate::config::{self, Config};
use crate::filter::Filter;

/// Fewest workers by default: accounts wait for servers more than for processors.
const MIN_WORKERS: usize = 4;

/// What an import mends in messages that a strict server refuses; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Lone line feeds get a carriage return.
    pub bare_lf: bool,
    /// Zero bytes are left out.
    pub nul: bool,
    /// A last line without its end gets one.
    pub final_newline: bool,
}

/// A checked run.
// Switches are bools.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug)]
pub struct Settings {
    /// What to do.
    pub mode: Mode,
    /// Server and the accounts that are meant.
    pub config: Config,
    /// The archive's root.
    pub archive_dir: PathBuf,
    /// Import what an export left incomplete.
    pub allow_incomplete: bool,
    /// What an import mends in messages.
    pub repairs: Repairs,
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
        let (archive_dir, config_name) = match args.mode {
            Mode::Export => (&args.output_dir, "export.pass.config.json"),
            _ => (&args.input_dir, "import.pass.config.json"),
        };
        refuse_foreign_flags(args)?;
        let accounts = Filter::new(&args.account, &args.exclude_account)
            .context("--account or --exclude-account")?;
        let folders = Filter::new(&args.folder, &args.exclude_folder)
            .context("--folder or --exclude-folder")?;
        let config_path = args.config.as_deref();
        let mut config = config::load(config_path.unwrap_or(Path::new(config_name)))?;
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
            archive_dir: archive_dir.clone().unwrap_or("./exported".into()),
            allow_incomplete: args.allow_incomplete,
            repairs: Repairs {
                bare_lf: args.fix_bare_lf,
                nul: args.fix_nul,
                final_newline: args.fix_final_newline,
            },
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

/// A flag that the mode does not know would be ignored in silence.
fn refuse_foreign_flags(args: &Args) -> Result<()> {
    let export = args.mode == Mode::Export;
    let flags = [
        ("--output-dir", args.output_dir.is_some(), true),
        ("--input-dir", args.input_dir.is_some(), false),
        ("--allow-incomplete", args.allow_incomplete, false),
        ("--fix-bare-lf", args.fix_bare_lf, false),
        ("--fix-nul", args.fix_nul, false),
        ("--fix-final-newline", args.fix_final_newline, false),
    ];
    for (flag, given, for_export) in flags {
        if given && for_export != export {
            bail!("{flag} does not go with --mode {}", args.mode.as_str());
        }
    }
    Ok(())
}

/// Gigabytes, as disks count them, in bytes; the argument parser keeps them between 0 and 10^9.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bytes(gigabytes: f64) -> u64 {
    (gigabytes * 1e9) as u64
}
