//! What mailboxes of the target hold: identities, dates, sizes, flags, read in one flight.
//!
//! A mailbox that counts more than it names, names what cannot be read, or breaks the connection is looked at again, in
//! parts: what could not be seen is unknown, never absent.

mod parts;
mod reading;

use std::collections::BTreeMap;

use anyhow::Result;
pub use reading::{read, read_one, read_with};

use super::flags;
use crate::compare::Held;
use crate::mailbox::uidset::UidSet;
use crate::message::{self, Identity};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::manage;
use crate::session::response;

/// Most different flags in a mailbox, and most of one mailbox's messages together.
const MAX_FLAGS: (usize, usize) = (2000, 64_000_000);

/// Numbers of the flags of a message, where they were said.
type KnownFlags = Option<Box<[u16]>>;

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
    /// For each message, numbers into `names`, where it was said; empty if not asked for.
    flags: Vec<KnownFlags>,
    /// All flags that occur, in lower case: few, however many messages there are.
    names: Vec<String>,
    /// How many flags all messages have together.
    flags_held: usize,
    /// They were too many.
    flags_unknown: bool,
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
pub enum Detail {
    /// Nothing.
    Identity,
    /// Its flags.
    Flags,
    /// Its flags, unless the mailbox has more than a mailbox can have.
    FlagsIfAny,
}

impl Detail {
    fn has_flags(self) -> bool {
        self != Self::Identity
    }
}

/// What is asked of a mailbox.
#[derive(Debug, Clone, Copy)]
pub struct MailboxQuery {
    /// Of which messages.
    pub which: Which,
    /// What of each.
    pub detail: Detail,
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

