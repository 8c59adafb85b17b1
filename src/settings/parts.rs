//! What single modes do beyond what all modes do.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::panel;
use crate::cli::Args;
use crate::panel::access::Access;
use crate::target::repair::Repairs;

/// How an import has a panel create the mailboxes that are not there.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// The panel.
    pub access: Access,
    /// Quota of created mailboxes, in MB; 0 is unlimited.
    pub quota_mb: u32,
    /// Only show what would be created.
    pub dry_run: bool,
}

/// What an import does, or a validation that looks as an import does.
#[derive(Debug, Clone, Default)]
pub struct Importing {
    /// Import what an export left incomplete.
    pub allow_incomplete: bool,
    /// Flags that changed in the archive since the import follow.
    pub flag_updates: bool,
    /// What is repaired in messages.
    pub repairs: Repairs,
    /// Mailboxes are created where a panel has none.
    pub provisioning: Option<Provisioning>,
}

/// What an audit does.
#[derive(Debug, Clone, Default)]
pub struct Auditing {
    /// It comes after an export.
    pub after_export: bool,
    /// It does not ask the source.
    pub offline: bool,
    /// Where it lists digests.
    pub manifest: Option<PathBuf>,
}

/// What a validation does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validating {
    /// How many of 10,000 messages it reads back.
    pub deep: u32,
    /// It imports what is missing.
    pub resync: bool,
}

pub(super) fn validating(args: &Args) -> Validating {
    let share = if args.deep {
        per_ten_thousand(args.sample)
    } else {
        0
    };
    Validating {
        deep: share,
        resync: args.resync_missing,
    }
}

pub(super) fn importing(args: &Args) -> Result<Importing> {
    Ok(Importing {
        allow_incomplete: args.allow_incomplete,
        flag_updates: !args.no_flag_updates,
        repairs: Repairs {
            bare_lf: args.fix_bare_lf,
            nul: args.fix_nul,
            final_newline: args.fix_final_newline,
        },
        provisioning: provisioning(args)?,
    })
}

fn provisioning(args: &Args) -> Result<Option<Provisioning>> {
    let typed = &args.panel;
    if !typed.auto_provision_da {
        return Ok(None);
    }
    if args.dry_run {
        bail!(
            "--dry-run looks into mailboxes, and those that are still to be created cannot be looked into; \
             use --da-dry-run to see what would be created, or --dry-run without --auto-provision-da"
        );
    }
    Ok(Some(Provisioning {
        access: panel::access(typed, "--auto-provision-da", &[])?,
        quota_mb: typed.da_quota_mb.unwrap_or(0),
        dry_run: typed.da_dry_run,
    }))
}

/// A share of messages; all of them where none is given.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn per_ten_thousand(percent: Option<f64>) -> u32 {
    percent.map_or(10_000, |percent| {
        ((percent * 100.0).ceil() as u32).clamp(1, 10_000)
    })
}
