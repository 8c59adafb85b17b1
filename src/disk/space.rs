//! How much room a file system has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Free space of the file system that the directory is, or will be, on, in words.
///
/// # Errors
/// Less than `min_free` bytes; a file system that cannot be asked.
pub fn check_space(dir: &Path, min_free: u64) -> Result<String> {
    let shown = dir.display().to_string();
    let (free, existing) = free_space(dir)?;
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

/// True where this many bytes fit and `min_free` stay free, with both numbers in words.
///
/// # Errors
/// A file system that cannot be asked.
pub fn has_room(dir: &Path, min_free: u64, bytes: u64) -> Result<(bool, String)> {
    let (free, existing) = free_space(dir)?;
    let fits = bytes <= free.saturating_sub(min_free);
    let verdict = if fits { "fit" } else { "do not fit" };
    let text = format!(
        "{:.2} GB are to be fetched, which {verdict}: {:.2} GB are free at {}, of which --min-free-gb keeps {:.2}",
        gigabytes(bytes),
        gigabytes(free),
        existing.display(),
        gigabytes(min_free)
    );
    Ok((fits, text))
}

/// Free bytes of the file system, with the part of the path that is there.
fn free_space(dir: &Path) -> Result<(u64, PathBuf)> {
    let dir = std::path::absolute(dir)?;
    let existing = dir
        .ancestors()
        .find(|dir| fs::metadata(dir).is_ok())
        .with_context(|| format!("no parent directory of {} exists", dir.display()))?;
    Ok((free_at(existing)?, existing.to_path_buf()))
}

/// Free bytes of the file system that a directory is on.
///
/// # Errors
/// A file system that cannot be asked.
pub fn free_at(dir: &Path) -> Result<u64> {
    fs2::available_space(dir).with_context(|| format!("free space of {}", dir.display()))
}

/// For people; the digits beyond the third do not matter.
#[allow(clippy::cast_precision_loss)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
