//! The lines of the journal, as they are written.

use serde::{Deserialize, Serialize};

use crate::mailbox::uidset::UidSet;

/// Messages of one mailbox and where they go.
#[derive(Serialize, Deserialize)]
pub(super) struct BatchLine {
    pub target: String,
    pub mailbox: String,
    pub uidvalidity: u32,
    pub uids: UidSet,
    pub to: String,
    pub to_uidvalidity: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum JournalLine {
    Pending(BatchLine),
    Done {
        target: String,
        mailbox: String,
        uidvalidity: u32,
        uid: u32,
        #[serde(default)]
        sha256: Option<String>,
        to: String,
        to_uidvalidity: u32,
        #[serde(default)]
        to_uid: Option<u32>,
        /// The archive's flags, and those of them that were sent, where these are others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flags: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<String>,
    },
    Settled(BatchLine),
    /// What was known of this route no longer holds; its `uids` mean nothing.
    Forgotten(BatchLine),
    /// The target refuses the planned name of a mailbox and takes this one.
    Named {
        target: String,
        mailbox: String,
        to: String,
    },
    /// The target takes names with this prefix only, as a refusal has said.
    Prefix {
        target: String,
        prefix: String,
    },
}
