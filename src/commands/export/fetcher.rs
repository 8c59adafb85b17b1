//! Drives the session over the jobs of one account: EXAMINE, inventory and FETCH sent ahead, answers taken in order.
//!
//! Latency is paid once per account and not once per mailbox. The selected mailbox is what the last
//! EXAMINE that was *sent* says; answers belong to the oldest command that is not answered.

mod messages;
mod survey;

use std::collections::VecDeque;

use anyhow::{Error, Result};
use tracing::{info_span, warn};

use super::body::Body;
use super::job::{Chunk, Freeze, JobId, Jobs, Phase};
use super::store::Store;
use crate::archive::mailbox::MailboxDir;
use crate::progress::AccountProgress;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch::{self, Assembler};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{self, Condition, Status};
use crate::stop::Stop;

/// Commands sent ahead of their answers. They are short: all fit the socket's buffer, so writing never waits for reading.
const WINDOW: usize = 16;

/// A command that was sent, and where a body in its answer goes.
struct Step {
    job: JobId,
    asked: Asked,
    body: Body,
}

enum Asked {
    Examine,
    Inventory,
    /// SEARCH ALL, after an inventory that names fewer messages than EXAMINE counted, or was refused with these words.
    Search(Option<String>),
    Fetch(Chunk),
    /// A second inventory, for messages that did not come.
    Recheck,
    /// Is a message that did not come still there?
    Probe(u32, String),
}

/// What the answers to one EXAMINE said so far.
#[derive(Default)]
struct Selected {
    freeze: Freeze,
    exists: Option<u64>,
}

/// One pass over the jobs on one connection.
pub struct Fetcher<'a> {
    jobs: &'a mut Jobs,
    /// `None` in a dry run: nothing is written.
    store: Option<&'a mut Store>,
    stop: &'a Stop,
    progress: &'a mut AccountProgress,
    selected: Selected,
    assembler: Assembler,
    /// Jobs whose next command is to be sent, in order.
    queue: VecDeque<JobId>,
    /// The mailbox of the last EXAMINE sent.
    sent_examine: Option<JobId>,
    /// Messages committed on this connection.
    committed: u64,
    /// The message that the probe under way has found, with its size.
    probed: Option<(u32, Option<u64>)>,
}

impl<'a> Fetcher<'a> {
    /// A pass over the jobs that are not done.
    pub fn new(
        jobs: &'a mut Jobs,
        store: Option<&'a mut Store>,
        stop: &'a Stop,
        progress: &'a mut AccountProgress,
    ) -> Self {
        let queue = jobs.open().collect();
        Self {
            jobs,
            store,
            stop,
            progress,
            selected: Selected::default(),
            assembler: Assembler::default(),
            queue,
            sent_examine: None,
            committed: 0,
            probed: None,
        }
    }

    /// Messages committed so far: progress, whatever happens next.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Works until nothing is left to do.
    ///
    /// # Errors
    /// A [`SessionError`] in the chain says whether another connection may help; others are the archive's.
    pub fn run(&mut self, channel: &mut Channel) -> Result<()> {
        let mut lane = Lane::new(channel);
        loop {
            self.send_ahead(&mut lane)?;
            if lane.outstanding() == 0 {
                return Ok(());
            }
            let answer = lane.next_into(|step| {
                step.body
                    .goes_to(place_of(step, self.jobs, self.store.as_deref()));
                &mut step.body
            });
            match answer {
                Ok(Answer::Untagged(step, response)) => {
                    if let Err(error) = self.take(step, response) {
                        self.suspect(&lane);
                        return Err(error);
                    }
                }
                Ok(Answer::Done(step, status)) => self.done(&mut lane, step, &status)?,
                Err(error) => {
                    self.suspect(&lane);
                    return Err(error.into());
                }
            }
        }
    }

