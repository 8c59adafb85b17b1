//! One account in a report, with its mailboxes and what is wrong with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cause, Compared, Counts, Preflight, Status, Tested};
use crate::archive::excerpt::Excerpt;
use crate::archive::failed::FailedMessage;
use crate::finding::{Code, Finding, Tally};
use crate::mode::Phase;

/// One mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailboxReport {
    /// Its name.
    pub mailbox: String,
    /// Its directory in the archive; empty where there is none.
    pub directory: String,
    /// Import: its name on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Import: why it is called so there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Validate: how the two sides compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// What a reader should know.
    pub note: Option<String>,
}

/// One message that could not be fetched or brought over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedMessageReport {
    /// The account.
    pub account: String,
    /// The mailbox.
    pub mailbox: String,
    /// UID; `null` for a whole mailbox, or for messages that the server does not name.
    pub uid: Option<u32>,
    /// Size in bytes, where the server says it.
    pub size: Option<u64>,
    /// The server's words.
    pub server: String,
    /// Where the archive has it, below the archive's root.
    #[serde(default)]
    pub file: Option<String>,
    /// What the message is, where the archive has it; what the source says of one that it does not give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Excerpt>,
}

impl From<&FailedMessage> for FailedMessageReport {
    fn from(failed: &FailedMessage) -> Self {
        let is_known = failed.date.is_some() || failed.from.is_some() || failed.subject.is_some();
        Self {
            account: failed.account.clone(),
            mailbox: failed.mailbox.clone(),
            uid: failed.uid,
            size: failed.size,
            server: failed.server.clone(),
            file: None,
            message: is_known.then(|| Excerpt {
                date: failed.date.clone(),
                from: failed.from.clone(),
                subject: failed.subject.clone(),
                size: failed.size,
                sha256: None,
            }),
        }
    }
}

/// One account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AccountReport {
    /// Its name.
    pub account: String,
    /// Its login and server, as shards share out accounts by it; of the target in an import and a validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Migrate: its login and server on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_identity: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Parked: when it can go on, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<String>,
    /// Parked: how long from its end.
    #[serde(skip)]
    pub parked_for: Option<Duration>,
    /// The user name of its login.
    #[serde(default)]
    pub login: Option<String>,
    /// What it logs in with; not known of a report that was read.
    #[serde(skip)]
    pub login_with: LoginWith,
    /// Why it is not complete, in a word.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Why it failed.
    pub error: Option<String>,
    /// How often it reconnected.
    #[serde(default)]
    pub reconnects: u64,
    /// How long it waited before.
    #[serde(default)]
    pub waiting_seconds: f64,
    /// SHA-256 over the sorted list of its messages' SHA-256, each a line of hexadecimal digits; of an audit.
    #[serde(default)]
    pub proof: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// Sums over its mailboxes.
    pub counts: Counts,
    /// Its mailboxes.
    pub mailboxes: Vec<MailboxReport>,
    /// Messages that could not be had.
    pub failures: Vec<FailedMessageReport>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What audit or validate found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What was audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditReport>,
    /// How the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Tested>,
    /// Whether the target can take the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflight>,
    /// Migrate: how each phase ended.
    #[serde(default)]
    pub phases: Vec<PhaseReport>,
    /// How archive and target compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// The same before what was missing was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_before: Option<Compared>,
}

/// What proves a login; it decides what to do about one that is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginWith {
    /// One of the two.
    #[default]
    Unknown,
    /// A password.
    Password,
    /// A token.
    Token,
}

/// How a phase of a migration ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Which one.
    pub phase: Phase,
    /// How it ended.
    pub status: Status,
    /// Wall time.
    pub seconds: f64,
    /// What it counted.
    pub counts: Counts,
}

/// What an audit has looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct AuditReport {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages with message file and sidecar.
    pub messages: u64,
    /// Bytes of the message files.
    pub bytes: u64,
    /// The source was asked too.
    pub against_source: bool,
    /// How many findings.
    #[serde(flatten)]
    pub findings: Tally,
}

impl AccountReport {
    /// True unless both sides were compared and the target has every message.
    #[must_use]
    pub fn lacks_messages(&self) -> bool {
        let is_missing =
            |finding: &Finding| matches!(finding.code, Code::Missing | Code::MailboxMissing);
        self.compared.is_none_or(|compared| compared.missing > 0)
            || self.findings.iter().any(is_missing)
    }

    /// An account of which all was done.
    #[must_use]
    pub fn complete(account: &str) -> Self {
        Self {
            status: Status::Complete,
            ..Self::new(account)
        }
    }

    /// An account that was not begun.
    #[must_use]
    pub fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            ..Self::default()
        }
    }
}
