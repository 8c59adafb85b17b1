//! Two inventories in; out, what they have in common and what they do not. Pure.
//!
//! The header finds the candidates. Where sizes, dates and counts tell which of them is which, they do; else the
//! content decides, which the caller has to read.

mod board;
mod count;

pub use board::Board;

use crate::message::Identity;

/// A message that one side must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What makes two copies the same message.
    pub identity: Identity,
    /// The same as a server has it that writes `X` for 8-bit characters in headers; `None` where there are none.
    pub loose: Option<Identity>,
    /// Bytes, as sent.
    pub size: u64,
    /// INTERNALDATE, in seconds since 1970.
    pub time: Option<i64>,
    /// Where it is on the other side, as far as that is on record.
    pub recorded: Option<Recorded>,
}

/// A UID on the other side that is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// UID there.
    pub uid: u32,
    /// Nothing speaks against the record: the mailbox was not made anew since.
    pub stands: bool,
}

/// A message that the other side has.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// What makes two copies the same message; `None` where its header cannot be had.
    pub identity: Option<Identity>,
    /// UID.
    pub uid: u32,
    /// Bytes, where they are known.
    pub size: Option<u64>,
    /// INTERNALDATE, in seconds since 1970.
    pub time: Option<i64>,
}

/// Messages of both sides that may be the same: their contents must be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Numbers of those wanted.
    pub wanted: Vec<usize>,
    /// Numbers of those held.
    pub held: Vec<usize>,
    /// Why.
    pub ground: Ground,
}

/// Why messages may be the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// They have the header in common, and sizes, dates and counts do not tell which is which.
    #[default]
    Header,
    /// The one is on record with the UID of the other, which has another header.
    Record,
    /// They have the header in common, but for 8-bit characters.
    Loose,
    /// Neither has a header field that counts.
    Nameless,
    /// They have the date in common: a server may have changed the header.
    Date,
}

/// How alike two messages are, by their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Byte for byte.
    Same,
    /// Apart from what servers do to messages.
    Rewritten,
    /// The same body under another header, as far as it does not count.
    Reheaded,
    /// Different messages.
    Other,
    /// One of them cannot be read.
    Unknown,
}

/// Numbers into the two inventories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The same message on both sides.
    pub matched: Vec<(usize, usize)>,
    /// The same by its body, with another header.
    pub rewritten: Vec<(usize, usize)>,
    /// Wanted and not there.
    pub missing: Vec<usize>,
    /// Wanted; whether it is there cannot be told.
    pub unknown: Vec<usize>,
    /// There, and more copies of it than wanted.
    pub doubled: Vec<usize>,
    /// There and not wanted at all.
    pub extra: Vec<usize>,
}

impl Comparison {
    /// Not everything was looked at: what was not found may be in the rest.
    pub fn doubt(&mut self) {
        self.unknown.append(&mut self.missing);
        self.unknown.sort_unstable();
    }
}

#[cfg(test)]
mod tests;
