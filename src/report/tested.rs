//! What the test of a connection shows.

use serde::{Deserialize, Serialize};

use crate::session::steps::Step;

/// One step on the way to a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub step: Step,
    /// How long it took.
    pub milliseconds: u64,
}

/// How the connection of an account was made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tested {
    /// The steps that succeeded.
    pub steps: Vec<StepReport>,
    /// The one that failed.
    pub failed_step: Option<Step>,
    /// Whom the login was for.
    #[serde(default)]
    pub user: Option<String>,
    /// What proved it: a password, or where the token is from.
    #[serde(default)]
    pub proof: Option<String>,
    /// By which command or mechanism.
    #[serde(default)]
    pub mechanism: Option<String>,
    /// How long the token lasts, in seconds, where that is known.
    #[serde(default)]
    pub token_seconds: Option<u64>,
    /// Version, certificate and its expiry.
    pub tls: Option<String>,
    /// Storage used, in KiB, where the server says it.
    pub quota_used_kib: Option<u64>,
    /// Storage allowed, in KiB, where the server says it.
    pub quota_limit_kib: Option<u64>,
}

impl Tested {
    /// Time of a step, in milliseconds.
    #[must_use]
    pub fn time(&self, step: Step) -> Option<u64> {
        let mut steps = self.steps.iter();
        steps
            .find(|made| made.step == step)
            .map(|made| made.milliseconds)
    }
}

/// Whether a target can take what is still to be imported.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Preflight {
    /// Messages to be imported.
    pub messages: u64,
    /// Their bytes; `None` where nothing was copied yet and the source does not say it.
    pub bytes: Option<u64>,
    /// Bytes of the largest; `None` where nothing was copied yet.
    pub largest: Option<u64>,
    /// Most bytes of a message that the target takes (RFC 7889), where it says so.
    pub append_limit: Option<u64>,
    /// Bytes left in the account's quota, where the target says so.
    pub quota_free: Option<u64>,
    /// Mailboxes to be made.
    pub new_mailboxes: u64,
    /// Mailboxes whose name the target cannot have.
    pub renamed: u64,
    /// The target keeps any keyword; `None` where it does not say.
    pub keywords: Option<bool>,
}
