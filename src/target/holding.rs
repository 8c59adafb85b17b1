//! What mailboxes of the target hold: identities, dates, sizes, flags, read in one flight.
//!
//! A mailbox that counts more than it names, names what cannot be read, or breaks the connection is looked at again, in
//! parts: what nobody could see is unknown, and never absent.

use std::collections::BTreeMap;

use anyhow::Result;
use tracing::warn;

use super::bodies;
use super::trouble::Trouble;
use crate::archive::uidset::UidSet;
use crate::compare::Held;
use crate::message::{self, Identity};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch;
use crate::session::inventory::{Inventory, Next};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{NoBody, Response};
use crate::session::refusal;
use crate::session::response::{self, Condition, Status};
use crate::session::select::{self, Selected};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;
/// Messages asked for in one command, where a mailbox is read in parts.
const PART: usize = 500;
/// Messages without a readable header that are read whole.
const MAX_WHOLE: usize = 1000;
/// Most different flags in a mailbox, and most of one mailbox's messages together.
const MAX_FLAGS: (usize, usize) = (2000, 64_000_000);

/// A mailbox on the target.
#[derive(Default)]
pub struct Holding {
    /// UIDVALIDITY; 0 where the server says none.
    pub uidvalidity: u32,
    /// UIDNEXT; 0 where the server says none.
    pub uidnext: u32,
    /// How many messages it counts (EXISTS), as last said.
    pub exists: u64,
    /// The messages, by their UIDs.
    pub messages: Vec<Held>,
    /// Numbers into `names`, of each message; empty where nobody asked.
    flags: Vec<Box<[u16]>>,
    /// All flags that occur, in lower case: few, however many messages there are.
    names: Vec<String>,
    /// How many flags all messages have together.
    flags_held: usize,
}

/// Which messages of a mailbox are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those from this UID on.
    From(u32),
}

impl Which {
    fn first(self) -> u32 {
        match self {
            Self::All => 1,
            Self::From(uid) => uid.max(1),
        }
    }
}

/// What is asked of each message beside its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nothing.
    Identity,
    /// Its flags.
    Flags,
}

impl Holding {
    /// How many messages it counts and names, where that is not the same: what it does not name is unknown.
    #[must_use]
    pub fn shortfall(&self) -> Option<(u64, u64)> {
        let named = self.messages.len() as u64;
        (named < self.exists).then_some((self.exists, named))
    }

    /// The mailbox has given this UID to a message already.
    #[must_use]
    pub fn has_given(&self, uid: u32) -> bool {
        match self.uidnext {
            0 => self.messages.last().is_some_and(|last| last.uid >= uid),
            next => uid < next,
        }
    }

