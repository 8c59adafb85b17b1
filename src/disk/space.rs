//! How much room a file system has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Free space of the file system that the directory is, or will be, on, in words.
///
/// # Errors
/// Less than `min_free` bytes; a file system that cannot be asked.
pub fn check_space(dir: &Path, min_free: u64) -> Result<String> {
    let shown = dir.display().to_string();
    let dir = std::path::absolute(dir)?;
    let existing = dir
        .ancestors()
        .find(|dir| fs::metadata(dir).is_ok())
        .with_context(|| format!("no parent directory of {} exists", dir.display()))?;
    let free = fs2::available_space(existing)
        .with_context(|| format!("free space of {}", existing.display()))?;
    if free < min_free {
        bail!(
            "only {:.2} GB are free at {}, --min-free-gb asks for {:.2}; free some space or choose another directory",
            gigabytes(free),
            existing.display(),
            gigabytes(min_free)
        );
    }
    Ok(format!("free: {:.2} GB at {shown}", gigabytes(free)))
}

/// For people; the digits beyond the third do not matter.
#[allow(clippy::cast_precision_loss)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