    /// Messages whose headers cannot be read.
    pub fn unread(&self) -> impl Iterator<Item = u32> + '_ {
        let unread = self
            .messages
            .iter()
            .filter(|there| there.identity.is_none());
        unread.map(|there| there.uid)
    }

    /// Messages whose headers hold nothing that tells them from others, if these are their headers.
    fn nameless(&self) -> impl Iterator<Item = u32> + '_ {
        let is_nameless = |identity: Identity| identity.is_nameless();
        let messages = self.messages.iter();
        let nameless = messages.filter(move |there| there.identity.is_some_and(is_nameless));
        nameless.map(|there| there.uid)
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

    /// The flags of a message, by its number, blank-separated; `None` where they are not known.
    #[must_use]
    pub fn shown_flags(&self, at: usize) -> Option<String> {
        self.flags.get(at)?.as_ref()?;
        Some(self.flags_of(at).collect::<Vec<_>>().join(" "))
    }

    /// The flags of a message, by its number.
    fn flags_of(&self, at: usize) -> impl Iterator<Item = &str> {
        let flags = self.flags.get(at).and_then(Option::as_deref);
        flags
            .unwrap_or_default()
            .iter()
            .map(|number| self.names[usize::from(*number)].as_str())
    }

    /// Flags of the archive, blank-separated, that the message with this number lacks; none where nobody said its flags.
    #[must_use]
    pub fn lost_flags(&self, archived: &str, at: usize) -> Vec<String> {
        if self.flags.get(at).is_some_and(Option::is_none) {
            return Vec::new();
        }
        let words = archived.split_ascii_whitespace();
        words
            .filter(|flag| {
                !flag.eq_ignore_ascii_case("\\Recent")
                    && !self.flags_of(at).any(|there| flags::is_same(there, flag))
            })
            .map(str::to_owned)
            .collect()
    }

    /// Keywords of the archive that the message with this number has in the form in which they are sent.
    pub fn encoded_flags<'a>(
        &'a self,
        archived: &'a str,
        at: usize,
    ) -> impl Iterator<Item = (String, String)> + 'a {
        let encoded = flags::kept(None, archived).encoded.into_iter();
        encoded.filter(move |(_, form)| {
            let mut there = self.flags_of(at);
            there.any(|there| there.eq_ignore_ascii_case(form))
        })
    }

    /// True when the message with this number has flags that the archive does not know.
    #[must_use]
    pub fn has_more_flags(&self, archived: &str, at: usize) -> bool {
        self.flags_of(at).any(|flag| {
            !archived
                .split_ascii_whitespace()
                .any(|known| flags::is_same(flag, known))
        })
    }

    /// These are not looked at.
    pub fn leave_out(&mut self, uids: &UidSet) {
        let before = self.messages.len();
        let stays: Vec<bool> = self
            .messages
            .iter()
            .map(|there| !uids.contains(there.uid))
            .collect();
        let mut stay = stays.iter();
        self.messages.retain(|_| stay.next() == Some(&true));
        let mut stay = stays.iter();
        self.flags.retain(|_| stay.next() == Some(&true));
        let gone = (before - self.messages.len()) as u64;
        self.exists = self.exists.saturating_sub(gone);
    }

    /// A mailbox that was listed with messages and names none is asked once more how many it has.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn doubt_emptiness(
        &mut self,
        channel: &mut Channel,
        wire: &[u8],
        listed: Option<u64>,
    ) -> Result<()> {
        if self.messages.is_empty() && listed.is_some_and(|listed| listed > 0) {
            let count = manage::count(channel, wire)?;
            self.exists = self.exists.max(count.unwrap_or(0));
        }
        Ok(())
    }

    /// By their UIDs, each once: the last answer counts, except for what it left out.
    fn put_in_order(&mut self) {
        let by_uid = self
            .messages
            .windows(2)
            .all(|pair| pair[0].uid < pair[1].uid);
        if by_uid {
            return;
        }
        let mut all: BTreeMap<u32, (Held, Option<KnownFlags>)> = BTreeMap::new();
        let mut flags = std::mem::take(&mut self.flags).into_iter();
        for mut there in self.messages.drain(..) {
            let mut its = flags.next();
            if let Some((known, known_flags)) = all.remove(&there.uid) {
                let says_more = |one: &Identity| !one.is_nameless();
                let named = there.identity.filter(says_more).or(known.identity);
                there.identity = named.or(there.identity);
                there.size = there.size.or(known.size);
                there.time = there.time.or(known.time);
                its = its.flatten().map(Some).or(known_flags);
            }
            all.insert(there.uid, (there, its));
        }
        for (there, its) in all.into_values() {
            self.messages.push(there);
            self.flags.extend(its);
        }
    }

    fn note(&mut self, data: response::FetchData, detail: Detail) -> Result<()> {
        let Some(held) = held(&data) else {
            return Ok(());
        };
        if detail.has_flags() && !self.flags_unknown {
            let numbers = data.flags.map(|flags| self.numbers_of(&flags));
            self.flags_held += numbers.as_ref().map_or(0, Vec::len);
            let too_many = self.names.len() > MAX_FLAGS.0 || self.flags_held > MAX_FLAGS.1;
            if too_many && detail == Detail::FlagsIfAny {
                self.flags_unknown = true;
                self.flags = Vec::new();
            } else if too_many {
                let text = format!(
                    "the target names more flags than a mailbox can have: {} different ones, {} in all",
                    self.names.len(),
                    self.flags_held
                );
                return Err(SessionError::new(Kind::Refused, text).into());
            } else {
                self.flags.push(numbers.map(Vec::into_boxed_slice));
            }
        }
        self.messages.push(held);
        Ok(())
    }

    fn numbers_of(&mut self, flags: &[String]) -> Vec<u16> {
        let mut numbers: Vec<u16> = flags.iter().filter_map(|f| self.number_of(f)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// A message as FETCH shows it; `None` without its UID.
#[must_use]
pub fn held(data: &response::FetchData) -> Option<Held> {
    let time = data.internaldate.as_ref().and_then(Option::as_deref);
    let time = time.and_then(message::timestamp);
    let size = data.size.unwrap_or(0);
    let header = data.header.as_deref();
    Some(Held {
        identity: header.map(|header| Identity::of(header, size, time)),
        uid: data.uid?,
        size: data.size,
        time,
    })
}

#[cfg(test)]
mod tests;
