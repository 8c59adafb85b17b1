//! Creates, subscribes and opens mailboxes on the target, all in one flight.

use std::collections::HashMap;

use tracing::{debug, info};

use super::listed;
use crate::session::capability::Capabilities;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, Result, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::list;
use crate::session::manage;
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::Condition;
use crate::session::select::{self, Selected};
use crate::target::alias::{Evidence, TargetNames};
use crate::target::mailbox::{JobId, Jobs};
use crate::target::place::AfterRefusal;
use crate::target::trouble::{Trouble, UnderWay};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum CreateStep {
    Create(JobId),
    /// CREATE of a mailbox above it.
    Parent(JobId),
    Subscribe(JobId),
    Open(JobId),
    /// LIST of what was created, as its name may be another one now.
    List(JobId),
}

impl CreateStep {
    /// The mailbox that it is about.
    fn mailbox(self) -> JobId {
        match self {
            Self::Create(id)
            | Self::Parent(id)
            | Self::Subscribe(id)
            | Self::Open(id)
            | Self::List(id) => id,
        }
    }
}

/// What came of one flight.
#[derive(Default)]
struct Flight {
    /// Mailboxes whose names are refused, with the server's words.
    refused: Vec<(JobId, String)>,
    /// Those of them that were made all the same: not by these names.
    made: Vec<JobId>,
    /// Mailboxes that were made and that LIST does not show by their names.
    unlisted: Vec<JobId>,
}

/// Makes, subscribes and opens the mailboxes with these numbers. Names that the target refuses are tried again in
/// stricter forms, and what LIST shows of them then is believed.
///
/// # Errors
/// Those of the connection; refusals are in the jobs.
pub fn prepare(
    channel: &mut Channel,
    jobs: &mut Jobs,
    numbers: &[JobId],
    evidence: Evidence<'_>,
    trouble: &mut Trouble,
) -> anyhow::Result<()> {
    let mut numbers = numbers.to_vec();
    while !numbers.is_empty() {
        let unlisted = make(channel, jobs, &numbers, evidence.names, trouble)?;
        listed::believe(channel, jobs, &unlisted, evidence.names)?;
        numbers = listed::tell_apart(channel, jobs, &numbers, evidence, trouble)?;
    }
    Ok(())
}

/// Returns the mailboxes that LIST does not show by their names.
fn make(
    channel: &mut Channel,
    jobs: &mut Jobs,
    numbers: &[JobId],
    names: &TargetNames,
    trouble: &mut Trouble,
) -> Result<Vec<JobId>> {
    let mut unlisted = Vec::new();
    let mut numbers = numbers.to_vec();
    numbers.retain(|number| {
        let job = &mut jobs[*number];
        let closed = trouble
            .of(job.place().name.wire())
            .and_then(|it| it.closed());
        let why = closed.map(|words| format!("cannot be opened on the target: {words}"));
        why.map(|why| job.fail(why)).is_none()
    });
    while !numbers.is_empty() {
        let flight = attempt(channel, jobs, &numbers, trouble)?;
        unlisted.extend(flight.unlisted);
        numbers.clear();
        let found = listed::made_by_another_name(channel, jobs, &flight.made, names)?;
        numbers.extend(&found);
        for (number, words) in flight.refused {
            if found.contains(&number) {
                continue;
            }
            let job = &mut jobs[number];
            if job.place().is_learnt() {
                job.place_mut().exists = false;
            }
            let refused = job.place().name.text().to_owned();
            match job.place_mut().refused(&words, names.delimiter) {
                AfterRefusal::ParentsFirst => numbers.push(number),
                AfterRefusal::Renamed => {
                    let instead = job.place().name.text();
                    info!(
                        mailbox = job.name(),
                        refused, instead, "the target refuses the name: {words}"
                    );
                    let note = format!("the target refuses the name \"{refused}\": {words}");
                    job.tell(note);
                    numbers.push(number);
                }
                AfterRefusal::GiveUp => {
                    job.fail(format!("cannot be created on the target: {words}"));
                }
            }
        }
    }
    Ok(unlisted)
}

