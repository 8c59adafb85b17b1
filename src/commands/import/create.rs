//! Mailboxes of the target are made, subscribed and opened, all in one flight.

use std::collections::HashMap;

use tracing::{debug, info};

use crate::mapping;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::Result;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::Condition;
use crate::target::mailbox::{Job, Selected};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;
/// Names tried for a mailbox before it is given up.
const MAX_ATTEMPTS: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Create(usize),
    Other,
    Open(usize),
}

/// Makes, subscribes and opens the mailboxes with these numbers. Names that the target refuses are tried in stricter forms.
///
/// # Errors
/// Those of the connection; refusals are in the jobs.
pub fn prepare(
    channel: &mut Channel,
    jobs: &mut [Job],
    numbers: &[usize],
    delimiter: Option<char>,
) -> Result<()> {
    let mut numbers = numbers.to_vec();
    while !numbers.is_empty() {
        let refused = attempt(channel, jobs, &numbers)?;
        numbers.clear();
        for (number, words) in refused {
            let job = &mut jobs[number];
            if !job.parents.is_empty() {
                // Servers should make superior names themselves (RFC 3501 section 6.3.3); this one does not.
                job.first = std::mem::take(&mut job.parents);
                numbers.push(number);
                continue;
            }
            job.attempts += 1;
            let learnt = mapping::learnt_prefix(&words)
                .filter(|prefix| !job.to.starts_with(prefix.as_str()))
                .map(|prefix| format!("{prefix}{}", job.to));
            let stricter = || {
                (1..=3)
                    .filter_map(|strictness| {
                        mapping::sanitised(&job.planned, delimiter, strictness)
                    })
                    .find(|name| !job.tried.contains(name))
            };
            let other = learnt.or_else(stricter);
            match other.filter(|_| job.attempts < MAX_ATTEMPTS) {
                Some(name) => {
                    info!(
                        mailbox = job.name,
                        refused = job.to,
                        instead = name,
                        "the target refuses the name: {words}"
                    );
                    job.notes.push(format!(
                        "the target refuses the name \"{}\": {words}",
                        job.to
                    ));
                    job.tried.push(name.clone());
                    job.wire = mapping::encode_utf7(&name);
                    job.to = name;
                    job.first.clear();
                    numbers.push(number);
                }
                None => job.failed = Some(format!("cannot be made on the target: {words}")),
            }
        }
    }
    Ok(())
}

/// One flight; returns the mailboxes whose names are refused, with the server's words.
fn attempt(
    channel: &mut Channel,
    jobs: &mut [Job],
    numbers: &[usize],
) -> Result<Vec<(usize, String)>> {
    let mut lane: Lane<'_, Step> = Lane::new(channel);
    let mut words: HashMap<usize, String> = HashMap::new();
    let mut refused = Vec::new();
    let mut selected = Selected::default();
    let mut queue = Vec::new();
    for &number in numbers {
        let job = &jobs[number];
        let name = |verb: &str, wire: &[u8]| Command::new(verb).mailbox(wire, lane.capabilities());
        if !job.exists {
            for parent in &job.first {
                queue.push((name("CREATE", parent)?, Step::Other));
            }
            queue.push((name("CREATE", &job.wire)?, Step::Create(number)));
        }
        if job.subscribed && !job.is_subscribed {
            queue.push((name("SUBSCRIBE", &job.wire)?, Step::Other));
        }
        queue.push((name("SELECT", &job.wire)?, Step::Open(number)));
    }
    let mut queue = queue.into_iter();
    loop {
        while lane.outstanding() < WINDOW {
            let Some((command, step)) = queue.next() else {
                break;
            };
            lane.send(&command, step, Order::Strict)?;
        }
        if lane.outstanding() == 0 {
            return Ok(refused);
        }
        let (step, status) = match lane.next(&mut NoBody)? {
            Answer::Untagged(Step::Open(_), response) => {
                selected.take(response);
                continue;
            }
            Answer::Untagged(..) => continue,
            Answer::Done(step, status) => (step, status),
        };
        let ok = status.condition == Condition::Ok;
        if !ok {
            refusal::check_state(&status)?;
        }
        match step {
            Step::Create(number) if !ok => {
                debug!(mailbox = jobs[number].to, answer = status.said(), "CREATE");
                words.insert(number, status.said());
            }
            Step::Other if !ok => debug!(answer = status.said(), "CREATE or SUBSCRIBE"),
            Step::Open(number) => {
                let opened = std::mem::take(&mut selected);
                if ok {
                    jobs[number].opened(opened);
                } else {
                    let why = words.remove(&number).unwrap_or_else(|| status.said());
                    refused.push((number, why));
                }
            }
            Step::Create(_) | Step::Other => {}
        }
    }
}