    /// Messages whose headers cannot be had.
    pub fn unread(&self) -> impl Iterator<Item = u32> + '_ {
        let unread = self
            .messages
            .iter()
            .filter(|there| there.identity.is_none());
        unread.map(|there| there.uid)
    }

    fn number_of(&mut self, flag: &str) -> Option<u16> {
        let lower = flag.to_ascii_lowercase();
        if lower == "\\recent" {
            return None;
        }
        let known = self.names.iter().position(|known| *known == lower);
        let number = known.unwrap_or_else(|| {
            self.names.push(lower);
            self.names.len() - 1
        });
        u16::try_from(number).ok()
    }

    /// The flags of a message, by its number.
    fn flags_of(&self, at: usize) -> impl Iterator<Item = &str> {
        let flags = self.flags.get(at).map(AsRef::as_ref).unwrap_or_default();
        flags
            .iter()
            .map(|number| self.names[usize::from(*number)].as_str())
    }

    /// Flags of the archive, blank-separated, that the message with this number lacks.
    #[must_use]
    pub fn lost_flags(&self, archived: &str, at: usize) -> Vec<String> {
        let words = archived.split_ascii_whitespace();
        words
            .filter(|flag| {
                !flag.eq_ignore_ascii_case("\\Recent")
                    && !self
                        .flags_of(at)
                        .any(|there| there.eq_ignore_ascii_case(flag))
            })
            .map(str::to_owned)
            .collect()
    }

    /// True when the message with this number has flags that the archive does not know.
    #[must_use]
    pub fn has_more_flags(&self, archived: &str, at: usize) -> bool {
        self.flags_of(at).any(|flag| {
            !archived
                .split_ascii_whitespace()
                .any(|known| known.eq_ignore_ascii_case(flag))
        })
    }

    /// These are not looked at.
    pub fn leave_out(&mut self, uids: &UidSet) {
        let before = self.messages.len();
        self.messages.retain(|there| !uids.contains(there.uid));
        let gone = (before - self.messages.len()) as u64;
        self.exists = self.exists.saturating_sub(gone);
    }

    fn put_in_order(&mut self) {
        let by_uid = self
            .messages
            .windows(2)
            .all(|pair| pair[0].uid < pair[1].uid);
        if by_uid {
            return;
        }
        let mut all = BTreeMap::new();
        let mut flags = std::mem::take(&mut self.flags).into_iter();
        for there in self.messages.drain(..) {
            let its = flags.next();
            // What was said last counts, but for what was not said.
            let known: Option<&(Held, Option<Box<[u16]>>)> = all.get(&there.uid);
            let known = known.is_some_and(|(known, _)| known.identity.is_some());
            if there.identity.is_some() || !known {
                all.insert(there.uid, (there, its));
            }
        }
        for (there, its) in all.into_values() {
            self.messages.push(there);
            self.flags.extend(its);
        }
    }

    fn note(&mut self, data: response::FetchData, extent: Extent) -> Result<()> {
        let Some(uid) = data.uid else {
            return Ok(());
        };
        let time = data.internaldate.flatten();
        let time = time.as_deref().and_then(message::timestamp);
        if extent == Extent::Flags {
            let flags = data.flags.unwrap_or_default();
            let mut flags: Vec<u16> = flags.iter().filter_map(|f| self.number_of(f)).collect();
            flags.sort_unstable();
            flags.dedup();
            self.flags_held += flags.len();
            if self.names.len() > MAX_FLAGS.0 || self.flags_held > MAX_FLAGS.1 {
                let text = format!(
                    "the target names more flags than a mailbox can have: {} different ones, {} in all",
                    self.names.len(),
                    self.flags_held
                );
                return Err(SessionError::new(Kind::Refused, text).into());
            }
            self.flags.push(flags.into_boxed_slice());
        }
        let size = data.size.unwrap_or(0);
        let identity = data.header.map(|header| Identity::of(&header, size, time));
        self.messages.push(Held {
            identity,
            uid,
            size: data.size,
            time,
        });
        Ok(())
    }
}

