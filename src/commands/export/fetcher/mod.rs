//! Drives the session over the jobs of one account: EXAMINE, inventory and FETCH sent ahead, answers taken in order.
//!
//! Latency is paid once per account and not once per mailbox. The selected mailbox is what the last
//! EXAMINE that was *sent* says; answers belong to the oldest command that is not answered.

mod allowance;
mod blame;
mod messages;
mod survey;
mod trial;

use std::collections::VecDeque;

use anyhow::Result;
use tracing::{info_span, warn};

use super::body::ArrivingBody;
use super::job::{Chunk, JobId, JobPhase, Jobs, SizeAndDate};
use super::store::Store;
use crate::archive::mailbox::MailboxDir;
use crate::progress::AccountProgress;
use crate::session::blame::{Blame, Owner};
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Ending, Kind, SessionError};
use crate::session::fetch::{self, Assembler};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{self, Condition, StatusResponse};
use crate::session::select::{self, Selected};
use crate::stop::Stop;

/// Commands sent ahead of their answers: enough for hundreds of mailboxes in one round trip.
const WINDOW: usize = 512;
/// Their bytes: all fit the server's socket buffer (64 KiB where they are smallest, TLS records included), so that
/// writing never waits for reading.
const WINDOW_BYTES: usize = 24 * 1024;

/// A command that was sent, and where a body in its answer goes.
struct FetchStep {
    job: JobId,
    asked: Request,
    /// Length of the command.
    bytes: usize,
    /// Bytes that it may bring, where a day's budget is kept to.
    weight: u64,
    body: ArrivingBody,
}

enum Request {
    Examine,
    /// What the mailbox holds, or a part of it; with these words a part was refused before.
    Inventory(Option<StatusResponse>),
    /// SEARCH ALL, after an inventory that names fewer messages than EXAMINE counted, or was refused with these words.
    Search(Option<StatusResponse>),
    Fetch(Chunk),
    /// A second inventory, for messages that did not come.
    Recheck,
    /// Is a message that did not come still there?
    Probe(u32, String),
    /// Sender and subject of a message that is there and does not come.
    Envelope(u32),
    /// STATUS once more, as it counted more than EXAMINE.
    Recount,
}

/// Whether the header of a message that does not come is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskEnvelope {
    /// After the message is on record.
    Once,
    /// A connection has ended at one.
    Never,
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
    /// Bytes of the commands that are not answered.
    unanswered: usize,
    /// What they may bring, where a day's budget is kept to.
    due: u64,
    /// What the FETCH that is sent next may bring.
    weighed: u64,
    /// The mailbox of the last EXAMINE sent.
    sent_examine: Option<JobId>,
    /// What has failed, on this connection and earlier ones.
    blame: &'a mut Blame<Owner<JobId>>,
    /// The job that nothing else may be in flight with.
    alone: Option<JobId>,
    /// Why a mailbox is left for another connection.
    postponed: Option<String>,
    /// Messages committed, mailboxes done with, objects passed over.
    progress_made: u64,
    /// The pass has ended with a response that could not be read, and that is put down to its owner.
    misread: bool,
    /// Commands sent ahead of their answers.
    window: usize,
    envelopes: AskEnvelope,
    /// The message that came last and was far shorter than announced.
    doubted: Option<u32>,
    /// The message that the probe under way has found, and what that says of it.
    probed: Option<(u32, SizeAndDate)>,
}

