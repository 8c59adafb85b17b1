//! Makes all files of an archive durable at once, for many accounts together.
//!
//! One `syncfs` per checkpoint costs a tenth of an fsync per message, and callers that wait while one
//! runs share the next (group commit). An account or mailbox on a file system of its own is synced too. Where `syncfs`
//! does not reach the disk, each file is synced when it is written, and here only the directories are.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::disk::{advised, file};

/// Syncs the file systems of one archive.
pub struct Syncer {
    places: Mutex<Places>,
    shown: String,
    rounds: Mutex<Rounds>,
    ended: Condvar,
}

#[derive(Default)]
struct Places {
    /// A directory of each file system, by its device.
    file_systems: HashMap<u64, Arc<File>>,
    /// Directories on file systems that `syncfs` does not reach.
    directories: HashSet<PathBuf>,
}

#[derive(Default)]
struct Rounds {
    /// Number of the round that runs, or ran last.
    begun: u64,
    /// Number of the last round that has ended.
    ended: u64,
    /// Rounds that failed, with the reason: whoever waited for one is told.
    failed: Vec<(u64, Arc<str>)>,
}

impl Syncer {
    /// A syncer for the file system that the directory is on.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub fn new(dir: &Path) -> Result<Self> {
        let syncer = Self {
            places: Mutex::default(),
            shown: dir.display().to_string(),
            rounds: Mutex::default(),
            ended: Condvar::new(),
        };
        syncer.include(dir)?;
        Ok(syncer)
    }

    /// What is written into this directory is made durable too, whatever file system it is on.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub fn include(&self, dir: &Path) -> Result<()> {
        let shown = || format!("open {}", dir.display());
        let opened = file::open_dir(dir).with_context(shown)?;
        let device = opened.metadata().with_context(shown)?.dev();
        let reached = is_reached(&opened);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if reached {
            places
                .file_systems
                .entry(device)
                .or_insert_with(|| Arc::new(opened));
        } else {
            places.directories.insert(dir.to_path_buf());
        }
        Ok(())
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

    fn sync_now(&self) -> io::Result<()> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let file_systems: Vec<Arc<File>> = places.file_systems.values().cloned().collect();
        let directories: Vec<PathBuf> = places.directories.iter().cloned().collect();
        drop(places);
        for dir in file_systems {
            sync_file_system(&dir)?;
        }
        for path in directories {
            match file::sync(&path) {
                // It has been moved aside.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(dir: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(dir)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(dir: &File) -> io::Result<()> {
    rustix::fs::sync();
    dir.sync_all()
}

/// Must each file in this directory be synced by itself, as `syncfs` does not reach what keeps it?
#[must_use]
pub fn needs_each(dir: &Path) -> bool {
    file::open_dir(dir).is_ok_and(|dir| !is_reached(&dir))
}

/// Does `syncfs` reach what keeps this file? If that cannot be found out, the answer is no.
#[cfg(target_os = "linux")]
fn is_reached(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|there| {
        let kind = u64::try_from(there.f_type).unwrap_or_default();
        !UNREACHED.contains(&(kind & 0xffff_ffff))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_reached(_: &File) -> bool {
    true
}

/// File systems whose servers hear nothing of `syncfs`, by their magic numbers (linux/magic.h): FUSE (sshfs, rclone,
/// gocryptfs, mergerfs, ntfs-3g), CIFS and SMB, 9P, AFS, vboxsf.
#[cfg(target_os = "linux")]
const UNREACHED: [u64; 7] = [
    0x6573_5546,
    0xff53_4d42,
    0xfe53_4d42,
    0x517b,
    0x0102_1997,
    0x5346_414f,
    0x786f_4256,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_system_is_synced_once_and_a_directory_that_left_is_no_failure() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let syncer = Syncer::new(dir.path()).expect("directory");
        syncer.include(dir.path()).expect("included");
        let shm = Path::new("/dev/shm");
        if shm.is_dir() {
            syncer.include(shm).expect("included");
        }
        let mut places = syncer.places.lock().expect("not poisoned");
        let other = |path: &Path| path.metadata().map_or(0, |there| there.dev());
        let devices = HashSet::from([
            other(dir.path()),
            if shm.is_dir() {
                other(shm)
            } else {
                other(dir.path())
            },
        ]);
        assert_eq!(places.file_systems.len(), devices.len());
        places.directories.insert(dir.path().join("moved away"));
        drop(places);
        syncer.sync().expect("synced");
        syncer
            .include(&dir.path().join("missing"))
            .expect_err("not there");
        assert!(!needs_each(dir.path()));
    }

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