/// What is to be sent, in this order.
fn commands(
    jobs: &Jobs,
    numbers: &[JobId],
    server: &Capabilities,
) -> Result<Vec<(Command, CreateStep)>> {
    let mut queue = Vec::new();
    for &number in numbers {
        let job = &jobs[number];
        let wire = job.place().name.wire();
        let is_new = !job.place().exists;
        if is_new {
            for parent in job.place().first() {
                queue.push((
                    manage::create(parent.wire(), server)?,
                    CreateStep::Parent(number),
                ));
            }
            queue.push((manage::create(wire, server)?, CreateStep::Create(number)));
        }
        if job.must_subscribe() {
            queue.push((
                manage::subscribe(wire, server)?,
                CreateStep::Subscribe(number),
            ));
        }
        queue.push((select::select(wire, server)?, CreateStep::Open(number)));
        if is_new {
            queue.push((list::named(wire, server)?, CreateStep::List(number)));
        }
    }
    Ok(queue)
}

/// Puts an end that is not OK down to the mailbox that was under way.
fn blame(id: JobId, error: &SessionError, jobs: &Jobs, trouble: &mut Trouble) {
    trouble.count(jobs[id].place().name.wire(), UnderWay::Mailbox, error);
}

/// All commands ahead of their answers.
fn attempt(
    channel: &mut Channel,
    jobs: &mut Jobs,
    numbers: &[JobId],
    trouble: &mut Trouble,
) -> Result<Flight> {
    let mut lane: Lane<'_, CreateStep> = Lane::new(channel);
    let mut words: HashMap<JobId, String> = HashMap::new();
    let mut unsubscribed: HashMap<JobId, String> = HashMap::new();
    let mut flight = Flight::default();
    let mut selected = Selected::default();
    let queue = commands(jobs, numbers, lane.capabilities())?;
    let is_new = |id: &JobId| !jobs[*id].place().exists;
    flight.unlisted = numbers.iter().copied().filter(is_new).collect();
    let mut queue = queue.into_iter();
    let (mut later, mut blamed) = (None, None);
    loop {
        while lane.outstanding() < WINDOW {
            let Some((command, step)) = queue.next() else {
                break;
            };
            lane.send(&command, step, Order::Strict)?;
        }
        if lane.outstanding() == 0 {
            flight.unlisted.retain(|id| jobs[*id].place().exists);
            return later.map_or(Ok(flight), Err);
        }
        let (step, status) = match lane.next(&mut NoBody) {
            Err(error) => {
                if let Some(step) = lane.steps().next() {
                    blame(step.mailbox(), &error, jobs, trouble);
                }
                return Err(error);
            }
            Ok(Answer::Untagged(CreateStep::Open(_), response)) => {
                selected.take(response);
                continue;
            }
            Ok(Answer::Untagged(CreateStep::List(number), response)) => {
                if list::shows(response, jobs[*number].place().name.wire()) {
                    flight.unlisted.retain(|id| id != number);
                }
                continue;
            }
            Ok(Answer::Untagged(..)) => continue,
            Ok(Answer::Done(step, status)) => (step, status),
        };
        let ok = status.condition == Condition::Ok;
        if !ok && let Err(error) = refusal::check_state(&status) {
            if error.kind != Kind::Transient {
                return Err(error);
            }
            // "Try later" about one mailbox is not about the connection, and what is beside the mailbox is told or found out.
            if let CreateStep::Create(number) | CreateStep::Open(number) = step {
                if blamed.replace(number) != Some(number) {
                    blame(number, &error, jobs, trouble);
                }
                later = Some(error);
                selected = Selected::default();
                continue;
            }
        }
        match step {
            CreateStep::Create(number) if !ok => {
                let mailbox = jobs[number].place().name.text();
                debug!(mailbox, answer = status.said(), "CREATE is refused");
                words.insert(number, status.said());
            }
            CreateStep::Parent(_) if !ok => debug!(answer = status.said(), "CREATE is refused"),
            CreateStep::Subscribe(number) if !ok => {
                let text = format!("cannot be subscribed on the target: {}", status.said());
                unsubscribed.insert(number, text);
            }
            CreateStep::Open(number) => {
                let opened = std::mem::take(&mut selected);
                if ok {
                    jobs[number].opened(opened);
                    if let Some(note) = unsubscribed.remove(&number) {
                        jobs[number].tell(note);
                    }
                } else {
                    let said = words.remove(&number);
                    if said.is_none() && !jobs[number].place().exists {
                        flight.made.push(number);
                    }
                    let why = said.unwrap_or_else(|| status.said());
                    flight.refused.push((number, why));
                }
            }
            CreateStep::Create(_)
            | CreateStep::Subscribe(_)
            | CreateStep::List(_)
            | CreateStep::Parent(_) => {}
        }
    }
}
