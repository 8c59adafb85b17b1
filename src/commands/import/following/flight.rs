//! Commands about flags, for several mailboxes together: as many in one flight as the buffers on the way can hold.

use std::collections::VecDeque;

use anyhow::Result;

use super::{Followed, Follower, SameChange};
use crate::mailbox::uidset::UidSet;
use crate::session::capability::Capabilities;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::fetch;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::response::Condition;
use crate::session::select;
use crate::session::store::{
    self,
    FlagChange::{Add, Remove},
};

/// Messages in one command.
const BATCH: usize = 500;
/// Bytes of commands that may be unanswered: a server that waits for us to read its answers need not have read them.
const BYTES: usize = 48 * 1024;

/// What the command is about: the mailbox's number, and the number of the change there.
#[derive(Clone, Copy)]
enum FollowStep {
    Open(usize),
    Read(usize),
    Store(usize, usize),
}

impl FollowStep {
    fn mailbox(self) -> usize {
        match self {
            Self::Open(at) | Self::Read(at) | Self::Store(at, _) => at,
        }
    }

    fn order(self) -> Order {
        match self {
            Self::Open(_) => Order::Opens,
            Self::Read(_) | Self::Store(..) => Order::Loose,
        }
    }
}

type Commands = Vec<(Command, FollowStep)>;

/// Reads which flags messages have now: of each mailbox those that `wanted` names.
///
/// # Errors
/// Those of the connection.
pub(super) fn read(
    channel: &mut Channel,
    followers: &mut [Follower],
    wanted: impl Fn(&Follower) -> Vec<u32>,
) -> Result<()> {
    let wanted: Vec<Vec<u32>> = followers.iter().map(wanted).collect();
    for (follower, to_uids) in followers.iter_mut().zip(&wanted) {
        follower.forget(to_uids);
    }
    let batch = batch(&channel.capabilities);
    fly(channel, followers, |at, _| {
        let parts = wanted[at].chunks(batch);
        parts
            .map(|part| {
                let set: UidSet = part.iter().copied().collect();
                (fetch::flags(set), FollowStep::Read(at))
            })
            .collect()
    })
}

/// Stores the changes, in one command for many messages with the same; the answers show what they have then.
///
/// # Errors
/// Those of the connection. What is refused is told in the changes.
pub(super) fn store(channel: &mut Channel, followers: &mut [Follower]) -> Result<()> {
    let batch = batch(&channel.capabilities);
    fly(channel, followers, |at, follower| {
        let mut commands = Commands::new();
        for (number, change) in follower.changes.iter().enumerate() {
            for part in change.messages.chunks(batch) {
                let set: UidSet = part.iter().map(|one| one.to_uid).collect();
                let both = both(change).map(|(way, flags)| store::flags(&set, way, flags));
                commands.extend(both.map(|store| (store, FollowStep::Store(at, number))));
            }
        }
        commands
    })
}

/// Stores again, each message alone, what no answer has shown.
///
/// # Errors
/// Those of the connection.
pub(super) fn store_alone(channel: &mut Channel, followers: &mut [Follower]) -> Result<()> {
    fly(channel, followers, |at, follower| {
        let mut commands = Commands::new();
        for (number, change) in follower.changes.iter().enumerate() {
            for Followed { to_uid, .. } in follower.doubtful(change) {
                let both =
                    both(change).map(|(way, flags)| store::flags_silently(to_uid, way, flags));
                commands.extend(both.map(|store| (store, FollowStep::Store(at, number))));
            }
        }
        commands
    })
}

/// Messages in one command to this server: of more than it announces it does a part, or nothing (RFC 9738).
fn batch(server: &Capabilities) -> usize {
    let announced = server.value("MESSAGELIMIT");
    let most = announced.and_then(|most| most.parse().ok());
    most.map_or(BATCH, |most: usize| most.clamp(1, BATCH))
}

/// What is added and what is taken away, where there is any.
fn both(change: &SameChange) -> impl Iterator<Item = (store::FlagChange, &str)> {
    let both = [(Add, change.add.as_str()), (Remove, change.remove.as_str())];
    both.into_iter().filter(|(_, flags)| !flags.is_empty())
}

/// Opens each mailbox that there are commands for and sends them: what fits, then takes all answers, and so on.
fn fly(
    channel: &mut Channel,
    followers: &mut [Follower],
    commands: impl Fn(usize, &Follower) -> Commands,
) -> Result<()> {
    let mut queue: VecDeque<(Command, FollowStep)> = VecDeque::new();
    for (at, follower) in followers.iter().enumerate() {
        let commands = commands(at, follower);
        if !commands.is_empty() {
            let select = select::select(&follower.wire, &channel.capabilities)?;
            queue.push_back((select, FollowStep::Open(at)));
            queue.extend(commands);
        }
    }
    let mut lane: Lane<'_, FollowStep> = Lane::new(channel);
    let mut bytes = 0;
    loop {
        let fits = |command: &Command| bytes == 0 || bytes + command.bytes().len() <= BYTES;
        if queue.front().is_some_and(|(command, _)| fits(command))
            && let Some((command, step)) = queue.pop_front()
        {
            // After a mailbox that did not open nothing is sent: another may still be open.
            if followers[step.mailbox()].closed.is_none() {
                bytes += command.bytes().len();
                lane.send(&command, step, step.order())?;
            }
            continue;
        }
        while lane.outstanding() > 0 {
            match lane.next(&mut NoBody)? {
                Answer::Untagged(FollowStep::Open(at), response) => {
                    followers[*at].opening.take(response);
                }
                Answer::Untagged(step, response) => followers[step.mailbox()].note(response),
                Answer::Done(step, status) => {
                    let words = (status.condition != Condition::Ok).then(|| status.said());
                    match step {
                        FollowStep::Open(at) => followers[at].opened(words),
                        FollowStep::Store(at, number) => followers[at].changes[number].ended(words),
                        FollowStep::Read(_) => {}
                    }
                }
            }
        }
        if queue.is_empty() {
            return Ok(());
        }
        bytes = 0;
    }
}
