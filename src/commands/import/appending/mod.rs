//! Appends what is missing: batches go out ahead of their answers, refused ones are split until the culprit stands alone.

mod answers;
mod doubt;
mod item;
mod late;
mod merged;
mod strangers;

use std::collections::{HashMap, HashSet, VecDeque};

use anyhow::{Context, Result};
use tracing::info_span;

use crate::archive::journal::Journal;
use crate::budget::Direction;
use crate::mailbox::uidset::UidSet;
use crate::progress::{AccountProgress, Arriving};
use crate::session::append::{Append, AppendSupport, Outgoing};
use crate::session::blame::{Blame, Owner, Verdict};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::response::Condition;
use crate::session::select;
use crate::session::turns::{Turn, Turns};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::mailbox::{JobId, Jobs, Refused};
use crate::target::message::Ready;
use crate::target::trouble::Trouble;
use item::{Batch, Counted, Item, Late, Owed};

/// Messages in one journal entry, and in one MULTIAPPEND.
const BATCH_MESSAGES: usize = 100;
/// Bytes after which a batch is sent.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that go with a message, about.
const BESIDE: u64 = 256;
/// Commands that may be unanswered.
const WINDOW: usize = 100;
/// Bytes that may be unanswered.
const WINDOW_BYTES: u64 = 16 * 1024 * 1024;

/// What is known of a target from one connection to the next.
#[derive(Default)]
pub struct Experience {
    /// Whose fault an end that is not OK was.
    blame: Blame<Owner<JobId>>,
    /// Messages that were under way when a connection was lost: each goes alone.
    careful: HashMap<JobId, UidSet>,
    /// It stores parts of a MULTIAPPEND that it refuses.
    stores_in_part: bool,
    /// Its APPENDUID is not to be believed.
    distrusted: bool,
    /// It wants a list of flags, were it empty.
    always_list: bool,
    /// Keywords that a mailbox does not take.
    refused_keywords: HashMap<JobId, HashSet<String>>,
    /// Looks into gaps between UIDs that found nothing.
    idle_gaps: u32,
    /// Flags that are to be stored when the UIDs of their messages are known.
    owed: Vec<Owed>,
    /// A message of this size has no room there any more; with the words that said so.
    no_room: Option<(u64, String)>,
}

enum AppendStep {
    Append(JobId, Vec<Item>),
    /// STATUS, to see whether UIDVALIDITY is what it was.
    Check(JobId, Option<u32>),
    /// STATUS, to see how many messages there are.
    Count(JobId),
    /// SELECT before a STORE, and what leaves a mailbox.
    Open,
    /// STORE of the flags that an APPEND could not have.
    Flags(Late),
}

/// One pass over the jobs on one connection.
pub struct Appender<'a> {
    pub jobs: &'a mut Jobs,
    pub journal: &'a mut Journal,
    pub settings: &'a Settings,
    pub stop: &'a Stop,
    pub progress: &'a mut AccountProgress,
    pub experience: &'a mut Experience,
    pub trouble: &'a mut Trouble,
    turns: &'a Turns,
    /// Others are at work on the server, and may be in the same mailboxes.
    watchful: bool,
    /// Of a mailbox that another account fills as well.
    turn: Option<(JobId, Turn<'a>)>,
    ways: AppendSupport,
    /// What is to be sent once more, in smaller parts or in another way.
    again: VecDeque<Batch>,
    /// Refused batches of which the target may have kept a part.
    doubtful: Vec<Batch>,
    /// Messages that were refused for want of room.
    over_quota: Vec<(JobId, Refused)>,
    /// Flags to be stored when all is appended.
    to_store: Vec<Late>,
    /// Messages that are counted as without a flag, by their UIDs on the target.
    without_flags: HashSet<(JobId, u32)>,
    /// UIDs that the target has named on this connection.
    named: HashMap<JobId, UidSet>,
    /// The UID that the next message gets, by mailbox of the target.
    next_uids: HashMap<Vec<u8>, u32>,
    /// Batches sent on this connection.
    batches: HashMap<JobId, u32>,
    /// Gaps between UIDs that are to be looked into, by the first one.
    gaps: HashMap<JobId, u32>,
    /// Messages that it has taken on this connection.
    pub taken: HashMap<JobId, u64>,
    /// Mailboxes that turned out to be one with another, which has its own mail: nothing was sent there.
    pub merged: Vec<(JobId, JobId)>,
    /// Mailboxes of which it is known whether they are one with another.
    looked_at: HashSet<JobId>,
    /// Messages that STATUS has counted last.
    counted: HashMap<JobId, u64>,
    unanswered: u64,
    /// Messages that the server has taken on this connection.
    pub committed: u64,
}