impl<'a> Fetcher<'a> {
    /// A pass over the jobs that are not done.
    pub fn new(
        jobs: &'a mut Jobs,
        store: Option<&'a mut Store>,
        stop: &'a Stop,
        progress: &'a mut AccountProgress,
        blame: &'a mut Blame<Owner<JobId>>,
        suspects_first: bool,
    ) -> Self {
        let mut queue: Vec<JobId> = jobs.open().collect();
        let ends = |id: &JobId| i64::from(blame.ends_in(*id));
        queue.sort_by_key(|id| if suspects_first { -ends(id) } else { ends(id) });
        Self {
            jobs,
            store,
            stop,
            progress,
            selected: Selected::default(),
            assembler: Assembler::default(),
            queue: queue.into(),
            unanswered: 0,
            due: 0,
            weighed: 0,
            sent_examine: None,
            blame,
            alone: None,
            postponed: None,
            progress_made: 0,
            misread: false,
            window: WINDOW,
            envelopes: AskEnvelope::Once,
            doubted: None,
            probed: None,
        }
    }

    /// True when something was finished, whatever happens next.
    #[must_use]
    pub fn has_made_progress(&self) -> bool {
        self.progress_made > 0
    }

    /// True when an unreadable response ended the pass: the connection may still be usable.
    #[must_use]
    pub fn has_misread(&self) -> bool {
        self.misread
    }

    /// Little is sent ahead: all of it is lost at a response that cannot be read.
    pub fn go_carefully(&mut self) {
        self.window = 2;
    }

    /// Goes on as an earlier pass ended.
    pub fn ask_envelopes(&mut self, envelopes: AskEnvelope) {
        self.envelopes = envelopes;
    }

    /// Whether a further pass may ask.
    #[must_use]
    pub fn asks_envelopes(&self) -> AskEnvelope {
        self.envelopes
    }

