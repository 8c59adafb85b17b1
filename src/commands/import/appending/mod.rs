//! Appends what is missing: batches go out ahead of their answers, refused ones are split until the culprit stands
//! alone.

mod answers;
mod doubt;
mod experience;
mod gathering;
mod item;
mod late;
mod merged;
mod sending;
mod strangers;

use std::collections::HashMap;

use anyhow::Result;
use tracing::info_span;

use crate::archive::journal::Journal;
use crate::budget::Direction;
use crate::mailbox::uidset::UidSet;
use crate::progress::AccountProgress;
use crate::session::append::AppendSupport;
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::response::Condition;
use crate::session::select;
use crate::session::turns::Company;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::mailbox::{JobId, Jobs, Refused};
use crate::target::trouble::Trouble;
pub use experience::Experience;
use gathering::{BATCH_MESSAGES, BatchRoom};
use item::{Batch, Item, Late, Owed};
use merged::MergedMailboxes;
use sending::SendQueue;
use strangers::Gaps;

/// Bytes that go with a message, roughly.
const BESIDE: u64 = 256;

enum AppendStep {
    Append(JobId, Vec<Item>),
    /// STATUS, to see whether UIDVALIDITY has changed.
    Check(JobId, Option<u32>),
    /// STATUS, to see how many messages there are.
    Count(JobId),
    /// SELECT before a STORE, and what leaves a mailbox.
    Open,
    /// STORE of the flags that an APPEND could not have.
    Flags(Late),
}

/// What a pass works on, and with.
pub struct Given<'a> {
    pub jobs: &'a mut Jobs,
    pub journal: &'a mut Journal,
    pub settings: &'a Settings,
    pub stop: &'a Stop,
    pub progress: &'a mut AccountProgress,
    pub experience: &'a mut Experience,
    pub trouble: &'a mut Trouble,
    /// Other accounts at work on the server.
    pub company: &'a Company<'a>,
}

/// One pass over the jobs on one connection.
pub struct Appender<'a> {
    jobs: &'a mut Jobs,
    journal: &'a mut Journal,
    settings: &'a Settings,
    stop: &'a Stop,
    progress: &'a mut AccountProgress,
    experience: &'a mut Experience,
    trouble: &'a mut Trouble,
    company: &'a Company<'a>,
    /// The mailbox at work, and those before it that may still have unanswered messages.
    filling: Vec<JobId>,
    ways: AppendSupport,
    queue: SendQueue,
    /// Flags to be stored when all is appended.
    to_store: Vec<Late>,
    gaps: Gaps,
    /// Mailboxes that turned out to be one with another.
    pub merging: MergedMailboxes,
    /// Messages that were refused for lack of room.
    over_quota: Vec<(JobId, Refused)>,
    /// UIDs that the target has named on this connection.
    named: HashMap<JobId, UidSet>,
    /// Batches sent on this connection.
    batches: HashMap<JobId, u32>,
    /// Messages that it has taken on this connection.
    pub taken: HashMap<JobId, u64>,
}

impl<'a> Appender<'a> {
    /// A pass that appends what the jobs' `todo` names.
    pub fn new(channel: &Channel, given: Given<'a>) -> Self {
        let Given {
            jobs,
            journal,
            settings,
            stop,
            progress,
            experience,
            trouble,
            company,
        } = given;
        let mut ways = AppendSupport::of(&channel.capabilities).paced(channel.pace.ahead());
        ways.multi &= !experience.stores_in_part;
        Self {
            jobs,
            journal,
            settings,
            stop,
            progress,
            experience,
            trouble,
            company,
            filling: Vec::new(),
            ways,
            queue: SendQueue::default(),
            gaps: Gaps::default(),
            merging: MergedMailboxes::default(),
            over_quota: Vec::new(),
            to_store: Vec::new(),
            named: HashMap::new(),
            batches: HashMap::new(),
            taken: HashMap::new(),
        }
    }

    /// Appends everything.
    ///
    /// # Errors
    /// A [`SessionError`] in the chain says whether another connection may help; a refused message without
    /// `--ignore-errors`.
    pub fn run(&mut self, channel: &mut Channel) -> Result<()> {
        let outcome = loop {
            let mut lane: Lane<'_, AppendStep> = Lane::new(channel);
            self.progress.arriving().clear();
            let sent = leave(&mut lane).and_then(|()| self.send_all(&mut lane));
            match sent {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => {
                    match error.downcast_ref::<SessionError>() {
                        Some(SessionError {
                            kind: Kind::Parked(_),
                            ..
                        })
                        | None => self.hear_out(&mut lane),
                        Some(lost) => self.lost(&lane, lost),
                    }
                    break Err(error);
                }
            }
            let looked = self
                .look(channel)
                .and_then(|()| self.look_into_gaps(channel));
            if let Err(error) = looked {
                break Err(error);
            }
        };
        // What was refused is answered, too: if part of it is there, the next look finds it.
        let answered = std::mem::take(&mut self.queue.doubtful).into_iter();
        for batch in answered.chain(std::mem::take(&mut self.queue.again)) {
            self.note_settled(&batch);
        }
        let unstored = std::mem::take(&mut self.to_store);
        let unstored = unstored.into_iter().map(Owed::from);
        self.experience.owed.extend(unstored);
        let outcome = outcome.and_then(|()| self.conclude());
        // Whatever happened, the answers that came are worth keeping.
        self.journal.commit()?;
        outcome
    }

