//! Makes all files of an archive durable at once, for many accounts together.
//!
//! One `syncfs` per checkpoint costs a tenth of an fsync per message, and callers that wait while one
//! runs share the next (group commit).

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::disk::advised;

/// Syncs the file system of one archive.
pub struct Syncer {
    dir: File,
    shown: String,
    rounds: Mutex<Rounds>,
    ended: Condvar,
}

#[derive(Default)]
struct Rounds {
    /// Number of the round that runs, or ran last.
    begun: u64,
    /// Number of the last round that has ended.
    ended: u64,
    /// Rounds that failed, with the reason; whoever waited for one learns it.
    failed: Vec<(u64, Arc<str>)>,
}

impl Syncer {
    /// A syncer for the file system that the directory is on.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub fn new(dir: &Path) -> Result<Self> {
        let shown = dir.display().to_string();
        Ok(Self {
            dir: File::open(dir).with_context(|| format!("open {shown}"))?,
            shown,
            rounds: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    /// Returns when everything written before the call is durable.
    ///
    /// # Errors
    /// The file system's, for every caller that the failed sync was to serve.
    pub fn sync(&self) -> Result<()> {
        let mut rounds = self.lock();
        // A round that runs already may have passed over what was written last.
        let mine = rounds.begun + 1;
        loop {
            if rounds.ended >= mine {
                let failure = rounds.failed.iter().find(|(round, _)| *round >= mine);
                return match failure {
                    Some((_, reason)) => Err(anyhow!("sync {}: {reason}", self.shown)),
                    None => Ok(()),
                };
            }
            if rounds.begun == rounds.ended {
                rounds.begun += 1;
                let round = rounds.begun;
                drop(rounds);
                let result = self.sync_now();
                rounds = self.lock();
                rounds.ended = round;
                if let Err(error) = result {
                    rounds
                        .failed
                        .push((round, advised(error).to_string().into()));
                }
                self.ended.notify_all();
            } else {
                rounds = self
                    .ended
                    .wait(rounds)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(target_os = "linux")]
    fn sync_now(&self) -> std::io::Result<()> {
        Ok(rustix::fs::syncfs(&self.dir)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_now(&self) -> std::io::Result<()> {
        rustix::fs::sync();
        self.dir.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_are_all_served() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let syncer = Syncer::new(dir.path()).expect("directory");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        syncer.sync().expect("synced");
                    }
                });
            }
        });
        let rounds = syncer.lock();
        assert_eq!(rounds.begun, rounds.ended);
        assert!(rounds.begun >= 5 && rounds.begun <= 40, "{}", rounds.begun);
    }
}
