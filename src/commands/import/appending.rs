//! Appends what is missing: batches go out ahead of their answers, refused ones are split until the culprit stands alone.

use std::collections::VecDeque;

use anyhow::{Context, Result, anyhow};
use tracing::{debug, info_span, warn};

use crate::archive::journal::{Done, Journal};
use crate::archive::uidset::UidSet;
use crate::message::DateSource;
use crate::progress::AccountProgress;
use crate::session::append::{Append, Outgoing, Ways, append_uids};
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal::{Meaning, meaning};
use crate::session::response::{Condition, Status};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::mailbox::{JobId, Jobs, Refused};
use crate::target::message::Ready;

/// Messages in one journal entry, and in one MULTIAPPEND.
const BATCH_MESSAGES: usize = 100;
/// Bytes after which a batch is sent.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Commands that may be unanswered.
const WINDOW: usize = 100;
/// Bytes that may be unanswered.
const WINDOW_BYTES: u64 = 16 * 1024 * 1024;

/// How a message is tried after the server refused it for its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Try {
    /// With all flags that the server says it keeps.
    Flags,
    /// Without keywords.
    NoKeywords,
    /// Without flags; they are stored afterwards.
    Bare,
}

struct Item {
    ready: Ready,
    how: Try,
}

enum Step {
    Append(JobId, Vec<Item>),
    /// SELECT before a STORE.
    Open,
    /// STORE of the flags that an APPEND could not have.
    Flags(JobId, u32),
}

