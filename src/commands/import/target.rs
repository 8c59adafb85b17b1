//! The target's side: mailboxes are made, subscribed and opened, all in one flight; what they hold is read.

use std::collections::HashMap;

use tracing::{debug, info, warn};

use super::job::Job;
use crate::archive::uidset::UidSet;
use crate::mapping;
use crate::message::{self, IDENTITY_FIELDS, Identity};
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, Result, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::{self, Condition, Line};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;
/// Names tried for a mailbox before it is given up.
const MAX_ATTEMPTS: u32 = 5;

/// Prefix and delimiter of the personal namespace (RFC 2342); `None` where the server does not say.
///
/// # Errors
/// Those of the connection.
pub fn namespace(channel: &mut Channel) -> Result<Option<(Vec<u8>, Option<char>)>> {
    if !channel.capabilities.has("NAMESPACE") {
        return Ok(None);
    }
    let mut found = None;
    channel.run(&Command::new("NAMESPACE"), |response| {
        if let Some(namespace) = response::parse_namespace(response) {
            found = Some(namespace);
        }
    })?;
    Ok(found)
}

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
                    opened.tell(&mut jobs[number]);
                } else {
                    let why = words.remove(&number).unwrap_or_else(|| status.said());
                    refused.push((number, why));
                }
            }
            Step::Create(_) | Step::Other => {}
        }
    }
}

/// What the answers to a SELECT or EXAMINE say.
#[derive(Default)]
pub struct Selected {
    /// Number of messages.
    pub exists: u64,
    /// UIDVALIDITY; 0 where the server says none.
    pub uidvalidity: u32,
    uidnext: u32,
    /// PERMANENTFLAGS.
    pub permanent_flags: Option<Vec<String>>,
}

impl Selected {
    /// Takes an untagged answer.
    pub fn take(&mut self, response: &crate::session::reader::Response) {
        if let Some(count) = response::parse_exists(response) {
            self.exists = count;
        }
        let Line::Untagged(status) = response::classify(response) else {
            return;
        };
        if let Some(value) = status.code_argument("UIDVALIDITY") {
            self.uidvalidity = value.parse().unwrap_or(0);
        }
        if let Some(value) = status.code_argument("UIDNEXT") {
            self.uidnext = value.parse().unwrap_or(0);
        }
        if let Some(flags) = status.code_argument("PERMANENTFLAGS") {
            self.permanent_flags = Some(response::flag_words(flags));
        }
    }

    fn tell(self, job: &mut Job) {
        job.exists = true;
        job.is_subscribed |= job.subscribed;
        job.to_uidvalidity = self.uidvalidity;
        job.to_messages = Some(self.exists);
        job.to_uidnext = self.uidnext;
        job.permanent_flags = self.permanent_flags;
    }
}

/// Identities of the messages that a mailbox holds, with their UIDs.
pub struct Inventory {
    /// Sorted.
    there: Vec<(Identity, u32)>,
    /// Where a run of equal identities begins → how many of it are taken.
    taken: HashMap<usize, usize>,
}

impl Inventory {
    /// Reads it from a UID on, streaming: 20 bytes a message stay. Messages with the UIDs `but` are left out.
    ///
    /// # Errors
    /// Those of the connection; [`Kind::Refused`] with the server's words.
    pub fn read(channel: &mut Channel, wire: &[u8], from: u32, but: &UidSet) -> Result<Self> {
        let open = Command::new("EXAMINE").mailbox(wire, &channel.capabilities)?;
        let fetch = Command::new(format!(
            "UID FETCH {from}:* (UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS ({IDENTITY_FIELDS})])"
        ));
        let mut lane = Lane::new(channel);
        lane.send(&open, false, Order::Strict)?;
        lane.send(&fetch, true, Order::Strict)?;
        let mut found = Vec::new();
        let mut unreadable = 0_u64;
        while lane.outstanding() > 0 {
            match lane.next(&mut NoBody)? {
                Answer::Untagged(true, response) => match response::parse_fetch(response) {
                    Some(Ok(data)) => {
                        // `n:*` names the last message even where it is below n.
                        let wanted = |uid: &u32| *uid >= from && !but.contains(*uid);
                        let Some(uid) = data.uid.filter(wanted) else {
                            continue;
                        };
                        let Some(header) = data.header else { continue };
                        let received = data.internaldate.flatten();
                        let received = received.as_deref().and_then(message::timestamp);
                        let identity = Identity::of(&header, data.size.unwrap_or(0), received);
                        found.push((identity, uid));
                    }
                    Some(Err(reason)) => {
                        unreadable += 1;
                        debug!(line = response.shown(), reason, "an inventory line is odd");
                    }
                    None => {}
                },
                Answer::Done(_, status) if status.condition != Condition::Ok => {
                    refusal::check_state(&status)?;
                    let text = format!("the target does not say what it holds: {}", status.said());
                    return Err(SessionError::new(Kind::Refused, text));
                }
                Answer::Untagged(..) | Answer::Done(..) => {}
            }
        }
        if unreadable > 0 {
            warn!(unreadable, "messages on the target cannot be compared");
        }
        found.sort_unstable();
        found.dedup();
        Ok(Self {
            there: found,
            taken: HashMap::new(),
        })
    }

    /// Takes one message of this identity out; its UID, the lowest first.
    pub fn take(&mut self, identity: &Identity) -> Option<u32> {
        let first = self.there.partition_point(|(there, _)| there < identity);
        let taken = self.taken.get(&first).copied().unwrap_or(0);
        let (there, uid) = self.there.get(first + taken)?;
        if there != identity {
            return None;
        }
        self.taken.insert(first, taken + 1);
        Some(*uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_is_a_multiset() {
        let identity =
            |subject: &str| Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None);
        let mut there = vec![(identity("a"), 1), (identity("b"), 2), (identity("a"), 3)];
        there.sort_unstable();
        let mut inventory = Inventory {
            there,
            taken: HashMap::new(),
        };
        assert_eq!(inventory.take(&identity("a")), Some(1));
        assert_eq!(inventory.take(&identity("c")), None);
        assert_eq!(inventory.take(&identity("a")), Some(3));
        assert_eq!(inventory.take(&identity("a")), None);
        assert_eq!(inventory.take(&identity("b")), Some(2));
        assert_eq!(inventory.take(&identity("b")), None);
    }
}