    /// Fills the window.
    fn send_ahead(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        while lane.outstanding() < WINDOW {
            let Some(&id) = self.queue.front() else {
                break;
            };
            let job = &mut self.jobs[id];
            match job.phase() {
                Phase::Look => {
                    self.queue.pop_front();
                    self.examine(lane, id)?;
                }
                Phase::Recheck => {
                    self.queue.pop_front();
                    // What is deleted is named no more by a view that begins now.
                    self.sent_examine = None;
                    if self.examine(lane, id)? {
                        self.send(lane, &fetch::uids("1:*"), id, Asked::Recheck, Order::Loose)?;
                    }
                }
                Phase::Survey => {
                    let nothing_here = job.has_nothing_here() && self.store.is_some();
                    self.queue.pop_front();
                    self.sent_examine = None;
                    if !self.examine(lane, id)? {
                        continue;
                    }
                    let inventory = if nothing_here {
                        fetch::uids("1:*")
                    } else {
                        fetch::inventory("1:*")
                    };
                    self.send(lane, &inventory, id, Asked::Inventory, Order::Loose)?;
                }
                Phase::Direct | Phase::Fetch => {
                    let Some(chunk) = job.next_chunk() else {
                        self.queue.pop_front();
                        continue;
                    };
                    if !self.examine(lane, id)? {
                        continue;
                    }
                    let command = fetch::messages(&chunk.set);
                    self.send(lane, &command, id, Asked::Fetch(chunk), Order::Loose)?;
                }
                Phase::Unchanged | Phase::Done | Phase::Failed => {
                    self.queue.pop_front();
                }
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        lane: &mut Lane<'_, Step>,
        command: &Command,
        job: JobId,
        asked: Asked,
        order: Order,
    ) -> Result<()> {
        self.jobs[job].sent();
        let body = Body::default();
        let step = Step { job, asked, body };
        Ok(lane.send(command, step, order)?)
    }

    /// Selects the mailbox, read-only, unless it was the last one selected; false when its name cannot be sent.
    fn examine(&mut self, lane: &mut Lane<'_, Step>, id: JobId) -> Result<bool> {
        if self.sent_examine == Some(id) {
            return Ok(true);
        }
        let name = self.jobs[id].listed_name().wire();
        let command = Command::new("EXAMINE").mailbox(name, lane.capabilities());
        match command {
            Ok(command) => {
                self.sent_examine = Some(id);
                self.send(lane, &command, id, Asked::Examine, Order::Strict)?;
                Ok(true)
            }
            Err(error) => {
                self.fail(id, &error.to_string());
                Ok(false)
            }
        }
    }

    fn fail(&mut self, id: JobId, reason: &str) {
        let job = &mut self.jobs[id];
        warn!(mailbox = job.name(), reason, "the mailbox cannot be read");
        job.fail(reason);
    }

    /// An untagged response.
    fn take(&mut self, step: &mut Step, response: &Response) -> Result<()> {
        let id = step.job;
        let span = info_span!("mailbox", mailbox = self.jobs[id].name());
        let _entered = span.enter();
        if response::parse_expunge(response).is_some() {
            self.jobs[id].expunged();
        }
        match &step.asked {
            Asked::Examine => {
                self.selected.take(response);
                Ok(())
            }
            _ if self.jobs[id].is_distrusted() => Ok(()),
            Asked::Inventory => self.take_inventory(id, response),
            Asked::Search(_) => {
                self.take_search(id, response);
                Ok(())
            }
            Asked::Fetch(chunk) => self.take_message(id, chunk, &mut step.body, response),
            Asked::Recheck => {
                if let Some(Ok(data)) = response::parse_fetch(response)
                    && let Some(uid) = data.uid
                {
                    self.jobs[id].saw_again(uid);
                }
                Ok(())
            }
            Asked::Probe(uid, _) => {
                if let Some(Ok(data)) = response::parse_fetch(response)
                    && data.uid == Some(*uid)
                {
                    self.probed = Some((*uid, data.size));
                }
                Ok(())
            }
        }
    }

    /// The tagged end of a command.
    fn done(&mut self, lane: &mut Lane<'_, Step>, step: Step, status: &Status) -> Result<()> {
        let id = step.job;
        self.jobs[id].answered();
        let span = info_span!("mailbox", mailbox = self.jobs[id].name());
        let _entered = span.enter();
        if status.condition != Condition::Ok {
            check_throttle(status)?;
        }
        match step.asked {
            Asked::Examine => self.examined(id, status)?,
            _ if self.jobs[id].is_distrusted() => {}
            Asked::Inventory => self.surveyed(lane, id, status)?,
            Asked::Search(refusal) => self.searched(id, refusal, status)?,
            Asked::Fetch(chunk) => self.fetched(lane, id, &chunk, step.body, status)?,
            Asked::Probe(uid, reason) => self.probed(id, uid, reason, status),
            Asked::Recheck => self.jobs[id].rechecked(status.condition == Condition::Ok),
        }
        self.settle(id);
        Ok(())
    }

    fn examined(&mut self, id: JobId, status: &Status) -> Result<()> {
        let selected = std::mem::take(&mut self.selected);
        if self.jobs[id].phase() == Phase::Failed {
            return Ok(());
        }
        if status.condition != Condition::Ok {
            let text = format!("EXAMINE is refused: {}", status.said());
            match refusal::kind(status, Kind::Refused) {
                Kind::Transient => return Err(SessionError::new(Kind::Transient, text).into()),
                _ => self.fail(id, &text),
            }
            return Ok(());
        }
        let job = &mut self.jobs[id];
        self.progress.mailbox(job.name());
        let before = job.freeze().uidvalidity;
        if !job.selected(selected.freeze, selected.exists.unwrap_or(0)) {
            warn!(
                before,
                now = selected.freeze.uidvalidity,
                "UIDVALIDITY changed while the account was being read"
            );
            return Ok(());
        }
        match self.store.as_deref_mut() {
            Some(store) => store.open(id, job)?,
            None if job.is_of_another_uidvalidity() => job.begins_anew(),
            None => {}
        }
        if job.phase() == Phase::Look {
            job.looked();
            if job.phase() == Phase::Survey {
                self.queue.push_front(id);
            }
        }
        Ok(())
    }

    /// When nothing of a job is on its way any more, it is done, or begins anew.
    fn settle(&mut self, id: JobId) {
        if self.jobs[id].settle() {
            self.queue.push_back(id);
        }
    }

    /// The connection died: remembers on which message, so that it cannot hold up the others for ever.
    fn suspect(&mut self, lane: &Lane<'_, Step>) {
        let torn = lane.torn();
        let Some(step) = lane.steps().next() else {
            return;
        };
        let Asked::Fetch(chunk) = &step.asked else {
            return;
        };
        let job = &mut self.jobs[step.job];
        if torn.bodies == 0 && chunk.lone().is_none() {
            return;
        }
        let Some(uid) = chunk.lone().or_else(|| messages::uid_hint(torn)) else {
            job.suspect_any();
            return;
        };
        if let Some(reason) = job.suspect(uid) {
            warn!(uid, reason, "the message is given up");
        }
    }
}

impl Selected {
    fn take(&mut self, response: &Response) {
        if let Some(count) = response::parse_exists(response) {
            self.exists = Some(count);
        }
        let response::Line::Untagged(status) = response::classify(response) else {
            return;
        };
        let number = |name: &str| -> Option<u64> {
            let argument = status.code_argument(name)?;
            argument.parse().ok()
        };
        let uid = |name: &str| number(name).and_then(|n| u32::try_from(n).ok());
        if let Some(uidvalidity) = uid("UIDVALIDITY") {
            self.freeze.uidvalidity = uidvalidity;
        }
        if let Some(uidnext) = uid("UIDNEXT") {
            self.freeze.uidnext = uidnext;
        }
        if let Some(modseq) = number("HIGHESTMODSEQ") {
            self.freeze.highestmodseq = Some(modseq).filter(|modseq| *modseq > 0);
        }
    }
}

/// The directory for the bodies that a step brings, unless they are to be passed over.
fn place_of<'a>(step: &Step, jobs: &Jobs, store: Option<&'a Store>) -> Option<&'a MailboxDir> {
    let wanted = matches!(step.asked, Asked::Fetch(_)) && !jobs[step.job].is_distrusted();
    store.filter(|_| wanted)?.place(step.job)
}

/// A refusal that is about us and not about the mailbox or message: wait, then go on.
fn check_throttle(status: &Status) -> Result<(), Error> {
    match refusal::kind(status, Kind::Refused) {
        kind @ (Kind::Throttled(_) | Kind::Busy) => {
            let text = format!("the server says {}", status.said());
            Err(SessionError::new(kind, text).into())
        }
        _ => Ok(()),
    }
}