    /// Messages that found no room are refused when the others are through.
    fn conclude(&mut self) -> Result<()> {
        for (id, refused) in std::mem::take(&mut self.over_quota) {
            self.refuse(id, refused.uid, refused.size, refused.reason)?;
        }
        Ok(())
    }

    /// The connection is gone: what was under way goes alone from now on, and what was first in line is counted.
    fn lost(&mut self, lane: &Lane<'_, AppendStep>, error: &SessionError) {
        self.lost_unstored(lane, error);
        if !matches!(error.kind, Kind::Transient | Kind::Desync) {
            return;
        }
        let mut is_first = true;
        for step in lane.steps() {
            let AppendStep::Append(id, items) = step else {
                continue;
            };
            for item in items {
                let uid = item.uid();
                self.experience.lost(*id, uid);
                if is_first {
                    self.experience.count(*id, uid, error.to_string());
                }
            }
            is_first = false;
        }
    }

    /// The account ends here, but the server has taken what it was sent: notes what it still answers.
    fn hear_out(&mut self, lane: &mut Lane<'_, AppendStep>) {
        while lane.outstanding() > 0 {
            let (step, status) = match lane.next(&mut NoBody) {
                Ok(Answer::Untagged(..)) => continue,
                Ok(Answer::Done(step, status)) => (step, status),
                Err(_) => return,
            };
            let AppendStep::Append(id, items) = step else {
                continue;
            };
            let batch = Batch { id, items };
            if status.condition == Condition::Ok {
                if self.accept(batch, &status, lane).is_err() {
                    return;
                }
            } else if !answers::is_no_answer(&status) {
                // Part of it may be there: the next run looks, and has nothing to wait for.
                self.note_settled(&batch);
            }
        }
    }

    /// Sends what there is; false when something must be checked first, with nothing under way.
    fn send_all(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<bool> {
        for id in self.jobs.ids() {
            if self.jobs[id].has_failed() || self.jobs[id].todo().is_empty() {
                continue;
            }
            let span = info_span!("mailbox", mailbox = self.jobs[id].name());
            let _entered = span.enter();
            self.progress.mailbox(self.jobs[id].name());
            if self.is_merged(lane, id)? {
                continue;
            }
            if !self.queue.doubtful.is_empty() {
                self.hear(lane)?;
                return Ok(false);
            }
            if self.filling.last() != Some(&id) {
                self.filling.push(id);
            }
            let is_watchful = self.is_watchful(id);
            loop {
                while lane.has_arrived() {
                    self.receive(lane)?;
                }
                if is_watchful {
                    self.watch(lane, id)?;
                }
                if self.gaps.is_open(id) {
                    self.hear(lane)?;
                    return Ok(false);
                }
                let is_first = is_watchful && !self.batches.contains_key(&id);
                let room = BatchRoom {
                    messages: if is_first { 1 } else { BATCH_MESSAGES },
                    bytes: lane.budget().left(Direction::Up),
                };
                let Some(batch) = self.next_batch(id, room)? else {
                    break;
                };
                if !self.batches.contains_key(&id) {
                    self.begin(&batch)?;
                }
                *self.batches.entry(id).or_default() += 1;
                if let Some(used_up) = used_up(lane, &batch) {
                    self.hear(lane)?;
                    return Err(used_up.into());
                }
                self.note_pending(&batch)?;
                self.send(lane, batch)?;
                self.send_again(lane)?;
                if self.stop.requested() {
                    self.hear(lane)?;
                    return Err(SessionError::stopped().into());
                }
                if !self.queue.doubtful.is_empty() {
                    self.hear(lane)?;
                    return Ok(false);
                }
            }
        }
        loop {
            self.send_again(lane)?;
            if lane.outstanding() > 0 {
                self.receive(lane)?;
            } else if !self.queue.doubtful.is_empty() {
                return Ok(false);
            } else if self.queue.again.is_empty() && !self.store_flags(lane)? {
                self.find_merged_empties(lane)?;
                return Ok(true);
            }
        }
    }

    fn note_pending(&mut self, batch: &Batch) -> Result<()> {
        let route = self.jobs[batch.id].route();
        self.journal.pending(&route, &batch.uids());
        self.journal.commit()
    }

    /// These were refused, which is an answer, or never sent: the next run has nothing to wait for.
    fn note_settled(&mut self, batch: &Batch) {
        let route = self.jobs[batch.id].route();
        self.journal.settled(&route, &batch.uids());
    }

    /// Takes all answers that are still to come.
    fn hear(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        while lane.outstanding() > 0 {
            self.receive(lane)?;
        }
        self.leave_filled();
        Ok(())
    }
}

/// No mailbox is open while it is appended to: Courier refuses what is open read-only, and GNU Mailutils loses
/// messages.
fn leave(lane: &mut Lane<'_, AppendStep>) -> Result<()> {
    let leave = select::leave(lane.capabilities())?;
    lane.send(&leave, AppendStep::Open, Order::Strict)?;
    Ok(())
}

/// The error where the batch has to wait for another day. A message that is larger than what is left of any day goes
/// alone, first of all.
fn used_up(lane: &mut Lane<'_, AppendStep>, batch: &Batch) -> Option<SessionError> {
    let budget = lane.budget();
    let left = budget.left(Direction::Up)?;
    let bytes = batch.bytes() + BESIDE * batch.items.len() as u64;
    let fits = bytes <= left || batch.items.len() == 1 && budget.is_fresh(Direction::Up);
    (!fits).then(|| SessionError::used_up(budget, Direction::Up))
}
