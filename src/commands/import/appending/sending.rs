//! Batches go out ahead of their answers, as many as the server and our memory can bear.

use std::collections::VecDeque;

use anyhow::{Context, Result};

use super::item::{Batch, Counted, Item};
use super::{AppendStep, Appender};
use crate::progress::Arriving;
use crate::session::append::{Append, Outgoing};
use crate::session::lane::Lane;
use crate::session::response::StatusResponse;

/// Commands that may be unanswered.
const WINDOW: usize = 100;
/// Bytes that may be unanswered.
const WINDOW_BYTES: u64 = 16 * 1024 * 1024;

/// What waits to be sent, and what waits for its answer.
#[derive(Default)]
pub(super) struct SendQueue {
    /// What is to be sent once more, in smaller parts or in another way.
    pub again: VecDeque<Batch>,
    /// Refused batches of which the target may have kept a part.
    pub doubtful: Vec<Batch>,
    /// Bytes sent that are not answered yet.
    pub unanswered: u64,
}

impl Appender<'_> {
    /// Sends a batch, in one command where the server can, waiting while too much is unanswered.
    pub(super) fn send(&mut self, lane: &mut Lane<'_, AppendStep>, batch: Batch) -> Result<()> {
        let id = batch.id;
        let alone = |item: &Item| !self.ways.multi || self.experience.is_careful(id, item.uid());
        let mut parts = batch.parts(alone);
        let mut outcome = Ok(());
        while outcome.is_ok()
            && !self.stop.requested()
            && self.queue.doubtful.is_empty()
            && !self.gaps.is_open(id)
            && let Some(part) = parts.pop_front()
        {
            // What was refused goes first, in another form: it may show what the others should leave out.
            outcome = self.make_room(lane, &part);
            if outcome.is_ok() {
                outcome = self.send_again(lane);
            }
            if outcome.is_ok() {
                outcome = self.make_room(lane, &part);
            }
            if outcome.is_ok() && self.queue.doubtful.is_empty() {
                outcome = self.send_command(lane, part);
            } else {
                parts.push_front(part);
            }
        }
        let may_be_there = self.gaps.is_open(id);
        if outcome.is_ok() && !self.stop.requested() && !may_be_there {
            self.queue.again.extend(parts);
            return Ok(());
        }
        for unsent in parts.into_iter().rev() {
            self.note_settled(&unsent);
            // Somebody else may have brought it meanwhile: that is looked at first.
            let uids = unsent.items.iter().map(Item::uid).rev();
            uids.for_each(|uid| self.jobs[id].put_back(uid));
        }
        outcome
    }

    /// Takes answers until these messages may be sent, too.
    fn make_room(&mut self, lane: &mut Lane<'_, AppendStep>, batch: &Batch) -> Result<()> {
        let alone = batch.items.iter().any(|item| {
            self.ways.must_ask(item.size()) || self.experience.is_careful(batch.id, item.uid())
        });
        let bytes = batch.bytes();
        while lane.outstanding() > 0
            && (alone
                || lane.outstanding() >= WINDOW
                || self.queue.unanswered + bytes > WINDOW_BYTES)
        {
            self.receive(lane)?;
        }
        Ok(())
    }

    fn send_command(&mut self, lane: &mut Lane<'_, AppendStep>, batch: Batch) -> Result<()> {
        let (id, mut items) = (batch.id, batch.items);
        self.queue.unanswered += items.iter().map(Item::size).sum::<u64>();
        let careful = items
            .iter()
            .any(|item| self.experience.is_careful(id, item.uid()));
        for item in &mut items {
            item.sent = self.flags(id, item);
        }
        let wire = self.jobs[id].place().name.wire();
        let arriving = self.progress.arriving();
        let step = AppendStep::Append(id, Vec::new());
        let sent = Append::begin(lane, self.ways, wire, step)
            .map_err(Into::into)
            .and_then(|append| write(append, &mut items, &arriving));
        // The step travels with the command, but the bodies are needed to send it.
        if matches!(sent, Ok(None) | Err(_))
            && let Some(AppendStep::Append(_, held)) = lane.last_step()
            && held.is_empty()
        {
            held.append(&mut items);
        }
        if let Some(status) = sent? {
            return self.answered(Batch { id, items }, &status, lane);
        }
        if careful {
            self.receive(lane)?;
        }
        Ok(())
    }

    pub(super) fn send_again(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        while self.queue.doubtful.is_empty()
            && let Some(batch) = self.queue.again.pop_front()
        {
            if let Err(error) = self.make_room(lane, &batch) {
                self.queue.again.push_front(batch);
                return Err(error);
            }
            if self.queue.doubtful.is_empty() {
                self.send_command(lane, batch)?;
            } else {
                self.queue.again.push_front(batch);
            }
        }
        Ok(())
    }
}

/// Sends the messages in one command; the command's end, if the server refuses before it has them.
fn write(
    mut append: Append<'_, '_, AppendStep>,
    items: &mut [Item],
    sent: &Arriving,
) -> Result<Option<StatusResponse>> {
    for item in items {
        let (uid, size, flags) = (item.uid(), item.size(), item.sent.clone());
        let (date, body) = item.date_and_body();
        let body = body.with_context(|| format!("read uid {uid}"))?;
        let mut body = Counted { body, sent };
        let refused = append.message(&mut Outgoing {
            flags: flags.as_deref(),
            internaldate: date.as_deref(),
            size,
            body: &mut body,
        })?;
        if let Some((_, status)) = refused {
            return Ok(Some(status));
        }
    }
    append.end()?;
    Ok(None)
}
