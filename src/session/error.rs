//! The session's error: what failed, and what can be done about it.
//!
//! It reads no server's words; what those mean is decided in `refusal`.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::budget::{Budget, Direction};
use crate::credential::{CredentialError, CredentialErrorKind};

/// What can be done about an error of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reset, time-out, BYE or a temporary refusal: a new connection may help.
    Transient,
    /// The server named how long to wait.
    Throttled(Duration),
    /// The server named a wait that is too long to stay for.
    Parked(Duration),
    /// Too many connections: wait until others have ended.
    Busy,
    /// The server's bytes can no longer be trusted; the connection is given up.
    Desync,
    /// Login refused. Never tried again: servers lock accounts and block addresses.
    Authentication,
    /// A command was answered with NO or BAD.
    Refused,
    /// Nothing that another try would change: unknown host, bad certificate, missing STARTTLS.
    Permanent,
    /// The run was asked to stop.
    Stopped,
    /// What received the bytes on our side failed, for example a full disk.
    Local,
}

/// How a connection ended, where that matters apart from what can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server was silent for `--imap-timeout`.
    TimedOut,
    /// The server said BYE.
    Goodbye,
    /// The server said BYE because the session has lasted as long as its token: nobody's fault.
    SessionOver,
    /// Commands sent ahead were lost or mixed up. The server gets fewer of them from now on.
    SentAhead,
    /// It ended at an optional question, which is no longer asked if that happens again.
    Aside,
    /// A response could not be read, nor is it certain where it ends; the connection itself is still up.
    Misread,
}

/// Where an error arose, where neither kind nor cause says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The host's name.
    Name,
    /// TLS.
    Tls,
    /// There is no password or token to log in with.
    Credential,
}

/// An error of the IMAP session; its text names what the server said.
#[derive(Debug, Clone)]
pub struct SessionError {
    /// What can be done about it.
    pub kind: Kind,
    /// How the connection ended, where that is known.
    pub ending: Option<Ending>,
    /// Where it arose, where that is not plain.
    pub stage: Option<Stage>,
    message: String,
}

/// Result of a session operation.
pub type Result<T> = std::result::Result<T, SessionError>;

impl SessionError {
    /// An error of the given kind; `message` is lower case, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            ending: None,
            stage: None,
            message: message.into(),
        }
    }

    /// A lost or failing connection.
    #[must_use]
    pub fn transport(doing: &str, error: &io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("{doing}: the server closed the connection"),
            _ => format!("{doing}: {error}"),
        };
        Self::new(Kind::Transient, message)
    }

    /// The error of a run that was asked to stop.
    #[must_use]
    pub fn stopped() -> Self {
        Self::new(Kind::Stopped, "the run was stopped")
    }

    /// The error of an account that may take no more today.
    #[must_use]
    pub fn used_up(budget: &Budget, way: Direction) -> Self {
        let (wait, text) = budget.spent(way);
        Self::new(Kind::Parked(wait), text)
    }

    /// Notes how the connection ended.
    #[must_use]
    pub fn by(mut self, ending: Ending) -> Self {
        self.ending = Some(ending);
        self
    }

    /// Notes where it arose.
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.stage = Some(stage);
        self
    }

    /// Puts what was being done before the text.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Appends the likely cause to the text.
    #[must_use]
    pub fn followed_by(mut self, cause: impl fmt::Display) -> Self {
        self.message = format!("{}; {cause}", self.message);
        self
    }

    /// True when the server said BYE, for whatever reason.
    #[must_use]
    pub fn is_goodbye(&self) -> bool {
        matches!(self.ending, Some(Ending::Goodbye | Ending::SessionOver))
    }

    /// True when a new connection may bring the work further.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            Kind::Transient | Kind::Throttled(_) | Kind::Busy | Kind::Desync
        )
    }
}

/// How long the server wants to be left alone, where that is what ended the work.
#[must_use]
pub fn parked(error: &anyhow::Error) -> Option<Duration> {
    match error.downcast_ref::<SessionError>()?.kind {
        Kind::Parked(wait) => Some(wait),
        _ => None,
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SessionError {}

/// True for the error of a run that was asked to stop.
#[must_use]
pub fn is_stopped(error: &anyhow::Error) -> bool {
    let session = error.downcast_ref::<SessionError>();
    let credential = error.downcast_ref::<CredentialError>();
    session.is_some_and(|error| error.kind == Kind::Stopped)
        || credential.is_some_and(|error| error.kind == CredentialErrorKind::Stopped)
}

/// The session error that travelled through the `imap` crate as an I/O error.
#[must_use]
pub fn from_io(error: &io::Error) -> Option<&SessionError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
