//! What a mailbox holds, as the server names it: by FETCH, by SEARCH where that falls short, and below the window of
//! messages that a server shows, or beyond the most that it takes in one command (RFC 9738).
//!
//! It says how whole it is, as only a whole one proves that something is absent. It sends nothing: whoever drives the
//! lane hands it the answers, and is told what to ask for next.

use tracing::debug;

use super::reader::Response;
use super::response::{self, Condition, FetchData, StatusResponse};
use super::select::Selected;
use crate::mailbox::UidSet;

/// How often a mailbox is asked for what it did not name.
const MAX_ASKED: u32 = 1000;
/// The same for steps that the server asks for, often of less than a thousand messages.
const MAX_STEPS: u32 = 100_000;
/// Stands for the last UID, whatever that is.
const LAST: u32 = u32::MAX;

/// What a mailbox holds, as far as it was named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// UIDs below this one are not meant.
    first: u32,
    /// Messages with such UIDs, as far as is known.
    below: u64,
    /// Messages that the mailbox counts.
    counted: u64,
    named: UidSet,
    /// Named when the last command was sent.
    before: u64,
    asked: u32,
    searched: bool,
    is_odd: bool,
    /// UIDNEXT; 0 where the server says none.
    uidnext: u32,
    /// First and last UID that the last command asked for; `None`: all.
    range: Option<(u32, u32)>,
    /// Lowest and highest UID that it named.
    seen: Option<(u32, u32)>,
    /// What is still to be asked for, as the server took only a part.
    rest: Option<(u32, u32)>,
    /// How many UIDs a command may name, where the server refuses more.
    most: Option<u32>,
}

/// How whole an inventory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that is counted is named.
    Whole,
    /// What is not named is unknown.
    Short {
        /// Messages that the mailbox counts.
        counted: u64,
        /// Messages that it names.
        named: u64,
    },
}

/// What is to be asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextQuery {
    /// Nothing: what is named now is all that will be.
    Done(Extent),
    /// SEARCH ALL.
    Search,
    /// FETCH of these UIDs.
    Fetch(String),
}

/// A line that names a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMessage {
    /// UID.
    pub uid: u32,
    /// No line before named it.
    pub is_first: bool,
    /// What the line says.
    pub data: FetchData,
}

impl Inventory {
    /// One of the messages from this UID on.
    #[must_use]
    pub fn from(uid: u32) -> Self {
        Self {
            first: uid,
            ..Self::default()
        }
    }

    /// The UIDs that the first FETCH asks for.
    #[must_use]
    pub fn range(&self) -> String {
        format!("{}:*", self.first.max(1))
    }

    /// What to ask first where asking for sizes ends the connection: SEARCH reads no message.
    pub fn by_search(&mut self) -> NextQuery {
        self.searched = true;
        NextQuery::Search
    }

    /// The mailbox is open, and counts this many messages.
    pub fn opened(&mut self, selected: &Selected) {
        self.counted = selected.exists;
        self.uidnext = selected.uidnext;
    }

    /// Messages come and go while they are listed.
    pub fn recount(&mut self, response: &Response) {
        if let Some(exists) = response::parse_exists(response) {
            self.counted = exists;
        }
        if response::parse_expunge(response).is_some() {
            self.expunged();
        }
    }

    /// One message less.
    pub fn expunged(&mut self) {
        self.counted = self.counted.saturating_sub(1);
    }

    /// Takes an answer to FETCH. `n:*` names the last message even where it is below n.
    pub fn take(&mut self, response: &Response) -> Option<NamedMessage> {
        match response::parse_fetch(response)? {
            Ok(data) => {
                let uid = data.uid?;
                self.note_below(uid, data.sequence);
                if uid < self.first {
                    return None;
                }
                let is_first = self.name(uid);
                Some(NamedMessage {
                    uid,
                    is_first,
                    data,
                })
            }
            Err(reason) => {
                self.is_odd = true;
                debug!(line = response.shown(), reason, "an inventory line is odd");
                None
            }
        }
    }

    /// What the place of a message says of those that are not meant. It says nothing where others may stand between.
    fn note_below(&mut self, uid: u32, sequence: u64) {
        if self.first > 1 && uid == self.first {
            self.below = sequence.saturating_sub(1);
        } else if uid < self.first && sequence == self.counted {
            self.below = self.counted;
        }
    }

