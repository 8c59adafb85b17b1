//! What an administrator can do when a disk fails to write or read: said once, after the system's words.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// Adds to an error of the system what to do about it, where that is known; its kind stays.
#[must_use]
pub fn advised(error: io::Error) -> io::Error {
    // Anything but a bare error of the system has been through here before.
    match error.raw_os_error().and_then(|code| advice(&error, code)) {
        Some(advice) => io::Error::new(error.kind(), format!("{error}: {advice}")),
        None => error,
    }
}

fn advice(error: &io::Error, code: i32) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::StorageFull => Some("make room there (space and inodes), then run it again"),
        ErrorKind::QuotaExceeded => Some("make room there or raise the quota, then run it again"),
        ErrorKind::FileTooLarge => Some(
            "raise the limit on the size of files (ulimit -f), or use a file system that takes it",
        ),
        ErrorKind::ReadOnlyFilesystem => {
            Some("mount it for writing or choose another place, then run it again")
        }
        ErrorKind::PermissionDenied => Some("give this user the right to do that"),
        _ if code == Errno::IO.raw_os_error() => {
            Some("the disk or the way to it fails, see the kernel's log")
        }
        _ => None,
    }
}

/// True for an error about this process and its limits, not about the file.
#[must_use]
pub fn is_about_us(error: &(dyn std::error::Error + 'static)) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(Errno::raw_os_error);
    let of_system = error.downcast_ref().and_then(io::Error::raw_os_error);
    of_system.is_some_and(|code| ours.contains(&code)) || error.source().is_some_and(is_about_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_once_and_the_kind_stays() {
        let full = || io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
        let once = advised(full());
        assert_eq!(once.kind(), ErrorKind::StorageFull);
        let text = once.to_string();
        assert!(
            text.starts_with(&full().to_string()) && text.contains("make room"),
            "{text}"
        );
        assert_eq!(advised(once).to_string(), text);
    }
}
