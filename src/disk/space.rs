//! How much room a file system has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    has_room_beside(dir, min_free, 0, bytes)
}

fn has_room_beside(dir: &Path, min_free: u64, others: u64, bytes: u64) -> Result<(bool, String)> {
    let (free, existing) = free_space(dir)?;
    let fits = bytes <= free.saturating_sub(min_free).saturating_sub(others);
    let verdict = if fits { "fit" } else { "do not fit" };
    let mut text = format!(
        "{:.2} GB are to be fetched, which {verdict}: {:.2} GB are free at {}, of which --min-free-gb keeps {:.2}",
        gigabytes(bytes),
        gigabytes(free),
        existing.display(),
        gigabytes(min_free)
    );
    if others > 0 {
        let others = gigabytes(others);
        text = format!("{text} and the accounts at work take {others:.2}");
    }
    Ok((fits, text))
}

/// Bytes that those who write beside each other are still to write, all together.
#[derive(Debug, Default)]
pub struct Promised(Mutex<u64>);

impl Promised {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one of them has been promised; given back when dropped.
#[derive(Debug)]
pub struct Promise {
    all: Arc<Promised>,
    own: u64,
}

impl Promise {
    /// Nothing yet.
    #[must_use]
    pub fn of(all: &Arc<Promised>) -> Self {
        Self {
            all: Arc::clone(all),
            own: 0,
        }
    }

    /// Promises so many bytes, or what is left of an earlier promise where that is more, unless they do not fit beside
    /// what the others have been promised and `min_free`.
    ///
    /// # Errors
    /// They do not fit, in words; a file system that cannot be asked.
    pub fn ask(&mut self, dir: &Path, min_free: u64, bytes: u64) -> Result<()> {
        let mut sum = self.all.lock();
        let others = sum.saturating_sub(self.own);
        let bytes = bytes.max(self.own);
        let (fits, text) = has_room_beside(dir, min_free, others, bytes)?;
        if !fits {
            bail!(text);
        }
        *sum = others.saturating_add(bytes);
        self.own = bytes;
        Ok(())
    }

    /// So many of them are on the disk now.
    pub fn took(&mut self, bytes: u64) {
        let bytes = bytes.min(self.own);
        self.own -= bytes;
        let mut sum = self.all.lock();
        *sum = sum.saturating_sub(bytes);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.took(self.own);
    }
}

/// Free bytes of the file system, with the part of the path that is there.
fn free_space(dir: &Path) -> Result<(u64, PathBuf)> {
    let dir = std::path::absolute(dir)?;
    let mut parents = dir.ancestors();
    let existing = parents.find_map(|dir| Some((dir, fs::metadata(dir).ok()?)));
    let (existing, is) =
        existing.with_context(|| format!("no parent directory of {} exists", dir.display()))?;
    if !is.is_dir() {
        bail!("{} is no directory; choose another one", existing.display());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_promised_once() {
        let dir = std::env::temp_dir();
        let free = free_space(&dir).expect("a file system").0;
        let (min_free, third) = (free / 2, free / 3);
        let all = Arc::default();
        let (mut first, mut second) = (Promise::of(&all), Promise::of(&all));
        first.ask(&dir, min_free, third).expect("there is room");
        let refused = second.ask(&dir, min_free, third).expect_err("too much");
        assert!(
            refused.to_string().contains("accounts at work take"),
            "{refused}"
        );
        // It is on the disk now, which says so itself.
        first.took(third);
        second.ask(&dir, min_free, third).expect("there is room");
        second.ask(&dir, min_free, 1).expect("it is promised");
        first
            .ask(&dir, min_free, third)
            .expect_err("more is promised still");
        drop(second);
        first.ask(&dir, min_free, third).expect("there is room");
    }
}
