//! The inventory of a mailbox: what it holds, what of that is missing here, what has vanished there.

use anyhow::Result;
use tracing::warn;

use super::super::job::{Job, JobId, Suspects};
use super::super::store::Refreshed;
use super::{Asked, Fetcher, Step};
use crate::session::blame::Owner;
use crate::session::fetch;
use crate::session::lane::{Lane, Order};
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{self, Condition, Status};

impl Fetcher<'_> {
    pub(super) fn take_inventory(&mut self, id: JobId, response: &Response) -> Result<()> {
        let job = &mut self.jobs[id];
        let line = match response::parse_fetch(response) {
            Some(Ok(line)) => line,
            Some(Err(reason)) => {
                warn!(line = response.shown(), reason, "an inventory line is odd");
                return Ok(());
            }
            None => return Ok(()),
        };
        let Some(uid) = line.uid.filter(|uid| job.saw(*uid)) else {
            return Ok(());
        };
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

    /// `* SEARCH 1 2 3`, in one line or several; what is no number is passed over.
    pub(super) fn take_search(&mut self, id: JobId, response: &Response) {
        let line = String::from_utf8_lossy(response.line());
        let mut words = line.split_ascii_whitespace().skip(1);
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("SEARCH"))
        {
            return;
        }
        let job = &mut self.jobs[id];
        for uid in words
            .map_while(|word| word.parse().ok())
            .filter(|uid| *uid > 0)
        {
            if job.saw(uid) {
                job.want(uid, None);
            }
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
        let job = &self.jobs[id];
        // A FETCH of nothing may be refused.
        if job.count() == 0 || ended_well && job.named() >= job.count() {
            return self.plan_fetch(id, true);
        }
        let (named, exists) = (job.named(), job.count());
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
        let whole = status.condition == Condition::Ok && job.named() >= job.count();
        if whole {
            return self.plan_fetch(id, true);
        }
        if let Some(refusal) = refusal {
            let text = format!("the inventory is refused: {}", refusal.said());
            let over = self.blame.ends(&Owner::Mailbox(id)) > 1;
            if refusal::may_pass(refusal) && !over {
                self.refused_mailbox(id, &text);
                return Ok(());
            }
            if job.named() == 0 {
                self.fail(id, &text);
                return Ok(());
            }
        }
        let note = format!(
            "the server counts {} messages but names only {} ({}); the others cannot be read",
            job.count(),
            job.named(),
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
