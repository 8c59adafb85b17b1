//! What `--mode report` is to read and to tell.

use anyhow::{Result, bail};

use super::refuse_foreign_flags;
use crate::cli::Args;
use crate::commands::report::Rendering;

/// Checks what was typed.
///
/// # Errors
/// Flags of other modes; no reports.
pub fn plan(args: &Args) -> Result<Rendering> {
    refuse_foreign_flags(args)?;
    if args.reports.is_empty() {
        bail!("--mode report needs --reports FILE.json, one of a run or one of each shard");
    }
    Ok(Rendering {
        reports: args.reports.clone(),
        config: args.config.clone(),
        list: args.list,
    })
}
