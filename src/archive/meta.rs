//! Which mailbox a directory of the archive holds, and who says so. Knows no file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::name_json;
use crate::mailbox::Name;

/// Which mailbox a directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxMeta {
    /// Name: `name` in UTF-8, `wire` as on the wire.
    #[serde(flatten, with = "name_json")]
    pub name: Name,
    /// Hierarchy delimiter.
    pub delimiter: Option<char>,
    /// Attributes as listed.
    pub attributes: Vec<String>,
    /// UIDVALIDITY of the pairs; 0 where the server has none.
    pub uidvalidity: u32,
}

/// Who said which mailbox a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// This program's `.mailbox.json`.
    Ours,
    /// That of the original Python tool.
    Original,
    /// The state: there is no `.mailbox.json`.
    State,
    /// Sidecars of this program: neither is there.
    OurSidecars,
    /// Those of another.
    Sidecars,
}

/// Attributes that tell a mailbox's state, not what it is (RFC 3501 section 7.2.2, RFC 3348, RFC 5258).
const PASSING: [&str; 6] = [
    "\\marked",
    "\\unmarked",
    "\\haschildren",
    "\\hasnochildren",
    "\\noinferiors",
    "\\subscribed",
];

impl MailboxMeta {
    /// Do both describe the same mailbox, apart from what comes and goes with its messages and children?
    #[must_use]
    pub fn describes_same(&self, other: &Self) -> bool {
        let lasting = |meta: &Self| {
            let lasting = meta.attributes.iter().map(|one| one.to_ascii_lowercase());
            let lasting = lasting.filter(|one| !PASSING.contains(&one.as_str()));
            lasting.collect::<BTreeSet<String>>()
        };
        self.name.is_written_as(&other.name)
            && self.delimiter == other.delimiter
            && lasting(self) == lasting(other)
    }
}
