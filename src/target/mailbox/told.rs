//! What the report is to say about a mailbox, beyond how far it is.

use std::collections::{BTreeMap, BTreeSet};

use super::Job;
use crate::mailbox::uidset::UidSet;
use crate::message::DateSource;
use crate::plural::counted;
use crate::target::message::Ready;

/// Flags that are named where they are lost.
const MAX_NAMED: usize = 10;

/// What a run gathers for the report.
#[derive(Debug, Default)]
pub struct Told {
    /// Bytes appended in this run, or that would be.
    bytes: u64,
    /// Messages that went without a keyword or flag, by their UIDs in the archive.
    without_flags: UidSet,
    /// The first of those flags.
    dropped_flags: BTreeSet<String>,
    /// Messages with a keyword that was sent in another form.
    flags_encoded: u64,
    /// The first of those keywords, with their forms.
    encoded_flags: BTreeMap<String, String>,
    /// Messages whose flags changed in the archive, and followed.
    flags_changed: u64,
    /// Messages that were repaired.
    repaired: u64,
    /// Messages that have the date of their headers.
    dates_from_headers: u64,
    /// Messages that have no date anywhere, so the target gives its own time.
    undated: u64,
    /// Messages whose date the target does not take.
    dates_refused: u64,
    /// Messages that came twice, by their UIDs on the target.
    doubled: UidSet,
    /// What a reader should know.
    notes: Vec<String>,
}

impl Told {
    /// This many bytes would be appended.
    pub fn would_append(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// The target has taken this message.
    pub fn append(&mut self, ready: &Ready) {
        self.bytes += ready.size;
        self.repaired += u64::from(ready.repaired.any());
        match ready.internaldate.1 {
            DateSource::Server => {}
            DateSource::DateHeader | DateSource::Received => self.dates_from_headers += 1,
            DateSource::None => self.undated += 1,
            DateSource::Refused => self.dates_refused += 1,
        }
    }

    /// A message goes without these flags; it counts once, however often it loses one.
    pub fn lose_flags<'a>(&mut self, uid: u32, flags: impl IntoIterator<Item = &'a str>) {
        for flag in flags {
            self.without_flags.insert(uid);
            if self.dropped_flags.len() < MAX_NAMED {
                self.dropped_flags.insert(flag.to_owned());
            }
        }
    }

    /// A message goes with these keywords in another form.
    pub fn encode_flags(&mut self, encoded: Vec<(String, String)>) {
        self.flags_encoded += u64::from(!encoded.is_empty());
        for (keyword, form) in encoded {
            if self.encoded_flags.len() < MAX_NAMED {
                self.encoded_flags.insert(keyword, form);
            }
        }
    }

    /// The flags of this many messages have followed the archive's, or would.
    pub fn change_flags(&mut self, messages: usize) {
        self.flags_changed += messages as u64;
    }

    /// These came twice, by their UIDs on the target.
    pub fn double(&mut self, uids: UidSet) {
        self.doubled = uids;
    }

    /// Bytes appended in this run, or that would be.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages whose flags changed in the archive, and followed.
    #[must_use]
    pub fn flags_changed(&self) -> u64 {
        self.flags_changed
    }

    /// Messages that came twice, by their UIDs on the target.
    #[must_use]
    pub fn doubled(&self) -> &UidSet {
        &self.doubled
    }

    /// What a reader should know.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Job {
    /// Adds a note for a reader of the report.
    pub fn tell(&mut self, note: impl Into<String>) {
        self.told.notes.push(note.into());
    }

    /// What the report is to say.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// The same, to be added to.
    pub fn told_mut(&mut self) -> &mut Told {
        &mut self.told
    }

    /// All that a reader should know of what was brought, and what was not.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let told = &self.told;
        let mut notes = told.notes.clone();
        notes.extend(self.failure().map(str::to_owned));
        let mut note = |count: u64, text: &str| {
            if count > 0 {
                notes.push(format!("{} {text}", counted(count, "message")));
            }
        };
        let named: Vec<&str> = told.dropped_flags.iter().map(String::as_str).collect();
        note(
            told.without_flags.len(),
            &format!(
                "without flags that the target does not keep ({})",
                named.join(", ")
            ),
        );
        let encoded = told.encoded_flags.iter();
        let encoded: Vec<String> = encoded
            .map(|(from, to)| format!("{from} as {to}"))
            .collect();
        note(
            told.flags_encoded,
            &format!(
                "without flags that no command can carry, but with a form of them that can be undone ({})",
                encoded.join(", ")
            ),
        );
        note(
            self.lost().count(),
            "gone from the archive, by its own record",
        );
        note(
            told.flags_changed,
            "with flags that changed in the archive since the import",
        );
        note(told.repaired, "repaired on the way");
        note(
            told.dates_from_headers,
            "with the date in the headers, as the source gave none",
        );
        note(
            told.undated,
            "with the time of the import, as neither the source nor the headers give a date",
        );
        note(
            told.dates_refused,
            "with the time of the import, as the target refuses their date",
        );
        notes
    }
}
