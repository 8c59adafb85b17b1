//! How far a connection came, and how long each step took.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::tls::TlsDetails;

/// A step on the way to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The name is turned into addresses.
    Resolve,
    /// TCP.
    Connect,
    /// The TLS handshake, at once or by STARTTLS.
    Tls,
    /// The server says who it is.
    Greeting,
    /// LOGIN or AUTHENTICATE.
    Login,
    /// What the server can do, after the login.
    Capabilities,
    /// Which mailboxes there are.
    List,
    /// EXAMINE INBOX: some servers accept a login that cannot open anything.
    Inbox,
}

impl Step {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Login => "login",
            Self::Capabilities => "capabilities",
            Self::List => "list",
            Self::Inbox => "inbox",
        }
    }
}

/// Notes steps while they are made.
#[derive(Debug, Default)]
pub struct Steps {
    /// Steps that were made, with their times.
    pub made: Vec<(Step, Duration)>,
    /// What TLS was negotiated.
    pub tls: Option<TlsDetails>,
    current: Option<(Step, Instant)>,
}

impl Steps {
    /// A step begins, or goes on; another one before it has succeeded.
    pub fn begin(&mut self, step: Step) {
        if self.current() == Some(step) {
            return;
        }
        self.end();
        self.current = Some((step, Instant::now()));
    }

    /// The last step has succeeded.
    pub fn end(&mut self) {
        if let Some((step, began)) = self.current.take() {
            self.made.push((step, began.elapsed()));
        }
    }

    /// The step that was begun and has not ended: the one that failed.
    #[must_use]
    pub fn current(&self) -> Option<Step> {
        self.current.map(|(step, _)| step)
    }
}