    /// Takes an answer to SEARCH; the UIDs that nothing named before.
    pub fn take_search(&mut self, response: &Response) -> Vec<u32> {
        let mut uids = response::parse_search(response).unwrap_or_default();
        let below = uids.iter().filter(|uid| **uid < self.first).count() as u64;
        self.below = self.below.max(below);
        uids.retain(|uid| *uid >= self.first && self.name(*uid));
        uids
    }

    fn name(&mut self, uid: u32) -> bool {
        let is_first = !self.named.contains(uid);
        self.named.insert(uid);
        let (lowest, highest) = self.seen.unwrap_or((uid, uid));
        self.seen = Some((lowest.min(uid), highest.max(uid)));
        is_first
    }

    /// The last command has ended: a refusal is no answer, and what is short is asked for in another way.
    pub fn ended(&mut self, status: &StatusResponse) -> NextQuery {
        self.asked += 1;
        let is_answered = status.condition == Condition::Ok;
        // A FETCH of nothing may be refused.
        if self.counted() == 0 || is_answered && self.extent() == Extent::Whole {
            return NextQuery::Done(Extent::Whole);
        }
        let seen = self.seen.take();
        if let Some(limit) = status.message_limit() {
            self.rest = self.left_by(limit, is_answered, seen).or(self.rest);
        }
        if let Some(range) = self.next_of_rest() {
            self.range = Some(range);
            return NextQuery::Fetch(shown(range));
        }
        if !self.searched {
            self.searched = true;
            return NextQuery::Search;
        }
        self.below_the_window()
    }

    /// What a command leaves to be asked for that the server took a part of, or nothing.
    fn left_by(
        &mut self,
        (most, stopped): (u32, Option<u32>),
        is_answered: bool,
        seen: Option<(u32, u32)>,
    ) -> Option<(u32, u32)> {
        let (first, last) = self.range.unwrap_or((self.first.max(1), LAST));
        // Together with what was left before, which lies below.
        let floor = self.rest.map_or(first, |(floor, _)| floor);
        if is_answered && let Some((lowest, highest)) = seen {
            let stopped = stopped.unwrap_or(lowest);
            let rest = if lowest < stopped {
                (highest.max(stopped).saturating_add(1), last)
            } else {
                (floor, stopped.saturating_sub(1))
            };
            let shrinks = rest.0 <= rest.1 && (rest.0 > first || rest.1 < last);
            return shrinks.then_some(rest);
        }
        // Nothing was carried out: from now on no more UIDs than it takes messages.
        let last = match last {
            LAST => self.uidnext.checked_sub(1)?,
            last => last,
        };
        let asked = last.checked_sub(first)?.saturating_add(1);
        let most = most.min(asked.div_ceil(2));
        if self.most.is_some_and(|before| most >= before) && asked <= most {
            return None;
        }
        self.most = Some(most);
        Some((floor, last))
    }

    /// The upper part of the rest.
    fn next_of_rest(&mut self) -> Option<(u32, u32)> {
        let (floor, last) = self.rest.take().filter(|_| self.asked < MAX_STEPS)?;
        let Some(most) = self.most.filter(|_| last != LAST) else {
            return Some((floor, last));
        };
        let first = last.saturating_sub(most - 1).max(floor);
        self.rest = first
            .checked_sub(1)
            .filter(|below| *below >= floor)
            .map(|below| (floor, below));
        Some((first, last))
    }

    /// What lies below the window that a server shows.
    fn below_the_window(&mut self) -> NextQuery {
        let grows = self.named.len() > self.before;
        self.before = self.named.len();
        let is_short = self.first <= 1 && self.extent() != Extent::Whole;
        match self.named.iter().next() {
            Some(lowest) if lowest > 1 && is_short && grows && self.asked < MAX_ASKED => {
                self.range = Some((1, lowest - 1));
                NextQuery::Fetch(shown((1, lowest - 1)))
            }
            _ => NextQuery::Done(self.extent()),
        }
    }

    /// Messages that the mailbox counts, but for those that are not meant.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted.saturating_sub(self.below)
    }

    /// Messages that it names.
    #[must_use]
    pub fn named(&self) -> &UidSet {
        &self.named
    }

    /// A line could not be understood.
    #[must_use]
    pub fn is_odd(&self) -> bool {
        self.is_odd
    }

    /// How whole it is.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let (counted, named) = (self.counted(), self.named.len());
        if named < counted {
            Extent::Short { counted, named }
        } else {
            Extent::Whole
        }
    }
}

/// A range as it is sent.
fn shown(range: (u32, u32)) -> String {
    match range {
        (first, LAST) => format!("{first}:*"),
        (first, last) => format!("{first}:{last}"),
    }
}

#[cfg(test)]
mod tests;
