//! Reads a mailbox of the target in parts that could not be read in one flight.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use tracing::warn;

use super::{Detail, Holding, MailboxQuery};
use crate::mailbox::uidset::UidSet;
use crate::message::Identity;
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch;
use crate::session::inventory::{Inventory, NextQuery};
use crate::session::manage;
use crate::session::refusal;
use crate::session::response::{self, Condition, StatusResponse};
use crate::session::select::{self, Selected};
use crate::target::bodies;
use crate::target::trouble::{Suspects, Trouble, UnderWay};

/// Messages asked for in one command.
const PART: usize = 500;
/// Messages without a readable header that are read whole.
const MAX_WHOLE: usize = 1000;

/// One mailbox in parts: what it counts, what it names, the headers of these, and what cannot be had in another way.
pub(super) struct InParts<'a> {
    wire: &'a [u8],
    inventory: Inventory,
    detail: Detail,
    holding: Holding,
}

impl<'a> InParts<'a> {
    pub fn new(wire: &'a [u8], query: MailboxQuery) -> Self {
        Self {
            wire,
            inventory: Inventory::from(query.which.first()),
            detail: query.detail,
            holding: Holding::default(),
        }
    }

    pub fn read(
        mut self,
        channel: &mut Channel,
        trouble: &mut Trouble,
    ) -> Result<Result<Holding, String>> {
        let suspects = trouble.of(self.wire);
        let without_sizes = suspects.is_some_and(Suspects::dies_of_sizes);
        match self.names(channel, without_sizes) {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error) => {
                trouble.count(self.wire, UnderWay::Mailbox, &error);
                return Err(error.into());
            }
        }
        self.headers(channel, trouble)?;
        self.holding.put_in_order();
        self.holding.exists = self.inventory.counted();
        read_whole(channel, self.wire, &mut self.holding, trouble)?;
        Ok(Ok(self.holding))
    }

    /// What the mailbox names, with sizes and dates or without; the inner error is its refusal.
    fn names(
        &mut self,
        channel: &mut Channel,
        without_sizes: bool,
    ) -> std::result::Result<Result<(), String>, SessionError> {
        let open = select::examine(self.wire, &channel.capabilities)?;
        let mut selected = Selected::default();
        let status = channel.run(&open, |response| selected.take(response))?;
        if status.condition != Condition::Ok {
            refusal::check_state(&status)?;
            return Ok(Err(status.said()));
        }
        if !selected.is_counted {
            let Some(count) = manage::count(channel, self.wire)? else {
                return Ok(Err("it does not say how many messages it has".to_owned()));
            };
            selected.exists = count;
        }
        self.holding.uidvalidity = selected.uidvalidity;
        self.holding.uidnext = selected.uidnext;
        self.inventory.opened(&selected);
        let mut next = if without_sizes {
            self.inventory.by_search()
        } else {
            NextQuery::Fetch(self.inventory.range())
        };
        loop {
            let status = match next {
                NextQuery::Done(_) => return Ok(Ok(())),
                NextQuery::Search => self.search(channel)?,
                NextQuery::Fetch(range) => self.attributes(channel, &range)?,
            };
            next = self.inventory.ended(&status);
        }
    }

    fn attributes(
        &mut self,
        channel: &mut Channel,
        range: &str,
    ) -> crate::session::error::Result<StatusResponse> {
        let ask = fetch::described(range, self.detail.has_flags());
        let (inventory, holding, detail) = (&mut self.inventory, &mut self.holding, self.detail);
        let mut failed = None;
        let status = channel.run(&ask, |response| {
            inventory.recount(response);
            if let Some(entry) = inventory.take(response)
                && let Err(error) = holding.note(entry.data, detail)
            {
                failed = Some(format!("{error:#}"));
            }
        })?;
        if let Some(text) = failed {
            return Err(SessionError::new(Kind::Refused, text));
        }
        if status.condition != Condition::Ok {
            refusal::check_state(&status)?;
        }
        Ok(status)
    }

    fn search(&mut self, channel: &mut Channel) -> crate::session::error::Result<StatusResponse> {
        let inventory = &mut self.inventory;
        channel.run(&fetch::search_all(), |response| {
            inventory.recount(response);
            inventory.take_search(response);
        })
    }

    /// The headers of what is named. A message that ends the connection is asked for alone, and then no more.
    fn headers(&mut self, channel: &mut Channel, trouble: &mut Trouble) -> Result<()> {
        let named = self.inventory.named().clone();
        let suspects = trouble.of(self.wire).cloned().unwrap_or_default();
        let mut parts = VecDeque::from(suspects.headers().commands(named.iter(), PART));
        let mut silent = Vec::new();
        while let Some(part) = parts.pop_front() {
            let mut left: UidSet = part.iter().copied().collect();
            let limit = match self.part(channel, &mut left) {
                Ok(limit) => limit,
                Err(error) => {
                    if let Some(lost) = error.downcast_ref::<SessionError>() {
                        let left: Vec<u32> = left.iter().collect();
                        trouble.count(self.wire, UnderWay::Headers(&left), lost);
                    }
                    return Err(error);
                }
            };
            // The server took a part (RFC 9738): the rest, in no more than it takes.
            let most = limit.unwrap_or(part.len());
            let rest: Vec<u32> = left.iter().collect();
            if limit.is_some() && (rest.len() < part.len() || most < part.len()) {
                let pieces = rest.chunks(most).rev();
                pieces.for_each(|piece| parts.push_front(piece.to_vec()));
                continue;
            }
            if part.len() > 1 {
                silent.extend(left.iter());
            }
        }
        // What was left out of an answer may come when it is asked for alone.
        for uid in silent.into_iter().take(MAX_WHOLE) {
            let mut left: UidSet = [uid].into_iter().collect();
            if let Err(error) = self.part(channel, &mut left) {
                if let Some(lost) = error.downcast_ref::<SessionError>() {
                    trouble.count(self.wire, UnderWay::Headers(&[uid]), lost);
                }
                return Err(error);
            }
        }
        self.dates(channel, trouble, &named)
    }

    /// What only a search has named: its date may tell what it is not.
    fn dates(
        &mut self,
        channel: &mut Channel,
        trouble: &mut Trouble,
        named: &UidSet,
    ) -> Result<()> {
        let known = self.holding.messages.iter().map(|there| there.uid);
        let known: UidSet = known.collect();
        let mut nameless: UidSet = named.iter().filter(|uid| !known.contains(*uid)).collect();
        let first: UidSet = nameless.iter().take(MAX_WHOLE).collect();
        let mut dated = Vec::new();
        if !first.is_empty() {
            let status = channel.run(&fetch::beside(&first), |response| {
                if let Some(Ok(data)) = response::parse_fetch(response) {
                    dated.push(data);
                }
            });
            if let Err(error) = status {
                trouble.count(self.wire, UnderWay::Mailbox, &error);
                return Err(error.into());
            }
        }
        for data in dated {
            if let Some(uid) = data.uid.filter(|uid| nameless.contains(*uid)) {
                nameless.remove(uid);
                self.holding.note(data, self.detail)?;
            }
        }
        for uid in nameless.iter() {
            let data = response::FetchData {
                uid: Some(uid),
                ..response::FetchData::default()
            };
            self.holding.note(data, self.detail)?;
        }
        Ok(())
    }

    /// One command; those that are answered are taken out of `left`. The most that the server takes, where this was
    /// more.
    fn part(&mut self, channel: &mut Channel, left: &mut UidSet) -> Result<Option<usize>> {
        let asked = left.clone();
        let ask = fetch::identified(&asked, self.detail.has_flags());
        let mut failed = None;
        let (inventory, holding, detail) = (&mut self.inventory, &mut self.holding, self.detail);
        let status = channel.run(&ask, |response| {
            inventory.recount(response);
            let Some(Ok(data)) = response::parse_fetch(response) else {
                return;
            };
            // Its header may come in a response of its own.
            let Some(uid) = data.uid.filter(|uid| asked.contains(*uid)) else {
                return;
            };
            if data.header.is_some() {
                left.remove(uid);
            }
            if let Err(error) = holding.note(data, detail) {
                failed = Some(error);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if status.condition != Condition::Ok
            && let Some(error) = refusal::about_host(&status)
        {
            return Err(error.into());
        }
        let limit = status.message_limit();
        Ok(limit.and_then(|(most, _)| usize::try_from(most).ok()))
    }
}

/// Messages whose headers do not say what they are are read whole, as far as these are not too many.
///
/// # Errors
/// Those of the connection, put down to what was under way.
pub(super) fn read_whole(
    channel: &mut Channel,
    wire: &[u8],
    holding: &mut Holding,
    trouble: &mut Trouble,
) -> Result<()> {
    let doubtful = holding.unread().chain(holding.nameless());
    let uids: UidSet = doubtful.take(MAX_WHOLE).collect();
    if uids.is_empty() {
        return Ok(());
    }
    let messages = holding.messages.iter();
    let times: BTreeMap<u32, Option<i64>> = messages
        .filter(|there| uids.contains(there.uid))
        .map(|there| (there.uid, there.time))
        .collect();
    let mut whole: BTreeMap<u32, Option<(Option<Identity>, u64)>> = BTreeMap::new();
    bodies::read(channel, wire, &uids, trouble, |uid, print| {
        let seen = match print {
            Ok(print) => {
                let time = times.get(&uid).copied().flatten();
                let length = print.cut_from.unwrap_or(print.length);
                Some((print.identity(time), length))
            }
            Err(reason) => {
                warn!(uid, reason, "a message of the target cannot be read");
                None
            }
        };
        whole.insert(uid, seen);
        Ok(())
    })?;
    for there in &mut holding.messages {
        match whole.remove(&there.uid) {
            Some(Some((identity, length))) => {
                there.identity = identity;
                there.size = Some(length);
            }
            Some(None) => there.identity = None,
            None => {}
        }
    }
    Ok(())
}
