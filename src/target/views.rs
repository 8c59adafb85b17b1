//! Views such as All Mail hold no messages of their own: what is also in another mailbox goes there only.

use std::collections::HashMap;

use anyhow::Result;

use super::mailbox::{Job, Jobs, is_view};
use super::message;
use crate::mailbox::uidset::UidSet;

/// Marks what need not be brought over, as the same content is in another mailbox, as often as there.
///
/// # Errors
/// Those of the file system.
pub fn leave_out(jobs: &mut Jobs) -> Result<()> {
    let is_view = |job: &Job| is_view(&job.here().attributes);
    if !jobs.iter().any(is_view) {
        return Ok(());
    }
    let mut elsewhere: HashMap<String, u64> = HashMap::new();
    for job in jobs.iter().filter(|job| !is_view(job)) {
        for uid in job.uids().iter() {
            // What is damaged there is not sent from there.
            if let Some(content) = message::content_to_send(&job.here().dir, uid)? {
                *elsewhere.entry(content).or_default() += 1;
            }
        }
    }
    // What is nowhere else belongs to All Mail, not to what a user has marked.
    let is_all = |job: &Job| {
        let mut attributes = job.here().attributes.iter();
        attributes.any(|attribute| attribute.eq_ignore_ascii_case("\\all"))
    };
    let mut views: Vec<&mut Job> = jobs.iter_mut().filter(|job| is_view(job)).collect();
    views.sort_by_key(|job| !is_all(job));
    for job in views {
        let mut left = elsewhere.clone();
        let mut shown = UidSet::new();
        for uid in job.uids().iter() {
            let Some(content) = message::content(&job.here().dir, uid)? else {
                continue;
            };
            match left.get_mut(&content).filter(|left| **left > 0) {
                Some(left) => {
                    *left -= 1;
                    shown.insert(uid);
                }
                // What only this view has counts as elsewhere for the next one.
                None => *elsewhere.entry(content).or_default() += 1,
            }
        }
        if !shown.is_empty() {
            job.tell(format!(
                "a view: {} of its messages are in other mailboxes and are not imported a second time",
                shown.len()
            ));
        }
        job.leave_out(shown);
    }
    Ok(())
}
