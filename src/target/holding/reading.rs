//! Reads mailboxes of the target, in one flight where possible.

use anyhow::Result;

use super::parts::{self, InParts};
use super::{Detail, Holding, MailboxQuery, Which};
use crate::session::channel::Channel;
use crate::session::fetch;
use crate::session::inventory::{Inventory, NextQuery};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{NoBody, Response};
use crate::session::response::{self, Condition, StatusResponse};
use crate::session::select::{self, Selected};
use crate::target::trouble::{Trouble, UnderWay};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// Reads mailboxes and hands each over when it is known: as a whole, or with the reason why it cannot be read at all.
///
/// # Errors
/// Those of the connection, put down to what was under way; those of `take`.
pub fn read(
    channel: &mut Channel,
    names: &[Vec<u8>],
    query: MailboxQuery,
    trouble: &mut Trouble,
    mut take: impl FnMut(usize, &mut Channel, Result<Holding, String>, &mut Trouble) -> Result<()>,
) -> Result<()> {
    let is_plain = |number: &usize| trouble.of(&names[*number]).is_none();
    let (plain, odd): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(is_plain);
    let mut queue = plain.into_iter().peekable();
    let mut again = odd;
    while queue.peek().is_some() {
        // Mailboxes are handed over when the connection is free for the caller.
        let flight: Vec<usize> = queue.by_ref().take(WINDOW / 2).collect();
        let found = fly(channel, names, &flight, query, trouble)?;
        for (number, found) in flight.into_iter().zip(found) {
            match found {
                Some(mut holding) => {
                    parts::read_whole(channel, &names[number], &mut holding, trouble)?;
                    take(number, channel, Ok(holding), trouble)?;
                }
                None => again.push(number),
            }
        }
    }
    for number in again {
        let wire = &names[number];
        let closed = trouble.of(wire).and_then(|suspects| suspects.closed());
        let found = match closed {
            Some(words) => Err(words.to_owned()),
            None => InParts::new(wire, query).read(channel, trouble)?,
        };
        take(number, channel, found, trouble)?;
    }
    Ok(())
}

/// The same for one mailbox.
///
/// # Errors
/// Those of the connection, put down to what was under way.
pub fn read_one(
    channel: &mut Channel,
    wire: &[u8],
    which: Which,
    trouble: &mut Trouble,
) -> Result<Result<Holding, String>> {
    let query = MailboxQuery {
        which,
        detail: Detail::Identity,
    };
    read_with(channel, wire, query, trouble)
}

/// The same with whatever is asked of it.
///
/// # Errors
/// Those of the connection, put down to what was under way.
pub fn read_with(
    channel: &mut Channel,
    wire: &[u8],
    query: MailboxQuery,
    trouble: &mut Trouble,
) -> Result<Result<Holding, String>> {
    let mut found = Ok(Holding::default());
    let names = [wire.to_vec()];
    read(channel, &names, query, trouble, |_, _, there, _| {
        found = there;
        Ok(())
    })?;
    Ok(found)
}

#[derive(Clone, Copy)]
enum ReadStep {
    Open,
    Fetch,
}

/// The usual way: everything is asked for at once. `None` for a mailbox that must be looked at again.
fn fly(
    channel: &mut Channel,
    names: &[Vec<u8>],
    flight: &[usize],
    query: MailboxQuery,
    trouble: &mut Trouble,
) -> Result<Vec<Option<Holding>>> {
    let MailboxQuery { which, detail } = query;
    let all = Inventory::from(which.first()).range();
    let fetch = fetch::identified(all, detail.has_flags());
    let mut lane: Lane<'_, ReadStep> = Lane::new(channel);
    for number in flight {
        let open = select::examine(&names[*number], lane.capabilities())?;
        lane.send(&open, ReadStep::Open, Order::Opens)?;
        lane.send(&fetch, ReadStep::Fetch, Order::Loose)?;
    }
    let mut found = Vec::new();
    let mut current = Current::new(which);
    while lane.outstanding() > 0 {
        let at = flight.get(found.len()).copied();
        match lane.next(&mut NoBody) {
            Ok(Answer::Untagged(ReadStep::Open, response)) => current.selected.take(response),
            Ok(Answer::Untagged(ReadStep::Fetch, response)) => current.take(response, detail)?,
            Ok(Answer::Done(ReadStep::Open, status)) => {
                current.opened(status.condition == Condition::Ok);
            }
            Ok(Answer::Done(ReadStep::Fetch, status)) => {
                let current = std::mem::replace(&mut current, Current::new(which));
                found.push(current.end(&status));
            }
            Err(error) => {
                if let Some(number) = at {
                    trouble.count(&names[number], UnderWay::Mailbox, &error);
                }
                return Err(error.into());
            }
        }
    }
    Ok(found)
}

/// What the answers of a flight have said about its oldest mailbox.
struct Current {
    selected: Selected,
    inventory: Inventory,
    holding: Holding,
    is_whole: bool,
}

impl Current {
    fn new(which: Which) -> Self {
        Self {
            selected: Selected::default(),
            inventory: Inventory::from(which.first()),
            holding: Holding::default(),
            is_whole: true,
        }
    }

    fn opened(&mut self, is_ok: bool) {
        self.is_whole &= is_ok && self.selected.is_counted;
        self.inventory.opened(&self.selected);
        self.holding.uidvalidity = self.selected.uidvalidity;
        self.holding.uidnext = self.selected.uidnext;
    }

    fn take(&mut self, response: &Response, detail: Detail) -> Result<()> {
        // What is gone may have been counted, or named.
        self.is_whole &= response::parse_expunge(response).is_none();
        self.inventory.recount(response);
        if let Some(entry) = self.inventory.take(response) {
            self.holding.note(entry.data, detail)?;
        }
        Ok(())
    }

    fn end(mut self, status: &StatusResponse) -> Option<Holding> {
        self.holding.put_in_order();
        self.holding.exists = self.inventory.counted();
        let is_named = self.holding.unread().next().is_none();
        let is_whole = self.is_whole && is_named && !self.inventory.is_odd();
        let is_done = matches!(self.inventory.ended(status), NextQuery::Done(_));
        (is_whole && is_done).then_some(self.holding)
    }
}
