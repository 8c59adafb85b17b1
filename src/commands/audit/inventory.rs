//! What the source has of each mailbox, asked ahead; a death or refusal counts against the mailbox that was under way.
//!
//! Of the archive it knows only what the sidecars say.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};

use anyhow::Result;

use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;
use crate::message;
use crate::session::blame::{Blame, Owner, Verdict};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch;
use crate::session::inventory::{Extent, Inventory, NextQuery};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{NoBody, Response};
use crate::session::response::{Condition, StatusResponse};
use crate::session::select::{self, Selected};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// What a server says about a message beside its bytes, in a form that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside {
    flags: u64,
    /// INTERNALDATE, in whatever zone it is said.
    time: Option<i64>,
}

impl Beside {
    /// Flags are a set, in any case; `\Recent` is the session's (RFC 3501 section 2.3.2).
    pub fn of<'f>(flags: impl Iterator<Item = &'f str>, internaldate: &str) -> Self {
        let flags = flags.map(str::to_ascii_lowercase);
        let mut flags: Vec<String> = flags.filter(|flag| flag != "\\recent").collect();
        flags.sort_unstable();
        flags.dedup();
        let mut hasher = DefaultHasher::new();
        flags.hash(&mut hasher);
        Self {
            flags: hasher.finish(),
            time: message::timestamp(internaldate),
        }
    }
}

/// A mailbox that is asked about.
pub struct Ask<'a> {
    /// Who it is.
    pub at: usize,
    /// Its name.
    pub name: &'a Name,
    /// STATUS says that it holds nothing.
    pub is_empty: bool,
    /// What the archive says of its messages.
    pub beside: &'a BTreeMap<u32, Beside>,
}

/// What the source has of a mailbox.
#[derive(Debug, Default)]
pub struct Inventoried {
    /// What EXAMINE says.
    pub selected: Selected,
    /// Messages that it names.
    pub inventory: Inventory,
    /// Those with other flags than the archive has.
    pub other_flags: UidSet,
    /// Those with another INTERNALDATE.
    pub other_dates: UidSet,
    /// Why it does not say.
    pub refusal: Option<String>,
    /// What it answered to the FETCH of its UIDs, unless that was OK.
    unnamed: Option<String>,
}

#[derive(Clone, Copy)]
enum InventoryStep {
    Open(usize),
    Uids(usize),
    Search(usize),
}

impl InventoryStep {
    fn at(self) -> usize {
        let (Self::Open(at) | Self::Uids(at) | Self::Search(at)) = self;
        at
    }
}

/// Asks about all of them, in their order; what is settled is in `known`, even when the connection dies.
///
/// # Errors
/// Those of the connection, counted against the mailbox that was under way.
pub fn read(
    channel: &mut Channel,
    asks: Vec<Ask<'_>>,
    blame: &mut Blame<Owner<usize>>,
    known: &mut HashMap<usize, Inventoried>,
) -> Result<()> {
    let mut reading = InventoryReading {
        blame,
        known,
        under_way: HashMap::new(),
        unfinished: HashMap::new(),
    };
    let mut queue = VecDeque::from(asks);
    let mut asked: HashMap<usize, Ask<'_>> = HashMap::new();
    let mut lane: Lane<'_, InventoryStep> = Lane::new(channel);
    loop {
        while lane.outstanding() < WINDOW
            && let Some(ask) = queue.pop_front()
        {
            let alone = reading.blame.verdict(&Owner::Mailbox(ask.at)) == Verdict::Alone;
            if alone && lane.outstanding() > 0 {
                queue.push_front(ask);
                break;
            }
            reading.send(&mut lane, &ask)?;
            asked.insert(ask.at, ask);
            if alone {
                break;
            }
        }
        if lane.outstanding() == 0 {
            return Ok(());
        }
        let oldest = lane.steps().next().copied();
        match lane.next(&mut NoBody) {
            Ok(Answer::Untagged(InventoryStep::Open(at), response)) => {
                reading.opened(*at, response);
            }
            Ok(Answer::Untagged(InventoryStep::Uids(at), response)) => {
                if let Some(ask) = asked.get(at) {
                    reading.named(ask, response);
                }
            }
            Ok(Answer::Untagged(InventoryStep::Search(at), response)) => {
                reading.searched(*at, response);
            }
            Ok(Answer::Done(step, status)) => {
                if let Some(at) = reading.done(step, &status)
                    && let Some(ask) = asked.remove(&at)
                {
                    queue.push_back(ask);
                }
            }
            Err(error) => {
                reading.died(oldest, &error);
                return Err(error.into());
            }
        }
    }
}

struct InventoryReading<'a> {
    blame: &'a mut Blame<Owner<usize>>,
    known: &'a mut HashMap<usize, Inventoried>,
    under_way: HashMap<usize, (Inventoried, usize)>,
    /// What was named so far, and what is to be asked next.
    unfinished: HashMap<usize, (Inventoried, NextQuery)>,
}

