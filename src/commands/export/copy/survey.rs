//! The inventory of a mailbox: what it holds, what of that is missing here, what has vanished there.

use anyhow::Result;
use tracing::warn;

use super::super::job::{Phase, Unfetched};
use super::super::store::Refreshed;
use super::{Copy, Step};
use crate::session::command::Command;
use crate::session::fetch;
use crate::session::lane::{Lane, Order};
use crate::session::reader::Response;
use crate::session::response::{self, Condition, Status};

impl Copy<'_> {
    pub(super) fn take_inventory(&mut self, index: usize, response: &Response) -> Result<()> {
        let job = &mut self.jobs[index];
        let line = match response::parse_fetch(response) {
            Some(Ok(line)) => line,
            Some(Err(reason)) => {
                warn!(line = response.shown(), reason, "an inventory line is odd");
                return Ok(());
            }
            None => return Ok(()),
        };
        let Some(uid) = line.uid else { return Ok(()) };
        if job.seen.contains(uid) {
            return Ok(());
        }
        job.seen.insert(uid);
        let present = job.present.contains(uid);
        if present && let Some(store) = self.store.as_deref_mut() {
            let (Some(flags), date) = (line.flags, line.internaldate.flatten()) else {
                return Ok(());
            };
            let flags = fetch::join_flags(flags);
            match store.refresh(index, uid, &flags, date.as_deref())? {
                Refreshed::Same => {}
                Refreshed::FlagsChanged => job.flags_changed += 1,
                Refreshed::Doubtful(size) => {
                    job.bytes = job.bytes.saturating_sub(size);
                    job.doubtful.insert(uid);
                    job.present.remove(uid);
                    job.wanted.insert(uid);
                }
            }
        } else if !present && job.freeze.covers(uid) && !job.received.contains(uid) {
            job.wanted.insert(uid);
            job.bytes_wanted += line.size.unwrap_or(0);
        }
        Ok(())
    }

    /// `* SEARCH 1 2 3`, in one line or several; what is no number is passed over.
    pub(super) fn take_search(&mut self, index: usize, response: &Response) {
        let line = String::from_utf8_lossy(response.line());
        let mut words = line.split_ascii_whitespace().skip(1);
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("SEARCH"))
        {
            return;
        }
        let job = &mut self.jobs[index];
        for uid in words
            .map_while(|word| word.parse().ok())
            .filter(|uid| *uid > 0)
        {
            if !job.seen.contains(uid) {
                job.seen.insert(uid);
                let here = job.present.contains(uid) || job.received.contains(uid);
                if !here && job.freeze.covers(uid) {
                    job.wanted.insert(uid);
                }
            }
        }
    }

    pub(super) fn surveyed(
        &mut self,
        lane: &mut Lane<'_, Step>,
        index: usize,
        status: &Status,
    ) -> Result<()> {
        let job = &mut self.jobs[index];
        if status.condition != Condition::Ok {
            let text = format!("the inventory is refused: {}", status.said());
            self.fail(index, &text);
            return Ok(());
        }
        if job.seen.len() < job.exists {
            let (named, exists) = (job.seen.len(), job.exists);
            warn!(
                named,
                exists, "the inventory is short, asking SEARCH as well"
            );
            self.examine(lane, index)?;
            let search = Command::new("UID SEARCH ALL");
            return self.send(lane, &search, Step::Search(index), Order::Loose);
        }
        self.plan_fetch(index, true)
    }

    pub(super) fn searched(&mut self, index: usize, status: &Status) -> Result<()> {
        let job = &mut self.jobs[index];
        let whole = job.seen.len() >= job.exists;
        if !whole {
            let note = format!(
                "the server counts {} messages but names only {} ({}); the others cannot be read",
                job.exists,
                job.seen.len(),
                status.said()
            );
            warn!("{note}");
            job.note = Some(note);
        }
        self.plan_fetch(index, whole)
    }

    /// The inventory is in: moves aside what vanished, and queues what is missing.
    pub(super) fn plan_fetch(&mut self, index: usize, whole: bool) -> Result<()> {
        let job = &mut self.jobs[index];
        if whole {
            let vanished: Vec<u32> = job
                .present
                .iter()
                .filter(|uid| !job.seen.contains(*uid))
                .collect();
            job.vanished += vanished.len() as u64;
            for uid in vanished {
                job.present.remove(uid);
                if let Some(store) = self.store.as_deref_mut() {
                    job.bytes = job.bytes.saturating_sub(store.vanish(index, uid)?);
                }
            }
        }
        if self.store.is_none() {
            job.phase = if whole { Phase::Done } else { Phase::Failed };
            return Ok(());
        }
        job.prepare_fetches();
        if !whole {
            job.unfetched.push(Unfetched {
                uid: 0,
                size: None,
                reason: job.note.clone().unwrap_or_default(),
            });
        }
        if !job.unsent.is_empty() {
            self.queue.push_front(index);
        }
        Ok(())
    }
}
