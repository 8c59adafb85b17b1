//! What a mailbox holds, as the server names it: by FETCH, by SEARCH where that falls short, and below the window of
//! messages that a server shows.
//!
//! It says how whole it is, as absence is concluded from a whole one only. It sends nothing: whoever drives the lane
//! hands it the answers, and is told what to ask for next.

use tracing::debug;

use super::reader::Response;
use super::response::{self, Condition, FetchData, Status};
use super::select::Selected;
use crate::mailbox::UidSet;

/// Times that a mailbox is asked for what it did not name.
const MAX_ASKED: u32 = 1000;

/// What a mailbox holds, as far as it was named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// UIDs below this one are not meant.
    first: u32,
    /// Messages that the mailbox counts.
    counted: u64,
    named: UidSet,
    /// Named when the last command was sent.
    before: u64,
    asked: u32,
    searched: bool,
    is_odd: bool,
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
pub enum Next {
    /// Nothing: what is named now is all that will be.
    Done(Extent),
    /// SEARCH ALL.
    Search,
    /// FETCH of these UIDs.
    Fetch(String),
}

/// A line that names a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
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

    /// The mailbox is open, and counts so many.
    pub fn opened(&mut self, selected: &Selected) {
        self.counted = selected.exists;
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

    /// One message fewer.
    pub fn expunged(&mut self) {
        self.counted = self.counted.saturating_sub(1);
    }

    /// Takes an answer to FETCH. `n:*` names the last message even where it is below n.
    pub fn take(&mut self, response: &Response) -> Option<Entry> {
        match response::parse_fetch(response)? {
            Ok(data) => {
                let uid = data.uid.filter(|uid| *uid >= self.first)?;
                let is_first = self.name(uid);
                Some(Entry {
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

    /// Takes an answer to SEARCH; the UIDs that nothing named before.
    pub fn take_search(&mut self, response: &Response) -> Vec<u32> {
        let mut uids = response::parse_search(response).unwrap_or_default();
        uids.retain(|uid| *uid >= self.first && self.name(*uid));
        uids
    }

    fn name(&mut self, uid: u32) -> bool {
        let is_first = !self.named.contains(uid);
        self.named.insert(uid);
        is_first
    }

    /// The last command has ended: a refusal is no answer, and what is short is asked for in another way.
    pub fn ended(&mut self, status: &Status) -> Next {
        self.asked += 1;
        let is_answered = status.condition == Condition::Ok;
        // A FETCH of nothing may be refused.
        if self.counted == 0 || is_answered && self.extent() == Extent::Whole {
            return Next::Done(Extent::Whole);
        }
        if !self.searched {
            self.searched = true;
            return Next::Search;
        }
        self.below_the_window()
    }

    /// What lies below the window that a server shows (RFC 9738).
    fn below_the_window(&mut self) -> Next {
        let grows = self.named.len() > self.before;
        self.before = self.named.len();
        let is_short = self.first <= 1 && self.extent() != Extent::Whole;
        match self.named.iter().next() {
            Some(lowest) if lowest > 1 && is_short && grows && self.asked < MAX_ASKED => {
                Next::Fetch(format!("1:{}", lowest - 1))
            }
            _ => Next::Done(self.extent()),
        }
    }

    /// Messages that the mailbox counts.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted
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
        let (counted, named) = (self.counted, self.named.len());
        if named < counted {
            Extent::Short { counted, named }
        } else {
            Extent::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Response {
        Response {
            bytes: format!("{text}\r\n").into_bytes(),
            ..Response::default()
        }
    }

    fn status(condition: Condition) -> Status {
        Status {
            condition,
            code: None,
            text: String::new(),
        }
    }

    /// An inventory of a mailbox that counts so many and names these.
    fn of(counted: u64, named: &[u32]) -> Inventory {
        let mut inventory = Inventory::from(1);
        inventory.opened(&Selected {
            exists: counted,
            ..Selected::default()
        });
        for uid in named {
            inventory.take(&line(&format!("* 1 FETCH (UID {uid})")));
        }
        inventory
    }

    #[test]
    fn only_what_names_as_many_as_it_counts_is_whole() {
        assert_eq!(of(2, &[3, 9]).extent(), Extent::Whole);
        assert_eq!(of(0, &[]).extent(), Extent::Whole);
        let short = Extent::Short {
            counted: 3,
            named: 2,
        };
        assert_eq!(of(3, &[3, 9, 3]).extent(), short);
        let mut shrunk = of(3, &[3, 9]);
        shrunk.recount(&line("* 2 EXPUNGE"));
        assert_eq!(shrunk.extent(), Extent::Whole);
        shrunk.recount(&line("* 3 EXISTS"));
        assert_eq!(shrunk.extent(), short);
    }

    #[test]
    fn what_is_short_or_refused_is_searched_and_asked_for_below_the_window() {
        let (ok, no) = (status(Condition::Ok), status(Condition::No));
        let whole = Next::Done(Extent::Whole);
        assert_eq!(of(2, &[3, 9]).ended(&ok), whole);
        assert_eq!(of(0, &[]).ended(&no), whole);
        assert_eq!(of(2, &[3, 9]).ended(&no), Next::Search);
        let mut short = of(4, &[8, 9]);
        assert_eq!(short.ended(&ok), Next::Search);
        assert_eq!(short.take_search(&line("* SEARCH 9 7 8")), [7]);
        assert_eq!(short.ended(&ok), Next::Fetch("1:6".to_owned()));
        let entry = short.take(&line("* 1 FETCH (UID 2)"));
        assert_eq!(
            entry.map(|entry| (entry.uid, entry.is_first)),
            Some((2, true))
        );
        assert_eq!(short.ended(&ok), whole);
    }

    #[test]
    fn a_window_that_does_not_grow_ends_the_asking() {
        let ok = status(Condition::Ok);
        let mut short = of(4, &[8, 9]);
        assert_eq!(short.ended(&ok), Next::Search);
        assert_eq!(short.ended(&ok), Next::Fetch("1:7".to_owned()));
        assert_eq!(short.ended(&ok), Next::Done(short.extent()));
    }

    #[test]
    fn below_the_first_uid_nothing_is_meant() {
        let mut inventory = Inventory::from(7);
        inventory.opened(&Selected {
            exists: 9,
            ..Selected::default()
        });
        assert_eq!(inventory.range(), "7:*");
        assert_eq!(inventory.take(&line("* 9 FETCH (UID 6)")), None);
        assert_eq!(inventory.take_search(&line("* SEARCH 5 7")), [7]);
        let ok = status(Condition::Ok);
        assert_eq!(inventory.ended(&ok), Next::Search);
        assert_eq!(inventory.ended(&ok), Next::Done(inventory.extent()));
    }

    #[test]
    fn a_line_that_is_not_understood_is_remembered() {
        let mut inventory = of(1, &[]);
        assert_eq!(inventory.take(&line("* 1 FETCH (UID 0)")), None);
        assert!(inventory.is_odd());
    }
}
