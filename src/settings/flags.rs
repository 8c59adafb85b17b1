//! Flags that do not go with the mode, or with each other: otherwise they would be ignored silently.

use anyhow::{Result, bail};

use crate::cli::{Args, flags, modes};
use crate::mode::Mode::{Audit, Import, Migrate};

/// # Errors
/// Names the first flag that the mode does not know, and those that do; flags that contradict each other.
pub fn refuse_foreign_flags(args: &Args) -> Result<()> {
    for flag in &args.given {
        let known = flags::modes(flag);
        if !known.contains(&args.mode) {
            bail!(
                "--{flag} does not go with --mode {}: it is a flag of {}",
                args.mode.as_str(),
                modes(known)
            );
        }
    }
    if matches!(args.mode, Import | Migrate)
        && !args.panel.auto_provision_da
        && let Some(flag) = args.given.iter().find(|flag| flags::is_about_panel(flag))
    {
        bail!("--{flag} needs --auto-provision-da");
    }
    if args.mode == Audit && args.input_dir.is_some() && args.output_dir.is_some() {
        bail!("--input-dir and --output-dir both name the archive; give one of them");
    }
    if args.manifest.is_some() && args.no_audit_after_export {
        bail!("--manifest is written by the audit, which --no-audit-after-export leaves out");
    }
    Ok(())
}