    /// Works until nothing is left to do.
    ///
    /// # Errors
    /// A [`SessionError`] in the chain says whether another connection may help; others are the archive's.
    pub fn run(&mut self, channel: &mut Channel) -> Result<()> {
        let mut lane = Lane::new(channel);
        let mut unsent = None;
        loop {
            if unsent.is_none() {
                unsent = self.send_ahead(&mut lane).err();
            }
            // What the server says before it closes is read: it tells what the connection died of.
            if let Some(error) = unsent.take_if(|error| {
                lane.outstanding() == 0 || error.downcast_ref::<SessionError>().is_none()
            }) {
                return Err(error);
            }
            if lane.outstanding() == 0 {
                return match self.postponed.take() {
                    Some(reason) => Err(SessionError::new(Kind::Transient, reason).into()),
                    None => Ok(()),
                };
            }
            let answer = lane.next_into(|step| {
                step.body
                    .goes_to(place_of(step, self.jobs, self.store.as_deref()));
                &mut step.body
            });
            match answer {
                Ok(Answer::Untagged(step, response)) => {
                    if let Err(error) = self.take(step, response) {
                        self.put_down(&lane, error.downcast_ref());
                        return Err(error);
                    }
                }
                Ok(Answer::Done(step, status)) => self.done(&mut lane, step, &status)?,
                Err(error) => {
                    let mixed_up =
                        error.kind == Kind::Desync && error.ending == Some(Ending::SentAhead);
                    if !mixed_up {
                        self.put_down(&lane, Some(&error));
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Fills the window.
    fn send_ahead(&mut self, lane: &mut Lane<'_, FetchStep>) -> Result<()> {
        while lane.outstanding() < self.window && self.unanswered < WINDOW_BYTES {
            let Some(&id) = self.queue.front() else {
                break;
            };
            if !self.may_send(lane, id) {
                break;
            }
            let job = &mut self.jobs[id];
            match job.phase() {
                JobPhase::Look => {
                    self.queue.pop_front();
                    self.examine(lane, id)?;
                }
                JobPhase::Recheck => {
                    self.queue.pop_front();
                    // What is deleted is named no more by a view that begins now.
                    self.sent_examine = None;
                    if self.examine(lane, id)? {
                        self.send(
                            lane,
                            &fetch::flags("1:*"),
                            id,
                            Request::Recheck,
                            Order::Loose,
                        )?;
                    }
                }
                JobPhase::Survey => {
                    let weighs = self.weigh(lane, id);
                    self.queue.pop_front();
                    self.sent_examine = None;
                    if !self.examine(lane, id)? {
                        continue;
                    }
                    self.ask_inventory(lane, id, "1:*", weighs, None)?;
                }
                JobPhase::Direct if self.is_too_much_at_once(lane, id) => {
                    self.jobs[id].survey_first();
                }
                JobPhase::Direct | JobPhase::Fetch => {
                    if !self.fits_budget(lane, id)? {
                        break;
                    }
                    let job = &mut self.jobs[id];
                    let Some(chunk) = job.next_chunk() else {
                        self.queue.pop_front();
                        continue;
                    };
                    if !self.examine(lane, id)? {
                        continue;
                    }
                    let command = fetch::messages(&chunk.set);
                    self.send(lane, &command, id, Request::Fetch(chunk), Order::Loose)?;
                }
                JobPhase::Unchanged | JobPhase::Done | JobPhase::Failed => {
                    self.queue.pop_front();
                }
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        command: &Command,
        job: JobId,
        asked: Request,
        order: Order,
    ) -> Result<()> {
        let weight = match &asked {
            Request::Fetch(_) => std::mem::take(&mut self.weighed),
            _ => 0,
        };
        self.due += weight;
        self.jobs[job].sent();
        let bytes = command.bytes().len();
        self.unanswered += bytes;
        let step = FetchStep {
            job,
            asked,
            bytes,
            weight,
            body: ArrivingBody::counted(self.progress.arriving()),
        };
        Ok(lane.send(command, step, order)?)
    }

    /// Selects the mailbox, read-only, unless it was the last one selected; false when its name cannot be sent.
    fn examine(&mut self, lane: &mut Lane<'_, FetchStep>, id: JobId) -> Result<bool> {
        if self.sent_examine == Some(id) {
            return Ok(true);
        }
        let name = self.jobs[id].listed_name().wire();
        let command = select::examine(name, lane.capabilities());
        match command {
            Ok(command) => {
                self.sent_examine = Some(id);
                self.send(lane, &command, id, Request::Examine, Order::Opens)?;
                Ok(true)
            }
            Err(error) => {
                self.fail(id, &error.to_string());
                Ok(false)
            }
        }
    }

    /// An untagged response.
    fn take(&mut self, step: &mut FetchStep, response: &Response) -> Result<()> {
        let id = step.job;
        let span = info_span!("mailbox", mailbox = self.jobs[id].name());
        let _entered = span.enter();
        if response::parse_expunge(response).is_some() {
            self.jobs[id].expunged();
        }
        match &step.asked {
            Request::Examine => {
                self.selected.take(response);
                Ok(())
            }
            _ if self.jobs[id].is_distrusted() => Ok(()),
            Request::Inventory(_) => self.take_inventory(id, response),
            Request::Search(_) => {
                self.take_search(id, response);
                Ok(())
            }
            Request::Fetch(chunk) => self.take_message(id, chunk, &mut step.body, response),
            Request::Recheck => {
                self.jobs[id].saw_again(response);
                Ok(())
            }
            Request::Recount => {
                if let Some(Ok((name, status))) = response::parse_mailbox_status(response)
                    && name == *self.jobs[id].listed_name()
                    && let Some(messages) = status.messages
                {
                    self.jobs[id].counts_by_status(messages);
                }
                Ok(())
            }
            Request::Probe(uid, _) => {
                if let Some(Ok(data)) = response::parse_fetch(response)
                    && data.uid == Some(*uid)
                {
                    let (size, date) = (data.size, data.internaldate.flatten());
                    self.probed = Some((*uid, SizeAndDate { size, date }));
                }
                Ok(())
            }
            Request::Envelope(uid) => {
                if let Some(Ok(data)) = response::parse_fetch(response)
                    && data.uid == Some(*uid)
                    && let Some(header) = data.header
                {
                    self.jobs[id].tell_envelope(*uid, &header);
                }
                Ok(())
            }
        }
    }

    /// The tagged end of a command.
    fn done(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        step: FetchStep,
        status: &StatusResponse,
    ) -> Result<()> {
        let id = step.job;
        self.unanswered -= step.bytes;
        self.due -= step.weight;
        self.jobs[id].answered();
        let span = info_span!("mailbox", mailbox = self.jobs[id].name());
        let _entered = span.enter();
        if status.condition != Condition::Ok
            && let Some(error) = refusal::about_host(status)
        {
            return Err(error.into());
        }
        match step.asked {
            Request::Examine => self.examined(id, status)?,
            _ if self.jobs[id].is_distrusted() => {}
            Request::Inventory(refusal) => self.surveyed(lane, id, refusal, status)?,
            Request::Search(refusal) => self.searched(lane, id, refusal.as_ref(), status)?,
            Request::Fetch(chunk) => self.fetched(lane, id, &chunk, step.body, status)?,
            Request::Recount => self.recounted(id)?,
            Request::Probe(uid, reason) => self.probed(lane, id, uid, reason, status)?,
            Request::Envelope(_) => {}
            Request::Recheck => {
                if let Some(range) = self.jobs[id].rechecked(status)
                    && self.examine(lane, id)?
                {
                    self.send(
                        lane,
                        &fetch::flags(&range),
                        id,
                        Request::Recheck,
                        Order::Loose,
                    )?;
                }
            }
        }
        self.settle(id)
    }

    fn examined(&mut self, id: JobId, status: &StatusResponse) -> Result<()> {
        let selected = std::mem::take(&mut self.selected);
        if self.jobs[id].phase() == JobPhase::Failed {
            return Ok(());
        }
        if status.condition != Condition::Ok {
            let text = format!("EXAMINE is refused: {}", status.said());
            if refusal::may_pass(status) {
                self.refused_mailbox(id, &text);
            } else {
                self.fail(id, &text);
            }
            return Ok(());
        }
        let job = &mut self.jobs[id];
        self.progress.mailbox(job.name());
        let before = job.freeze().uidvalidity;
        if !job.selected(&selected) {
            warn!(
                before,
                now = selected.uidvalidity,
                "UIDVALIDITY changed while the account was being read"
            );
            return Ok(());
        }
        match self.store.as_deref_mut() {
            Some(store) if job.must_be_tried() => {
                job.begin_trial();
                store.look(id, job)?;
            }
            Some(store) if job.is_on_trial() => store.look(id, job)?,
            Some(store) => store.open(id, job)?,
            None if job.is_of_another_uidvalidity() => job.begins_anew(),
            None => {}
        }
        if job.phase() == JobPhase::Look {
            job.looked();
            if job.phase() == JobPhase::Survey {
                self.queue.push_front(id);
            }
        }
        Ok(())
    }

    /// When nothing of a job is under way, it is done, or starts over.
    fn settle(&mut self, id: JobId) -> Result<()> {
        let job = &mut self.jobs[id];
        if job.is_on_trial() && job.phase() == JobPhase::Fetch && !job.is_busy() {
            self.conclude_trial(id)?;
        }
        let job = &mut self.jobs[id];
        let was = job.phase();
        if job.settle() {
            self.queue.push_back(id);
        }
        if job.phase() == JobPhase::Done && was != JobPhase::Done || was == JobPhase::Look {
            self.progress_made += 1;
            self.blame.clear(&Owner::Mailbox(id));
        }
        if self.alone == Some(id) && !job.is_busy() {
            self.alone = None;
        }
        Ok(())
    }
}

/// The directory for the bodies that a step brings, unless they are to be passed over.
fn place_of<'a>(step: &FetchStep, jobs: &Jobs, store: Option<&'a Store>) -> Option<&'a MailboxDir> {
    let wanted = matches!(step.asked, Request::Fetch(_)) && !jobs[step.job].is_distrusted();
    store.filter(|_| wanted)?.place(step.job)
}
