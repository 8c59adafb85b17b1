//! Drives the session over the jobs of one account: EXAMINE, inventory and FETCH sent ahead, answers taken in order.
//!
//! Latency is paid once per account and not once per mailbox. The selected mailbox is what the last
//! EXAMINE that was *sent* says; answers belong to the oldest command that is not answered.

mod messages;
mod survey;

use std::collections::VecDeque;

use anyhow::{Error, Result};
use tracing::{info_span, warn};

use super::job::{Chunk, Freeze, Job, Phase, Unfetched};
use super::store::Store;
use crate::archive::uidset::UidSet;
use crate::progress::AccountProgress;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch::{self, Assembler};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{NoBody, Response};
use crate::session::refusal;
use crate::session::response::{self, Condition, Status};
use crate::stop::Stop;

/// Commands sent ahead of their answers. They are short: all fit the socket's buffer, so writing never waits for reading.
const WINDOW: usize = 16;
/// Deaths of the connection on one message before it is given up.
const MAX_DEATHS: u32 = 3;

enum Step {
    Examine(usize),
    Inventory(usize),
    /// SEARCH ALL, after an inventory that names fewer messages than EXAMINE counted.
    Search(usize),
    Fetch(usize, Chunk),
    /// Is a message that did not come still there?
    Probe(usize, u32, String),
}

impl Step {
    fn job(&self) -> usize {
        match self {
            Step::Examine(job)
            | Step::Inventory(job)
            | Step::Search(job)
            | Step::Fetch(job, _)
            | Step::Probe(job, ..) => *job,
        }
    }
}

/// What the answers to one EXAMINE said so far.
#[derive(Default)]
struct Selected {
    freeze: Freeze,
    exists: Option<u64>,
}

/// One pass over the jobs on one connection.
pub struct Copy<'a> {
    jobs: &'a mut [Job],
    /// `None` in a dry run: nothing is written.
    store: Option<&'a mut Store>,
    stop: &'a Stop,
    progress: &'a mut AccountProgress,
    selected: Selected,
    assembler: Assembler,
    /// Jobs whose next command is to be sent, in order.
    queue: VecDeque<usize>,
    /// The mailbox of the last EXAMINE sent.
    sent_examine: Option<usize>,
    /// Messages committed on this connection.
    committed: u64,
}

