//! Views such as All Mail hold no messages of their own: what is in another mailbox too goes there only.

use std::collections::HashSet;

use anyhow::Result;

use super::mailbox::{Job, Jobs};
use super::message;
use crate::archive::uidset::UidSet;
use crate::message::Identity;

/// True for a mailbox that shows messages of others.
fn is_view(job: &Job) -> bool {
    let mut attributes = job.here().attributes.iter();
    attributes.any(|attribute| {
        attribute.eq_ignore_ascii_case("\\all") || attribute.eq_ignore_ascii_case("\\flagged")
    })
}

/// Marks what need not be brought over, as it is in another mailbox.
///
/// # Errors
/// Those of the file system.
pub fn leave_out(jobs: &mut Jobs) -> Result<()> {
    if !jobs.iter().any(is_view) {
        return Ok(());
    }
    let mut elsewhere: HashSet<Identity> = HashSet::new();
    for job in jobs.iter().filter(|job| !is_view(job)) {
        for uid in job.uids().iter() {
            elsewhere.extend(message::identity(&job.here().dir, uid)?);
        }
    }
    for job in jobs.iter_mut().filter(|job| is_view(job)) {
        let mut shown = UidSet::new();
        for uid in job.uids().iter() {
            let identity = message::identity(&job.here().dir, uid)?;
            if identity.is_some_and(|identity| elsewhere.contains(&identity)) {
                shown.insert(uid);
            }
        }
        if !shown.is_empty() {
            job.told.notes.push(format!(
                "a view: {} of its messages are in other mailboxes and are not imported a second time",
                shown.len()
            ));
        }
        job.leave_out(shown);
    }
    Ok(())
}