/// Reads mailboxes and hands each over when it is known: as a whole, or with the reason why it cannot be read at all.
///
/// # Errors
/// Those of the connection, put down to what was under way; those of `take`.
pub fn read(
    channel: &mut Channel,
    names: &[Vec<u8>],
    which: Which,
    extent: Extent,
    trouble: &mut Trouble,
    mut take: impl FnMut(usize, &mut Channel, Result<Holding, String>, &mut Trouble) -> Result<()>,
) -> Result<()> {
    let is_plain = |number: &usize| trouble.of(&names[*number]).is_none();
    let (plain, odd): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(is_plain);
    let mut queue = plain.into_iter().peekable();
    let mut again = odd;
    while queue.peek().is_some() {
        // Mailboxes are handed over while the connection is free for whoever takes them.
        let flight: Vec<usize> = queue.by_ref().take(WINDOW / 2).collect();
        let found = fly(channel, names, &flight, which, extent, trouble)?;
        for (number, found) in flight.into_iter().zip(found) {
            match found {
                Some(holding) => take(number, channel, Ok(holding), trouble)?,
                None => again.push(number),
            }
        }
    }
    for number in again {
        let wire = &names[number];
        let closed = trouble.of(wire).and_then(|suspects| suspects.closed());
        let found = match closed {
            Some(words) => Err(words.to_owned()),
            None => InParts::new(wire, which, extent).read(channel, trouble)?,
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
    let mut found = Ok(Holding::default());
    let names = [wire.to_vec()];
    read(
        channel,
        &names,
        which,
        Extent::Identity,
        trouble,
        |_, _, there, _| {
            found = there;
            Ok(())
        },
    )?;
    Ok(found)
}

#[derive(Clone, Copy)]
enum Step {
    Open,
    Fetch,
}

/// The usual way: everything is asked for at once. `None` for a mailbox that must be looked at again.
fn fly(
    channel: &mut Channel,
    names: &[Vec<u8>],
    flight: &[usize],
    which: Which,
    extent: Extent,
    trouble: &mut Trouble,
) -> Result<Vec<Option<Holding>>> {
    let all = Inventory::from(which.first()).range();
    let fetch = fetch::identified(all, extent == Extent::Flags);
    let mut lane: Lane<'_, Step> = Lane::new(channel);
    for number in flight {
        let open = select::examine(&names[*number], lane.capabilities())?;
        lane.send(&open, Step::Open, Order::Opens)?;
        lane.send(&fetch, Step::Fetch, Order::Loose)?;
    }
    let mut found = Vec::new();
    let mut current = Current::new(which);
    while lane.outstanding() > 0 {
        let at = flight.get(found.len()).copied();
        match lane.next(&mut NoBody) {
            Ok(Answer::Untagged(Step::Open, response)) => current.selected.take(response),
            Ok(Answer::Untagged(Step::Fetch, response)) => current.take(response, extent)?,
            Ok(Answer::Done(Step::Open, status)) => {
                current.opened(status.condition == Condition::Ok);
            }
            Ok(Answer::Done(Step::Fetch, status)) => {
                let current = std::mem::replace(&mut current, Current::new(which));
                found.push(current.end(&status));
            }
            Err(error) => {
                if let Some(number) = at {
                    trouble.count(&names[number], None, &error);
                }
                return Err(error.into());
            }
        }
    }
    Ok(found)
}

/// What the answers to one flight's commands have said of the mailbox that is the oldest there.
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
        self.is_whole &= is_ok;
        self.inventory.opened(&self.selected);
        self.holding.uidvalidity = self.selected.uidvalidity;
        self.holding.uidnext = self.selected.uidnext;
    }

    fn take(&mut self, response: &Response, extent: Extent) -> Result<()> {
        self.inventory.recount(response);
        if let Some(entry) = self.inventory.take(response) {
            self.is_whole &= entry.data.header.is_some();
            self.holding.note(entry.data, extent)?;
        }
        Ok(())
    }

    fn end(mut self, status: &Status) -> Option<Holding> {
        self.holding.put_in_order();
        self.holding.exists = self.inventory.counted();
        let is_whole = self.is_whole && !self.inventory.is_odd();
        let is_done = matches!(self.inventory.ended(status), Next::Done(_));
        (is_whole && is_done).then_some(self.holding)
    }
}

/// One mailbox in parts: what it counts, what it names, the headers of these, and what cannot be had in another way.
struct InParts<'a> {
    wire: &'a [u8],
    inventory: Inventory,
    extent: Extent,
    holding: Holding,
}

impl<'a> InParts<'a> {
    fn new(wire: &'a [u8], which: Which, extent: Extent) -> Self {
        Self {
            wire,
            inventory: Inventory::from(which.first()),
            extent,
            holding: Holding::default(),
        }
    }