impl Experience {
    /// An earlier run could not bring this message over: it goes alone, and has one try.
    pub fn remember(&mut self, id: JobId, uid: u32) {
        self.blame.remember(Owner::Message(id, uid));
        self.careful.entry(id).or_default().insert(uid);
    }

    fn refuses_keyword(&self, id: JobId, flag: &str) -> bool {
        let refused = self.refused_keywords.get(&id);
        refused.is_some_and(|refused| refused.contains(flag))
    }

    fn learn_keyword(&mut self, id: JobId, flag: &str) {
        let refused = self.refused_keywords.entry(id).or_default();
        refused.insert(flag.to_owned());
    }
}

impl<'a> Appender<'a> {
    /// A pass that appends what the jobs' `todo` names.
    pub fn new(
        channel: &Channel,
        jobs: &'a mut Jobs,
        journal: &'a mut Journal,
        settings: &'a Settings,
        stop: &'a Stop,
        progress: &'a mut AccountProgress,
        (experience, trouble, turns): (&'a mut Experience, &'a mut Trouble, &'a Turns),
    ) -> Self {
        let mut ways = AppendSupport::of(&channel.capabilities).paced(channel.pace.ahead());
        let watchful = !turns.is_alone() && jobs.iter().any(|job| job.identity_there().is_none());
        ways.multi &= !experience.stores_in_part;
        Self {
            jobs,
            journal,
            settings,
            stop,
            progress,
            experience,
            trouble,
            turns,
            turn: None,
            watchful,
            ways,
            again: VecDeque::new(),
            doubtful: Vec::new(),
            over_quota: Vec::new(),
            to_store: Vec::new(),
            without_flags: HashSet::new(),
            named: HashMap::new(),
            next_uids: HashMap::new(),
            batches: HashMap::new(),
            gaps: HashMap::new(),
            taken: HashMap::new(),
            merged: Vec::new(),
            looked_at: HashSet::new(),
            counted: HashMap::new(),
            unanswered: 0,
            committed: 0,
        }
    }

    /// Appends everything.
    ///
    /// # Errors
    /// A [`SessionError`] in the chain says whether another connection may help; a refused message without `--ignore-errors`.
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
        for batch in std::mem::take(&mut self.again) {
            self.note_settled(&batch);
        }
        let unstored = std::mem::take(&mut self.to_store);
        let unstored = unstored.into_iter().map(Owed::from);
        self.experience.owed.extend(unstored);
        let outcome = outcome.and_then(|()| self.conclude());
        // What was answered is worth knowing, whatever happened.
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
        let unstored = lane.steps().filter_map(|step| match step {
            AppendStep::Flags(flags) => Some(Owed::from(flags.clone())),
            _ => None,
        });
        self.experience.owed.extend(unstored);
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
                self.experience.careful.entry(*id).or_default().insert(uid);
                if is_first {
                    let owner = Owner::Message(*id, uid);
                    self.experience.blame.count(owner, error.to_string());
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
            // Part of a refused batch may be there: the next run looks.
            let is_settled = batch.items.len() == 1 && !answers::is_no_answer(&status);
            if status.condition == Condition::Ok {
                if self.accept(batch, &status, lane).is_err() {
                    return;
                }
            } else if is_settled {
                self.note_settled(&batch);
            }
        }
    }

