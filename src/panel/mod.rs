//! Hosting panels: which mailboxes there are, and new ones. Knows neither IMAP nor archives.
//!
//! What is DirectAdmin's own is in [`directadmin`]; a second panel is one more such file.

pub mod access;
pub mod address;
pub mod directadmin;
mod gate;
mod http;
mod text;

use std::fmt;

use crate::redact::redacted;
use crate::secret::Secret;
use address::Address;

/// What a panel can be asked. Calls may be made from several threads.
pub trait Panel: Sync {
    /// One word, as logs and reports name it.
    fn name(&self) -> &'static str;

    /// The user whose domains and mailboxes these are.
    fn user(&self) -> &str;

    /// The domains of the user; as the first call also the probe of the login.
    ///
    /// # Errors
    /// Those of a call, see [`PanelErrorKind`].
    fn domains(&self) -> Result<Names>;

    /// The local parts of a domain's mailboxes.
    ///
    /// # Errors
    /// Those of a call; among them [`PanelErrorKind::Refused`] for a domain that the user does not have.
    fn mailboxes(&self, domain: &str) -> Result<Names>;

    /// What the panel tells about each mailbox of a domain beyond its name.
    ///
    /// # Errors
    /// Those of a call; not every version of a panel can tell.
    fn details(&self, domain: &str) -> Result<Vec<MailboxDetails>>;

    /// Creates a mailbox; quota in MB, 0 is unlimited. Is sent once, however it ends.
    ///
    /// # Errors
    /// [`PanelErrorKind::Refused`] when the panel says no. After [`PanelErrorKind::Transient`] and
    /// [`PanelErrorKind::Unclear`] the mailbox may be there or not.
    fn create(&self, address: &Address, password: &Secret, quota_mb: u32) -> Result<()>;
}

/// Names that a panel lists.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Names {
    /// Those that can be what they are listed as, in the panel's order and spelling.
    pub names: Vec<String>,
    /// The others, as text that can be shown.
    pub odd: Vec<String>,
}

/// A mailbox, as far as the panel tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MailboxDetails {
    /// Local part.
    pub local: String,
    /// Nobody can log in.
    pub suspended: bool,
    /// User name for IMAP, where it is not the address.
    pub login: Option<String>,
}

/// What an error means for the calls to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelErrorKind {
    /// Login or right refused: panels block those who go on, so no further call is made.
    Authentication,
    /// The panel understood and said no.
    Refused,
    /// The answer has an unknown form.
    Unclear,
    /// No answer in time, a lost connection, a server error.
    Transient,
    /// No panel can be reached there.
    Unreachable,
    /// The run is to end.
    Stopped,
}

/// A call that failed; the text names what was asked and what was answered.
#[derive(Debug, Clone)]
pub struct PanelError {
    /// What it means.
    pub kind: PanelErrorKind,
    message: String,
}

/// Result of a call.
pub type Result<T> = std::result::Result<T, PanelError>;

impl PanelError {
    /// An error of this kind; `message` is lower case, without a full stop. It may be remembered for longer than the
    /// passwords that the panel repeats in it.
    pub fn new(kind: PanelErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: redacted(&message.into()).into_owned(),
        }
    }

    /// Puts what was being done before the text.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl fmt::Display for PanelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PanelError {}
