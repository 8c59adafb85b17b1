//! The inventory of a mailbox: what it holds, what of that is missing here, what has vanished there.

use anyhow::Result;
use tracing::{debug, warn};

use super::super::job::{AskAlone, Job, JobId, SizeAndDate};
use super::super::store::Refreshed;
use super::{FetchStep, Fetcher, Request};
use crate::plural::{counted, verb};
use crate::session::blame::Owner;
use crate::session::fetch;
use crate::session::inventory::{Extent, NextQuery};
use crate::session::lane::{Lane, Order};
use crate::session::manage;
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{Condition, StatusResponse};

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
            if self.blame.ends(&Owner::Message(id, uid)) > 0 {
                let (size, date) = (line.size, line.internaldate.flatten());
                job.note_seen(uid, SizeAndDate { size, date });
            }
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

    /// Asks for the inventory, or a part of it. A size that made the server fail is not asked for again.
    pub(super) fn ask_inventory(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        range: &str,
        weighs: bool,
        refusal: Option<StatusResponse>,
    ) -> Result<()> {
        let job = &self.jobs[id];
        let is_fragile = self.blame.ends(&Owner::Mailbox(id)) > 0;
        // Of messages that may never come, the date is all there will be.
        let has_suspects = self.blame.ends_in(id) > 0 && !is_fragile;
        let nothing_here = job.has_nothing_here() && self.store.is_some() && !has_suspects;
        let needs_no_sizes = is_fragile || !weighs && job.bytes_by_status().is_some();
        let inventory = match (nothing_here, needs_no_sizes) {
            (true, true) => fetch::flags(range),
            (true, false) => fetch::sizes(range),
            (false, _) => fetch::inventory(range),
        };
        let asked = Request::Inventory(refusal);
        self.send(lane, &inventory, id, asked, Order::Loose)
    }

    /// The inventory, or a part of it, has ended; `refusal` is what the server said to a part before.
    pub(super) fn surveyed(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        refusal: Option<StatusResponse>,
        status: &StatusResponse,
    ) -> Result<()> {
        let ended_well = status.condition == Condition::Ok;
        let job = &mut self.jobs[id];
        let is_on_trial = job.is_on_trial() && (ended_well || job.count() == 0);
        match job.inventory().ended(status) {
            NextQuery::Fetch(range) => self.survey_rest(lane, id, &range, refusal),
            _ if is_on_trial => self.surveyed_for_trial(id),
            NextQuery::Done(extent) => self.concluded(lane, id, extent, refusal.as_ref(), status),
            NextQuery::Search => {
                let inventory = self.jobs[id].inventory();
                let (named, exists) = (inventory.named().len(), inventory.counted());
                warn!(
                    named,
                    exists,
                    answer = status.said(),
                    "the inventory is short, asking SEARCH as well"
                );
                if !self.examine(lane, id)? {
                    return Ok(());
                }
                let search = fetch::search_all();
                let refusal = refusal.or_else(|| (!ended_well).then(|| status.clone()));
                self.send(lane, &search, id, Request::Search(refusal), Order::Loose)
            }
        }
    }

    /// SEARCH has named what it names; `refusal` is what the server said to the inventory, unless that was OK.
    pub(super) fn searched(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        refusal: Option<&StatusResponse>,
        status: &StatusResponse,
    ) -> Result<()> {
        match self.jobs[id].inventory().ended(status) {
            // All of it was refused, and may be again: another try will show.
            NextQuery::Fetch(range) if refusal.is_none() => {
                self.survey_rest(lane, id, &range, None)
            }
            _ => {
                let extent = self.jobs[id].inventory().extent();
                self.concluded(lane, id, extent, refusal, status)
            }
        }
    }

    /// The server took a part, or shows no more at once: goes on with these UIDs.
    fn survey_rest(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        range: &str,
        refusal: Option<StatusResponse>,
    ) -> Result<()> {
        debug!(range, "the server has taken a part, asking for the rest");
        if !self.examine(lane, id)? {
            return Ok(());
        }
        let weighs = self.weigh(lane, id);
        self.ask_inventory(lane, id, range, weighs, refusal)
    }

    /// Nothing more will be named.
    fn concluded(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        extent: Extent,
        refusal: Option<&StatusResponse>,
        status: &StatusResponse,
    ) -> Result<()> {
        let is_answered = status.condition == Condition::Ok || self.jobs[id].count() == 0;
        if is_answered && extent == Extent::Whole {
            return match self.jobs[id].more_by_status() {
                Some(_) => self.recount(lane, id),
                None => self.plan_fetch(id, true),
            };
        }
        let job = &mut self.jobs[id];
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
            "the server counts {} but names only {named} ({}); the others cannot be read",
            counted(exists, "message"),
            refusal.unwrap_or(status).said()
        );
        warn!("{note}");
        job.tell(note);
        self.plan_fetch(id, false)
    }

    /// STATUS counted more than EXAMINE and the inventory: ask again, as mail may have been deleted in between.
    fn recount(&mut self, lane: &mut Lane<'_, FetchStep>, id: JobId) -> Result<()> {
        let name = self.jobs[id].listed_name().wire();
        let command = manage::status(name, lane.capabilities(), "(MESSAGES)");
        match command.ok().filter(|_| !self.jobs[id].is_recounted()) {
            Some(status) => self.send(lane, &status, id, Request::Recount, Order::Loose),
            None => self.recounted(id),
        }
    }

    /// If STATUS still counts more, there is more: nothing is taken for deleted, and what is not named is missing.
    pub(super) fn recounted(&mut self, id: JobId) -> Result<()> {
        let job = &mut self.jobs[id];
        job.recounted();
        let Some(by_status) = job.more_by_status() else {
            return self.plan_fetch(id, true);
        };
        let note = format!(
            "STATUS counts {}, EXAMINE {}; the others cannot be read",
            counted(by_status, "message"),
            job.inventory().counted()
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
                "UIDNEXT is {}, but of {} that EXISTS counts {corrected} {} that UID or a higher one: fetched all the same",
                job.freeze().uidnext,
                counted(job.count(), "message"),
                verb(corrected, "has", "have")
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
        job.prepare_fetches(&AskAlone {
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
            && let Some(store) = self.store.as_deref_mut()
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
