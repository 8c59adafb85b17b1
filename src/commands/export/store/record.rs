//! What the archive's state says at the end of an export, and at each checkpoint: mailboxes of this run, and those left
//! alone.

use std::collections::HashSet;

use crate::archive::account::AccountArchive;
use crate::archive::state::{ExportState, MailboxState};
use crate::commands::export::job::{Job, Jobs};
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;

/// True when somebody removed the directory of a mailbox that was read.
pub(super) fn is_lost(archive: &AccountArchive, job: &Job) -> bool {
    job.is_complete() && archive.uidvalidity_of(job.directory()).is_none()
}

/// The mailboxes of this run, then those that it was not to touch: they keep what the record says of them.
pub(super) fn fill(
    archive: &AccountArchive,
    state: &mut ExportState,
    jobs: &Jobs,
    moved: &HashSet<String>,
) {
    let before = archive.state().map(|state| state.mailboxes.as_slice());
    let before = before.unwrap_or_default();
    let of_job = |job| mailbox_state(archive, job, before);
    state.mailboxes = jobs.iter().map(of_job).collect();
    let directories: HashSet<&str> = jobs.iter().map(Job::directory).collect();
    let names: HashSet<&Name> = jobs.iter().map(Job::listed_name).collect();
    let untouched = before.iter().filter(|old| {
        !directories.contains(old.directory.as_str())
            && !names.contains(&old.name)
            && !moved.contains(&old.directory)
    });
    let now = state.origin();
    let then = archive.state().map(ExportState::origin);
    let kept = untouched.map(|old| MailboxState {
        complete: old.complete && archive.uidvalidity_of(&old.directory).is_some(),
        origin: old
            .origin
            .clone()
            .or(then.clone())
            .filter(|then| *then != now),
        ..old.clone()
    });
    state.mailboxes.extend(kept);
}

fn mailbox_state(archive: &AccountArchive, job: &Job, before: &[MailboxState]) -> MailboxState {
    let state = job.state();
    if is_lost(archive, job) {
        return MailboxState {
            complete: false,
            messages: 0,
            bytes: 0,
            uids: UidSet::new(),
            ..state
        };
    }
    let old = before.iter().find(|old| old.directory == state.directory);
    match old {
        // What was not looked at keeps its record.
        Some(old) if !job.is_looked_at() => MailboxState {
            complete: old.complete && job.lost().is_empty(),
            origin: job.origin().map(str::to_owned),
            ..old.clone()
        },
        Some(old) if job.is_foreign() || job.is_on_trial() => MailboxState {
            complete: false,
            origin: job.origin().map(str::to_owned),
            ..old.clone()
        },
        Some(old) if !state.complete && state.uidvalidity == 0 => MailboxState {
            complete: false,
            ..old.clone()
        },
        _ => state,
    }
}
