//! What an account's export could not fetch: what earlier runs recorded, and what is recorded now.

use anyhow::Result;

use super::Export;
use crate::archive::failed::{self, FailedMessage, Transfer};
use crate::clock;
use crate::commands::export::job::{Job, Jobs, SizeAndDate};
use crate::filter::Filter;
use crate::message;
use crate::session::blame::Owner;

impl Export<'_> {
    /// What an earlier run had to pass over is asked for last, once, and alone.
    pub(super) fn remember_failures(&mut self) -> Result<()> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        self.failed_before = failed::load(store.archive().dir(), Transfer::Export)?;
        for (id, job) in self.jobs.with_ids() {
            let of_job = self.failed_before.iter();
            for failed in of_job.filter(|failed| failed.mailbox == job.name()) {
                let owner = match failed.uid {
                    Some(uid) => Owner::Message(id, uid),
                    None => Owner::Mailbox(id),
                };
                self.blame.remember(owner);
            }
        }
        Ok(())
    }

    pub(super) fn failures(&self) -> Vec<FailedMessage> {
        let at = clock::utc_now();
        let of_job = |job: &Job| -> Vec<FailedMessage> {
            job.unfetched()
                .iter()
                .map(|unfetched| FailedMessage {
                    account: self.account.name.clone(),
                    mailbox: job.name().to_owned(),
                    uid: unfetched.uid,
                    size: unfetched.seen.size,
                    date: date_of(&unfetched.seen),
                    from: unfetched.envelope.from.clone(),
                    subject: unfetched.envelope.subject.clone(),
                    server: unfetched.reason.clone(),
                    at: at.clone(),
                    during: Transfer::Export,
                })
                .collect()
        };
        self.jobs.iter().flat_map(of_job).collect()
    }
}

/// When a message came, UTC.
fn date_of(seen: &SizeAndDate) -> Option<String> {
    let seconds = message::timestamp(seen.date.as_deref()?)?;
    u64::try_from(seconds).ok().map(clock::utc)
}

/// The failures of this run, and those of earlier ones that it has not settled.
pub(super) fn on_record(
    failures: &[FailedMessage],
    before: &[FailedMessage],
    jobs: &Jobs,
    folders: &Filter,
) -> Vec<FailedMessage> {
    let stands = |old: &&FailedMessage| {
        let mut of_it = jobs.iter().filter(|job| job.name() == old.mailbox);
        match of_it.next() {
            Some(job) => !job.is_over() && job.lacks(old.uid),
            None => !folders.matches(&old.mailbox),
        }
    };
    let mut all = failures.to_vec();
    all.extend(before.iter().filter(stands).cloned());
    all
}
