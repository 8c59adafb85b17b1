//! Flags and the modes that know them: elsewhere a flag would be ignored in silence.

use anyhow::{Result, bail};

use crate::cli::{Args, IndexArgs, PanelArgs};
use crate::imapsync::UseImapsync;
use crate::mode::Mode;
use Mode::{Audit, Authorize, Export, Import, Index, Migrate, Report, Test, Validate};

/// A flag, whether it is given, and the modes that know it.
type Flag = (&'static str, bool, &'static [Mode]);

/// Every mode with accounts.
const RUNS: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate];
/// Every mode with a configuration.
const CONFIGURED: &[Mode] = &[
    Export, Import, Test, Validate, Audit, Migrate, Report, Authorize,
];
/// Every mode that chooses accounts.
const CHOOSING: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate, Authorize];
/// Every mode that tells how runs went.
const TOLD: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate, Report];
/// Those that know a panel.
const PANEL: &[Mode] = &[Import, Migrate, Index];
/// Those that bring messages to a server.
const TARGET: &[Mode] = &[Import, Validate, Migrate];

/// # Errors
/// Names the first flag that the mode does not know, and flags that contradict each other.
pub fn refuse_foreign_flags(args: &Args) -> Result<()> {
    let flags = [
        run_flags(args),
        flags_of_some(args),
        panel_flags(&args.panel),
        index_flags(&args.index),
    ];
    for (flag, given, modes) in flags.concat() {
        if given && !modes.contains(&args.mode) {
            bail!("{flag} does not go with --mode {}", args.mode.as_str());
        }
    }
    if matches!(args.mode, Import | Migrate) && !args.panel.auto_provision_da {
        for (flag, given, _) in panel_flags(&args.panel) {
            if given {
                bail!("{flag} needs --auto-provision-da");
            }
        }
    }
    if args.mode == Audit && args.input_dir.is_some() && args.output_dir.is_some() {
        bail!("--input-dir and --output-dir both name the archive; give one of them");
    }
    if args.manifest.is_some() && args.no_audit_after_export {
        bail!("--manifest is written by the audit, which --no-audit-after-export leaves out");
    }
    Ok(())
}

fn run_flags(args: &Args) -> Vec<Flag> {
    vec![
        ("--config", args.config.is_some(), CONFIGURED),
        ("--report", args.report.is_some(), TOLD),
        ("--html", args.html.is_some(), TOLD),
        ("--csv", args.csv.is_some(), TOLD),
        ("--account", !args.account.is_empty(), CHOOSING),
        (
            "--exclude-account",
            !args.exclude_account.is_empty(),
            CHOOSING,
        ),
        ("--shard", args.shard.is_some(), RUNS),
        ("--folder", !args.folder.is_empty(), RUNS),
        ("--exclude-folder", !args.exclude_folder.is_empty(), RUNS),
        ("--max-workers", args.max_workers.is_some(), RUNS),
    ]
}

fn flags_of_some(args: &Args) -> Vec<Flag> {
    let imapsync = args.imapsync != UseImapsync::Require;
    vec![
        (
            "--output-dir",
            args.output_dir.is_some(),
            &[Export, Audit, Test, Migrate],
        ),
        (
            "--input-dir",
            args.input_dir.is_some(),
            &[Import, Validate, Audit, Test],
        ),
        ("--allow-incomplete", args.allow_incomplete, TARGET),
        ("--fix-bare-lf", args.fix_bare_lf, TARGET),
        ("--fix-nul", args.fix_nul, TARGET),
        ("--fix-final-newline", args.fix_final_newline, TARGET),
        (
            "--no-connectivity-test",
            args.no_connectivity_test,
            &[Export, Import, Validate, Migrate],
        ),
        (
            "--imapsync",
            imapsync,
            &[Export, Import, Validate, Test, Migrate],
        ),
        (
            "--no-audit-after-export",
            args.no_audit_after_export,
            &[Export, Migrate],
        ),
        (
            "--audit-offline",
            args.audit_offline,
            &[Export, Audit, Migrate],
        ),
        (
            "--manifest",
            args.manifest.is_some(),
            &[Export, Audit, Migrate],
        ),
        ("--deep", args.deep, &[Validate, Migrate]),
        ("--sample", args.sample.is_some(), &[Validate, Migrate]),
        ("--import-config", args.import_config.is_some(), &[Migrate]),
        ("--reports", !args.reports.is_empty(), &[Report]),
        ("--list", args.list.is_some(), &[Report]),
        ("--until", args.until.is_some(), &[Migrate]),
        ("--resync-missing", args.resync_missing, &[Validate]),
        ("--dry-run", args.dry_run, &[Export, Import]),
    ]
}

fn panel_flags(args: &PanelArgs) -> Vec<Flag> {
    vec![
        (
            "--auto-provision-da",
            args.auto_provision_da,
            &[Import, Migrate],
        ),
        ("--da-dry-run", args.da_dry_run, &[Import, Migrate]),
        (
            "--da-quota-mb",
            args.da_quota_mb.is_some(),
            &[Import, Migrate],
        ),
        ("--da-url", args.da_url.is_some(), PANEL),
        ("--da-username", args.da_username.is_some(), PANEL),
        ("--da-password", args.da_password.is_some(), PANEL),
        ("--da-password-file", args.da_password_file.is_some(), PANEL),
        ("--da-password-env", args.da_password_env.is_some(), PANEL),
        ("--da-ca-file", args.da_ca_file.is_some(), PANEL),
        ("--da-no-verify-ssl", args.da_no_verify_ssl, PANEL),
        ("--da-allow-http", args.da_allow_http, PANEL),
    ]
}

fn index_flags(args: &IndexArgs) -> Vec<Flag> {
    vec![
        ("--imap-host", args.imap_host.is_some(), &[Index]),
        ("--imap-port", args.imap_port.is_some(), &[Index]),
        ("--imap-ssl", args.imap_ssl, &[Index]),
        ("--no-imap-ssl", args.no_imap_ssl, &[Index]),
        ("--imap-starttls", args.imap_starttls, &[Index]),
        ("--out", args.out.is_some(), &[Index]),
        ("--overwrite", args.overwrite, &[Index]),
        (
            "--default-password",
            args.default_password.is_some(),
            &[Index],
        ),
        (
            "--default-password-file",
            args.default_password_file.is_some(),
            &[Index],
        ),
        (
            "--default-password-env",
            args.default_password_env.is_some(),
            &[Index],
        ),
        ("--domain", !args.domain.is_empty(), &[Index]),
        ("--all-domains", args.all_domains, &[Index]),
    ]
}
