//! The inventory of a mailbox: what it holds, what of that is missing here, what has vanished there.

use anyhow::Result;
use tracing::warn;

use super::super::job::{Job, JobId, Suspects};
use super::super::store::Refreshed;
use super::{Asked, Fetcher, Step};
use crate::session::blame::Owner;
use crate::session::fetch;
use crate::session::inventory::{Extent, Next};
use crate::session::lane::{Lane, Order};
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{Condition, Status};

impl Fetcher<'_> {
    pub(super) fn take_inventory(&mut self, id: JobId, response: &Response) -> Result<()> {
        let job = &mut self.jobs[id];
        let entry = job.inventory().take(response);
        let Some(entry) = entry.filter(|entry| entry.is_first) else {
            return Ok(());
        };
        let (uid, line) = (entry.uid, entry.data);
        if job.is_on_trial() {
            let date = line.internaldate.flatten();
            if let Some(store) = self.store.as_deref().filter(|_| job.has(uid)) {
                job.compared(uid, store.is_alike(id, uid, date.as_deref(), line.size)?);
            }
            return Ok(());
        }
        if !job.has(uid) {
            job.want(uid, line.size);
            return Ok(());
        }
        let (Some(store), Some(flags)) = (self.store.as_deref_mut(), line.flags) else {
            return Ok(());
        };
        let (flags, date) = (fetch::join_flags(flags), line.internaldate.flatten());
        match store.refresh(id, uid, &flags, date.as_deref(), line.size)? {
            Refreshed::Same => {}
            Refreshed::FlagsChanged => job.flags_changed(),
            Refreshed::Doubtful(bytes) => job.doubt(uid, bytes),
        }
        Ok(())
    }

    pub(super) fn take_search(&mut self, id: JobId, response: &Response) {
        let job = &mut self.jobs[id];
        for uid in job.inventory().take_search(response) {
            job.want(uid, None);
        }
    }

    pub(super) fn surveyed(
        &mut self,
        lane: &mut Lane<'_, Step>,
        id: JobId,
        status: &Status,
    ) -> Result<()> {
        let ended_well = status.condition == Condition::Ok;
        if self.jobs[id].is_on_trial() && (ended_well || self.jobs[id].count() == 0) {
            return self.surveyed_for_trial(id);
        }
        let inventory = self.jobs[id].inventory();
        if inventory.ended(status) == Next::Done(Extent::Whole) {
            return self.plan_fetch(id, true);
        }
        let (named, exists) = (inventory.named().len(), inventory.counted());
        warn!(
            named,
            exists,
            answer = status.said(),
            "the inventory is short, asking SEARCH as well"
        );
        self.examine(lane, id)?;
        let search = fetch::search_all();
        let refusal = (!ended_well).then(|| status.clone());
        self.send(lane, &search, id, Asked::Search(refusal), Order::Loose)
    }

    /// SEARCH has named what it names; `refusal` is what the server said to the inventory, unless that was OK.
    pub(super) fn searched(
        &mut self,
        id: JobId,
        refusal: Option<&Status>,
        status: &Status,
    ) -> Result<()> {
        let job = &mut self.jobs[id];
        let extent = job.inventory().extent();
        if status.condition == Condition::Ok && extent == Extent::Whole {
            return self.plan_fetch(id, true);
        }
        let (named, exists) = (job.inventory().named().len(), job.inventory().counted());
        if let Some(refusal) = refusal {
            let text = format!("the inventory is refused: {}", refusal.said());
            let over = self.blame.ends(&Owner::Mailbox(id)) > 1;
            if refusal::may_pass(refusal) && !over {
                self.refused_mailbox(id, &text);
                return Ok(());
            }
            if named == 0 {
                self.fail(id, &text);
                return Ok(());
            }
        }
        let note = format!(
            "the server counts {exists} messages but names only {named} ({}); the others cannot be read",
            refusal.unwrap_or(status).said()
        );
        warn!("{note}");
        job.tell(note);
        self.plan_fetch(id, false)
    }

    /// The inventory is in: moves aside what vanished, and queues what is missing.
    pub(super) fn plan_fetch(&mut self, id: JobId, whole: bool) -> Result<()> {
        let job = &mut self.jobs[id];
        let corrected = job.count_against_uidnext();
        if corrected > 0 {
            let note = format!(
                "UIDNEXT is {}, but {corrected} of the {} messages that EXISTS counts have that UID or a higher one; they are fetched all the same",
                job.freeze().uidnext,
                job.count()
            );
            warn!("{note}");
            job.tell(note);
        }
        if whole {
            for uid in job.unnamed() {
                let bytes = match self.store.as_deref_mut() {
                    Some(store) => store.vanish(id, uid)?,
                    None => 0,
                };
                job.vanished(uid, bytes);
            }
        }
        if self.store.is_none() {
            job.only_looked(whole);
            return Ok(());
        }
        let blame = &*self.blame;
        job.prepare_fetches(&Suspects {
            of: &|uid| blame.ends(&Owner::Message(id, uid)) > 0,
            first: false,
        });
        if !whole {
            let note = job.note().unwrap_or_default().to_owned();
            job.refuse_unnamed(note);
        }
        let job = &self.jobs[id];
        if job.bytes_by_status().is_none() {
            self.progress.sized(job.expected(), job.bytes_due());
        }
        if self.jobs[id].bytes_due() > 0
            && let Some(store) = self.store.as_deref()
        {
            store.check_room(self.jobs.iter().map(Job::bytes_due).sum())?;
        }
        let job = &self.jobs[id];
        if job.has_more_to_send() {
            self.queue.push_front(id);
        }
        Ok(())
    }
}