impl<'a> Copy<'a> {
    /// A pass over the jobs that are not done.
    pub fn new(
        jobs: &'a mut [Job],
        store: Option<&'a mut Store>,
        stop: &'a Stop,
        progress: &'a mut AccountProgress,
    ) -> Self {
        let queue = jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| matches!(job.phase, Phase::Direct | Phase::Survey | Phase::Fetch))
            .map(|(index, _)| index)
            .collect();
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
            let Some(front) = lane.steps().next() else {
                return Ok(());
            };
            let body_for = match front {
                Step::Fetch(job, _) if !self.jobs[*job].mute => Some(*job),
                _ => None,
            };
            let answer = match self.store.as_deref_mut() {
                Some(store) => {
                    store.expect(body_for);
                    lane.next(store)
                }
                None => lane.next(&mut NoBody),
            };
            let step = match answer {
                Ok(Answer::Untagged(step, response)) => {
                    let error = self.take(step, response).err();
                    match error {
                        None => continue,
                        Some(error) => {
                            self.suspect(&lane);
                            return Err(error);
                        }
                    }
                }
                Ok(Answer::Done(step, status)) => (step, status),
                Err(error) => {
                    self.suspect(&lane);
                    return Err(error.into());
                }
            };
            self.done(&mut lane, step.0, &step.1)?;
        }
    }

    /// Fills the window.
    fn send_ahead(&mut self, lane: &mut Lane<'_, Step>) -> Result<()> {
        while lane.outstanding() < WINDOW {
            let Some(&index) = self.queue.front() else {
                break;
            };
            let job = &mut self.jobs[index];
            match job.phase {
                Phase::Survey => {
                    let nothing_here = job.present.is_empty() && self.store.is_some();
                    self.queue.pop_front();
                    self.sent_examine = None;
                    if !self.examine(lane, index)? {
                        continue;
                    }
                    let inventory = if nothing_here {
                        fetch::uids("1:*")
                    } else {
                        fetch::inventory("1:*")
                    };
                    self.send(lane, &inventory, Step::Inventory(index), Order::Loose)?;
                }
                Phase::Direct | Phase::Fetch => {
                    let Some(chunk) = job.unsent.pop_front() else {
                        self.queue.pop_front();
                        continue;
                    };
                    if !self.examine(lane, index)? {
                        continue;
                    }
                    let command = fetch::messages(&chunk.set);
                    self.send(lane, &command, Step::Fetch(index, chunk), Order::Loose)?;
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
        step: Step,
        order: Order,
    ) -> Result<()> {
        self.jobs[step.job()].in_flight += 1;
        Ok(lane.send(command, step, order)?)
    }

    /// Selects the mailbox, read-only, unless it was the last one selected; false when its name cannot be sent.
    fn examine(&mut self, lane: &mut Lane<'_, Step>, index: usize) -> Result<bool> {
        if self.sent_examine == Some(index) {
            return Ok(true);
        }
        let name = &self.jobs[index].mailbox.listed.name;
        let command = Command::new("EXAMINE").mailbox(name, lane.capabilities());
        match command {
            Ok(command) => {
                self.sent_examine = Some(index);
                self.send(lane, &command, Step::Examine(index), Order::Strict)?;
                Ok(true)
            }
            Err(error) => {
                self.fail(index, &error.to_string());
                Ok(false)
            }
        }
    }

    fn fail(&mut self, index: usize, reason: &str) {
        let job = &mut self.jobs[index];
        warn!(mailbox = job.name, reason, "the mailbox cannot be read");
        job.phase = Phase::Failed;
        job.mute = true;
        job.unsent.clear();
        job.note = Some(reason.to_owned());
    }

    /// An untagged response.
    fn take(&mut self, step: &Step, response: &Response) -> Result<()> {
        let index = step.job();
        let span = info_span!("mailbox", mailbox = self.jobs[index].name);
        let _entered = span.enter();
        if response::parse_expunge(response).is_some() {
            let job = &mut self.jobs[index];
            job.exists = job.exists.saturating_sub(1);
        }
        match step {
            Step::Examine(_) => {
                self.selected.take(response);
                Ok(())
            }
            _ if self.jobs[index].mute => Ok(()),
            Step::Inventory(_) => self.take_inventory(index, response),
            Step::Search(_) => {
                self.take_search(index, response);
                Ok(())
            }
            Step::Fetch(_, chunk) => self.take_message(index, chunk, response),
            Step::Probe(_, uid, _) => {
                if let Some(Ok(data)) = response::parse_fetch(response)
                    && data.uid == Some(*uid)
                {
                    self.jobs[index].unfetched.push(Unfetched {
                        uid: *uid,
                        size: data.size,
                        reason: String::new(),
                    });
                }
                Ok(())
            }
        }
    }

    /// The tagged end of a command.
    fn done(&mut self, lane: &mut Lane<'_, Step>, step: Step, status: &Status) -> Result<()> {
        let index = step.job();
        self.jobs[index].in_flight -= 1;
        let span = info_span!("mailbox", mailbox = self.jobs[index].name);
        let _entered = span.enter();
        if status.condition != Condition::Ok {
            check_throttle(status)?;
        }
        match step {
            Step::Examine(_) => self.examined(index, status)?,
            _ if self.jobs[index].mute => {}
            Step::Inventory(_) => self.surveyed(lane, index, status)?,
            Step::Search(_) => self.searched(index, status)?,
            Step::Fetch(_, chunk) => self.fetched(lane, index, &chunk, status)?,
            Step::Probe(_, uid, reason) => self.probed(index, uid, reason),
        }
        self.settle(index);
        Ok(())
    }

    fn examined(&mut self, index: usize, status: &Status) -> Result<()> {
        let selected = std::mem::take(&mut self.selected);
        if self.jobs[index].phase == Phase::Failed {
            return Ok(());
        }
        if status.condition != Condition::Ok {
            let text = format!("EXAMINE is refused: {}", status.said());
            match refusal::kind(status, Kind::Refused) {
                Kind::Transient => return Err(SessionError::new(Kind::Transient, text).into()),
                _ => self.fail(index, &text),
            }
            return Ok(());
        }
        let job = &mut self.jobs[index];
        self.progress.mailbox(&job.name);
        job.exists = selected.exists.unwrap_or(0);
        let frozen = job.phase != Phase::Survey;
        if frozen && job.freeze.uidvalidity != selected.freeze.uidvalidity {
            warn!(
                before = job.freeze.uidvalidity,
                now = selected.freeze.uidvalidity,
                "UIDVALIDITY changed while the account was being read"
            );
            job.mute = true;
            job.unsent.clear();
            return Ok(());
        }
        if !frozen {
            job.freeze = selected.freeze.completed_by(&job.freeze, job.exists);
        }
        match self.store.as_deref_mut() {
            Some(store) => store.open(index, &mut self.jobs[index])?,
            None if job.archived_uidvalidity != Some(job.freeze.uidvalidity) => {
                job.present = UidSet::new();
            }
            None => {}
        }
        Ok(())
    }

    /// When nothing of a job is on its way any more, it is done, or begins anew.
    fn settle(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        if job.in_flight > 0 || !job.unsent.is_empty() {
            return;
        }
        if job.mute && job.phase != Phase::Failed {
            job.mute = false;
            job.survey_again();
            self.sent_examine = None;
            self.queue.push_back(index);
        } else if matches!(job.phase, Phase::Direct | Phase::Fetch) {
            job.phase = Phase::Done;
        }
    }

    /// The connection died: remembers on which message, so that it cannot hold up the others for ever.
    fn suspect(&mut self, lane: &Lane<'_, Step>) {
        let torn = lane.torn();
        let Some(Step::Fetch(index, chunk)) = lane.steps().next() else {
            return;
        };
        let job = &mut self.jobs[*index];
        if torn.bodies == 0 && !chunk.alone {
            return;
        }
        let alone = chunk.uids.iter().next().filter(|_| chunk.alone);
        let Some(uid) = alone.or_else(|| messages::uid_hint(torn)) else {
            job.one_by_one = job.phase == Phase::Fetch;
            return;
        };
        if !job.asked_for(uid) {
            return;
        }
        let deaths = job.deaths.entry(uid).or_insert(0);
        *deaths += 1;
        if *deaths >= MAX_DEATHS {
            let reason = job.reasons.remove(&uid).unwrap_or_else(|| {
                format!("the connection broke {MAX_DEATHS} times in the middle of this message")
            });
            warn!(uid, reason, "the message is given up");
            job.unfetched.push(Unfetched {
                uid,
                size: None,
                reason,
            });
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
