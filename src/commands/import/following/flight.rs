//! Commands about flags, for several mailboxes together: as many in one flight as the buffers on the way can hold.

use std::collections::VecDeque;

use anyhow::Result;

use super::change::{FlagRefusal, SameChange};
use super::follower::Follower;
use super::suspects::FlagSuspects;
use crate::mailbox::uidset::UidSet;
use crate::session::capability::Capabilities;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::SessionError;
use crate::session::fetch;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::{Condition, StatusResponse};
use crate::session::select;
use crate::session::store;

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

/// A command that waits to be sent.
struct FlagCommand {
    command: Command,
    step: FollowStep,
    /// Nothing else may be in flight.
    alone: bool,
}

/// What the commands go over.
pub(super) struct FlagFlight<'a> {
    pub channel: &'a mut Channel,
    /// What is known of earlier connections.
    pub suspects: &'a mut FlagSuspects,
    /// Nothing is changed.
    pub dry_run: bool,
}

impl FlagFlight<'_> {
    /// Messages in one command to this server: of more than it announces it does a part, or nothing (RFC 9738).
    pub(super) fn batch(&self) -> usize {
        let announced = self.channel.capabilities.value("MESSAGELIMIT");
        let most = announced.and_then(|most| most.parse().ok());
        most.map_or(BATCH, |most: usize| most.clamp(1, BATCH))
    }

    /// Reads which flags messages have now: of each mailbox those that `wanted` names.
    ///
    /// # Errors
    /// Those of the connection.
    pub(super) fn read(
        &mut self,
        followers: &mut [Follower],
        wanted: impl Fn(&Follower) -> Vec<u32>,
    ) -> Result<()> {
        let wanted: Vec<Vec<u32>> = followers.iter().map(wanted).collect();
        for (follower, to_uids) in followers.iter_mut().zip(&wanted) {
            follower.forget(to_uids);
        }
        let batch = self.batch();
        self.fly(followers, |at, _| {
            let parts = wanted[at].chunks(batch).map(|part| {
                let set: UidSet = part.iter().copied().collect();
                FlagCommand {
                    command: fetch::flags(set),
                    step: FollowStep::Read(at),
                    alone: false,
                }
            });
            parts.collect()
        })
    }

    /// Makes the changes, each in one command for many messages; the answers show what they have then. What is refused
    /// is tried again in parts.
    ///
    /// # Errors
    /// Those of the connection. What is refused for good is told to the followers.
    pub(super) fn store(&mut self, followers: &mut [Follower]) -> Result<()> {
        while followers
            .iter()
            .any(|follower| !follower.changes.is_empty())
        {
            self.fly(followers, |at, follower| {
                let changes = follower.changes.iter().zip(0..);
                changes
                    .flat_map(|(change, number)| {
                        let step = FollowStep::Store(at, number);
                        commands(change).map(move |command| FlagCommand {
                            command,
                            step,
                            alone: change.alone,
                        })
                    })
                    .collect()
            })?;
            for follower in &mut *followers {
                follower.narrow(self.suspects);
            }
        }
        Ok(())
    }

    /// Opens each mailbox that there are commands for and sends them: what fits, then takes all answers, and so on.
    fn fly(
        &mut self,
        followers: &mut [Follower],
        commands: impl Fn(usize, &Follower) -> Vec<FlagCommand>,
    ) -> Result<()> {
        let mut queue: VecDeque<FlagCommand> = VecDeque::new();
        for (at, follower) in followers.iter_mut().enumerate() {
            let commands = commands(at, follower);
            if !commands.is_empty() {
                follower.will_open();
                queue.push_back(FlagCommand {
                    command: self.open(&follower.wire)?,
                    step: FollowStep::Open(at),
                    alone: false,
                });
                queue.extend(commands);
            }
        }
        let mut lane: Lane<'_, FollowStep> = Lane::new(self.channel);
        let mut bytes = 0;
        loop {
            let fits = |one: &FlagCommand| {
                bytes == 0 || !one.alone && bytes + one.command.bytes().len() <= BYTES
            };
            if queue.front().is_some_and(fits)
                && let Some(FlagCommand {
                    command,
                    step,
                    alone,
                }) = queue.pop_front()
            {
                // After a mailbox that did not open nothing is sent: another may still be open.
                if followers[step.mailbox()].closed.is_none() {
                    bytes += if alone { BYTES } else { command.bytes().len() };
                    lane.send(&command, step, step.order())?;
                }
                continue;
            }
            while lane.outstanding() > 0 {
                if let Err(error) = hear(&mut lane, followers) {
                    if let (Some(step), Some(error)) =
                        (lane.steps().next(), error.downcast_ref::<SessionError>())
                    {
                        blame(self.suspects, followers, *step, error);
                    }
                    return Err(error);
                }
            }
            if queue.is_empty() {
                return Ok(());
            }
            bytes = 0;
        }
    }

    fn open(&self, wire: &[u8]) -> Result<Command> {
        let capabilities: &Capabilities = &self.channel.capabilities;
        let open = if self.dry_run {
            select::examine(wire, capabilities)
        } else {
            select::select(wire, capabilities)
        };
        Ok(open?)
    }
}

/// What is to be added and what is to be taken away.
fn commands(change: &SameChange) -> impl Iterator<Item = Command> {
    let set: UidSet = change.to_uids.iter().copied().collect();
    change.ways().map(move |(way, flags)| {
        if change.silently {
            store::flags_silently(&set, way, flags)
        } else {
            store::flags(&set, way, flags)
        }
    })
}

/// Takes one answer.
fn hear(lane: &mut Lane<'_, FollowStep>, followers: &mut [Follower]) -> Result<()> {
    match lane.next(&mut NoBody)? {
        Answer::Untagged(FollowStep::Open(at), response) => {
            followers[*at].opening.take(response);
        }
        Answer::Untagged(step, response) => followers[step.mailbox()].note(response),
        Answer::Done(step, status) => ended(&mut followers[step.mailbox()], step, &status)?,
    }
    Ok(())
}

fn ended(
    follower: &mut Follower,
    step: FollowStep,
    status: &StatusResponse,
) -> Result<(), SessionError> {
    let is_refused = status.condition != Condition::Ok;
    if let Some(error) = refusal::about_host(status).filter(|_| is_refused) {
        return Err(error);
    }
    match step {
        FollowStep::Open(_) => follower.opened(status),
        FollowStep::Store(_, number) if is_refused => {
            follower.changes[number].refused = Some(FlagRefusal::new(status));
        }
        FollowStep::Read(_) if is_refused => follower.unread = Some(status.said()),
        FollowStep::Store(..) | FollowStep::Read(_) => {}
    }
    Ok(())
}

/// The connection is gone: what was first in line is counted.
fn blame(
    suspects: &mut FlagSuspects,
    followers: &[Follower],
    step: FollowStep,
    error: &SessionError,
) {
    let follower = &followers[step.mailbox()];
    let uids: Vec<u32> = match step {
        FollowStep::Open(_) | FollowStep::Read(_) => Vec::new(),
        FollowStep::Store(_, number) => {
            let to_uids = follower.changes[number].to_uids.iter();
            to_uids
                .filter_map(|to_uid| follower.uid_of(*to_uid))
                .collect()
        }
    };
    suspects.count(follower.id, &uids, error);
}
