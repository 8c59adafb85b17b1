//! Views such as All Mail hold no messages of their own: what is in another mailbox too goes there only.

use std::collections::HashSet;

use anyhow::Result;

use super::mailbox::Job;
use super::message;
use crate::message::Identity;

/// True for a mailbox that shows messages of others.
fn is_view(job: &Job) -> bool {
    let mut attributes = job.attributes.iter();
    attributes.any(|attribute| {
        attribute.eq_ignore_ascii_case("\\all") || attribute.eq_ignore_ascii_case("\\flagged")
    })
}

/// Marks what need not be brought over, as it is in another mailbox.
///
/// # Errors
/// Those of the file system.
pub fn leave_out(jobs: &mut [Job]) -> Result<()> {
    if !jobs.iter().any(is_view) {
        return Ok(());
    }
    let mut elsewhere: HashSet<Identity> = HashSet::new();
    for job in jobs.iter().filter(|job| !is_view(job)) {
        for uid in job.uids.iter() {
            elsewhere.extend(message::identity(&job.dir, uid)?);
        }
    }
    for job in jobs.iter_mut().filter(|job| is_view(job)) {
        for uid in job.uids.iter() {
            if message::identity(&job.dir, uid)?.is_some_and(|id| elsewhere.contains(&id)) {
                job.elsewhere.insert(uid);
            }
        }
        if !job.elsewhere.is_empty() {
            job.notes.push(format!(
                "a view: {} of its messages are in other mailboxes and are not imported a second time",
                job.elsewhere.len()
            ));
        }
    }
    Ok(())
}