    fn read(
        mut self,
        channel: &mut Channel,
        trouble: &mut Trouble,
    ) -> Result<Result<Holding, String>> {
        match self.names(channel) {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error) => {
                trouble.count(self.wire, None, &error);
                return Err(error.into());
            }
        }
        self.headers(channel, trouble)?;
        self.holding.put_in_order();
        self.holding.exists = self.inventory.counted();
        let unread: UidSet = self.holding.unread().take(MAX_WHOLE).collect();
        let mut whole: BTreeMap<u32, (Option<Identity>, u64)> = BTreeMap::new();
        bodies::read(channel, self.wire, &unread, trouble, |uid, print| {
            match print {
                Ok(print) => {
                    let time = self.time_of(uid);
                    whole.insert(uid, (print.identity(time), print.length));
                }
                Err(reason) => warn!(uid, reason, "a message of the target cannot be read"),
            }
            Ok(())
        })?;
        for there in &mut self.holding.messages {
            if let Some((identity, length)) = whole.remove(&there.uid) {
                there.identity = identity;
                there.size = there.size.or(Some(length));
            }
        }
        Ok(Ok(self.holding))
    }

    fn time_of(&self, uid: u32) -> Option<i64> {
        let at = self
            .holding
            .messages
            .binary_search_by_key(&uid, |there| there.uid);
        at.ok().and_then(|at| self.holding.messages[at].time)
    }

    /// What the mailbox names, with sizes and dates; the inner error is its refusal.
    fn names(
        &mut self,
        channel: &mut Channel,
    ) -> std::result::Result<Result<(), String>, SessionError> {
        let open = select::examine(self.wire, &channel.capabilities)?;
        let mut selected = Selected::default();
        let status = channel.run(&open, |response| selected.take(response))?;
        if status.condition != Condition::Ok {
            refusal::check_state(&status)?;
            return Ok(Err(status.said()));
        }
        self.holding.uidvalidity = selected.uidvalidity;
        self.holding.uidnext = selected.uidnext;
        self.inventory.opened(&selected);
        let mut next = Next::Fetch(self.inventory.range());
        loop {
            let status = match next {
                Next::Done(_) => return Ok(Ok(())),
                Next::Search => self.search(channel)?,
                Next::Fetch(range) => self.attributes(channel, &range)?,
            };
            next = self.inventory.ended(&status);
        }
    }

    fn attributes(
        &mut self,
        channel: &mut Channel,
        range: &str,
    ) -> crate::session::error::Result<Status> {
        let ask = fetch::described(range, self.extent == Extent::Flags);
        let (inventory, holding, extent) = (&mut self.inventory, &mut self.holding, self.extent);
        let mut failed = None;
        let status = channel.run(&ask, |response| {
            inventory.recount(response);
            if let Some(entry) = inventory.take(response)
                && let Err(error) = holding.note(entry.data, extent)
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

    fn search(&mut self, channel: &mut Channel) -> crate::session::error::Result<Status> {
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
        let asked = named.iter().filter(|uid| suspects.over(*uid).is_none());
        let (alone, together): (Vec<u32>, Vec<u32>) =
            asked.partition(|uid| suspects.alone().contains(*uid));
        let mut parts: Vec<Vec<u32>> = together.chunks(PART).map(<[u32]>::to_vec).collect();
        parts.extend(alone.into_iter().map(|uid| vec![uid]));
        let mut silent = Vec::new();
        for part in parts {
            let mut left: UidSet = part.iter().copied().collect();
            let asked = self.part(channel, &mut left);
            if let Err(error) = asked {
                if let Some(lost) = error.downcast_ref::<SessionError>() {
                    trouble.count(self.wire, left.iter().next(), lost);
                }
                return Err(error);
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
                    trouble.count(self.wire, Some(uid), lost);
                }
                return Err(error);
            }
        }
        // Named by a search, and by nothing else.
        let mut known: UidSet = self
            .holding
            .messages
            .iter()
            .map(|there| there.uid)
            .collect();
        for uid in named
            .iter()
            .filter(|uid| !known.contains(*uid))
            .collect::<Vec<_>>()
        {
            known.insert(uid);
            self.holding.note(
                response::FetchData {
                    uid: Some(uid),
                    ..response::FetchData::default()
                },
                self.extent,
            )?;
        }
        Ok(())
    }

    /// One command; those that are answered are taken out of `left`.
    fn part(&mut self, channel: &mut Channel, left: &mut UidSet) -> Result<()> {
        let ask = fetch::identified(&*left, self.extent == Extent::Flags);
        let mut failed = None;
        let (inventory, holding, extent) = (&mut self.inventory, &mut self.holding, self.extent);
        let status = channel.run(&ask, |response| {
            inventory.recount(response);
            let Some(Ok(data)) = response::parse_fetch(response) else {
                return;
            };
            if let Some(uid) = data.uid.filter(|uid| left.contains(*uid))
                && data.header.is_some()
            {
                left.remove(uid);
                if let Err(error) = holding.note(data, extent) {
                    failed = Some(error);
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if status.condition != Condition::Ok {
            refusal::check_state(&status)?;
        }
        Ok(())
    }
}