impl InventoryReading<'_> {
    fn send(&mut self, lane: &mut Lane<'_, InventoryStep>, ask: &Ask<'_>) -> Result<()> {
        let open = match select::examine(ask.name.wire(), lane.capabilities()) {
            Ok(open) => open,
            Err(error) => {
                self.give_up(ask.at, error.to_string());
                return Ok(());
            }
        };
        let (there, next) = self.unfinished.remove(&ask.at).unwrap_or_else(|| {
            let there = Inventoried::default();
            let all = NextQuery::Fetch(there.inventory.range());
            let first = if ask.is_empty {
                NextQuery::Done(Extent::Whole)
            } else {
                all
            };
            (there, first)
        });
        lane.send(&open, InventoryStep::Open(ask.at), Order::Opens)?;
        let then = match next {
            NextQuery::Fetch(range) => Some((fetch::beside(&range), InventoryStep::Uids(ask.at))),
            NextQuery::Search => Some((fetch::search_all(), InventoryStep::Search(ask.at))),
            NextQuery::Done(_) => None,
        };
        let commands = 1 + usize::from(then.is_some());
        if let Some((command, step)) = then {
            lane.send(&command, step, Order::Loose)?;
        }
        self.under_way.insert(ask.at, (there, commands));
        Ok(())
    }

    fn opened(&mut self, at: usize, response: &Response) {
        if let Some((there, _)) = self.under_way.get_mut(&at) {
            there.selected.take(response);
            there.inventory.opened(&there.selected);
        }
    }

    fn named(&mut self, ask: &Ask<'_>, response: &Response) {
        let Some((there, _)) = self.under_way.get_mut(&ask.at) else {
            return;
        };
        there.inventory.recount(response);
        let Some(entry) = there.inventory.take(response) else {
            return;
        };
        let (uid, data) = (entry.uid, entry.data);
        if let Some(here) = ask.beside.get(&uid)
            && let (Some(flags), Some(date)) = (&data.flags, &data.internaldate)
        {
            let flags = flags.iter().map(String::as_str);
            let said = Beside::of(flags, date.as_deref().unwrap_or_default());
            if said.flags != here.flags {
                there.other_flags.insert(uid);
            }
            if said.time != here.time {
                there.other_dates.insert(uid);
            }
        }
    }

    fn searched(&mut self, at: usize, response: &Response) {
        if let Some((there, _)) = self.under_way.get_mut(&at) {
            there.inventory.recount(response);
            there.inventory.take_search(response);
        }
    }

    /// A mailbox that is to be asked about once more.
    fn done(&mut self, step: InventoryStep, status: &StatusResponse) -> Option<usize> {
        let at = step.at();
        let (there, left) = self.under_way.get_mut(&at)?;
        *left -= 1;
        // A FETCH of nothing may be refused, and so may more than the server takes in one command.
        let is_refused = status.condition != Condition::Ok
            && status.message_limit().is_none()
            && !(there.selected.exists == 0 && there.selected.uidvalidity != 0);
        let words = is_refused.then(|| status.said());
        match step {
            InventoryStep::Open(_) => there.refusal = there.refusal.take().or(words),
            // What SEARCH completes needs no FETCH.
            InventoryStep::Uids(_) => there.unnamed = there.unnamed.take().or(words),
            InventoryStep::Search(_) => {}
        }
        if *left > 0 {
            return None;
        }
        let (mut there, _) = self.under_way.remove(&at)?;
        let next = match step {
            _ if there.refusal.is_some() => NextQuery::Done(Extent::Whole),
            // STATUS has called it empty, and it is not.
            InventoryStep::Open(_) if there.inventory.counted() > 0 => {
                NextQuery::Fetch(there.inventory.range())
            }
            _ => there.inventory.ended(status),
        };
        if !matches!(next, NextQuery::Done(_)) {
            self.unfinished.insert(at, (there, next));
            return Some(at);
        }
        if there.inventory.extent() != Extent::Whole {
            there.refusal = there.refusal.take().or(there.unnamed.take());
        }
        if let Some(words) = there.refusal.clone()
            && self.blame.count(Owner::Mailbox(at), words) != Verdict::Over
        {
            return Some(at);
        }
        self.known.insert(at, there);
        None
    }

    /// It does not say what it holds.
    fn give_up(&mut self, at: usize, words: String) {
        let refusal = Some(words);
        let there = Inventoried {
            refusal,
            ..Inventoried::default()
        };
        self.known.insert(at, there);
    }

    fn died(&mut self, oldest: Option<InventoryStep>, error: &SessionError) {
        let is_theirs = matches!(error.kind, Kind::Transient | Kind::Desync);
        let Some(step) = oldest.filter(|_| is_theirs) else {
            return;
        };
        let words = error.to_string();
        if self.blame.count(Owner::Mailbox(step.at()), words.clone()) == Verdict::Over {
            self.give_up(step.at(), words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_bytes_compares_as_it_is_meant() {
        let of = |flags: &str, date: &str| Beside::of(flags.split_whitespace(), date);
        let date = "02-Feb-2015 02:04:05 +0000";
        let one = of("\\Seen $Forwarded", date);
        assert_eq!(
            one,
            of("$forwarded \\Recent \\SEEN", " 2-Feb-2015 04:04:05 +0200")
        );
        assert_ne!(one.flags, of("\\Seen", date).flags);
        assert_ne!(one.time, of("", "02-Feb-2015 02:04:06 +0000").time);
        assert_eq!(of("", "").time, None);
    }
}
