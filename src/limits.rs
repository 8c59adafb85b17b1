//! What the system lets the process have: open files, as many as the workers need; no core dump.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::plural;
use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::SIGXFSZ;

/// Files that a run has open whatever it does: its streams, its log, the archive, what resolving a name takes.
const FIXED: u64 = 24;
/// Files that an account at work has open: lock, state or journal, connection, the message that is read or written.
const PER_WORKER: u64 = 8;

/// Said when the system allows no further thread.
pub const NO_THREAD: &str =
    "no further thread can be started; try fewer --max-workers, or raise ulimit -u and -v";

/// A core dump would hold passwords and mail.
pub fn no_core_dump() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit is always allowed; where there is no such limit, there is nothing to lower.
    let _ = setrlimit(Resource::Core, none);
}

/// A file that may not grow further is an error like others, and does not end the process.
///
/// # Errors
/// The signal cannot be handled.
pub fn no_end_by_file_size() -> std::io::Result<()> {
    let heard = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, heard).map(drop)
}

/// How many of `wanted` workers the limit of open files allows, once it is raised as far as necessary and possible; a
/// warning where they are fewer.
///
/// # Errors
/// Not even one can work.
pub fn workers_with_files(wanted: usize) -> Result<(usize, Option<String>)> {
    let needed = FIXED.saturating_add(PER_WORKER.saturating_mul(wanted as u64));
    let allowed = raised_to(needed);
    if allowed >= needed {
        return Ok((wanted, None));
    }
    let least = FIXED + PER_WORKER;
    if allowed < least {
        bail!(
            "only {allowed} files may be open at a time, and at least {least} are needed: raise the limit with ulimit -n {needed}"
        );
    }
    let workers = usize::try_from((allowed - FIXED) / PER_WORKER).unwrap_or(wanted);
    let warning = format!(
        "only {allowed} files may be open at a time, too few for {wanted} workers: {workers} {} at a time; \
         raise the limit with ulimit -n {needed}, or ask for fewer with --max-workers",
        plural::verb(workers, "works", "work")
    );
    Ok((workers, Some(warning)))
}

/// Raises the soft limit of open files, as far as the hard limit lets it; returns what it is then.
fn raised_to(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if wanted <= current {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}
