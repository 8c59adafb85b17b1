//! What a panel was asked to create before an import.

use serde::{Deserialize, Serialize};

/// What became of one mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvisionState {
    /// It was there; nothing of it is changed.
    Exists,
    /// It was not there and is now.
    Created,
    /// It is not there; without a dry run it would be created.
    WouldCreate,
    /// It is not there, or cannot be looked for, and why is said.
    Failed,
    /// The run ended first.
    NotTried,
}

impl ProvisionState {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Created => "created",
            Self::WouldCreate => "would be created",
            Self::Failed => "FAILED",
            Self::NotTried => "not tried",
        }
    }
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Provisioned {
    /// The account.
    pub account: String,
    /// What became of it.
    pub state: ProvisionState,
    /// Quota that it has been or would be created with, in MB; 0 is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_mb: Option<u32>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// All accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProvisionReport {
    /// Kind of panel.
    pub panel: String,
    /// Its URL.
    pub url: String,
    /// Nothing was created.
    pub dry_run: bool,
    /// The accounts, in the configuration's order.
    pub mailboxes: Vec<Provisioned>,
}

impl ProvisionReport {
    /// How many mailboxes are in a state.
    #[must_use]
    pub fn count(&self, state: ProvisionState) -> u64 {
        let in_state = self.mailboxes.iter().filter(|one| one.state == state);
        in_state.count() as u64
    }

    /// True unless every mailbox is there, or would be.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        use ProvisionState::{Failed, NotTried};
        self.count(Failed) + self.count(NotTried) > 0
    }
}
