//! One thing that an audit or a validation reports.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Loss or damage.
    Error,
    /// Somebody should look at it.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// The word in table and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What was found, where, and how bad it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Kind of finding; the README lists them.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The account.
    pub account: String,
    /// The mailbox, where it is about one.
    pub mailbox: Option<String>,
    /// The file below the archive's root, where it is about one.
    pub file: Option<String>,
    /// UID in the archive, where it is about one message.
    pub uid: Option<u32>,
    /// The whole of it for people.
    pub text: String,
}

impl Finding {
    /// A finding about an account.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: &'static str,
        account: &str,
        text: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            account: account.to_owned(),
            mailbox: None,
            file: None,
            uid: None,
            text: text.into(),
        }
    }

    /// The same about one of its mailboxes.
    #[must_use]
    pub fn in_mailbox(mut self, mailbox: &str) -> Self {
        self.mailbox = Some(mailbox.to_owned());
        self
    }

    /// The same about a file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same about a message.
    #[must_use]
    pub fn of_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }
}

/// How many findings of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Loss or damage.
    pub errors: u64,
    /// To be looked at.
    pub warnings: u64,
    /// Good to know.
    pub notes: u64,
}

impl Tally {
    /// Counts them.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }
}