/// One pass over the jobs on one connection.
pub struct Appender<'a> {
    pub jobs: &'a mut Jobs,
    pub journal: &'a mut Journal,
    pub settings: &'a Settings,
    pub stop: &'a Stop,
    pub progress: &'a mut AccountProgress,
    ways: Ways,
    /// Refused batches in their smaller parts.
    again: VecDeque<(JobId, Vec<Item>)>,
    unanswered: u64,
    /// Messages that the server has taken on this connection.
    pub committed: u64,
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
    ) -> Self {
        Self {
            jobs,
            journal,
            settings,
            stop,
            progress,
            ways: Ways::of(&channel.capabilities).paced(channel.pace.ahead()),
            again: VecDeque::new(),
            unanswered: 0,
            committed: 0,
        }
    }

    /// Appends everything.
    ///
    /// # Errors
    /// A [`SessionError`] in the chain says whether another connection may help; a refused message without `--ignore-errors`.
    pub fn run(&mut self, channel: &mut Channel) -> Result<()> {
        let mut lane: Lane<'_, Step> = Lane::new(channel);
        let outcome = self.send_all(&mut lane);
        if outcome
            .as_ref()
            .is_err_and(|error| error.downcast_ref::<SessionError>().is_none())
        {
            self.hear_out(&mut lane);
        }
        for (id, items) in std::mem::take(&mut self.again) {
            self.note_settled(id, &items);
        }
        // What was answered is worth knowing, whatever happened.
        self.journal.commit()?;
        outcome
    }

    /// The account ends here, but the server has taken what it was sent: notes what it still answers.
    fn hear_out(&mut self, lane: &mut Lane<'_, Step>) {
        while lane.outstanding() > 0 {
            let (step, status) = match lane.next(&mut NoBody) {
                Ok(Answer::Untagged(..)) => continue,
                Ok(Answer::Done(step, status)) => (step, status),
                Err(_) => return,
            };
            let Step::Append(id, items) = step else {
                continue;
            };
            if status.condition == Condition::Ok {
                if self.taken(id, items, &status, lane).is_err() {
                    return;
                }
            } else if !matches!(meaning(&status), Meaning::Wait(_)) {
                self.note_settled(id, &items);
            }
        }
    }

    fn send_all(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        for id in self.jobs.ids() {
            if self.jobs[id].has_failed() || self.jobs[id].todo().is_empty() {
                continue;
            }
            let span = info_span!("mailbox", mailbox = self.jobs[id].name());
            let _entered = span.enter();
            self.progress.mailbox(self.jobs[id].name());
            while let Some(batch) = self.next_batch(id)? {
                self.note_pending(id, &batch)?;
                self.send(lane, id, batch)?;
                self.send_again(lane)?;
                if self.stop.requested() {
                    self.drain(lane)?;
                    return Err(SessionError::stopped().into());
                }
            }
        }
        self.drain(lane)
    }

    /// Proves and gathers the next messages of a mailbox; `None` when there are no more.
    fn next_batch(&mut self, id: JobId) -> Result<Option<Vec<Item>>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let job = &mut self.jobs[id];
            let Some(uid) = job.pop() else {
                break;
            };
            let ready = match Ready::load(&job.here().dir, uid, self.settings.importing.repairs)? {
                Ok(ready) => ready,
                Err(damaged) => {
                    let reason = format!("the archive is damaged here: {}", damaged.0);
                    self.refuse(id, uid, None, reason)?;
                    continue;
                }
            };
            if let Some(limit) = self.ways.limit.filter(|limit| ready.size > *limit) {
                let reason =
                    format!("larger than the {limit} bytes that the server takes (APPENDLIMIT)");
                self.refuse(id, uid, Some(ready.size), reason)?;
                continue;
            }
            bytes += ready.size;
            batch.push(Item {
                ready,
                how: Try::Flags,
            });
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn note_pending(&mut self, id: JobId, batch: &[Item]) -> Result<()> {
        let route = self.jobs[id].route();
        self.journal.pending(&route, &uids_of(batch));
        self.journal.commit()
    }

    /// These were refused, which is an answer, or not sent: the next run has nothing to wait for.
    fn note_settled(&mut self, id: JobId, items: &[Item]) {
        let route = self.jobs[id].route();
        self.journal.settled(&route, &uids_of(items));
    }

    /// Sends a batch, in one command where the server can, waiting while too much is unanswered.
    fn send(&mut self, lane: &mut Lane<'_, Step>, id: JobId, batch: Vec<Item>) -> Result<()> {
        let mut parts: VecDeque<Vec<Item>> = if self.ways.multi {
            VecDeque::from([batch])
        } else {
            batch.into_iter().map(|item| vec![item]).collect()
        };
        let mut outcome = Ok(());
        while outcome.is_ok()
            && !self.stop.requested()
            && let Some(items) = parts.pop_front()
        {
            outcome = self.make_room(lane, &items);
            if outcome.is_ok() {
                outcome = self.send_command(lane, id, items);
            } else {
                parts.push_front(items);
            }
        }
        for unsent in parts {
            self.note_settled(id, &unsent);
        }
        outcome
    }

    /// Takes answers until these messages may be sent, too.
    fn make_room(&mut self, lane: &mut Lane<'_, Step>, items: &[Item]) -> Result<()> {
        let asks = items.iter().any(|item| self.ways.must_ask(item.ready.size));
        let bytes = bytes_of(items);
        while lane.outstanding() > 0
            && (asks || lane.outstanding() >= WINDOW || self.unanswered + bytes > WINDOW_BYTES)
        {
            self.receive(lane)?;
        }
        Ok(())
    }

    fn send_command(
        &mut self,
        lane: &mut Lane<'_, Step>,
        id: JobId,
        mut items: Vec<Item>,
    ) -> Result<()> {
        self.unanswered += bytes_of(&items);
        // The step travels with the command, but the bodies are needed to send it.
        let sizes_and_flags: Vec<(String, Option<String>)> = items
            .iter()
            .map(|item| self.flags_and_date(id, item))
            .collect();
        let wire = self.jobs[id].place().wire.clone();
        let mut append = Append::begin(lane, self.ways, &wire, Step::Append(id, Vec::new()))?;
        let mut refused = None;
        for (item, (flags, date)) in items.iter_mut().zip(&sizes_and_flags) {
            let size = item.ready.size;
            let uid = item.ready.uid;
            let mut body = item
                .ready
                .body()
                .with_context(|| format!("read uid {uid}"))?;
            refused = append.message(&mut Outgoing {
                flags,
                internaldate: date.as_deref(),
                size,
                body: &mut *body,
            })?;
            if refused.is_some() {
                break;
            }
        }
        if let Some((_, status)) = refused {
            return self.answered(id, items, &status, lane);
        }
        append.end()?;
        if let Some(Step::Append(_, held)) = lane.last_step() {
            *held = items;
        }
        Ok(())
    }

    fn flags_and_date(&self, id: JobId, item: &Item) -> (String, Option<String>) {
        let (flags, _) = self.jobs[id].keepable(&item.ready.flags);
        let flags = match item.how {
            Try::Flags => flags,
            Try::NoKeywords => {
                let system = flags.split(' ').filter(|flag| flag.starts_with('\\'));
                system.collect::<Vec<_>>().join(" ")
            }
            Try::Bare => String::new(),
        };
        (flags, item.ready.internaldate.0.clone())
    }

    fn send_again(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        while let Some((id, items)) = self.again.pop_front() {
            if let Err(error) = self.make_room(lane, &items) {
                self.again.push_front((id, items));
                return Err(error);
            }
            self.send_command(lane, id, items)?;
        }
        Ok(())
    }

    fn drain(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        loop {
            self.send_again(lane)?;
            if lane.outstanding() == 0 {
                return Ok(());
            }
            self.receive(lane)?;
        }
    }

    /// Takes the next tagged answer.
    fn receive(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        loop {
            let (step, status) = match lane.next(&mut NoBody)? {
                Answer::Untagged(..) => continue,
                Answer::Done(step, status) => (step, status),
            };
            return match step {
                Step::Append(id, items) => self.answered(id, items, &status, lane),
                Step::Open => Ok(()),
                Step::Flags(id, uid) => {
                    if status.condition != Condition::Ok {
                        warn!(uid, answer = status.said(), "the flags are lost");
                        self.jobs[id].told.flags_dropped += 1;
                    }
                    Ok(())
                }
            };
        }
    }

    fn answered(
        &mut self,
        id: JobId,
        mut items: Vec<Item>,
        status: &Status,
        lane: &mut Lane<'_, Step>,
    ) -> Result<()> {
        self.unanswered = self.unanswered.saturating_sub(bytes_of(&items));
        if status.condition == Condition::Ok {
            return self.taken(id, items, status, lane);
        }
        let said = status.said();
        match meaning(status) {
            Meaning::Wait(kind) => {
                let text = format!("APPEND: the server says {said}");
                return Err(SessionError::new(kind, text).into());
            }
            Meaning::Quota => {
                self.note_settled(id, &items);
                let job = &self.jobs[id];
                return Err(anyhow!(
                    "{}: the account on the target is full: {said}; give it more quota and run the import again",
                    job.name()
                ));
            }
            Meaning::Mailbox => {
                self.note_settled(id, &items);
                let job = &mut self.jobs[id];
                let text = format!("{}: the target takes no messages here: {said}", job.name());
                job.fail(text.clone());
                if self.settings.ignore_errors {
                    return Ok(());
                }
                return Err(anyhow!(text));
            }
            Meaning::Message | Meaning::Flags => {}
        }
        if items.len() > 1 {
            debug!(
                count = items.len(),
                answer = said,
                "a batch is refused, splitting it"
            );
            let second = items.split_off(items.len() / 2);
            self.again.push_front((id, second));
            self.again.push_front((id, items));
            return Ok(());
        }
        let Some(mut item) = items.pop() else {
            return Ok(());
        };
        let has_flags = !self.flags_and_date(id, &item).0.is_empty();
        if meaning(status) == Meaning::Flags && has_flags {
            item.how = if item.how == Try::Flags {
                Try::NoKeywords
            } else {
                Try::Bare
            };
            self.again.push_front((id, vec![item]));
            return Ok(());
        }
        let (uid, size) = (item.ready.uid, item.ready.size);
        self.note_settled(id, &[item]);
        self.refuse(id, uid, Some(size), said)
    }

    /// The server has the messages.
    fn taken(
        &mut self,
        id: JobId,
        items: Vec<Item>,
        status: &Status,
        lane: &mut Lane<'_, Step>,
    ) -> Result<()> {
        let to = append_uids(status).filter(|(_, uids)| uids.len() == items.len());
        let route = self.jobs[id].route();
        let known = route.to_uidvalidity;
        let same_mailbox = to
            .as_ref()
            .is_none_or(|(uidvalidity, _)| known == 0 || *uidvalidity == known);
        if !same_mailbox {
            let text = "UIDVALIDITY of the target's mailbox changed while messages were appended";
            return Err(SessionError::new(Kind::Transient, text).into());
        }
        let to_uids = to.map(|(_, uids)| uids).unwrap_or_default();
        for (at, item) in items.into_iter().enumerate() {
            let to_uid = to_uids.get(at).copied();
            let (sent, _) = self.flags_and_date(id, &item);
            let job = &mut self.jobs[id];
            let uid = item.ready.uid;
            let (wanted, dropped) = job.keepable(&item.ready.flags);
            job.appended(uid);
            job.told.bytes += item.ready.size;
            job.told.mended += u64::from(item.ready.mending.any());
            match item.ready.internaldate.1 {
                DateSource::Server => {}
                DateSource::DateHeader | DateSource::Received => job.told.dates_from_headers += 1,
                DateSource::None => job.told.undated += 1,
            }
            self.committed += 1;
            self.progress.message(item.ready.size);
            self.journal.done(
                &route,
                &Done {
                    uid,
                    sha256: Some(item.ready.sha256.clone()),
                    to_uid,
                },
            );
            if item.ready.mending.any() {
                warn!(uid, mended = ?item.ready.mending, "the message was mended on its way");
            }
            match to_uid.filter(|_| item.how == Try::Bare && sent != wanted) {
                Some(to_uid) => self.store_flags(lane, id, to_uid, &wanted)?,
                None => job.told.flags_dropped += u64::from(dropped || sent != wanted),
            }
        }
        Ok(())
    }

    /// Some servers refuse in APPEND what they take in STORE.
    fn store_flags(
        &mut self,
        lane: &mut Lane<'_, Step>,
        id: JobId,
        to_uid: u32,
        flags: &str,
    ) -> Result<()> {
        let select =
            Command::new("SELECT").mailbox(&self.jobs[id].place().wire, lane.capabilities())?;
        let store = Command::new(format!("UID STORE {to_uid} +FLAGS.SILENT ({flags})"));
        lane.send(&select, Step::Open, Order::Loose)?;
        lane.send(&store, Step::Flags(id, to_uid), Order::Loose)?;
        Ok(())
    }

    /// Records a message that is not on the target; by default that ends the account.
    fn refuse(&mut self, id: JobId, uid: u32, size: Option<u64>, reason: String) -> Result<()> {
        let job = &mut self.jobs[id];
        warn!(uid, reason, "the message is not imported");
        let text = format!(
            "{}: uid {uid} is not imported: {reason}; with --ignore-errors the others go on",
            job.name()
        );
        job.refuse(Refused { uid, size, reason });
        if self.settings.ignore_errors {
            return Ok(());
        }
        Err(anyhow!(text))
    }
}

fn uids_of(items: &[Item]) -> UidSet {
    items.iter().map(|item| item.ready.uid).collect()
}

fn bytes_of(items: &[Item]) -> u64 {
    items.iter().map(|item| item.ready.size).sum()
}
