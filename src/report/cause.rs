//! Why an account is not complete, as scripts and the last line of a run tell it: one word each.

use std::fmt;
use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

use super::LoginWith;
use crate::credential::CredentialError;
use crate::session::error::{Kind, SessionError, Stage};
use crate::session::steps::Step;

/// What lies behind an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The server refuses the login.
    Auth,
    /// There is no password or token to log in with.
    Credential,
    /// The host's name does not resolve.
    Dns,
    /// Nobody answers at that host and port, or the connection is lost again and again.
    Connect,
    /// TLS cannot be negotiated.
    Tls,
    /// The server allows no further connection, or asks for more patience than we have.
    Limit,
    /// The account on the target is full.
    Quota,
    /// The disk cannot be written or read.
    Disk,
    /// The server refuses messages or mailboxes.
    RefusedMessage,
    /// What was asked for as a whole is refused.
    Refused,
    /// Something was found that somebody should look at.
    Findings,
    /// Not all that was to be done could be.
    Incomplete,
    /// The run ended first.
    Stopped,
    /// A bug in this program.
    Bug,
    /// None of these.
    Other,
}

/// No login was tried: both sides have no mechanism in common.
fn is_permanent(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<SessionError>();
    error.is_some_and(|error| error.kind == Kind::Permanent)
}

/// An error whose cause is known where it is made.
#[derive(Debug)]
pub struct Because {
    cause: Cause,
    text: String,
}

impl Because {
    /// An error with its cause.
    #[must_use]
    pub fn new(cause: Cause, text: String) -> Self {
        Self { cause, text }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Because {}

impl Cause {
    /// The cause of an error.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(because) = error.downcast_ref::<Because>() {
            return because.cause;
        }
        if let Some(error) = error.downcast_ref::<SessionError>() {
            return Self::of_session(error);
        }
        if error.downcast_ref::<CredentialError>().is_some() {
            return Self::Credential;
        }
        let of_disk = |error: &io::Error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::FileTooLarge
                    | ErrorKind::PermissionDenied
                    | ErrorKind::NotFound
                    | ErrorKind::Other
            )
        };
        let mut chain = error.chain();
        if chain.any(|error| error.downcast_ref().is_some_and(of_disk)) {
            return Self::Disk;
        }
        Self::Other
    }

    /// The cause of an error that came in this step on the way to a session.
    #[must_use]
    pub fn in_step(error: &anyhow::Error, step: Option<Step>) -> Self {
        match (Self::of(error), step) {
            (Self::Connect | Self::Refused | Self::Other, Some(Step::Resolve)) => Self::Dns,
            (Self::Connect | Self::Refused | Self::Other, Some(Step::Tls)) => Self::Tls,
            (Self::Refused, Some(Step::Login)) if !is_permanent(error) => Self::Auth,
            (cause, _) => cause,
        }
    }

    fn of_session(error: &SessionError) -> Self {
        match (error.kind, error.stage) {
            (_, Some(Stage::Name)) => Self::Dns,
            (_, Some(Stage::Tls)) => Self::Tls,
            (_, Some(Stage::Credential)) => Self::Credential,
            (Kind::Authentication, _) => Self::Auth,
            (Kind::Throttled(_) | Kind::Busy | Kind::Parked(_), _) => Self::Limit,
            (Kind::Transient | Kind::Desync, _) => Self::Connect,
            (Kind::Refused | Kind::Permanent, _) => Self::Refused,
            (Kind::Stopped, _) => Self::Stopped,
            (Kind::Local, _) => Self::Disk,
        }
    }

    /// What a group of such accounts is called.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Auth => "Logins refused",
            Self::Credential => "No password or token",
            Self::Dns => "Hosts that do not resolve",
            Self::Connect => "No connection, or none that lasts",
            Self::Tls => "TLS cannot be negotiated",
            Self::Limit => "The server asks for patience",
            Self::Quota => "Full on the target",
            Self::Disk => "The disk",
            Self::RefusedMessage => "Messages refused",
            Self::Refused => "Refused by the server",
            Self::Findings => "With findings",
            Self::Incomplete => "Not all of it",
            Self::Stopped => "Stopped",
            Self::Bug => "A bug in this program",
            Self::Other => "Other reasons",
        }
    }

    /// What to do about these accounts; nothing where running it again is all there is to do.
    #[must_use]
    pub fn advice(self, accounts: &str, login_with: LoginWith) -> Option<String> {
        Some(match self {
            Self::Auth => match login_with {
                LoginWith::Password => format!("correct the passwords of {accounts}"),
                LoginWith::Token => {
                    format!("see above what the tokens of {accounts} lack (rights, scope, mailbox)")
                }
                LoginWith::Unknown => format!("correct the passwords or tokens of {accounts}"),
            },
            Self::Credential => {
                format!("see where the passwords or tokens of {accounts} come from")
            }
            Self::Dns => format!("correct the host of {accounts}"),
            Self::Connect => format!("see why the server of {accounts} does not answer"),
            Self::Tls => format!("see to the certificate, or the TLS settings, of {accounts}"),
            Self::Limit => "wait, or use fewer --max-workers".to_owned(),
            Self::Quota => format!("give {accounts} more quota on the target"),
            Self::Disk => "see to the disk (room, rights, limits)".to_owned(),
            Self::RefusedMessage => {
                format!(
                    "see what the server refuses of {accounts} (failed.jsonl): trying again alone does not help"
                )
            }
            Self::Refused | Self::Incomplete | Self::Other => {
                format!(
                    "see above what {accounts} lack{}",
                    if accounts.starts_with("1 ") { "s" } else { "" }
                )
            }
            Self::Findings => format!("look at the findings of {accounts}"),
            Self::Bug => "report the bug with the log".to_owned(),
            Self::Stopped => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn errors_are_known_by_their_types_whatever_stands_around_them() {
        let of = |error: anyhow::Error| Cause::of(&error.context("outside"));
        let session = |kind| SessionError::new(kind, "x");
        assert_eq!(of(session(Kind::Authentication).into()), Cause::Auth);
        assert_eq!(of(session(Kind::Busy).into()), Cause::Limit);
        let name = session(Kind::Permanent).at(Stage::Name);
        assert_eq!(of(name.into()), Cause::Dns);
        let token = session(Kind::Permanent).at(Stage::Credential);
        assert_eq!(of(token.into()), Cause::Credential);
        let full = io::Error::from(ErrorKind::StorageFull);
        let full = Err::<(), _>(full).context("write").expect_err("full");
        assert_eq!(of(full), Cause::Disk);
        assert_eq!(
            of(Because::new(Cause::Quota, "full".into()).into()),
            Cause::Quota
        );
        assert_eq!(of(anyhow::anyhow!("odd")), Cause::Other);
    }
}
