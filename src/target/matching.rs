//! What the target has of what it must have: by headers, sizes and counts, and, where these do not decide, by contents.

use std::collections::HashMap;

use anyhow::Result;
use tracing::{debug, info};

use super::bodies;
use super::holding::Holding;
use super::mailbox::{JobId, Jobs};
use super::message::{self, Described};
use super::repair::Repairs;
use super::trouble::Trouble;
use crate::compare::{self, Comparison, Held, Likeness, Undecided, Wanted};
use crate::mailbox::uidset::UidSet;
use crate::message::{Difference, Fingerprint};
use crate::session::channel::Channel;

/// Most of one mailbox that is read to tell messages apart, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The same in messages.
const MAX_MESSAGES: usize = 5000;

/// A message of the archive that the target must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRef {
    /// The mailbox that it belongs to.
    pub job: JobId,
    /// UID in the archive.
    pub uid: u32,
}

/// The archive's side of a comparison: messages that the target must have.
#[derive(Default)]
pub struct Sought {
    /// Which they are.
    pub origins: Vec<MessageRef>,
    /// What they are, in the same order.
    pub wanted: Vec<Wanted>,
}

impl Sought {
    /// Takes in messages of a mailbox; those that cannot be read are left out. `on_record` has the UIDs that they have on
    /// the target, where these are known.
    ///
    /// # Errors
    /// Those of the archive's file system.
    pub fn read(
        &mut self,
        jobs: &Jobs,
        job: JobId,
        uids: impl IntoIterator<Item = u32>,
        on_record: &HashMap<u32, u32>,
        repairs: Repairs,
    ) -> Result<()> {
        let dir = &jobs[job].here().dir;
        for uid in uids {
            if let Some(described) = message::describe(dir, uid, repairs)? {
                let to_uid = on_record.get(&uid).copied();
                self.add(MessageRef { job, uid }, &described, to_uid);
            }
        }
        Ok(())
    }

    /// Takes in one message.
    pub fn add(&mut self, origin: MessageRef, described: &Described, to_uid: Option<u32>) {
        self.origins.push(origin);
        self.wanted.push(described.wanted(to_uid));
    }
}

/// Compares, and reads what must be read for it; a note where that was too much.
///
/// # Errors
/// Those of the connection and of the archive's file system.
pub fn compare(
    channel: &mut Channel,
    jobs: &Jobs,
    wire: &[u8],
    sought: &Sought,
    holding: &Holding,
    repairs: Repairs,
    trouble: &mut Trouble,
) -> Result<(Comparison, Option<String>)> {
    let held = &holding.messages;
    let mut result = compare::compare(&sought.wanted, held);
    let undecided = std::mem::take(&mut result.undecided);
    let (to_read, too_many) = within_bounds(undecided, held);
    if !to_read.is_empty() {
        let contents = Contents {
            there: read_there(channel, wire, held, &to_read, trouble)?,
            here: read_here(jobs, &sought.origins, &to_read, repairs)?,
        };
        info!(
            messages = contents.there.len(),
            "messages with the same header were read to tell them apart"
        );
        for group in &to_read {
            result.decide(group, |one, other| {
                contents.likeness(one, other, group.by_body)
            });
        }
    }
    let note = (!too_many.is_empty()).then(|| {
        let count: usize = too_many.iter().map(|group| group.held.len()).sum();
        format!(
            "{count} messages of the target have headers that others have too, and are too many to be read: they are told apart by size and number only"
        )
    });
    for group in &too_many {
        result.count(group);
    }
    if holding.shortfall().is_some() {
        result.doubt();
    }
    Ok((result, note))
}

/// The groups that are read, and those that would be too much.
fn within_bounds(groups: Vec<Undecided>, held: &[Held]) -> (Vec<Undecided>, Vec<Undecided>) {
    let (mut bytes, mut messages) = (0, 0);
    groups.into_iter().partition(|group| {
        let sizes = group.held.iter().map(|at| held[*at].size.unwrap_or(0));
        bytes += sizes.sum::<u64>();
        messages += group.held.len();
        bytes <= MAX_BYTES && messages <= MAX_MESSAGES
    })
}

/// What was read of both sides, by their numbers.
struct Contents {
    here: Prints,
    there: Prints,
}

/// What was read of one side, by numbers; `None` for what cannot be read.
type Prints = HashMap<usize, Option<Fingerprint>>;

/// The messages of the target in these groups.
fn read_there(
    channel: &mut Channel,
    wire: &[u8],
    held: &[Held],
    groups: &[Undecided],
    trouble: &mut Trouble,
) -> Result<Prints> {
    let numbers: HashMap<u32, usize> = groups
        .iter()
        .flat_map(|group| &group.held)
        .map(|at| (held[*at].uid, *at))
        .collect();
    let uids: UidSet = numbers.keys().copied().collect();
    let mut there = Prints::new();
    bodies::read(channel, wire, &uids, trouble, |uid, print| {
        if let Err(reason) = &print {
            debug!(uid, reason, "a message of the target cannot be read");
        }
        if let Some(at) = numbers.get(&uid) {
            there.insert(*at, print.ok().map(|print| print.fingerprint));
        }
        Ok(())
    })?;
    Ok(there)
}

/// The messages of the archive in these groups.
fn read_here(
    jobs: &Jobs,
    origins: &[MessageRef],
    groups: &[Undecided],
    repairs: Repairs,
) -> Result<Prints> {
    let mut here = Prints::new();
    for one in groups.iter().flat_map(|group| &group.wanted) {
        let origin = origins[*one];
        let dir = &jobs[origin.job].here().dir;
        here.insert(*one, message::fingerprint(dir, origin.uid, repairs)?.ok());
    }
    Ok(here)
}

impl Contents {
    fn likeness(&self, one: usize, other: usize, by_body: bool) -> Likeness {
        let Some(there) = self.there.get(&other).and_then(Option::as_ref) else {
            return Likeness::Unknown;
        };
        // What is damaged here is not sent, and nothing there is its copy.
        let Some(here) = self.here.get(&one).and_then(Option::as_ref) else {
            return Likeness::Other;
        };
        if here.is_same(there) {
            return Likeness::Same;
        }
        let alike = if by_body {
            here.has_body_of(there)
        } else {
            let differences = here.clone().differences(there.clone());
            !differences
                .iter()
                .any(|one| matches!(one, Difference::Content(_)))
        };
        if alike {
            Likeness::Rewritten
        } else {
            Likeness::Other
        }
    }
}
