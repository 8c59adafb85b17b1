//! Another UIDVALIDITY, or another server: is it the same mailbox after all? Asked before anything moves aside.

use anyhow::Result;

use super::super::job::{JobId, TrialOutcome};
use super::Fetcher;

impl Fetcher<'_> {
    /// The inventory is in: where dates and sizes are the same, a sample of the messages is fetched.
    pub(super) fn surveyed_for_trial(&mut self, id: JobId) -> Result<()> {
        if !self.jobs[id].ask_for_sample() {
            return self.begin_anew(id);
        }
        self.queue.push_front(id);
        Ok(())
    }

    /// The sample is in.
    pub(super) fn conclude_trial(&mut self, id: JobId) -> Result<()> {
        let job = &mut self.jobs[id];
        match job.outcome() {
            TrialOutcome::Other => return self.begin_anew(id),
            TrialOutcome::Unknown => {
                let reason = "it cannot be told whether this is the mailbox that the archive holds, as the server gives none of its messages";
                self.fail(id, reason);
                return Ok(());
            }
            TrialOutcome::Same => {}
        }
        job.keep();
        if let Some(store) = self.store.as_deref_mut() {
            store.open(id, job)?;
        }
        self.queue.push_front(id);
        Ok(())
    }

    /// It is another mailbox: what the archive has of it moves aside.
    fn begin_anew(&mut self, id: JobId) -> Result<()> {
        let job = &mut self.jobs[id];
        if let Some(store) = self.store.as_deref_mut() {
            store.supersede(job)?;
            job.is_another();
            store.open(id, job)?;
        }
        self.queue.push_front(id);
        Ok(())
    }
}
