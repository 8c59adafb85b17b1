//! What an error of the session means: reconnect, wait, skip the message, or give up the account.
//!
//! The only place that reads server texts to find that out. It knows no files.

use std::fmt;
use std::io;
use std::time::Duration;

use tracing::warn;

use crate::secret::Secret;
use crate::stop::Stop;

/// What can be done about a [`SessionError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reset, time-out, BYE or a temporary refusal: a new connection may help.
    Transient,
    /// The server named how long to wait.
    Throttled(Duration),
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

/// An error of the IMAP session; its text names what the server said.
#[derive(Debug, Clone)]
pub struct SessionError {
    /// What can be done about it.
    pub kind: Kind,
    message: String,
}

/// Result of a session operation.
pub type Result<T> = std::result::Result<T, SessionError>;

impl SessionError {
    /// An error of the given kind; `message` is lower case, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
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

    /// Puts what was being done before the text.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Takes a secret out of the text, should the server have repeated it.
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.message = secret.hide_in(&self.message);
        self
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

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SessionError {}

/// True for the error of a run that was asked to stop.
#[must_use]
pub fn is_stopped(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<SessionError>()
        .is_some_and(|error| error.kind == Kind::Stopped)
}

/// The session error that travelled through the `imap` crate as an I/O error.
#[must_use]
pub fn from_io(error: &io::Error) -> Option<&SessionError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// What a NO, BAD or BYE means by its response code (RFC 5530 and relatives) and its text.
///
/// `fallback` is what it means when neither says anything that is known.
#[must_use]
pub fn classify(code: Option<&str>, text: &str, fallback: Kind) -> Kind {
    if let Some(wait) = suggested_backoff(text) {
        return Kind::Throttled(wait);
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("too many") && lower.contains("connection")
        || lower.contains("maximum number of connections")
        || lower.contains("connection limit")
        || lower.contains("too many simultaneous")
    {
        return Kind::Busy;
    }
    let name = code
        .and_then(|code| code.split_ascii_whitespace().next())
        .unwrap_or_default()
        .to_ascii_uppercase();
    match name.as_str() {
        "UNAVAILABLE" | "INUSE" | "SERVERBUG" => Kind::Transient,
        "THROTTLED" | "LIMIT" => Kind::Busy,
        "AUTHENTICATIONFAILED"
        | "AUTHORIZATIONFAILED"
        | "EXPIRED"
        | "CONTACTADMIN"
        | "PRIVACYREQUIRED" => Kind::Authentication,
        _ if lower.contains("[throttled]") || lower.contains("throttl") => Kind::Busy,
        _ => fallback,
    }
}

/// The time that a server names, as in `Suggested Backoff Time: 299961 milliseconds`.
///
/// More than one hour is taken as one hour.
#[must_use]
pub fn suggested_backoff(text: &str) -> Option<Duration> {
    const PHRASE: &str = "suggested backoff time:";
    const LONGEST: Duration = Duration::from_secs(3600);
    let lower = text.to_ascii_lowercase();
    let rest = lower[lower.find(PHRASE)? + PHRASE.len()..].trim_start();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = rest[..digits].parse().unwrap_or(u64::MAX);
    let unit = rest[digits..].trim_start();
    if digits == 0 {
        return None;
    }
    let wait = if unit.starts_with("ms") || unit.starts_with("milli") || unit.is_empty() {
        Duration::from_millis(number)
    } else if unit.starts_with("min") {
        Duration::from_secs(number.saturating_mul(60))
    } else {
        Duration::from_secs(number)
    };
    Some(wait.min(LONGEST))
}

/// Counts the tries since the last progress and says how long to wait before the next one.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Tries in a row without progress, the first included.
    const TRIES: u32 = 5;
    /// The same while the server only says that there are too many connections, and none of them is ours.
    const BUSY_TRIES: u32 = 10;
    const LONGEST: Duration = Duration::from_secs(60);

    /// Work has gone on: start counting anew.
    pub fn progress(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next try, or `None` when it is time to give up.
    pub fn next_wait(&mut self, error: &SessionError) -> Option<Duration> {
        if !error.is_retryable() {
            return None;
        }
        self.failures += 1;
        let tries = if error.kind == Kind::Busy {
            Self::BUSY_TRIES
        } else {
            Self::TRIES
        };
        if self.failures >= tries {
            return None;
        }
        if let Kind::Throttled(wait) = error.kind {
            return Some(wait);
        }
        let base = Duration::from_millis(500) * 2_u32.pow((self.failures - 1).min(7));
        Some(base.min(Self::LONGEST).mul_f64(jitter()))
    }
}

/// Makes connections until one ends well: waits and tries again where that may help.
///
/// # Errors
/// The last connection's; [`Kind::Stopped`] when the run is asked to stop while it waits.
pub fn keep_trying(
    stop: &Stop,
    mut connection: impl FnMut(&mut Backoff) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut backoff = Backoff::default();
    loop {
        let Err(error) = connection(&mut backoff) else {
            return Ok(());
        };
        let session_error = error.downcast_ref::<SessionError>();
        let Some(wait) = session_error.and_then(|error| backoff.next_wait(error)) else {
            return Err(error);
        };
        warn!(
            error = format!("{error:#}"),
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "trying again on a new connection"
        );
        if stop.sleep(wait) {
            return Err(SessionError::stopped().into());
        }
    }
}

/// Between 0.75 and 1.25, so that accounts that failed together do not come back together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    0.75 + f64::from(u16::try_from(random & 0xffff).unwrap_or(0)) / f64::from(u16::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_texts_are_classified() {
        let cases = [
            (
                None,
                "Request is throttled. Suggested Backoff Time: 299961 milliseconds",
                Kind::Throttled(Duration::from_millis(299_961)),
            ),
            (
                Some("UNAVAILABLE"),
                "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
                Kind::Busy,
            ),
            (
                Some("ALERT"),
                "Too many simultaneous connections. (Failure)",
                Kind::Busy,
            ),
            (
                Some("UNAVAILABLE"),
                "Temporary authentication failure.",
                Kind::Transient,
            ),
            (
                Some("AUTHENTICATIONFAILED"),
                "Authentication failed.",
                Kind::Authentication,
            ),
            (None, "Success [THROTTLED]", Kind::Busy),
            (Some("NONEXISTENT"), "Unknown Mailbox", Kind::Refused),
        ];
        for (code, text, kind) in cases {
            assert_eq!(classify(code, text, Kind::Refused), kind, "{text}");
        }
    }

    #[test]
    fn a_backoff_is_bounded_and_needs_a_number() {
        assert_eq!(suggested_backoff("Suggested Backoff Time: soon"), None);
        assert_eq!(
            suggested_backoff("suggested backoff time: 99999999999999999999 milliseconds"),
            Some(Duration::from_secs(3600))
        );
    }

    #[test]
    fn authentication_failures_are_not_tried_again() {
        let refused = SessionError::new(Kind::Authentication, "no");
        assert_eq!(Backoff::default().next_wait(&refused), None);
    }

    #[test]
    fn tries_without_progress_end() {
        let lost = SessionError::new(Kind::Transient, "reset");
        let mut backoff = Backoff::default();
        let waits = std::iter::from_fn(|| backoff.next_wait(&lost)).count();
        assert_eq!(waits, 4);
        backoff.progress();
        assert!(backoff.next_wait(&lost).is_some());
    }
}
