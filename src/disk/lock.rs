//! Locks on files: held by one process alone, or shared by several that only read; released when the file is closed.
//! Knows nothing of what a lock protects.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fs2::FileExt;

use super::{advised, file};

/// Opens the file that the lock is on, 0600, creating it; what is in it stays.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(file::no_follow())
        .open(path)
        .map_err(advised)
}

/// Takes the lock without waiting; false where somebody else has it, alone or shared.
pub fn try_alone(file: &File) -> io::Result<bool> {
    free(file.try_lock_exclusive())
}

/// Shares the lock without waiting; false where somebody else has it alone.
pub fn try_shared(file: &File) -> io::Result<bool> {
    free(FileExt::try_lock_shared(file))
}

fn free(locked: io::Result<()>) -> io::Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