    /// Sends what there is; false when something must be looked at first, with nothing under way.
    fn send_all(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<bool> {
        for id in self.jobs.ids() {
            if self.jobs[id].has_failed() || self.jobs[id].todo().is_empty() {
                continue;
            }
            let span = info_span!("mailbox", mailbox = self.jobs[id].name());
            let _entered = span.enter();
            self.progress.mailbox(self.jobs[id].name());
            if self.turn.as_ref().is_some_and(|(of, _)| *of != id) {
                self.hear(lane)?;
                self.turn = None;
            }
            if self.is_merged(lane, id)? {
                continue;
            }
            if !self.doubtful.is_empty() {
                self.hear(lane)?;
                return Ok(false);
            }
            loop {
                while lane.has_arrived() {
                    self.receive(lane)?;
                }
                // The first UIDs tell whether somebody else is in the mailbox.
                if self.watchful && self.batches.get(&id) == Some(&1) {
                    self.hear(lane)?;
                }
                if self.gaps.contains_key(&id) {
                    self.hear(lane)?;
                    return Ok(false);
                }
                let Some(batch) = self.next_batch(id, lane.budget().left(Direction::Up))? else {
                    break;
                };
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
                if !self.doubtful.is_empty() {
                    self.hear(lane)?;
                    return Ok(false);
                }
            }
        }
        loop {
            self.send_again(lane)?;
            if lane.outstanding() > 0 {
                self.receive(lane)?;
            } else if !self.doubtful.is_empty() {
                return Ok(false);
            } else if self.again.is_empty() && !self.store_flags(lane)? {
                return Ok(true);
            }
        }
    }

    /// Proves and gathers the next messages of a mailbox, no more bytes than are left of the day, but for a single one;
    /// `None` when there are no more.
    fn next_batch(&mut self, id: JobId, left: Option<u64>) -> Result<Option<Batch>> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let Some(uid) = self.jobs[id].pop() else {
                break;
            };
            let owner = Owner::Message(id, uid);
            if self.experience.blame.verdict(&owner) == Verdict::Over {
                let words = self.experience.blame.words(&owner).unwrap_or("no answer");
                let reason = format!("the connection ended each time that it was sent: {words}");
                self.refuse(id, uid, None, reason)?;
                continue;
            }
            let dir = &self.jobs[id].here().dir;
            let ready = match Ready::load(dir, uid, self.settings.importing.repairs)? {
                Ok(ready) => ready,
                Err(damaged) => {
                    let reason = format!("the archive is damaged here: {}", damaged.0);
                    self.refuse(id, uid, None, reason)?;
                    continue;
                }
            };
            if let Some(reason) = self.is_too_large(ready.size) {
                self.refuse(id, uid, Some(ready.size), reason)?;
                continue;
            }
            if let Some((_, words)) = self.has_no_room(ready.size) {
                let reason = format!("no room on the target: {words}");
                let size = Some(ready.size);
                self.over_quota.push((id, Refused { uid, size, reason }));
                continue;
            }
            let more = bytes + ready.size + BESIDE;
            if !items.is_empty() && left.is_some_and(|left| more > left) {
                self.jobs[id].put_back(uid);
                break;
            }
            bytes = more;
            items.push(Item::new(ready));
        }
        Ok((!items.is_empty()).then_some(Batch { id, items }))
    }

    fn is_too_large(&self, size: u64) -> Option<String> {
        let limit = self.ways.limit.filter(|limit| size > *limit)?;
        Some(format!(
            "larger than the {limit} bytes that the server takes (APPENDLIMIT)"
        ))
    }

    fn has_no_room(&self, size: u64) -> Option<&(u64, String)> {
        let no_room = self.experience.no_room.as_ref();
        no_room.filter(|(refused, _)| size >= *refused)
    }

    fn is_careful(&self, id: JobId, uid: u32) -> bool {
        let careful = self.experience.careful.get(&id);
        careful.is_some_and(|careful| careful.contains(uid))
    }

    fn note_pending(&mut self, batch: &Batch) -> Result<()> {
        let route = self.jobs[batch.id].route();
        self.journal.pending(&route, &batch.uids());
        self.journal.commit()
    }

    /// These were refused, which is an answer, or not sent: the next run has nothing to wait for.
    fn note_settled(&mut self, batch: &Batch) {
        let route = self.jobs[batch.id].route();
        self.journal.settled(&route, &batch.uids());
    }

    /// Sends a batch, in one command where the server can, waiting while too much is unanswered.
    fn send(&mut self, lane: &mut Lane<'_, AppendStep>, batch: Batch) -> Result<()> {
        let id = batch.id;
        let alone = |item: &Item| !self.ways.multi || self.is_careful(id, item.uid());
        let mut parts = batch.parts(alone);
        let mut outcome = Ok(());
        while outcome.is_ok()
            && !self.stop.requested()
            && self.doubtful.is_empty()
            && let Some(part) = parts.pop_front()
        {
            // What was refused goes first, in another form: it may teach what the others are to leave out.
            outcome = self.make_room(lane, &part);
            if outcome.is_ok() {
                outcome = self.send_again(lane);
            }
            if outcome.is_ok() {
                outcome = self.make_room(lane, &part);
            }
            if outcome.is_ok() && self.doubtful.is_empty() {
                outcome = self.send_command(lane, part);
            } else {
                parts.push_front(part);
            }
        }
        if outcome.is_ok() && !self.stop.requested() {
            self.again.extend(parts);
            return Ok(());
        }
        for unsent in parts {
            self.note_settled(&unsent);
        }
        outcome
    }

    /// Takes answers until these messages may be sent, too.
    fn make_room(&mut self, lane: &mut Lane<'_, AppendStep>, batch: &Batch) -> Result<()> {
        let alone = batch
            .items
            .iter()
            .any(|item| self.ways.must_ask(item.size()) || self.is_careful(batch.id, item.uid()));
        let bytes = batch.bytes();
        while lane.outstanding() > 0
            && (alone || lane.outstanding() >= WINDOW || self.unanswered + bytes > WINDOW_BYTES)
        {
            self.receive(lane)?;
        }
        Ok(())
    }

    fn send_command(&mut self, lane: &mut Lane<'_, AppendStep>, batch: Batch) -> Result<()> {
        let (id, mut items) = (batch.id, batch.items);
        self.unanswered += items.iter().map(Item::size).sum::<u64>();
        let careful = items.iter().any(|item| self.is_careful(id, item.uid()));
        let flags: Vec<Option<String>> = items.iter().map(|item| self.flags(id, item)).collect();
        for (item, flags) in items.iter_mut().zip(&flags) {
            item.sent = flags.clone().unwrap_or_default();
        }
        let wire = self.jobs[id].place().name.wire();
        let arriving = self.progress.arriving();
        let sent = write(lane, self.ways, wire, id, &mut items, &flags, &arriving);
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

    fn send_again(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        while self.doubtful.is_empty()
            && let Some(batch) = self.again.pop_front()
        {
            if let Err(error) = self.make_room(lane, &batch) {
                self.again.push_front(batch);
                return Err(error);
            }
            if self.doubtful.is_empty() {
                self.send_command(lane, batch)?;
            } else {
                self.again.push_front(batch);
            }
        }
        Ok(())
    }

    /// Takes all answers that are still to come.
    fn hear(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        while lane.outstanding() > 0 {
            self.receive(lane)?;
        }
        Ok(())
    }
}

/// No mailbox is open while it is appended to: Courier refuses what is open read-only, GNU Mailutils loses messages.
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

/// Sends the messages in one command; the command's end, if the server refuses before it has them.
fn write(
    lane: &mut Lane<'_, AppendStep>,
    ways: AppendSupport,
    wire: &[u8],
    id: JobId,
    items: &mut [Item],
    flags: &[Option<String>],
    sent: &Arriving,
) -> Result<Option<crate::session::response::StatusResponse>> {
    let mut append = Append::begin(lane, ways, wire, AppendStep::Append(id, Vec::new()))?;
    for (item, flags) in items.iter_mut().zip(flags) {
        let (uid, size) = (item.uid(), item.size());
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
